"""Where a framework's migrations are: the directory that was asked for, or a usual one."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.text import printable
from rollback_tui.frameworks.protocol import Framework

NAME_DIRECTORY = (
    "Name it with --migrations DIR, or as directory under [migrations] in rollback.toml."
)


class Place(NamedTuple):
    """A directory, and why it is this one: a sentence for people."""

    path: Path
    why: str


def find_directory(framework: Framework, project: Path, directory: str) -> Place:
    """Return the directory with that framework's files. Raises FrameworkError.

    A framework without usual directories has no files that must be there: the directory is then
    the one that was asked for, or the project. One without down migrations is not refused for the
    want of files: there is nothing in them that we would run.
    """
    title = framework.about.title
    if not framework.default_directories:
        path = project / directory
        why = "was asked for" if directory else "is the project"
        return Place(path, f"{_shown(path)} {why}; {title} needs no files of migrations there.")
    if directory:
        path = project / directory
        count = len(framework.files(path))
        if not count and framework.kind != "none":
            raise _no_files(framework, path)
        return Place(path, f"The directory {_shown(path)} was asked for; {_has(count, framework)}.")
    existing = _existing(framework, project)
    counts = {path: len(framework.files(path)) for path in existing}
    filled = [path for path in existing if counts[path]]
    if len(filled) > 1:
        named = ", ".join(_shown(path) for path in filled)
        raise FrameworkError(
            f"several directories have {title} migrations: {named}", NAME_DIRECTORY
        )
    if filled:
        path = filled[0]
        configured = framework.configured_directories(project)
        why = "is named by its configuration" if configured else "is usual for it"
        return Place(path, f"{_shown(path)} {why}; {_has(counts[path], framework)}.")
    if framework.kind == "none":
        return Place(
            project,
            f"No {title} migrations were found in {', '.join(looked_in(framework, project))};"
            f" the project {_shown(project)} is taken instead.",
        )
    if existing:
        raise _no_files(framework, existing[0])
    places = ", ".join(looked_in(framework, project))
    raise FrameworkError(
        f"no migrations directory for {title}: no such directory: {places}",
        NAME_DIRECTORY,
    )


def has_files(framework: Framework, project: Path, directory: str) -> bool:
    """Whether migrations of that framework are in the directory asked for, or in a usual one.

    Files that it cannot read, or that contradict its rules, do not count: they may be another
    tool's, and whether it is this one is just the question."""
    if not framework.default_directories:
        return False
    try:
        asked = [project / directory] if directory else _existing(framework, project)
    except OSError:  # a directory that this user may not enter
        return False
    for path in asked:
        try:
            if framework.files(path):
                return True
        except (FrameworkError, OSError):
            continue
    return False


def looked_in(framework: Framework, project: Path) -> tuple[str, ...]:
    """Return the usual directories, for a message."""
    return tuple(_shown(project / name) for name in _names(framework, project))


def _existing(framework: Framework, project: Path) -> list[Path]:
    """Return the usual directories that are there, each once: one may be a link to another."""
    found: dict[Path, Path] = {}
    for name in _names(framework, project):
        path = project / name
        if path.is_dir():
            found.setdefault(path.resolve(), path)
    return list(found.values())


def _names(framework: Framework, project: Path) -> tuple[str, ...]:
    """Return the directories that the tool's own configuration names, or else the usual ones."""
    return framework.configured_directories(project) or framework.default_directories


def _no_files(framework: Framework, path: Path) -> FrameworkError:
    return FrameworkError(
        f"{_shown(path)} has no {framework.about.title} migrations ({framework.file_pattern})",
        NAME_DIRECTORY,
    )


def _has(count: int, framework: Framework) -> str:
    many = "" if count == 1 else "s"
    return f"it has {count or 'no'} {framework.about.title} migration{many}"


def _shown(path: Path) -> str:
    return printable(str(path))
