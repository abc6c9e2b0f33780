"""Which framework, which version table, which directory: and why we think so.

The shape of the version table decides first, because it is what was really deployed; the files
must then agree. Names alone say little: ``schema_migrations`` is dbmate's, Rails',
golang-migrate's and Ecto's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import Value
from rollback_tui.core.text import printable
from rollback_tui.frameworks.protocol import Framework, TableShape, VersionTable
from rollback_tui.frameworks.registry import FRAMEWORKS, framework_named

_RAILS_MARK = "ar_internal_metadata"

_OTHERS = {
    "goose_db_version": "goose",
    "__diesel_schema_migrations": "Diesel",
    "_sqlx_migrations": "sqlx",
    "alembic_version": "Alembic",
    "django_migrations": "Django",
    "databasechangelog": "Liquibase",
    "flyway_schema_history": "Flyway",
    "_prisma_migrations": "Prisma",
    "knex_migrations": "Knex",
    "SequelizeMeta": "Sequelize",
    "pgmigrations": "node-pg-migrate",
    "gorp_migrations": "sql-migrate",
    "_yoyo_migration": "yoyo",
    "schemaversion": "postgrator",
    "shmig_version": "shmig",
}
"""Version tables of tools that we know by sight and cannot roll back: to say so by name."""

TABLE_NAMES: tuple[str, ...] = tuple(
    sorted({f.default_table for f in FRAMEWORKS.values()} | set(_OTHERS) | {_RAILS_MARK})
)
"""Names whose shapes :func:`detect` wants to see, in every schema (besides a configured one)."""

_NAME_DIRECTORY = (
    "Name it with --migrations DIR, or as directory under [migrations] in rollback.toml."
)
_NAME_TABLE = 'Name it in rollback.toml: [migrations] table = "schema.table".'


class Detection(Value, frozen=True, kw_only=True):
    """What was found."""

    framework: str
    """Key of FRAMEWORKS."""
    table: VersionTable
    directory: str
    why: tuple[str, ...]
    """The reasons, one sentence each, for people."""


def detect(
    shapes: Sequence[TableShape],
    project: Path,
    *,
    directory: str = "",
    framework: str = "",
    table: str = "",
) -> Detection:
    """Find framework, version table and migrations directory.

    ``shapes``: the tables of the target called as in TABLE_NAMES or as ``table``. ``project``:
    where relative directories start. ``directory``, ``framework`` and ``table`` are what the
    operator said; each of them is believed and only checked. Raises FrameworkError.
    """
    wanted = framework_named(framework) if framework else None
    if directory and not (project / directory).is_dir():
        raise FrameworkError(f"no such directory: {_shown(project / directory)}", _NAME_DIRECTORY)
    shape, chosen, why = _identify(shapes, wanted, table)
    found, reason = _find_directory(chosen, project, directory)
    return Detection(
        framework=chosen.name,
        table=VersionTable(
            schema=shape.schema,
            name=shape.name,
            columns=tuple(name for name, _ in shape.columns),
        ),
        directory=str(found),
        why=(*why, reason),
    )


def _identify(
    shapes: Sequence[TableShape], wanted: Framework | None, table: str
) -> tuple[TableShape, Framework, tuple[str, ...]]:
    """Return the version table, whose it is, and why."""
    possible = (wanted,) if wanted else tuple(FRAMEWORKS.values())
    looked_at = [s for s in shapes if _is_called(s, table)] if table else list(shapes)
    if table and not looked_at:
        raise FrameworkError(
            f"there is no version table {printable(table)} in this database",
            "Correct it under [migrations] in rollback.toml, or leave it out to have it found. "
            "Is this the right database?",
        )
    matches = [(s, f) for s in looked_at for f in possible if f.recognises(s)]
    if not wanted:
        _refuse_rails(shapes, [shape for shape, _ in matches])
    if not matches:
        raise _nothing_found(looked_at, wanted, table)
    # A table of another name counts only where none has the framework's usual name.
    usual = [m for m in matches if m[0].name == m[1].default_table] or matches
    public = [m for m in usual if m[0].schema == "public"] if len(usual) > 1 else usual
    if len(public) != 1:
        named = ", ".join(_quoted(shape) for shape, _ in usual)
        raise FrameworkError(f"several tables could be the version table: {named}", _NAME_TABLE)
    shape, chosen = public[0]
    columns = ", ".join(f"{name} {kind}" for name, kind in shape.columns)
    why = [f"{_quoted(shape)} has the shape of {chosen.name}'s version table ({columns})."]
    if wanted:
        why.append(f"The framework {wanted.name} was asked for.")
    if table:
        why.append(f"The version table {printable(table)} was asked for.")
    if len(usual) > 1:
        others = ", ".join(_quoted(s) for s, _ in usual if s is not shape)
        why.append(f"It is the one in the schema public; there is also {others}.")
    return shape, chosen, tuple(why)


def _refuse_rails(shapes: Sequence[TableShape], matches: Sequence[TableShape]) -> None:
    """Refuse a version table that has the shape of dbmate's but is Rails' own."""
    rails = {shape.schema for shape in shapes if shape.name == _RAILS_MARK}
    dbmate = FRAMEWORKS["dbmate"]
    for shape in matches:
        if shape.schema in rails and dbmate.recognises(shape):
            raise FrameworkError(
                f"{_quoted(shape)} belongs to Rails ({_RAILS_MARK} is beside it), "
                "which is not supported yet",
                "Roll back with `bin/rails db:rollback`. If dbmate has taken this database over "
                "from Rails, say so with --framework dbmate.",
            )


def _nothing_found(
    looked_at: Sequence[TableShape], wanted: Framework | None, table: str
) -> FrameworkError:
    if table or (wanted and any(s.name == wanted.default_table for s in looked_at)):
        name = wanted.name if wanted else "any known framework"
        seen = next((s for s in looked_at if wanted and s.name == wanted.default_table), None)
        shape = seen or looked_at[0]
        columns = ", ".join(f"{column} {kind}" for column, kind in shape.columns)
        return FrameworkError(
            f"{_quoted(shape)} is not a version table of {name}: its columns are "
            f"{printable(columns)}",
            f"Name another framework with --framework ({', '.join(FRAMEWORKS)}), or another table "
            "as table under [migrations] in rollback.toml.",
        )
    for shape in looked_at:
        other = _OTHERS.get(shape.name)
        if other and not wanted:
            return FrameworkError(
                f"{_quoted(shape)} belongs to {other}, which is not supported yet",
                f"Roll back with {other} itself. Supported are: {', '.join(FRAMEWORKS)}.",
            )
    for shape in looked_at:
        if dict(shape.columns).keys() == {"version", "inserted_at"}:
            return FrameworkError(
                f"{_quoted(shape)} belongs to Ecto, which is not supported yet",
                f"Roll back with `mix ecto.rollback`. Supported are: {', '.join(FRAMEWORKS)}.",
            )
    whose = wanted.name if wanted else "a known framework"
    return FrameworkError(
        f"this database has no version table of {whose}",
        "Is it the right database? If the table has a name of its own: " + _NAME_TABLE,
    )


def _find_directory(framework: Framework, project: Path, directory: str) -> tuple[Path, str]:
    """Return the directory with that framework's files, and why it is this one."""
    if directory:
        path = project / directory
        count = len(framework.files(path))
        if not count:
            raise _no_files(framework, path)
        return path, f"The directory {_shown(path)} was asked for; {_files(count, framework)}."
    existing = [p for d in framework.default_directories if (p := project / d).is_dir()]
    counts = {path: len(framework.files(path)) for path in existing}
    filled = [path for path in existing if counts[path]]
    if len(filled) > 1:
        named = ", ".join(_shown(path) for path in filled)
        raise FrameworkError(
            f"several directories have {framework.name} migrations: {named}", _NAME_DIRECTORY
        )
    if filled:
        reason = f"{_shown(filled[0])} is usual for it; {_files(counts[filled[0]], framework)}."
        return filled[0], reason
    if existing:
        raise _no_files(framework, existing[0])
    named = ", ".join(_shown(project / d) for d in framework.default_directories)
    raise FrameworkError(
        f"no migrations directory for {framework.name}: no such directory: {named}",
        _NAME_DIRECTORY,
    )


def _no_files(framework: Framework, path: Path) -> FrameworkError:
    return FrameworkError(
        f"{_shown(path)} has no {framework.name} migrations ({framework.file_pattern})",
        _NAME_DIRECTORY,
    )


def _files(count: int, framework: Framework) -> str:
    return f"it has {count} {framework.name} migration{'' if count == 1 else 's'}"


def _is_called(shape: TableShape, table: str) -> bool:
    """Whether ``table`` (``schema.name`` or ``name``, each quoted or bare) names this table.

    Bare parts are compared as they are: dbmate and golang-migrate never fold their case.
    """
    parts = [
        quoted.replace('""', '"') if quoted else bare
        for quoted, bare in re.findall(r'"((?:[^"]|"")*)"|([^".]+)', table)
    ]
    return parts in ([shape.name], [shape.schema, shape.name])


def _quoted(shape: TableShape) -> str:
    return printable(VersionTable(schema=shape.schema, name=shape.name).quoted)


def _shown(path: Path) -> str:
    return printable(str(path))
