"""``[screen]``: how the screens look and which keys they have. A person's own file,
``screen.toml``, holds the same keys and wins over the project's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from rollback_tui.config_copies import Table

ThemeName = Literal["auto", "dark", "light", "contrast", "contrast-light", "terminal"]

PERSON_FILE = "screen.toml"


class Screen(Table, frozen=True, kw_only=True):
    """How the screens look, and the keys. The same keys, without a table's name above them, may
    stand in your own ``$XDG_CONFIG_HOME/rollback-tui/screen.toml`` (usually in ``~/.config``):
    what stands there is yours in every project, and wins.
    """

    theme: Annotated[
        ThemeName,
        Meta(
            description="The colours. ``auto``: dark, and the terminal's own where it has only 16."
            " What you choose with ctrl+t is kept, until this value changes."
        ),
    ] = "auto"
    glyphs: Annotated[
        Literal["auto", "unicode", "ascii"],
        Meta(description="Which characters are drawn. ``auto``: as the locale says."),
    ] = "auto"
    mouse: Annotated[
        bool,
        Meta(
            description="Take the mouse. The terminal then no longer selects text by itself, and"
            " sends bytes for every movement."
        ),
    ] = False
    interval: Annotated[
        float,
        Meta(ge=0.5, le=30, description="Seconds between two looks at the server, at first."),
    ] = 1
    keys: Annotated[
        dict[str, str],
        Meta(
            description='Other keys: ``{"state.sort" = "o"}``. [keys.md](keys.md) names every'
            " action; several keys have commas between them."
        ),
    ] = msgspec.field(default_factory=dict)


def person_file(environment: Mapping[str, str] | None = None) -> Path | None:
    """Return where a person's own file is, whether there is one or not; None without a home.

    XDG Base Directory Specification: a relative ``XDG_CONFIG_HOME`` is to be ignored.
    """
    here = os.environ if environment is None else environment
    base = Path(here.get("XDG_CONFIG_HOME") or "")
    if not base.is_absolute():
        home = here.get("HOME")
        if not home:
            return None
        base = Path(home) / ".config"
    return base / "rollback-tui" / PERSON_FILE


def over(project: Screen, given: Mapping[str, object], person: Screen) -> Screen:
    """Return the project's settings with the person's on top: those keys of ``person`` that its
    file has (``given``). Of the keys of the keyboard each is asked for on its own."""
    changed = {name: getattr(person, name) for name in given if name != "keys"}
    return msgspec.structs.replace(project, keys={**project.keys, **person.keys}, **changed)
