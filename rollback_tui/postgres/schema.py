"""The schema of a database, read from its catalog: everything that ``pg_dump -s`` would print.

What each kind of object is called and what its definition looks like. *Verbatim* is what the
server itself writes (``pg_get_…def``), with what it leaves out as comment lines after it
(``-- disabled``), so that the text stays SQL. Everything else is *clauses*, one a line.

``table s.t``
    clauses: ``partitioned``, ``foreign``, ``unlogged``, ``partition by …``, ``partition of s.p FOR
    VALUES …``, ``inherits …``, ``of type``, ``access method …``, ``tablespace …``, ``row level
    security enabled``, ``… forced``, ``replica identity …``, ``with (…)``, ``server …``,
    ``options …``; empty for a plain one
``column s.t.c``
    the type, then clauses: ``collate …``, ``not null``, ``identity always``, ``identity by
    default``, ``inherited``, ``storage …``, ``compression …``, ``statistics N``, ``with (…)``,
    ``options …``, and last ``default …`` or ``generated always as (…) stored``, ``… virtual``
``constraint s.t.c``, of domains too
    verbatim (``pg_get_constraintdef``); ``-- inherited``, ``-- with (…)``, ``-- tablespace …``,
    ``-- clustered``, ``-- invalid``, ``-- index partition of …``
``index s.i``
    verbatim; ``-- invalid``, ``-- clustered``, ``-- tablespace …``, ``-- partition of …``,
    ``-- statistics of N M``
``statistics s.x``
    verbatim; ``-- statistics N``
``view s.v``, ``materialised view s.v``
    verbatim (``pg_get_viewdef``); ``-- with (…)``, ``-- using …``, ``-- tablespace …``
``sequence s.q``
    clauses: ``as type``, ``start N``, ``increment N``, ``minvalue N``, ``maxvalue N``, ``cache N``,
    ``cycle``, ``owned by s.t.c``, ``identity of s.t.c``
``function s.f(types)``, ``procedure s.f(types)``
    verbatim (``pg_get_functiondef``)
``aggregate s.a(types)``
    clauses as the parameters of CREATE AGGREGATE
``trigger s.t.n``, ``rule s.t.n``
    verbatim; ``-- disabled``, ``-- enabled replica``, ``-- enabled always``
``policy s.t.n``
    clauses: ``as …``, ``for …``, ``to …``, ``using (…)``, ``with check (…)``
``type s.t``
    ``enum 'a', 'b'``; ``domain base`` with ``collate``, ``not null``, ``default``; ``composite``
    with one attribute a line; ``range`` and ``base`` with clauses as in CREATE TYPE; ``shell``
``schema s``
    empty
``extension e``
    ``schema s``
``owner of <object>``
    the role
``grants on <object>``, ``default grants of role [in schema s] on tables``
    what differs from the grants that it is born with, one a line: ``role PRIVILEGE [grantable] [by
    grantor]``, ``without role PRIVILEGE``
``comment on <object>``, ``security label <provider> on <object>``
    the text; the object is as ``pg_identify_object`` names it
others: operators, text search, foreign servers, publications …
    named as ``pg_identify_object`` does, clauses as in their CREATE statement; of options only the
    names and a hash of each

Beyond ``pg_dump -s`` it says of an index that it is invalid, and of internal triggers that they are
switched off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import cache
from typing import Any

import msgspec
import psycopg
from psycopg import capabilities

from rollback_tui.core.schema import FORMAT, SchemaSnapshot
from rollback_tui.postgres.aside import aside, query
from rollback_tui.postgres.run_row import SCHEMA as OUR_SCHEMA

_OBJECTS = (
    "schema_tables",
    "schema_views",
    "schema_constraints",
    "schema_indexes",
    "schema_functions",
    "schema_triggers",
    "schema_types",
    "schema_grants",
    "schema_comments",
    "schema_database",
    "schema_others",
    "schema_far",
)
_COLUMNS = "schema_columns"

_Objects = dict[str, str | None]
_Columns = dict[str, list[dict[str, str] | None]]
"""Table → its columns, the grants on them, its NOT NULL constraints of note."""

_HASHED = re.compile(r"/\* hashed (\S+) \*/")
_HASHES = (
    "SELECT string_agg(split_part(o, '=', 1) || ' ' || left(encode(sha256(convert_to(o,"
    " getdatabaseencoding())), 'hex'), 16), ', ' ORDER BY o COLLATE \"C\") FROM unnest({}) o"
)
_ENTRY = re.compile(r"/\* entry (\S+) \*/")
_ENTRIES = (
    "CASE WHEN g.grantee = 0 THEN 'public' ELSE quote_ident(pg_get_userbyid(g.grantee)) END"
    " || ' ' || g.privilege_type || CASE WHEN g.is_grantable THEN ' grantable' ELSE '' END"
    " || CASE WHEN g.grantor = {} THEN ''"
    " ELSE ' by ' || quote_ident(pg_get_userbyid(g.grantor)) END"
)
_GATE = re.compile(r"\s*-- (from|until|for) (\d+|superusers|others)$")


def snapshot(
    conn: psycopg.Connection[Any],
    *,
    exclude: Sequence[str] = (OUR_SCHEMA,),
    seconds: float = 120,
) -> SchemaSnapshot:
    """Return the schema of the database, as this session's transaction sees it.

    Left out: system schemas, members of extensions, temporary objects, and the schemas in
    ``exclude``. A dozen queries, however many tables there are, sent in one go where libpq can;
    each may take ``seconds``. Works inside an open transaction and outside one, and leaves no
    trace. Raises psycopg.Error.
    """
    major = conn.info.server_version // 10000
    superuser = conn.info.parameter_status("is_superuser") == "on"
    arguments = {"exclude": list(exclude)}
    found = _Found()
    pipeline = conn.pipeline() if capabilities.has_pipeline() else nullcontext()
    with pipeline, aside(conn, seconds=seconds, canonical=True, settings=_QUICK) as cursor:
        cursors = []
        for name in (_COLUMNS, *_OBJECTS):
            asked = conn.cursor(row_factory=cursor.row_factory)
            asked.execute(_statement(name, major, superuser).encode(), arguments)
            cursors.append(asked)
        # Each answer is read while the server works on the next.
        found.columns(_answer(cursors[0]))
        for asked in cursors[1:]:
            found.objects(_answer(asked))
    return found.snapshot()


_QUICK = {
    # Compiling would take longer than the query; workers would take a core from others, and read
    # a catalog that is cached here.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "work_mem": "64MB",
    # The joins are written in a good order: to look for a better one takes longer than a query.
    "join_collapse_limit": "1",
    "from_collapse_limit": "1",
}


@cache
def _statement(name: str, major: int, superuser: bool) -> str:
    """Return one query as this server understands it, its rows as one JSON object.

    One value instead of a hundred thousand rows: it is sent and read several times as fast.
    """
    text = _HASHED.sub(lambda match: _HASHES.format(match.group(1)), query(name))
    text = _ENTRY.sub(lambda match: _ENTRIES.format(match.group(1)), text)
    scope = query("schema_scope")
    kept = "\n".join(_gated(text.splitlines(), major, superuser))
    return (
        f"WITH {scope}, found (key, definition) AS ({kept}\n)"  # noqa: S608 -- only our own files
        " SELECT json_object_agg(key, definition)::text FROM found"
    )


def _gated(lines: Sequence[str], major: int, superuser: bool) -> Iterator[str]:
    """Yield the lines that are for this server and role: ``-- from 14``, ``-- until 16``."""
    for line in lines:
        text, kept = line, True
        while match := _GATE.search(text):
            word, limit = match.groups()
            text = text[: match.start()]
            if word == "for":
                kept &= superuser == (limit == "superusers")
            else:
                kept &= major >= int(limit) if word == "from" else major <= int(limit)
        if kept:
            yield text


def _answer(cursor: psycopg.Cursor[Any]) -> bytes:
    """Return the JSON of an answer, in UTF-8 whatever the session's encoding."""
    row = cursor.fetchone()
    if row is None or row[0] is None:
        return b"{}"
    text = row[0]
    # A session in SQL_ASCII gives bytes: they are in no encoding that anybody knows.
    return text.encode() if isinstance(text, str) else text.decode("utf-8", "replace").encode()


_PREFIXES = ("column ", "grants on column ", "constraint ")

_read_columns = msgspec.json.Decoder(_Columns)
_read_objects = msgspec.json.Decoder(_Objects)


class _Found:
    """What has been read so far."""

    def __init__(self) -> None:
        self._objects: dict[str, str] = {}
        self._order: dict[str, tuple[str, ...]] = {}
        self._unread: list[str] = []

    def columns(self, answer: bytes) -> None:
        """Take the answer about columns."""
        objects = self._objects
        for table, (columns, *about) in _read_columns.decode(answer).items():
            # Of a view, a column may only be here for what is granted on it.
            found = {name: text for name, text in (columns or {}).items() if text}
            for prefix, of in zip(_PREFIXES, (found, *about), strict=False):
                for name, definition in (of or {}).items():
                    objects[f"{prefix}{table}.{name}"] = definition
            self._order[table] = tuple(map(_unquoted, found))

    def objects(self, answer: bytes) -> None:
        """Take the answer about another kind; what may not be read has no definition."""
        for key, definition in _read_objects.decode(answer).items():
            if definition is None:
                self._unread.append(key)
            else:
                self._objects[key] = definition

    def snapshot(self) -> SchemaSnapshot:
        """Return all of it."""
        return SchemaSnapshot(
            objects=self._objects,
            column_order=self._order,
            unread=tuple(sorted(self._unread)),
            format=FORMAT,
        )


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
