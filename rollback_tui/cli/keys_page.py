"""``docs/keys.md``, made from the bindings themselves so that it cannot say otherwise.

Written with ``python -m rollback_tui.cli.keys_page > docs/keys.md``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from textual.binding import Binding

from rollback_tui.ui.keys import FIXED, PLACES, SWALLOWED, Place, own_bindings, shown

_HEAD = """\
# Keys

Every key of every screen. `?` shows those of the screen you are on, as they are now.

- **One hand, one terminal.** No key needs Alt, a function key or a mouse. None is one that tmux
  (`ctrl+b`) or screen (`ctrl+a`) keeps for itself. A terminal with flow control may keep `ctrl+q`:
  `q` does the same on every screen, and `esc` inside a question.
- **Enter never means yes.** It goes on, opens or presses the button that has the focus, and that is
  the harmless one at first. What ends a session or a query is shifted: `C`, `K`.
- **Lists:** arrows, `pgup`, `pgdn`, `home` and `end` move; `tab` goes to the next pane.

## Other keys

In `rollback.toml` for the project, or in your own `~/.config/rollback-tui/screen.toml`, where the
table's name is left out and which wins ([configuration](configuration.md#screen)):

```toml
[screen]
keys = { "state.sort" = "o", "step.next" = "n,ctrl+n" }
```

Left is the id of the action, from the tables below; right a character, a name, or several with
commas between them: `space`, `f5`, `ctrl+o`, `question_mark`. Help, hints and the line of keys then
say the new ones. Refused, with what to do instead, before anything is drawn: an id that there is
not, what is no key, two actions on one key of one screen, and keys that mean the same everywhere:
"""


def page() -> str:
    """Return the whole page, as Markdown."""
    fixed = ", ".join(f"`{one}`" for one in sorted(FIXED, key=lambda k: (len(k) == 1, k)))
    doubted = "; ".join(f"`{one}` ({why})" for one, why in SWALLOWED.items())
    parts = [f"{_HEAD}{fixed}.", f"Taken, but with a warning: {doubted}."]
    for place in PLACES:
        rows = list(_rows(place))
        if rows:
            parts.append(f"## {place.name}")
            parts.append("\n".join(["| key | does | id |", "|---|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def _rows(place: Place) -> Iterator[str]:
    for binding in own_bindings(place):
        keys = " ".join(f"`{shown(one)}`" for one in binding.key.split(","))
        yield f"| {keys} | {_does(binding)} | `{binding.id}` |"


def _does(binding: Binding) -> str:
    return (binding.tooltip or binding.description).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
