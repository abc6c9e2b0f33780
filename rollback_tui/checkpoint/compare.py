"""Whether a restored database is the one that was kept: rows, contents and schema.

What the manifest does not know is not compared, and never called the same: a table that was not
counted is a difference, for then nothing is proven; a table without a fingerprint, and a schema
that this version or this server would write down in other words, are said to be not compared.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import psycopg

from rollback_tui import __version__
from rollback_tui.checkpoint import manifest as mf
from rollback_tui.checkpoint.snapshot import list_tables
from rollback_tui.checkpoint.tables import Reader
from rollback_tui.checkpoint.verify import READ_SECONDS
from rollback_tui.core import schema
from rollback_tui.core.errors import CheckpointError
from rollback_tui.core.model import Value
from rollback_tui.core.schema import SchemaSnapshot
from rollback_tui.core.text import printable
from rollback_tui.postgres import catalog
from rollback_tui.postgres.connect import Connection, connect
from rollback_tui.postgres.contents import METHOD

SchemaResult = Literal["identical", "equivalent", "different", "not compared"]


class Difference(Value, frozen=True, kw_only=True):
    """One thing in which the restored database is not proven to be the checkpoint."""

    kind: Literal["rows", "missing", "extra", "not counted", "contents", "schema"]
    """``not counted``: the checkpoint does not know; nothing is proven for this table.
    ``contents``: as many rows, but others. ``schema``: an object of the schema."""
    table: str
    """The object, when it is one of the schema."""
    expected: int | None
    """Rows."""
    found: int | None
    detail: str = ""
    """Of an object of the schema: what it was and is."""

    @property
    def summary(self) -> str:
        """One line for people."""
        name = printable(self.table)
        match self.kind:
            case "rows":
                return f"{name}: {self.found:,} rows, the checkpoint had {self.expected:,}"
            case "missing":
                return f"{name} is missing"
            case "extra":
                return f"{name} is not in the checkpoint"
            case "contents":
                return f"{name}: as many rows, but not the same contents as in the checkpoint"
            case "schema":
                return f"schema: {self.detail}"
            case _:
                return f"{name}: rows unknown, nothing is proven"


class Comparison(Value, frozen=True, kw_only=True):
    """What was compared of a restored database."""

    differences: tuple[Difference, ...]
    tables: int
    """How many tables had exactly the rows of the manifest."""
    fingerprinted: int
    """Of these, how many had exactly the contents, too; of the others nobody knows."""
    schema: SchemaResult
    """``equivalent``: the server writes some expressions down in other words since they were
    read in again, and nothing else differs."""
    schema_why: str = ""
    """Why it was not compared, or what is written in other words."""
    seconds: float = 0.0

    @property
    def proven(self) -> bool:
        """Whether it is what was kept, as far as the manifest knows."""
        return not self.differences

    def describe(self) -> str:
        """Return what was compared, and how far, in one line."""
        text = f"rows of {self.tables:,} tables, contents of {self.fingerprinted:,} of them"
        if self.schema == "not compared":
            return f"{text}; the schema was not compared: {self.schema_why}"
        return f"{text}, schema {self.schema}"


def compare(
    checkpoint: Path, dsn: str, *, subscriptions: bool = True, same_server: bool = True
) -> tuple[Difference, ...]:
    """Return all differences of a restored database; see :func:`compared`. None: proven."""
    found = compared(checkpoint, dsn, subscriptions=subscriptions, same_server=same_server)
    return found.differences


def compared(
    checkpoint: Path, dsn: str, *, subscriptions: bool = True, same_server: bool = True
) -> Comparison:
    """Compare a restored database with the manifest: every table's rows, exactly; contents where
    the manifest has their fingerprint; the schema, object by object.

    Without ``subscriptions`` those were left out of the restore, and are left out here. Not on the
    ``same_server``: extensions and locales may be others, so the schema is not compared. Raises
    CheckpointError or ConnectionFailed.
    """
    began = time.monotonic()
    manifest, _ = mf.read(checkpoint)
    expected = mf.read_schema(checkpoint, manifest)
    with contextlib.closing(connect(dsn, patience=READ_SECONDS)) as connection:
        try:
            connection.execute("SET statement_timeout = 0")
            connection.execute("SET row_security = off")
            tables = _Tables(manifest, connection)
            differences = list(tables.differences())
            why = "it was restored on another server"
            if same_server:
                why = _not_comparable(manifest, expected, connection)
            result: SchemaResult = "not compared"
            if expected is not None and not why:
                now = catalog.snapshot(connection)
                result, why, found = _schema(expected, now, subscriptions=subscriptions)
                differences += found
        except psycopg.Error as error:
            raise CheckpointError(
                f"The restored database cannot be compared: {printable(words(error))}",
                "Do not put it in place.",
            ) from None
    return Comparison(
        differences=tuple(differences),
        tables=tables.same_rows,
        fingerprinted=tables.same_contents,
        schema=result,
        schema_why=why,
        seconds=round(time.monotonic() - began, 3),
    )


class _Tables:
    """The tables of the manifest against those of the database."""

    def __init__(self, manifest: mf.Manifest, connection: Connection) -> None:
        self.same_rows = 0
        self.same_contents = 0
        self._expected = manifest.tables
        self._known = manifest.fingerprint_method == METHOD
        self._present = set(list_tables(connection))
        there = [t for t in manifest.tables if (t.schema, t.table) in self._present]
        read = Reader(connection).rows(
            there, wanted=lambda table: self._known and bool(table.fingerprint)
        )
        self._found = {(table.schema, table.table): table for table in read}

    def differences(self) -> Iterator[Difference]:
        """Yield what is not as the manifest says."""
        for table in self._expected:
            found = self._found.get((table.schema, table.table))
            if found is None:
                yield _difference("missing", table, None)
            elif table.rows is None or found.rows is None:
                yield _difference("not counted", table, found.rows)
            elif found.rows != table.rows:
                yield _difference("rows", table, found.rows)
            else:
                self.same_rows += 1
                yield from self._contents(table, found)
        expected = {(table.schema, table.table) for table in self._expected}
        for schema_name, name in sorted(self._present - expected):
            full = f"{schema_name}.{name}"
            yield Difference(kind="extra", table=full, expected=None, found=None)

    def _contents(self, table: mf.TableRows, found: mf.TableRows) -> Iterator[Difference]:
        if not (self._known and table.fingerprint and found.fingerprint):
            return
        if table.fingerprint == found.fingerprint:
            self.same_contents += 1
        else:
            yield _difference("contents", table, found.rows)


def _difference(
    kind: Literal["rows", "missing", "not counted", "contents"],
    table: mf.TableRows,
    rows: int | None,
) -> Difference:
    return Difference(kind=kind, table=table.name, expected=table.rows, found=rows)


def _not_comparable(
    manifest: mf.Manifest, expected: SchemaSnapshot | None, connection: Connection
) -> str:
    """Return why the two schemas would differ though they are the same; empty: they would not."""
    if expected is None:
        return "the checkpoint does not have it"
    if manifest.tool_version != __version__:
        return (
            f"rollback-tui {printable(manifest.tool_version)} wrote it down, this is {__version__}"
        )
    major = connection.info.server_version // 10000
    if major != manifest.target.major:
        return f"it was of PostgreSQL {manifest.target.major}, this is {major}"
    return ""


def _schema(
    expected: SchemaSnapshot, found: SchemaSnapshot, *, subscriptions: bool
) -> tuple[SchemaResult, str, list[Difference]]:
    differs = [
        one
        for one in schema.condensed(schema.diff(expected, found))
        if subscriptions or "subscription " not in one.object
    ]
    real = [one for one in differs if not _only_reworded(one)]
    if real:
        return "different", "", list(_objects(real))
    if differs:
        named = ", ".join(printable(one.object) for one in differs[:3])
        more = f" and {len(differs) - 3} more" if len(differs) > 3 else ""
        return "equivalent", f"written in other words: {named}{more}", []
    return "identical", "", []


def _objects(differences: Iterable[schema.Difference]) -> Iterator[Difference]:
    for one in differences:
        yield Difference(
            kind="schema", table=one.object, expected=None, found=None, detail=one.describe()
        )


# A cast that the server writes down, with the names of types that are of several words.
_CAST = re.compile(
    r'::(?:"[^"]*"|\w+)(?:\.(?:"[^"]*"|\w+))?'
    r"(?: (?:varying|precision|with(?:out)? time zone))?(?:\(\d+(?:,\d+)?\))?(?:\[\])*"
)


def _only_reworded(one: schema.Difference) -> bool:
    """Whether only casts and brackets differ. ``IN ('a', 'b')`` on a varchar comes back from a
    dump as another text than the original has (PostgreSQL: the cast of the array has become one
    of its elements, when its own deparsed text was parsed), and is the same expression. The dump's
    bytes were verified: nobody has changed an expression in it."""
    if one.before is None or one.after is None:
        return False
    return _bare(one.before) == _bare(one.after)


def _bare(definition: str) -> str:
    return re.sub(r"[()\s]", "", _CAST.sub("", definition))


def words(error: psycopg.Error) -> str:
    """Return the server's message, with detail, on one line."""
    detail = error.diag.message_detail
    return " ".join((error.diag.message_primary or str(error)).split()) + (
        f" ({' '.join(detail.split())})" if detail else ""
    )
