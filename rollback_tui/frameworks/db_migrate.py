"""db-migrate (https://github.com/db-migrate/node-db-migrate), rules of version 0.11.

A ``TS-name.js`` a migration, which ``db-migrate create --sql-file`` makes so that it does nothing
but run ``sqls/TS-name-up.sql`` and ``sqls/TS-name-down.sql``. One row for each applied migration in
``migrations(id serial, name, run_on)``, where the name has a leading ``/``. No lock.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.core.text import printable
from rollback_tui.frameworks import files as migration_files
from rollback_tui.frameworks.base import Base, no_file
from rollback_tui.frameworks.own_settings import json_settings, text_at
from rollback_tui.frameworks.protocol import (
    About,
    History,
    MigrationFile,
    Missing,
    TableShape,
    VersionTable,
)
from rollback_tui.frameworks.quoting import literal
from rollback_tui.frameworks.search_path import elsewhere, refusal
from rollback_tui.frameworks.whole_files import relative, unique, whole

_FILE = re.compile(r"(\d{14}-[^.]+)\.js", re.ASCII)
_EXPORT = re.compile(r"\bexports\.(\w+)\s*=(?!=)", re.ASCII)
_COMMENT = re.compile(r"/\*.*?\*/|^[ \t]*//[^\n]*$", re.DOTALL | re.MULTILINE)
_WHERE = (
    "--migrations-dir={migrations}",
    "--table={table}",
    "--config={directory}/database.json",
    "--env=dev",
)
_CONFIGURATION = '{"dev": {"driver": "pg", "schema": {"ENV": "ROLLBACK_TUI_SCHEMA"}}}'
_SQL_NAME = re.compile(r"['\"/]([^'\"/\n]+\.sql)['\"]")

# What the tool writes into such a file, without white space, with ' for ", and var for const and
# let. First as it is since version 0.10, then as it was before; NAME stands for the SQL file.
_PATH = (
    r"varfilePath=path\.join\(__dirname(?:,'sqls','|\+'/sqls/)NAME'\);",
    r"fs\.readFile\(filePath,\{encoding:'utf-8'\},function\(err,data\)\{",
    r"if\(err\)return{};?(?:console\.log\('receiveddata:'\+data\);)?",
)
_PROMISED = (
    r"function\(db(?:,callback)?\)\{"
    + _PATH[0]
    + r"(?:if\(!ignoreOnInit\)\{)?"
    + r"return new Promise\(function\(resolve,reject\)\{".replace(" ", "")
    + _PATH[1]
    + _PATH[2].replace("{}", r"reject\(err\)")
    + r"resolve\(data\);?\}\);?\}\)\.then\(function\(data\)\{returndb\.runSql\(data\);?\}\);?"
    + r"(?:\}else\{console\.log\('ignoringoninit:'\+filePath\);?returnnull;?\})?"
    + r"\};?"
)
_CALLED_BACK = (
    r"function\(db,callback\)\{"
    + _PATH[0]
    + _PATH[1]
    + _PATH[2].replace("{}", r"callback\(err\)")
    + r"db\.runSql\(data,(?:callback|function\(err\)\{if\(err\)returncallback\(err\);?"
    + r"callback\(\);?\})\);?\}\);?\};?"
)


class DbMigrate(Base):
    """db-migrate's files, order and version table."""

    name = "db-migrate"
    default_table = "migrations"
    default_directories: tuple[str, ...] = ("migrations", "db/migrations")
    file_pattern = "TIMESTAMP-name.js and sqls/TIMESTAMP-name-down.sql"
    command: tuple[str, ...] = ("node_modules/.bin/db-migrate",)
    # `check` says what is pending, for which it reads the version table.
    status_command: tuple[str, ...] = ("check", *_WHERE)
    down_command: tuple[str, ...] = ("down", "--count=1", *_WHERE)
    environment: Mapping[str, str] = MappingProxyType({"ROLLBACK_TUI_SCHEMA": "{schema}"})
    # The project's own configuration may name a database; in this one, that of DATABASE_URL counts.
    given: Mapping[str, str] = MappingProxyType({"database.json": _CONFIGURATION})
    about = About(
        title="db-migrate",
        site="https://github.com/db-migrate/node-db-migrate",
        rules="0.11 with db-migrate-pg 1.5",
        scripts="`sqls/TIMESTAMP-name-down.sql`, when the migration's `.js` file does nothing else "
        "than run it: that is read from the file, which is as `db-migrate create --sql-file` "
        "makes it. Of one that is code, what `db-migrate down --count=1` sends to a scratch copy "
        "of the schema is captured. It is called with a configuration that knows only "
        "`DATABASE_URL` and the schema; where yours says more that matters, name your own calls as "
        "`status_command` and `down_command`.",
        newest="The row with the latest `run_on`, and of several with the same the highest name. "
        "That time is the local time of the machine that migrated, so it is not shown.",
        outside="none: db-migrate always opens a transaction, unless it was called with "
        "`--non-transactional`.",
        change="`DELETE FROM migrations WHERE name = '/…'`, and once more without the `/`.",
        lock="none: db-migrate takes none.",
        tested="The real db-migrate 0.11 with db-migrate-pg 1.5 from npm.",
        refused=(
            "A migration whose `exports.down` is code that reads the application's rows: the "
            "scratch copy has none.",
            "A version table in another schema than the one that comes first in the connection's "
            "`search_path`: db-migrate puts its own there.",
            "Migrations of a scope (`scope/…`) are not looked at: db-migrate, too, rolls back each "
            "scope by itself.",
        ),
    )

    def configured_directories(self, project: Path) -> tuple[str, ...]:
        """``migrations-dir`` of ``.db-migraterc``."""
        named = text_at(json_settings(project, ".db-migraterc"), "migrations-dir")
        return (named,) if named else ()

    def recognises(self, shape: TableShape) -> bool:
        """``id``, ``name`` and ``run_on`` of the types that the tool gives them."""
        columns = dict(shape.columns)
        return (
            columns.keys() == {"id", "name", "run_on"}
            and columns["id"] == "integer"
            and columns["name"].startswith("character varying")
            and columns["run_on"] == "timestamp without time zone"
            and shape.primary_key == ("id",)
        )

    def files(self, directory: Path) -> tuple[MigrationFile, ...]:
        """Return the ``.js`` files that begin with a time stamp, oldest first by it."""
        found = []
        for name in migration_files.names(directory):
            match = _FILE.fullmatch(name)
            if match:
                down = directory / "sqls" / f"{match[1]}-down.sql"
                found.append(
                    MigrationFile(
                        version=match[1],
                        name=match[1][15:],
                        path=str(directory / name),
                        down_path=str(down) if down.is_file() else None,
                    )
                )
        return unique(found, "db-migrate")

    def history_sql(self, table: VersionTable) -> str:
        """All rows, newest first."""
        return (
            f"SELECT name, {elsewhere(table)} FROM {table.quoted}"  # noqa: S608 - quoted
            " ORDER BY run_on DESC, name DESC"
        )

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """The rows in their order, without those of a scope; with or without a leading ``/`` it is
        the same migration."""
        known = {file.version: file for file in files}
        applied: dict[str, AppliedMigration] = {}
        problem = ""
        for name, schema in rows:
            version = str(name).removeprefix("/")
            if "/" in version:
                continue
            problem = refusal("db-migrate", schema)
            file = known.get(version)
            applied.setdefault(
                version,
                AppliedMigration(
                    version=version,
                    name=file.name if file else version[15:],
                    path=file.path if file else None,
                ),
            )
        return History(applied=tuple(applied.values()), problem=problem)

    def down(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Return the whole ``-down.sql`` file that the ``.js`` file runs."""
        return self._run_by(applied, directory, "down")

    def up(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Return the whole ``-up.sql`` file that the ``.js`` file runs."""
        return self._run_by(applied, directory, "up")

    def _run_by(self, applied: AppliedMigration, directory: Path, way: str) -> Source | Missing:
        if applied.path is None:
            return no_file(directory, applied.version)
        code = whole(directory, applied.path)
        if isinstance(code, Missing):
            return code
        text = code.data.decode(errors="replace")
        if not re.search(rf"\b{way}\b", text):
            return Missing(why=f"{printable(relative(directory, applied.path))} exports no {way}")
        name = sql_file(text, way)
        if name is None:
            return Missing(
                why=f"exports.{way} in {printable(relative(directory, applied.path))} is code of "
                f"its own, which only db-migrate can run: it does not just run a file in sqls",
                capturable=way == "down",
            )
        return whole(directory, str(directory / "sqls" / name))

    def version_change(
        self,
        table: VersionTable,
        rolled_back: AppliedMigration,
        previous: AppliedMigration | None,  # noqa: ARG002
    ) -> tuple[str, ...]:
        """Delete the row by both of its names, as the tool does."""
        return tuple(
            f"DELETE FROM {table.quoted} WHERE name = {literal(name)}"  # noqa: S608 - quoted
            for name in (f"/{rolled_back.version}", rolled_back.version)
        )

    def applied_change(self, table: VersionTable, applied: AppliedMigration) -> tuple[str, ...]:
        """Insert the row. The tool writes its machine's local time; here it is the server's, and
        never earlier than what is there, for the order is read from it."""
        return (
            f"INSERT INTO {table.quoted} (name, run_on) SELECT {literal(f'/{applied.version}')},"  # noqa: S608 - quoted
            " greatest(clock_timestamp()::timestamp, max(run_on) + interval '1 millisecond')"
            f" FROM {table.quoted}",
        )


def sql_file(code: str, way: str) -> str | None:
    """Return the name of the file in ``sqls`` that ``exports.down`` (or ``up``: ``way``) of a
    migration runs; None when it does anything else, or anything more.

    Only the text that the tool itself makes is understood, however it is spaced and quoted.
    """
    plain = _COMMENT.sub("", code)
    exports = list(_EXPORT.finditer(plain))
    chosen = [at for at, match in enumerate(exports) if match[1] == way]
    if len(chosen) != 1 or re.search(r"\bmodule\b", plain):
        return None
    at = chosen[0]
    end = exports[at + 1].start() if at + 1 < len(exports) else len(plain)
    body = plain[exports[at].end() : end]
    named = _SQL_NAME.findall(body)
    if len(named) != 1 or named[0] in ("", ".sql"):
        return None
    text = re.sub(r"\b(?:const|let)\b", "var", body)
    text = re.sub(r"\s+", "", text).replace('"', "'")
    name = re.escape(re.sub(r"\s+", "", named[0]))
    if any(re.fullmatch(p.replace("NAME", name), text) for p in (_PROMISED, _CALLED_BACK)):
        return str(named[0])
    return None
