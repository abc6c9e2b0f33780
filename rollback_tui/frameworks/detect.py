"""Which framework, which version table, which directory: and why we think so.

The shape of the version table decides first, because it is what was really deployed; then the
tables beside it; the files must then agree. Names alone say little: ``schema_migrations`` is
dbmate's, Rails', golang-migrate's and Ecto's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import Value
from rollback_tui.core.text import printable
from rollback_tui.frameworks.by_sight import STRANGERS, stranger
from rollback_tui.frameworks.directories import (
    NAME_DIRECTORY,
    find_directory,
    has_files,
    looked_in,
)
from rollback_tui.frameworks.protocol import Framework, TableShape, VersionTable
from rollback_tui.frameworks.registry import FRAMEWORKS, framework_named

_TABLE = '[migrations] table = "schema.table"'
_NAME_TABLE = f"Name it in rollback.toml: {_TABLE}."


class Detection(Value, frozen=True, kw_only=True):
    """What was found."""

    framework: str
    """Key of FRAMEWORKS."""
    table: VersionTable
    directory: str
    why: tuple[str, ...]
    """What was seen, what was ruled out and why, and what was taken: one sentence each, for
    people."""


class Undecided(FrameworkError):
    """It cannot be told which framework, which table or which directory it is."""

    def __init__(self, summary: str, remedy: str, why: Sequence[str] = ()) -> None:
        super().__init__(summary, remedy)
        self.why = tuple(why)
        """What was seen and ruled out until then: one sentence each."""


class Unrecognised(Undecided):
    """No table is a version table of any framework that was looked for."""


class _Candidate(NamedTuple):
    """A table, and a framework whose version table it may be."""

    shape: TableShape
    framework: Framework


def names_of(frameworks: Iterable[Framework]) -> tuple[str, ...]:
    """Return the names of all tables that tell whether one of ``frameworks`` is in use."""
    return tuple(
        sorted({name for f in frameworks for name in (f.default_table, *f.beside) if name})
    )


TABLE_NAMES: tuple[str, ...] = tuple(
    sorted({*names_of(FRAMEWORKS.values()), *(one.table for one in STRANGERS)})
)
"""Names whose shapes :func:`detect` wants to see, in every schema (besides a configured one)."""


def detect(
    shapes: Sequence[TableShape],
    project: Path,
    *,
    directory: str = "",
    framework: str = "",
    table: str = "",
    version_column: str = "",
    time_column: str = "",
    among: Sequence[Framework] | None = None,
) -> Detection:
    """Find framework, version table and migrations directory.

    ``shapes``: the tables of the target called as in TABLE_NAMES or as ``table``. ``project``:
    where relative directories start. ``directory``, ``framework``, ``table`` and the columns are
    what the operator said; each of them is believed and only checked. ``among``: the frameworks to
    choose from, when none is named; None: all that are built in. Raises FrameworkError; it is
    Unrecognised when other frameworks might know the tables.
    """
    wanted = framework_named(framework) if framework else None
    if directory and not (project / directory).is_dir():
        missing = printable(str(project / directory))
        raise FrameworkError(f"no such directory: {missing}", NAME_DIRECTORY)
    if wanted and not wanted.default_table and not table:
        raise FrameworkError(
            f"{wanted.name} has no version table that we could know: it must be named", _NAME_TABLE
        )
    known = FRAMEWORKS.values() if among is None else among
    possible = (wanted,) if wanted else tuple(f for f in known if f.default_table)
    why: list[str] = []
    try:
        chosen = _identify(shapes, possible, project, directory, table, why)
        if wanted:
            why.append(f"The framework {wanted.name} was asked for.")
            why.extend(_in_spite_of(wanted, chosen.shape, shapes))
        if table:
            why.append(f"The version table {printable(table)} was asked for.")
        place = find_directory(chosen.framework, project, directory)
    except FrameworkError as error:
        kind = Unrecognised if isinstance(error, Unrecognised) else Undecided
        raise kind(error.summary, error.remedy, why) from None
    return Detection(
        framework=chosen.framework.name,
        table=VersionTable(
            schema=chosen.shape.schema,
            name=chosen.shape.name,
            columns=tuple(name for name, _ in chosen.shape.columns),
            version_column=version_column,
            time_column=time_column,
        ),
        directory=str(place.path),
        why=(*why, place.why),
    )


def _identify(
    shapes: Sequence[TableShape],
    possible: Sequence[Framework],
    project: Path,
    directory: str,
    table: str,
    why: list[str],
) -> _Candidate:
    """Return the version table and whose it is; put into ``why`` what was seen and ruled out on
    the way. Raises FrameworkError."""
    looked_at = [s for s in shapes if _is_called(s, table)] if table else list(shapes)
    if table and not looked_at:
        raise FrameworkError(
            f"there is no version table {printable(table)} in this database",
            "Correct it under [migrations] in rollback.toml, or leave it out to have it found. "
            "Is this the right database?",
        )
    found = [_Candidate(s, f) for s in looked_at for f in possible if f.recognises(s)]
    why.extend(_seen(found))
    if len(possible) > 1:
        found = _by_what_is_beside(found, shapes, why)
    if not found:
        raise _nothing_found(looked_at, possible, table, why)
    found = _by_name(found, why)
    if len({candidate.framework.name for candidate in found}) > 1:
        found = _by_files(found, project, directory, why)
    return _in_one_schema(found, why)


def _seen(found: Sequence[_Candidate]) -> list[str]:
    """Say for each table whose version table it may be."""
    said = []
    for shape in dict.fromkeys(candidate.shape for candidate in found):
        owners = " and of ".join(_of(f) for s, f in found if s == shape)
        columns = ", ".join(f"{name} {kind}" for name, kind in shape.columns)
        said.append(
            f"{_quoted(shape)} has the shape of {owners} version table ({printable(columns)})."
        )
    return said


def _by_what_is_beside(
    found: Sequence[_Candidate], shapes: Sequence[TableShape], why: list[str]
) -> list[_Candidate]:
    """Drop those that lack a table they always have; and of the rest for one table, those that
    have no such mark where another one has."""
    complete = []
    for candidate in found:
        missing = _missing(candidate.framework, candidate.shape, shapes)
        if missing:
            verb = "is" if len(missing) == 1 else "are"
            why.append(
                f"{_and(missing)} {verb} not beside {_quoted(candidate.shape)}, so it is not "
                f"{_of(candidate.framework)}."
            )
        else:
            complete.append(candidate)
    marked = {c.shape: c.framework for c in complete if c.framework.beside}
    kept = []
    for candidate in complete:
        owner = marked.get(candidate.shape)
        if owner is None or candidate.framework.beside:
            kept.append(candidate)
            continue
        verb = "is" if len(owner.beside) == 1 else "are"
        why.append(
            f"{_and(owner.beside)} {verb} beside {_quoted(candidate.shape)}, so it is {_of(owner)}"
            f" and not {_of(candidate.framework)}."
        )
    return kept


def _missing(
    framework: Framework, shape: TableShape, shapes: Sequence[TableShape]
) -> tuple[str, ...]:
    """Return the tables that the framework always has, and that are not in the same schema."""
    there = {other.name for other in shapes if other.schema == shape.schema}
    return tuple(name for name in framework.beside if name not in there)


def _in_spite_of(
    wanted: Framework, shape: TableShape, shapes: Sequence[TableShape]
) -> tuple[str, ...]:
    """Say what speaks against the framework that was asked for."""
    missing = _missing(wanted, shape, shapes)
    if not missing:
        return ()
    return (f"It usually has {_and(missing)} beside its version table, which is not there.",)


def _by_name(found: Sequence[_Candidate], why: list[str]) -> list[_Candidate]:
    """A table of another name counts only where none has the framework's usual name."""
    usual = [c for c in found if c.shape.name == c.framework.default_table]
    if not usual:
        return list(found)
    for shape, framework in (c for c in found if c not in usual):
        why.append(
            f"{_quoted(shape)} is not called {printable(framework.default_table)}, and another"
            f" table has its tool's own name, so it is not taken for {_of(framework)}."
        )
    return usual


def _by_files(
    found: Sequence[_Candidate], project: Path, directory: str, why: list[str]
) -> list[_Candidate]:
    """Keep the one whose files are here. Raises FrameworkError when that is none, or several."""
    frameworks = list(dict.fromkeys(candidate.framework for candidate in found))
    here = [f for f in frameworks if has_files(f, project, directory)]
    if len(here) == 1:
        gone = [f for f in frameworks if f is not here[0]]
        why.append(f"The files here are {_of(here[0])}; there are none of {_and(map(_of, gone))}.")
        return [c for c in found if c.framework is here[0]]
    if here:
        why_not = f"files of {_and(f.about.title for f in here)} are here"
    elif directory:
        why_not = f"{printable(directory)} has files of none of them"
    else:
        places = ", ".join(dict.fromkeys(p for f in frameworks for p in looked_in(f, project)))
        why_not = f"files of none of them are here (looked in {places})"
    named = ", ".join(f"{_quoted(c.shape)} ({c.framework.about.title})" for c in found)
    choice = " or ".join(f"--framework {f.name}" for f in frameworks)
    raise FrameworkError(
        f"it could be the version table of several tools: {named}; {why_not}",
        f"Say which: {choice}; or name its directory with --migrations DIR.",
    )


def _in_one_schema(found: Sequence[_Candidate], why: list[str]) -> _Candidate:
    """Of several tables of one framework, the one in ``public``. Raises FrameworkError."""
    if len(found) == 1:
        return found[0]
    public = [c for c in found if c.shape.schema == "public"]
    if len(public) != 1:
        named = ", ".join(_quoted(c.shape) for c in found)
        raise FrameworkError(f"several tables could be the version table: {named}", _NAME_TABLE)
    others = ", ".join(_quoted(c.shape) for c in found if c is not public[0])
    why.append(
        f"{_quoted(public[0].shape)} is the one in the schema public; there is also {others}."
    )
    return public[0]


def _nothing_found(
    looked_at: Sequence[TableShape],
    possible: Sequence[Framework],
    table: str,
    ruled_out: Sequence[str],
) -> FrameworkError:
    """Say what was looked for, and what was there instead."""
    wanted = possible[0] if len(possible) == 1 else None
    known = None if wanted else stranger(looked_at)
    if known:
        shape, tool = known
        back = f"Roll back with `{tool.command}`" if tool.command else "It has no down migrations"
        return Unrecognised(
            f"{_quoted(shape)} belongs to {tool.tool}, which is not supported",
            f"{back}; or describe the tool with --framework other or pairs (docs/frameworks.md).",
        )
    called = {f.default_table: f for f in possible}
    named = [s for s in looked_at if table or s.name in called]
    if named:
        shape = named[0]
        whose = wanted.name if wanted else "any known framework"
        columns = printable(", ".join(f"{column} {kind}" for column, kind in shape.columns))
        seen = " ".join(ruled_out)
        return Unrecognised(
            f"{_quoted(shape)} is not a version table of {whose}: "
            + (seen or f"its columns are {columns}"),
            f"Name another framework with --framework ({', '.join(FRAMEWORKS)}), or another table "
            "as table under [migrations] in rollback.toml.",
        )
    whose = wanted.name if wanted else "a known framework"
    return Unrecognised(
        f"this database has no version table of {whose}",
        "Is it the right database? If the table has a name of its own, say so in rollback.toml: "
        f"{_TABLE}. SQL written by hand needs no framework: --script FILE. Known are:"
        f" {', '.join(FRAMEWORKS)}.",
    )


def _is_called(shape: TableShape, table: str) -> bool:
    """Whether ``table`` (``schema.name`` or ``name``, each quoted or bare) names this table.

    Bare parts are compared as they are: dbmate and golang-migrate never fold their case.
    """
    parts = [
        quoted.replace('""', '"') if quoted else bare
        for quoted, bare in re.findall(r'"((?:[^"]|"")*)"|([^".]+)', table)
    ]
    return parts in ([shape.name], [shape.schema, shape.name])


def _of(framework: Framework) -> str:
    """``dbmate's``, ``Rails'``; without what the title has in parentheses."""
    title = framework.about.title.partition(" (")[0]
    return f"{title}'" if title.endswith("s") else f"{title}'s"


def _and(words: Iterable[str]) -> str:
    """``a``; ``a and b``; ``a, b and c``."""
    *rest, last = [printable(word) for word in words]
    return f"{', '.join(rest)} and {last}" if rest else last


def _quoted(shape: TableShape) -> str:
    return printable(VersionTable(schema=shape.schema, name=shape.name).quoted)
