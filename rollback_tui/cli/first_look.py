"""The first look at the server, in plain lines, while the screens are still being loaded.

Loading them takes longer than asking: on a busy machine some seconds, in which who is at the server
can be read already. The lines stay above the screens, with the time at which they were true.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import threading
from itertools import islice

import click

from rollback_tui.core.model import Activity, Target
from rollback_tui.core.text import printable, shorten

AROUND = 7
"""Lines of the terminal that are no session: the head, of which two may be cut in two, the last one
and that of the cursor."""
_HEAD = 2


class FirstLook:
    """Prints once, and only until the screens take the terminal."""

    def __init__(self) -> None:
        self._may = threading.Lock()
        self._over = False

    def show(self, target: Target, activity: Activity) -> None:
        """Print what was found, from any thread; nothing once the screens are there."""
        size = shutil.get_terminal_size()
        text = "\n".join(_lines(target, activity, size.columns, size.lines))
        with self._may:
            if not self._over:
                self._over = True
                # Who has gone needs no look; the screens find out by themselves.
                with contextlib.suppress(OSError):
                    click.echo(text)
                    sys.stdout.flush()

    def end(self) -> None:
        """The screens take the terminal now."""
        with self._may:
            self._over = True


def _lines(target: Target, activity: Activity, columns: int, rows: int) -> list[str]:
    # What the command `state` prints. Not needed where the answer comes after the screens.
    from rollback_tui.cli.state_text import Wanted, state_lines

    where = f"{target.database} on {target.host}:{target.port} as {target.user}"
    found = list(islice(state_lines(activity, Wanted()), _HEAD + max(1, rows - AROUND)))
    said = [f"{where} at {activity.taken_at:%H:%M:%S} by its own clock", found[0]]
    said += [shorten(printable(one), columns - 1) for one in found[1:]]
    return [*(printable(one) for one in said), "The screens are coming …"]
