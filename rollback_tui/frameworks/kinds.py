"""The four kinds of frameworks, in words for people."""

from __future__ import annotations

from types import MappingProxyType

from rollback_tui.frameworks.protocol import Kind

IN_WORDS = MappingProxyType[Kind, tuple[str, str]](
    {
        "files": (
            "in files",
            "The script is read from the migrations directory, shown, and run as it is; the tool"
            " itself is not needed, except where a migration is code.",
        ),
        "printed": (
            "printed by the tool",
            "The tool's own program is called to print the SQL, and changes nothing. What it prints"
            " is the script; it must be installed where rollback-tui runs.",
        ),
        "captured": (
            "only run by the tool",
            "The tool can only run them. `rollback-tui capture` has it do so on a scratch copy of"
            " the schema, and what it sends is the script. It must be installed where rollback-tui"
            " runs, and what was captured holds as long as files and versions stay the same.",
        ),
        "none": (
            "there are none",
            "The tool has no way back. What is applied is shown; a script written by hand takes"
            " the guided path with --script FILE, and a checkpoint can be restored.",
        ),
    }
)
"""Kind → where its down migrations come from, and what that means for the operator."""


CODE_AS_WELL = (
    "A migration that is code only the tool can run: `rollback-tui capture` has it do so on a"
    " scratch copy of the schema, and what it sends is the script. For that it must be installed"
    " where rollback-tui runs."
)
"""Of the kind ``files``, where migrations may be code as well: what that means for the operator."""


def plain(markdown: str) -> str:
    """Return the Markdown of an ``about`` for a terminal: without the marks for bold type."""
    return markdown.replace("**", "")
