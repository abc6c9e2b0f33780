"""Help, made from the bindings themselves: it cannot say a key that is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from textual.binding import Binding
from textual.content import Content
from textual.screen import Screen

from rollback_tui.ui.glyphs import plain
from rollback_tui.ui.keys import key, names, shown
from rollback_tui.ui.moment import steady
from rollback_tui.ui.theme import Tone, line, lines
from rollback_tui.ui.waits import waits

if TYPE_CHECKING:
    from rollback_tui.ui.app import RollbackApp
    from rollback_tui.ui.screens.beside import BesideScreen
    from rollback_tui.ui.screens.step import StepScreen
    from rollback_tui.ui.widgets.pane import Pane

LISTS = (
    ("tab", "the next pane or field; shift+tab: the one before"),
    ("↑ ↓", "the row above or below; in a text: scroll"),
    ("pgup pgdn", "a page up or down"),
    ("home end", "the first and the last row"),
    ("enter", "open the row; press the button that has the focus"),
)
"""Keys that mean the same in every list, text and question."""

LEGEND: tuple[tuple[str, Tone, str], ...] = (
    ("✓", "good", "pass: it was looked at, and is so"),
    ("!", "warn", "warn: go on with open eyes"),
    ("✗", "bad", "fail: it stops the way"),
    ("?", "warn", "unknown: nobody could find out. It is never a pass, and never zero"),
    ("o", "warn", "set aside, with a typed reason"),
    ("≈", "warn", "accepted: a difference that was foreseen. It is no pass"),
    ("·", "dim", "not open yet, or still to come"),
    ("▸", "accent", "here, or going on now"),
    ("↩", "warn", "goes back, or went back"),
    ("●", "bad", "loses data, or nobody knows whether it does"),
    ("~1,234", "dim", "an estimate; 1,234 was counted"),
    ("stale", "alarm", "old: it says since when, and why"),
    ("READ-ONLY", "dim", "nothing can be changed from this terminal"),
    ("ARMED", "armed", "it can, after a question each time"),
)
"""What the marks and colours mean; every colour has a mark or a word beside it."""


def show_help(screen: StepScreen | BesideScreen | Pane[Any]) -> None:
    """Show the help of ``screen`` above it; once, however often the key is pressed."""
    # It is a pane itself, and asks for its own help here.
    from rollback_tui.ui.widgets.dialogs import Read

    screen.app.push_screen(Read(f"Help · {screen.help_name}", help_text(screen), helps=True))


def help_text(screen: StepScreen | BesideScreen | Pane[Any]) -> Content:
    """Return what ``screen`` is for and what to do now, its keys, and what the marks mean."""
    rows = [line(screen.HELP)]
    if now := getattr(screen, "now", ""):
        rows.append(line(("Now: ", "accent"), str(now)))
    rows += [line(("Going on: ", "accent"), words) for words in _going_on(screen)]
    rows.append(line(""))
    own: list[Content] = []
    common: list[Content] = []
    for keys, binding, reason in keys_of(screen):
        row = _row(keys, binding.tooltip or binding.description, reason)
        everywhere = (binding.id or "").startswith(("step.", "pane.", "app."))
        (common if everywhere else own).append(row)
    if screen.is_modal:
        # What has priority in the application works above a step as well.
        common.append(_row(key("app.palette"), "commands by name, in a field as well"))
        common.append(_row(key("app.quit"), "close this"))
    if own:
        rows += [line(("Here", "strong")), *own, line("")]
    rows += [line(("Everywhere", "strong")), *common, line("")]
    rows += [line(("Lists, texts and questions", "strong")), *(_row(*pair) for pair in LISTS)]
    rows += [line(""), line(("Marks and colours", "strong"))]
    rows += [line("  ", (f"{mark:<10}", tone), f" {words}") for mark, tone, words in LEGEND]
    if more := getattr(screen, "help_more", None):
        rows += [line(""), *more()]
    return lines(rows)


def _going_on(screen: Screen[Any]) -> list[str]:
    guide = cast("RollbackApp", screen.app).guide
    now, limits = steady(), guide.operations.limits
    return [one.words(now) for one in waits(guide.walk, guide.begun, limits)]


def _row(keys: str, words: str, reason: str = "") -> Content:
    return line(
        (f"  {keys:<10} ", "accent"), words, (f"  (not now: {reason})" if reason else "", "dim")
    )


class Known(NamedTuple):
    """One thing that can be done from where the operator is."""

    keys: str
    """As people write them; several with a slash between."""
    binding: Binding
    reason: str
    """Why it does nothing now; empty when it works."""


def keys_of(screen: Screen[Any]) -> Iterator[Known]:
    """Yield everything that a key does on ``screen``: its own first, then what it shares.

    As it is declared, and not as Textual has it active now: while a field has the focus, letters
    are text, and what they do elsewhere must still be found here.
    """
    unavailable: Callable[[str], str] = getattr(screen, "unavailable", lambda _: "")
    places = [*type(screen).__mro__, *(() if screen.is_modal else (type(screen.app),))]
    seen: set[str] = set()
    taken: set[str] = set()
    for place in places:
        ours = place.__module__.startswith("rollback_tui.") or place is type(screen.app)
        for binding in vars(place).get("BINDINGS", ()) if ours else ():
            # What has the same key further in hides it here.
            free = [name for name in names(binding.id) if name not in taken] if binding.id else []
            if free and binding.id not in seen and (binding.tooltip or binding.description):
                seen.add(binding.id)
                taken.update(free)
                text = plain("/".join(shown(name) for name in free))
                yield Known(text, binding, unavailable(binding.action))
