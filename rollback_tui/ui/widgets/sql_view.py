"""SQL as it is, in colour. Highlighting is for the eye only; the text is the original slice."""

from __future__ import annotations

from typing import Any, ClassVar

from pygments.token import Token  # type: ignore[import-untyped]
from textual.content import Content
from textual.highlight import HighlightTheme, highlight

from rollback_tui.core.text import printable
from rollback_tui.ui.glyphs import escaped
from rollback_tui.ui.theme import piece

SHOWN = 20_000
"""Characters of one statement that are shown; a five-megabyte literal is not."""


class Calm(HighlightTheme):
    """Four tones: keywords, literals, names of types, comments. Works in every theme."""

    STYLES: ClassVar[dict[Any, str]] = {  # type: ignore[misc]
        Token.Comment: "$text-muted italic",
        Token.Error: "$text-error",
        Token.Keyword: "bold $text-primary",
        Token.Keyword.Type: "$text-accent",
        Token.Name.Builtin: "$text-accent",
        Token.Literal.Number: "$text-warning",
        Token.Literal.String: "$text-success",
        Token.Literal.String.Name: "",
        Token.Name: "",
        Token.Operator: "",
        Token.Punctuation: "",
    }


def coloured(sql: str) -> Content:
    """Return ``sql`` printable and highlighted; what is cut off is said."""
    shown = escaped(printable(sql[:SHOWN].strip("\n"), keep_lines=True))
    content = highlight(shown, language="postgresql", theme=Calm)
    if len(sql) > SHOWN:
        rest = f"\n… {len(sql) - SHOWN:,} more characters are not shown, but will be executed"
        content = content + piece(rest, "warn", keep_lines=True)
    return content
