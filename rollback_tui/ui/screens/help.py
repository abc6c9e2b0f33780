"""Help, made from the bindings themselves: it cannot say a key that is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from rollback_tui.ui.theme import line, lines

if TYPE_CHECKING:
    from rollback_tui.ui.screens.step import StepScreen

LEGEND = (
    "Words: READ-ONLY, nothing can be changed from here. ARMED, it can, after a question each "
    "time. ~1,234 is an estimate, 1,234 was counted, ? is not known. ✓ pass, ! warn, ✗ fail, "
    "? unknown: unknown is never a pass."
)


def help_text(screen: StepScreen) -> Content:
    """Return the text of ``screen`` and its keys."""
    rows = [line(screen.HELP), line("")]
    own: list[Content] = []
    common: list[Content] = []
    for active in screen.active_bindings.values():
        binding = active.binding
        inherited = binding.action.startswith(("app.focus", "screen."))
        if active.node is not screen or inherited or not binding.description:
            continue
        words = binding.tooltip or binding.description
        reason = screen.unavailable(binding.action)
        row = line(
            (f"  {screen.app.get_key_display(binding):<10}", "accent"),
            words,
            (f"  (not now: {reason})" if reason else "", "dim"),
        )
        (common if (binding.id or "").startswith("step.") else own).append(row)
    if own:
        rows += [line(("This screen", "strong")), *own, line("")]
    rows += [line(("Everywhere", "strong")), *common]
    rows += [
        line(("  tab       ", "accent"), "the next pane; arrows move and scroll in it"),
        line(("  ctrl+q    ", "accent"), "leave; inside a question: cancel it"),
        line(("  ctrl+t    ", "accent"), "light or dark"),
        line(""),
        line((LEGEND, "dim")),
    ]
    if more := screen.help_more():
        rows += [line(""), *more]
    return lines(rows)
