"""Where a project's Alembic revisions are, and the graph of them."""

from __future__ import annotations

import configparser
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from rollback_tui.core.errors import FrameworkError
from rollback_tui.frameworks import files as migration_files
from rollback_tui.frameworks.alembic.revisions import Graph, Revision, parsed

_FILE = re.compile(r"(?!\.#|__init__).*\.py")
"""``_only_source_rev_file`` of ``alembic.script.base``."""
_LEVELS = 5
"""How many directories above the versions alembic.ini is looked for."""
_SEPARATORS = {"os": os.pathsep, "space": r"\s+", "newline": "\n", ";": ";", ":": ":"}


def graph_of(directory: Path) -> Graph:
    """Return the revisions of the project whose versions are in ``directory``: where alembic.ini
    or pyproject.toml names several such directories, this among them, those of all.

    Raises FrameworkError when a file cannot be read, or they contradict each other.
    """
    return Graph(_revisions(_paths(directory)))


def graph_from(paths: Iterable[str]) -> Graph:
    """Return the graph of these files, found by :func:`graph_of` before. Raises FrameworkError."""
    return Graph(_revisions(Path(path) for path in paths))


def _revisions(paths: Iterable[Path]) -> Iterator[Revision]:
    for path in paths:
        try:
            data = migration_files.read(path.parent, path.name)
        except FileNotFoundError:
            continue  # removed just now
        found = parsed(data, path)
        if found is not None:
            yield found


def _paths(directory: Path) -> Iterator[Path]:
    options, here = _options(directory)
    recursive = str(options.get("recursive_version_locations", "")).lower() in ("true", "1", "yes")
    locations = [Path(one) for one in _locations(options, here)]
    own = directory.resolve()
    whole = locations if own in {one.resolve() for one in locations} else [directory]
    for location in whole:
        if not location.is_dir():
            continue
        for place in _with_below(location) if recursive else (location,):
            for name in migration_files.names(place):
                if _FILE.fullmatch(name):
                    yield place / name


def _with_below(location: Path) -> Iterator[Path]:
    """Yield a directory and all below it; links are not followed, as ``os.walk`` does not."""
    for place, below, _ in os.walk(location):
        below[:] = sorted(name for name in below if name != "__pycache__")
        if not place.endswith("__pycache__"):
            yield Path(place)


def _options(directory: Path) -> tuple[Mapping[str, object], Path]:
    """Return what the nearest configuration of Alembic above ``directory`` says, and where it is.
    What cannot be read there is left for alembic itself to complain of."""
    absolute = directory.absolute()
    for here in (absolute, *absolute.parents)[: _LEVELS + 1]:
        found = _options_in(here)
        if found:
            return found, here
    return {}, absolute


def _options_in(here: Path) -> dict[str, object]:
    """Return what pyproject.toml and alembic.ini say there; where both do, alembic.ini is right."""
    found: dict[str, object] = {}
    try:
        tool = tomllib.loads(migration_files.read(here, "pyproject.toml").decode()).get("tool")
        if isinstance(tool, dict) and isinstance(tool.get("alembic"), dict):
            found |= tool["alembic"]
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, FrameworkError):
        pass
    ini = configparser.ConfigParser(interpolation=None)
    try:
        ini.read_string(migration_files.read(here, "alembic.ini").decode())
        if ini.has_section("alembic"):
            found |= dict(ini["alembic"])
    except (OSError, UnicodeDecodeError, configparser.Error, FrameworkError):
        pass
    return found


def configured(project: Path) -> tuple[str, ...]:
    """Return where the configuration in ``project`` says that the versions are, relative to it: of
    several ``version_locations`` the first, for :func:`graph_of` knows the others from there. A
    ``script_location`` in a package is looked for in the project and in its ``src``."""
    options = _options_in(project)
    for location in _locations(options, Path()):
        return (str(location),)
    scripts = str(options.get("script_location") or "").strip()
    if not scripts:
        return ()
    package, colon, path = scripts.partition(":")
    if not colon:
        return (str(_place(scripts, Path()) / "versions"),)
    inside = Path(*package.split("."), path, "versions")
    return (str(inside), str(Path("src") / inside))


def _place(text: str, here: Path) -> Path:
    return here / text.replace("%(here)s", str(here)).replace("%%", "%")


def _locations(options: Mapping[str, object], here: Path) -> Iterator[Path]:
    """Yield the ``version_locations``; relative ones from where the configuration is."""
    value = options.get("version_locations")
    if isinstance(value, str):
        named = options.get("path_separator") or options.get("version_path_separator")
        separator = _SEPARATORS.get(str(named or ""), r", *|(?: +)")
        listed = re.split(separator, value.strip())
    else:
        listed = [str(one) for one in value] if isinstance(value, list) else []
    for one in listed:
        if one.strip():
            yield _place(one.strip(), here)
