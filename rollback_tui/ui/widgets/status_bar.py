"""The lines around every step: who and where, the six steps, what next, the keys."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from rollback_tui.core.text import cells, printable, shorten
from rollback_tui.ui.after import after_of
from rollback_tui.ui.glyphs import plain
from rollback_tui.ui.hints import Hint, Kind, first_blocked
from rollback_tui.ui.theme import STATUS, Tone, line, piece
from rollback_tui.ui.walk import STEPS, Walk, blocked, done
from rollback_tui.ui.wording import outcome_of, run_of, time_of, version

if TYPE_CHECKING:
    from rollback_tui.ui.screens.step import StepScreen


ROOMY = 76
"""Columns from which on the steps stand apart, each with its mark."""
ALWAYS = 4
"""The last keys of the key line, which are never left out: help, back, next, leave."""


class Bar(Static):
    """One line that is repainted only when it says something else."""

    def __init__(self, *, id: str, classes: str = "") -> None:  # noqa: A002 - Textual's name
        super().__init__("", id=id, classes=classes, markup=False)
        self._said: Content | None = None

    def say(self, content: Content) -> None:
        """Show ``content``; equal content costs nothing."""
        if self._said is None or not _same(self._said, content):
            self._said = content
            self.update(content)


def _same(one: Content, other: Content) -> bool:
    return one.plain == other.plain and one.spans == other.spans


def header(walk: Walk, width: int) -> Content:
    """Return the header: identity at the left as far as it fits, badges at the right."""
    badges = _badges(walk)
    room = width - sum(cells(text) + 1 for text, _ in badges) - 2
    target = walk.target or (walk.view.started.target if walk.view and walk.view.started else None)
    left = Content(" ")
    if target is None:
        left = left + piece(shorten(walk.stale or "connecting …", room), "dim")
    else:
        host = f"{target.host}:{target.port}"
        parts: list[tuple[str, Tone]] = [
            (target.database, "strong"),
            (f" on {host}", "plain"),
            (f" as {target.user}", "plain"),
            (f" · PG {version(target.server_version)}", "dim"),
            (" · STANDBY" if target.role == "standby" else " · primary", "dim"),
        ]
        left = left + _fitting(parts, room)
    right = Content("")
    for text, tone in badges:
        right = right + piece(text, tone) + Content(" ")
    gap = " " * max(1, width - left.cell_length - right.cell_length)
    return left + Content(gap) + right


def _fitting(parts: list[tuple[str, Tone]], room: int) -> Content:
    """Join what fits; the first part is cut rather than left out."""
    whole = Content("")
    for text, tone in parts:
        left = room - whole.cell_length
        shown = plain(printable(text))
        if cells(shown) > left:
            if whole.cell_length == 0 or left >= 8:
                keep = shown[:1] if shown.startswith(" ") else ""
                whole = whole + piece(keep + shorten(shown.strip(), left - len(keep)), tone)
            break
        whole = whole + piece(shown, tone)
    return whole


def _badges(walk: Walk) -> list[tuple[str, Tone]]:
    environment = walk.environment or (
        walk.view.started.environment if walk.view and walk.view.started else ""
    )
    badges: list[tuple[str, Tone]] = []
    if environment:
        tone: Tone = "alarm" if is_production(environment) else "accent"
        badges.append((f" {shorten(environment, 16).upper()} ", tone))
    badges.append((" ARMED ", "armed") if walk.armed else (" READ-ONLY ", "dim"))
    badges.append(run_state(walk))
    return badges


def is_production(environment: str) -> bool:
    """Return whether this is the environment that is shown in red."""
    return environment.strip().lower() in ("production", "prod", "live")


def task_of(walk: Walk) -> str:
    """Return what the run that is followed is called: ``run``, ``recovery of run ab12cd34``."""
    started = walk.view.started if walk.view else None
    recovers = Path(started.recovers) if started and started.recovers else walk.recovers
    if recovers is None or (started is not None and started.task == "rollback"):
        return "run"
    again = started is not None and started.task == "reapply"
    return f"{'up again after' if again else 'recovery of'} run {run_of(recovers)}"


def run_state(walk: Walk) -> tuple[str, Tone]:
    """Return the run's state in a word or two."""
    run = task_of(walk)
    if walk.starting:
        return f"{run}: starting", "accent"
    if walk.folder is None:
        return "no run", "dim"
    after = after_of(walk, walk.folder)
    if walk.finished and after is not None and after.standing:
        # What is wrong now says more than how the run ended.
        several = len(after.standing) - 1
        more = f" +{several}" if several else ""
        return f" ALERT {after.standing[0].metric}{more} ", "alarm"
    if walk.view is not None and walk.view.finished is not None:
        outcome = walk.view.finished.outcome
        return f"{run}: {outcome}", outcome_of(walk.view)[2]
    if walk.worker == "dead":
        return f"{run}: NO WORKER", "alarm"
    if walk.worker == "stopped":
        return f"{run}: STALE", "alarm"
    if walk.view is None or walk.view.started is None:
        return f"{run}: starting", "accent"
    if walk.view.question is not None:
        return f" {run}: ASKS ", "armed"
    # Only where there is a run: what draws one is much to load.
    from rollback_tui.ui.widgets.run_lines import name_of_phase

    # Between two phases it is none of them, and not starting either.
    phase = walk.view.phase
    return f"{run}: {name_of_phase(walk.view, phase.phase) if phase else 'at work'}", "accent"


class StatusBar(Bar):
    """Host, database, role, version, environment, armed or not, the run's state."""

    def show(self, walk: Walk) -> None:
        """Show ``walk``."""
        self.say(header(walk, self.app.size.width))


class StaleBar(Bar):
    """Says since when the data is old, and why; not there when it is fresh."""

    def show(self, walk: Walk) -> None:
        """Show ``walk``."""
        stale = bool(walk.stale) and not walk.running
        self.display = stale
        if stale:
            since = f"stale since {time_of(walk.refreshed_at)}" if walk.refreshed_at else "no data"
            self.say(line((f" {since}: {walk.stale} ", "alarm")))


_HERE = "bold $block-cursor-foreground on $block-cursor-background"
"""The step that is shown; a mark says so too, where there are no colours."""


class StepBar(Bar):
    """The six steps: done, here, open or blocked."""

    def show(self, walk: Walk, step: int) -> None:
        """Show ``walk`` with ``step`` as the current one."""
        self.say(steps_line(walk, step, self.app.size.width))


class HintLine(Bar):
    """One sentence: what the next key is, what is waited for, or why the way is blocked."""

    def show(self, hint: Hint) -> None:
        """Show ``hint``. Called each second as well: what goes on has a clock."""
        self.say(line(_MARKS[hint.kind], (hint.sentence, "plain")))


_MARKS: dict[Kind, tuple[str, Tone]] = {
    "next": (" → ", "accent"),
    "blocked": (" ✗ ", "warn"),
    "wait": (" ▸ ", "accent"),
}


def steps_line(walk: Walk, step: int, width: int) -> Content:
    """Return the six steps: done, here, open or blocked; beside them why the first that is
    blocked is so, where ``width`` columns have room for it."""
    whole = Content("")
    roomy = width >= ROOMY
    for number, name in enumerate(STEPS, 1):
        mark, tone = _mark_of(walk, number)
        # Not by colour alone: where we are has a mark of its own.
        here = "▸" if number == step else " "
        space = " " if roomy and mark else ""
        label = f"{here}{number} {name}{space}{mark}{' ' if roomy else ''}"
        if number == step:
            whole = whole + Content.styled(plain(printable(label)), _HERE)
        else:
            whole = whole + piece(label, tone)
        if number < len(STEPS) and roomy:
            whole = whole + piece("›", "dim")
    number, reason = first_blocked(walk)
    room = width - whole.cell_length - 14
    if number and room >= 20:
        whole = whole + piece(f"   {number} waits: {shorten(reason, room)}", "dim")
    return whole


def _mark_of(walk: Walk, number: int) -> tuple[str, Tone]:
    if blocked(walk, number):
        return "·", "dim"
    if not done(walk, number):
        return "", "plain"
    mark: str = "✓"
    tone: Tone = "good"
    if number == 2 and walk.overrides:
        # Settled by a word, not by a proof.
        mark, _, tone = STATUS["overridden"]
    if number in (4, 5) and walk.view is not None and walk.view.outcome is not None:
        mark, _, tone = outcome_of(walk.view)
    return mark, tone


class KeyBar(Bar):
    """The keys of this screen, in at most two lines; greyed where they do nothing now.

    Where not all have room, those that lead on and out stay, and ``?`` names the others.
    """

    def on_mount(self) -> None:
        """Follow the screen's bindings."""
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_changed)

    def _bindings_changed(self, _screen: Screen[object]) -> None:
        self.show_keys()

    def show_keys(self) -> None:
        """Show the keys that count now."""
        screen: StepScreen = self.screen  # type: ignore[assignment]
        shown = list(screen.keys_shown())
        rows = _key_rows(shown, self.app.size.width)
        while len(rows) > 2 and len(shown) > ALWAYS:
            del shown[-ALWAYS - 1]
            rows = _key_rows(shown, self.app.size.width)
        # A message stands above the keys, however many lines they take.
        self.screen.set_class(len(rows) > 1, "-two-rows")
        whole = Content("\n ").join(rows[:2])
        self.say(Content(" ") + whole)


def _key_rows(shown: list[tuple[str, str, bool]], width: int) -> list[Content]:
    """Return the keys in as many lines as ``width`` needs."""
    rows, used = [Content("")], 1
    for keys, label, usable in shown:
        length = cells(keys) + cells(label) + 3
        if used + length > width and used > 1:
            rows.append(Content(""))
            used = 1
        tone: Tone = "accent" if usable else "dim"
        key = piece(keys, tone) + piece(f" {label}  ", "plain" if usable else "dim")
        rows[-1] = rows[-1] + key
        used += length
    return rows
