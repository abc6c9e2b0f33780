"""Down migrations that are a file of their own: finding such files, and reading them whole."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.core.text import printable
from rollback_tui.frameworks import files as migration_files
from rollback_tui.frameworks.protocol import MigrationFile, Missing

MOST_DIRECTORIES = 2_000
"""So many directories are looked through, not more: beyond that it is no migrations directory."""


def subdirectories(directory: Path) -> tuple[str, ...]:
    """Return the names of the directories in ``directory`` that are not hidden, links to
    directories among them, in the order of their bytes.

    Raises FrameworkError when ``directory`` is missing or cannot be read, or when a name in it is
    not UTF-8.
    """
    migration_files.names(directory)  # says in words what is wrong with the directory
    with migration_files.said_plainly(), os.scandir(directory) as entries:
        found = [e.name for e in entries if not e.name.startswith(".") and e.is_dir()]
    for name in found:
        if any("\udc80" <= character <= "\udcff" for character in name):
            raise FrameworkError(
                f"the name of {printable(str(directory / name))} is not UTF-8",
                "Rename that directory.",
            )
    return tuple(sorted(found, key=os.fsencode))


def below(directory: Path) -> tuple[str, ...]:
    """Return the files in ``directory`` and in all directories below that are not hidden, each
    relative to ``directory``. Links to directories are not followed: they could go in circles.

    Raises FrameworkError as :func:`subdirectories`, and when there are more than
    MOST_DIRECTORIES.
    """
    return tuple(_below(directory, ""))


def _below(directory: Path, prefix: str) -> Iterator[str]:
    waiting, seen = [prefix], 0
    while waiting:
        here = waiting.pop(0)
        seen += 1
        if seen > MOST_DIRECTORIES:
            raise FrameworkError(
                f"{printable(str(directory))} has more than {MOST_DIRECTORIES:,} directories",
                "Name the directory with the migration files with --migrations DIR.",
            )
        for name in migration_files.names(directory / here):
            if not (directory / here / name).is_dir():
                yield f"{here}{name}"
        for name in subdirectories(directory / here):
            if not (directory / here / name).is_symlink():
                waiting.append(f"{here}{name}/")


class NumberedPairs:
    """Pairs of files in one directory that begin with the same number, found name by name."""

    def __init__(self, up: str, down: str, remedy: str) -> None:
        """``up`` and ``down`` are what the tool calls its two ways; ``remedy`` is for two files
        that claim the same number and way."""
        self._up, self._down, self._remedy = up, down, remedy
        self._pairs: dict[int, dict[str, str]] = {}

    def add(self, version: int, way: str, name: str) -> None:
        """Take the file ``name``. Raises FrameworkError when another one has its place."""
        pair = self._pairs.setdefault(version, {})
        if way in pair:
            raise FrameworkError(
                f"{printable(pair[way])} and {printable(name)} are both the {way} migration"
                f" of version {version}",
                self._remedy,
            )
        pair[way] = name

    def files(self, directory: Path, titles: Mapping[int, str]) -> tuple[MigrationFile, ...]:
        """Return the migrations in the order of their numbers, each shown by its up file where
        there is one."""
        return tuple(
            MigrationFile(
                version=str(version),
                name=titles[version],
                path=str(directory / (pair.get(self._up) or pair[self._down])),
                down_path=str(directory / pair[self._down]) if self._down in pair else None,
            )
            for version, pair in sorted(self._pairs.items())
        )


def whole(directory: Path, path: str, *, transactional: bool = True) -> Source | Missing:
    """Return the whole file at ``path``, which is in ``directory`` or below it; Missing when there
    is none. Raises FrameworkError when it is not safe to read."""
    try:
        data = migration_files.read(directory, relative(directory, path))
    except FileNotFoundError:
        return Missing(why=f"{printable(path)} does not exist")
    return Source(path=path, data=data, start=0, end=len(data), transactional=transactional)


def optional(directory: Path, name: str) -> bytes | None:
    """Return the bytes of the file ``name`` of ``directory``; None when there is none. Raises
    FrameworkError when it is not safe to read."""
    try:
        return migration_files.read(directory, name)
    except FileNotFoundError:
        return None


def relative(directory: Path, path: str) -> str:
    """Return ``path`` relative to ``directory``. Raises FrameworkError when it is not below it."""
    try:
        return str(Path(path).relative_to(directory))
    except ValueError:
        raise FrameworkError(
            f"{printable(path)} is not in the migrations directory {printable(str(directory))}",
            "Plan again with the directory that holds it.",
        ) from None


def contents(applied: AppliedMigration) -> bytes:
    """Return the bytes of the up migration, for tools that keep a checksum of it.

    Raises FrameworkError when it is gone or not safe to read.
    """
    path = Path(applied.path or "")
    data = optional(path.parent, path.name) if applied.path else None
    if data is None:
        raise FrameworkError(
            f"the up migration of {printable(applied.version)} is not there any more",
            "Check out the code that was deployed, then plan again.",
        )
    return data


def unique(files: Sequence[MigrationFile], title: str) -> tuple[MigrationFile, ...]:
    """Return ``files`` as they are. Raises FrameworkError when two have the same version."""
    seen: dict[str, MigrationFile] = {}
    for file in files:
        other = seen.setdefault(file.version, file)
        if other is not file:
            raise FrameworkError(
                f"{printable(other.path)} and {printable(file.path)} have the same version "
                f"{printable(file.version)}",
                f"{title} cannot tell them apart: give one of them its own version.",
            )
    return tuple(files)


def first_upwards(directory: Path, names: Sequence[str], levels: int) -> Path | None:
    """Return the first file called as one of ``names`` in ``directory``, or in one of the
    ``levels`` directories above it; not above the root of a Git repository."""
    here = directory.absolute()
    for place in (here, *list(here.parents)[:levels]):
        for name in names:
            if (place / name).is_file():
                return place / name
        if (place / ".git").exists():
            return None
    return None
