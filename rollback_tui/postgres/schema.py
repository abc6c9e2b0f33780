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

_CONSTRAINTS = "schema_constraints"
_JOINED = ("schema_indexes", "schema_views")
"""Those that join what there is many of: each is read once and looked up in a hash table."""
_NUMBERED = frozenset({_CONSTRAINTS, "schema_views"})
"""Where definitions name columns by their numbers."""
_OTHERS = (
    "schema_tables",
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


class _Numbered(msgspec.Struct, array_like=True, gc=False):
    """An object whose definition names columns by their numbers."""

    key: str
    before: str
    """Its definition up to the columns."""
    relation: int
    numbers: list[int]
    after: str
    """And what follows them."""
    tree: str | None
    """Not the columns but an expression on them stands there: a hash of its parse tree."""
    oid: int


class _Few(msgspec.Struct, array_like=True, gc=False):
    """What few columns have."""

    table: int
    column: str
    grants: str | None
    required: tuple[str, str] | None = None
    """A NOT NULL constraint that is not simply there, its name first. PostgreSQL 18"""


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
    ``exclude``. Some fifteen queries, however many tables there are, sent in four parts where
    libpq can; each may take ``seconds``. What somebody else changes between two of them is
    ``unread``. Works inside an open transaction and outside one, and leaves no trace. Raises
    psycopg.Error.
    """
    major = conn.info.server_version // 10000
    superuser = conn.info.parameter_status("is_superuser") == "on"
    arguments = {"exclude": list(exclude)}
    found = _Found()
    pipeline = conn.pipeline() if capabilities.has_pipeline() else nullcontext()
    with pipeline, aside(conn, seconds=seconds, canonical=True, settings=_QUICK) as cursor:

        def ask(name: str) -> psycopg.Cursor[Any]:
            asked = conn.cursor(row_factory=cursor.row_factory)
            return asked.execute(_statement(name, major, superuser).encode(), arguments)

        # What has been answered is taken in while the server works on what was sent next. To wait
        # for one answer is to wait for all that was sent, so it is sent in four parts.
        columns = _answer(ask(_COLUMNS))
        sent = ask(_CONSTRAINTS)
        found.columns(*columns)
        constraints = _answer(sent)
        joined = [ask(name) for name in _JOINED]
        found.objects(*constraints)
        objects = [_answer(asked) for asked in joined]
        cursor.execute("SET LOCAL enable_nestloop = on")
        others = [ask(name) for name in _OTHERS]
        expressions = conn.cursor(row_factory=cursor.row_factory)
        expressions.execute(_EXPRESSIONS, [found.asked()])
        for answer in objects:
            found.objects(*answer)
        for asked in others:
            found.objects(*_answer(asked))
        found.expressions(*_answer(expressions))
    return found.snapshot()


_QUICK = {
    # Compiling would take longer than the query; workers would take a core from others, and read
    # a catalog that is cached here.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "work_mem": "64MB",
    # The planner thinks that our list of schemas leaves few rows, and would look up one by one.
    "enable_nestloop": "off",
    "enable_mergejoin": "off",
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
    if name == _COLUMNS:
        return f"WITH {scope}, found AS ({kept}\n) SELECT * FROM found"  # noqa: S608 -- our own files
    if name not in _NUMBERED:
        return (
            f"WITH {scope}, found (key, definition) AS ({kept}\n)"  # noqa: S608 -- our own files
            " SELECT json_object_agg(key, definition)::text FROM found"
        )
    return (
        f"WITH {scope}, found (key, before, relation, numbers, definition, tree, oid) AS ({kept}\n)"  # noqa: S608
        " SELECT json_object_agg(key, before || definition) FILTER (WHERE relation IS NULL)::text,"
        " json_agg(json_build_array(key, before, relation::bigint, numbers, definition, tree,"
        " oid::bigint)) FILTER (WHERE relation IS NOT NULL)::text FROM found"
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


def _answer(cursor: psycopg.Cursor[Any]) -> list[bytes]:
    """Return each JSON of an answer, in UTF-8 whatever the session's encoding; b"" for none."""
    return [_encoded(text) for text in cursor.fetchone() or ()]


def _encoded(text: str | bytes | None) -> bytes:
    # A session in SQL_ASCII gives bytes: they are in no encoding that anybody knows.
    return (text.decode("utf-8", "replace") if isinstance(text, bytes) else text or "").encode()


_read_names = msgspec.json.Decoder(dict[int, str])
_read_written = msgspec.json.Decoder(dict[int, str | None])
_read_integers = msgspec.json.Decoder(list[int])
_read_texts = msgspec.json.Decoder(list[str])
_read_few = msgspec.json.Decoder(list[_Few])
_read_objects = msgspec.json.Decoder(_Objects)
_read_numbered = msgspec.json.Decoder(list[_Numbered])
_EXPRESSIONS = (
    b"SELECT json_object_agg(k.oid, pg_get_expr(k.conbin, k.conrelid))::text"
    b" FROM pg_constraint k WHERE k.oid = ANY (%s::oid[])"
)


class _Found:
    """What has been read so far."""

    def __init__(self) -> None:
        self._objects: dict[str, str] = {}
        self._columns: dict[int, dict[int, str]] = {}
        self._expressions: dict[tuple[str, ...], list[_Numbered]] = {}
        self._order: dict[str, tuple[str, ...]] = {}
        self._unread: list[str] = []

    def columns(
        self, tables: bytes, of: bytes, numbers: bytes, names: bytes, definitions: bytes, few: bytes
    ) -> None:
        """Take the answer about columns: what each table is called, an array a field, the few."""
        if not of:
            return
        objects, columns = self._objects, self._columns
        called = _read_names.decode(tables)
        last, prefix = 0, ""
        found: dict[int, str] = {}
        for table, number, name, definition in zip(
            _read_integers.decode(of),
            _read_integers.decode(numbers),
            _read_texts.decode(names),
            _read_texts.decode(definitions),
            strict=True,
        ):
            if table != last:
                last, prefix = table, f"column {called[table]}."
                found = columns.setdefault(table, {})
            # Of a view, a column may only be here for what is granted on it.
            if definition:
                found[number] = name
                objects[prefix + name] = definition
        for table, found in columns.items():
            order = [found[number] for number in sorted(found)]
            self._order[called[table]] = tuple(map(_unquoted, order))
        for about in _read_few.decode(few) if few else ():
            place = f"{called[about.table]}."
            if about.grants is not None:
                objects[f"grants on column {place}{about.column}"] = about.grants
            if about.required is not None:
                name, definition = about.required
                objects[f"constraint {place}{name}"] = definition

    def objects(self, answer: bytes, numbered: bytes = b"") -> None:
        """Take the answer about another kind; what may not be read has no definition."""
        for key, definition in _read_objects.decode(answer or b"{}").items():
            if definition is None:
                self._unread.append(key)
            else:
                self._objects[key] = definition
        for about in _read_numbered.decode(numbered or b"[]"):
            columns = self._columns.get(about.relation, {})
            names = [columns.get(number, "") for number in about.numbers]
            if not all(names):
                # Of a table made or altered by somebody else between the two queries.
                self._unread.append(about.key)
            elif about.tree is None:
                self._objects[about.key] = f"{about.before}{', '.join(names)}{about.after}"
            else:
                same = self._expressions.setdefault((about.tree, *names), [])
                same.append(about)

    def asked(self) -> list[int]:
        """Return the constraints whose expressions the server has to write down."""
        return [same[0].oid for same in self._expressions.values()]

    def expressions(self, answer: bytes) -> None:
        """Take the expressions that were asked for."""
        written = _read_written.decode(answer or b"{}")
        for same in self._expressions.values():
            text = written.get(same[0].oid)
            for about in same:
                if text is None:
                    self._unread.append(about.key)
                else:
                    self._objects[about.key] = f"{about.before}{text}{about.after}"

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
