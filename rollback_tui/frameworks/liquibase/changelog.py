"""Liquibase's changelogs, as far as they must be read without Liquibase.

What is in a changeset, in whichever of its formats, only Liquibase tells. Here is found which files
are changelogs, which of them is the one that includes the others, and whether a changeset is to run
in a transaction, which nothing that Liquibase prints says.
"""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.text import printable
from rollback_tui.frameworks import files as migration_files
from rollback_tui.frameworks.project_tree import directories

_HEAD = 16 * 1024
"""Bytes at the beginning of a file in which it must say that it is a changelog."""
_MARKS = {
    ".xml": re.compile(rb"<(?:\w+:)?databaseChangeLog\b"),
    ".yaml": re.compile(rb"^\s*databaseChangeLog\s*:", re.MULTILINE),
    ".yml": re.compile(rb"^\s*databaseChangeLog\s*:", re.MULTILINE),
    ".json": re.compile(rb'"databaseChangeLog"\s*:'),
    ".sql": re.compile(rb"\A(?:\xef\xbb\xbf)?\s*--\s*liquibase\s+formatted\s+sql", re.IGNORECASE),
}
_CHANGESET_SQL = re.compile(
    r'^[ \t]*--[ \t]*changeset[ \t]+("[^"]+"|[^:\n]+):[ \t]*("[^"]+"|\S+)(.*)$',
    re.IGNORECASE | re.MULTILINE,
)
_CHANGESET_XML = re.compile(
    r"""<(?:\w+:)?changeSet\b((?:\s+[\w:.-]+\s*=\s*(?:"[^"]*"|'[^']*'))*)"""
)
_ATTRIBUTE = re.compile(r"""([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_LOGICAL = re.compile(r"""logicalFilePath["']?\s*[:=]\s*["']?([^"'\s,}>]+)""")
_OUTSIDE_SQL = re.compile(r"runInTransaction:\s*false\b", re.IGNORECASE)
_KEY_YAML = re.compile(r"^(\s*)(?:-\s+)?(id|author|runInTransaction)\s*:\s*(.*?)\s*$")
_PROPERTY = re.compile(r"^\s*([^#!\s=:][^\s=:]*)\s*[=:\s]\s*(.*?)\s*$", re.MULTILINE)

PROPERTIES = "liquibase.properties"


class Root(NamedTuple):
    """The changelog that Liquibase is called with."""

    search_path: Path
    name: str
    """Relative to it, with ``/``."""


def changelogs(directory: Path) -> tuple[Path, ...]:
    """Return the files below ``directory`` that are changelogs by what they begin with.

    Raises FrameworkError when the directory cannot be read or is too large.
    """
    found = []
    for each in directories(directory):
        for name in migration_files.names(each):
            mark = _MARKS.get(Path(name).suffix.lower())
            if mark and mark.search(_head(each / name)):
                found.append(each / name)
    return tuple(found)


def _head(path: Path) -> bytes:
    """Return the first bytes of a regular file; nothing for all else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, _HEAD) if path.is_file() else b""
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def normal(filename: str) -> str:
    """Return a changelog's name as Liquibase compares it: ``classpath:``, a leading ``/`` or ``./``
    and the kind of slash make no difference (``DatabaseChangeLog.normalizePath``)."""
    text = re.sub(r"^classpath\*?:", "", filename).replace("\\", "/")
    while text.startswith(("/", "./")):
        text = text.removeprefix("./") if text.startswith("./") else text[1:]
    return text


def placed(filenames: Sequence[str], files: Sequence[Path]) -> dict[str, Path]:
    """Return where the files are whose names the table has, as far as they are here.

    A name is relative to a search path that we do not know: it is the end of a path. What is no
    changelog itself (plain SQL of an ``includeAll``) is looked for where the others are. It may
    also be a ``logicalFilePath``, which stands in a file of any name. Raises FrameworkError when a
    file is not safe to read.
    """
    found: dict[str, Path] = {}
    bases: dict[Path, None] = {}
    by_name: dict[str, list[Path]] = {}
    for path in files:
        by_name.setdefault(path.name, []).append(path)
    wanted = {filename: PurePosixPath(normal(filename)).parts for filename in filenames}
    for filename, parts in wanted.items():
        if not parts or ".." in parts:
            continue
        same = [p for p in by_name.get(parts[-1], ()) if p.parts[-len(parts) :] == parts]
        if same:
            found[filename] = min(same, key=lambda p: (len(p.parts), p))
            bases[found[filename].parents[len(parts) - 1]] = None
    for filename, parts in wanted.items():
        if filename not in found and parts and ".." not in parts:
            there = [p for base in bases if (p := base.joinpath(*parts)).is_file()]
            if there:
                found[filename] = there[0]
    if len(found) < len(wanted):
        logical = _logical(files)
        for filename in wanted.keys() - found.keys():
            if normal(filename) in logical:
                found[filename] = logical[normal(filename)]
    return found


def _logical(files: Sequence[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in files:
        text = migration_files.read(path.parent, path.name).decode(errors="replace")
        for name in _LOGICAL.findall(text):
            found.setdefault(normal(name), path)
    return found


def root(directory: Path, filename: str, path: Path) -> Root:
    """Return the changelog that includes the others. ``path`` is where ``filename``, a name of the
    table, was found: names are relative to what is above it.

    Raises FrameworkError when it cannot be told.
    """
    files = changelogs(directory)
    parts = PurePosixPath(normal(filename)).parts
    base = path.parents[len(parts) - 1] if path.parts[-len(parts) :] == parts else directory
    for likely in (
        [f for f in files if re.search(r"master|root", f.stem, re.IGNORECASE)],
        [f for f in files if re.fullmatch(r"(db\.?|database)?changelog", f.stem, re.IGNORECASE)],
        list(files),
    ):
        if len(likely) == 1:
            top = likely[0]
            if not top.is_relative_to(base):
                base = directory
            return Root(base, top.relative_to(base).as_posix())
        if likely:
            named = ", ".join(printable(str(f)) for f in likely[:5])
            break
    else:
        named = "none"
    raise FrameworkError(
        f"it is not clear which changelog Liquibase is called with: {named}",
        "Say it in rollback.toml: [migrations.environment] LIQUIBASE_COMMAND_CHANGELOG_FILE ="
        ' "db/changelog.xml", and LIQUIBASE_SEARCH_PATH when that is not relative to the project;'
        f" or in {PROPERTIES} of the project.",
    )


def properties(project: Path) -> Mapping[str, str]:
    """Return what ``liquibase.properties`` of the project says, by its last word in lower case:
    ``changelogfile``. Raises FrameworkError when the file is not safe to read."""
    try:
        text = migration_files.read(project, PROPERTIES).decode(errors="replace")
    except FileNotFoundError:
        return {}
    pairs = _PROPERTY.findall(text)
    return {key.rpartition(".")[2].replace("-", "").lower(): value for key, value in pairs}


def in_transaction(path: Path, author: str, id_: str) -> bool:
    """Return whether the changeset is to run in a transaction: unless it says
    ``runInTransaction: false``. Raises FrameworkError when the file is not safe to read."""
    try:
        text = migration_files.read(path.parent, path.name).decode(errors="replace")
    except FileNotFoundError:
        return True
    readers = {".xml": _outside_xml, ".json": _outside_json, ".sql": _outside_sql}
    return (author, id_) not in readers.get(path.suffix.lower(), _outside_yaml)(text)


def _outside_sql(text: str) -> set[tuple[str, str]]:
    return {
        (author.strip().strip('"'), id_.strip('"'))
        for author, id_, rest in _CHANGESET_SQL.findall(text)
        if _OUTSIDE_SQL.search(rest)
    }


def _outside_xml(text: str) -> set[tuple[str, str]]:
    found = set()
    for tag in _CHANGESET_XML.findall(re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)):
        given = {name: html.unescape(one or two) for name, one, two in _ATTRIBUTE.findall(tag)}
        if given.get("runInTransaction", "").lower() == "false":
            found.add((given.get("author", ""), given.get("id", "")))
    return found


def _outside_json(text: str) -> set[tuple[str, str]]:
    try:
        entries = json.loads(text)["databaseChangeLog"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return set()
    changesets = [e.get("changeSet") for e in entries if isinstance(e, dict)]
    return {
        (str(c.get("author")), str(c.get("id")))
        for c in changesets
        if isinstance(c, dict) and str(c.get("runInTransaction")).lower() == "false"
    }


def _outside_yaml(text: str) -> set[tuple[str, str]]:
    return {
        (given.get("author", ""), given.get("id", ""))
        for given in _changesets_yaml(text)
        if given.get("runInTransaction", "").lower() in ("false", "no", "off")
    }


def _changesets_yaml(text: str) -> Iterator[dict[str, str]]:
    """Yield the keys of each ``changeSet:``, which are indented by the same, the least of it."""
    given: dict[str, str] | None = None
    outer = inner = -1
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        indent = len(line) - len(line.lstrip(" "))
        opens = re.match(r"^(\s*(?:-\s+)?)changeSet\s*:\s*$", line)
        if opens or (given is not None and indent <= outer):
            if given is not None:
                yield given
            given, outer, inner = ({}, len(opens[1]), -1) if opens else (None, -1, -1)
            continue
        if given is not None:
            inner = indent if inner < 0 else inner
            match = _KEY_YAML.match(line)
            if match and indent == inner:
                given[match[2]] = _scalar(match[3])
    if given is not None:
        yield given


def _scalar(text: str) -> str:
    """Return a value of YAML on one line, without its quotes or the comment behind it."""
    if text.startswith("'"):
        return text[1:].partition("'")[0] if "''" not in text else text[1:-1].replace("''", "'")
    if text.startswith('"'):
        return text[1:].partition('"')[0]
    return re.sub(r"\s+#.*$", "", text)
