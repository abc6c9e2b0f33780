"""Executes a form with the rehearsal's own measuring code and compares it with its forecast."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from rollback_tui.core.model import Effect, Statement
from rollback_tui.core.rehearsal import Measured
from rollback_tui.core.script.effects import effect
from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.parser import Parser
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.foresight import foresee
from rollback_tui.rehearsal.compare import as_forecast, told
from rollback_tui.rehearsal.measure import Gauge
from tests.forms.form import Form

Tree = Mapping[str, object]


@dataclass
class Stage:
    """A database with the schema of some forms, on one server."""

    server: EmbeddedServer
    database: str
    role: str
    connection: Connection
    major: int
    words: dict[str, str] = field(default_factory=dict)

    def text(self, form: Form) -> str:
        """The form's statement, with the names of this stage."""
        found = form.sql
        for name, value in self.words.items():
            found = found.replace("{" + name + "}", value)
        return found

    def another(self) -> Connection:
        """Open another session, in a transaction as soon as it does something."""
        return psycopg.connect(self.server.dsn(self.database))

    def forecast(self, form: Form, tree: Tree) -> Statement:
        """Return the statement with its effect, resolved against this database."""
        text = self.text(form)
        statement = Statement(
            index=1, start=0, end=len(text), line=1, sql=text, effect=effect(tree)
        )
        (found,) = foresee(self.connection, [statement], [tree])
        return Statement(index=1, start=0, end=len(text), line=1, sql=text, effect=found)

    def measure(self, statement: Statement) -> Measured:
        """Execute it in a transaction that is rolled back."""
        self.connection.execute("BEGIN")
        try:
            return Gauge(self.connection, superuser=True).run(statement)
        finally:
            self.connection.execute("ROLLBACK")
            self.connection.execute("RESET ALL; RESET ROLE")


@contextmanager
def stage(
    server: EmbeddedServer, schema: Sequence[str], end: Sequence[str] = ()
) -> Iterator[Stage]:
    """Make a database with ``schema`` on ``server``; it is dropped afterwards, with its role."""
    suffix = uuid.uuid4().hex[:10]
    name, role = f"forms_{suffix}", f"forms_role_{suffix}"
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            with psycopg.connect(server.dsn(name), autocommit=True) as connection:
                major = connection.info.server_version // 10000
                extension = "vector" if major in (16, 18) else "cube"
                words = {"role": role, "extension": extension, "database": name}
                for part in schema:
                    for word, value in words.items():
                        part = part.replace("{" + word + "}", value)
                    connection.execute(part.encode())
                yield Stage(server, name, role, connection, major, words)
                for part in end:
                    connection.execute(part.encode())
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def trees(forms: Sequence[Form], words: Mapping[str, str]) -> dict[str, Tree]:
    """Parse the statements of all forms; the names of a stage are parsed as words of their own."""
    texts = []
    for form in forms:
        text = form.sql
        for name, value in words.items():
            text = text.replace("{" + name + "}", value)
        texts.append(text)
    with Parser() as parser:
        found = parser.trees(texts, seconds=60)
    missing = [text for text, tree in zip(texts, found, strict=True) if tree is None]
    assert not missing, f"not one command: {missing}"
    return {f.sql: tree for f, tree in zip(forms, found, strict=True) if tree is not None}


def disagreements(form: Form, forecast: Effect, measured: Measured) -> list[str]:
    """Return where the forecast is not what was measured."""
    found = []
    if form.alone:
        if forecast.transactional is not False:
            found.append(f"transactional: forecast {forecast.transactional}, measured False")
        if measured.sqlstate != "25001":
            found.append(f"not refused in a transaction: {measured.sqlstate} {measured.failed}")
        return found
    if forecast.transactional is not True and not form.opaque:
        found.append(f"transactional: forecast {forecast.transactional}, measured True")
    if form.opaque:
        if forecast.basis != "unknown":
            found.append("called a forecast, though nobody can tell")
        return found
    if form.unsure:
        if forecast.resolved:
            found.append("called resolved, though the catalog does not tell")
        return found
    if measured.failed:
        return [*found, f"failed: {measured.failed}"]
    if not forecast.resolved or forecast.basis != "forecast":
        found.append(f"resolved {forecast.resolved}, basis {forecast.basis}")
    if forecast.no_op is not form.no_op:
        found.append(f"no_op: forecast {forecast.no_op}")
    locks = {(lock.relation, lock.mode) for lock in measured.locks or ()}
    named = {(lock.relation, lock.mode) for lock in forecast.locks}
    found += [f"lock not forecast: {r} {m}" for r, m in sorted(locks - named)]
    found += [f"lock not taken: {r} {m}" for r, m in sorted(named - locks)]
    if forecast.rewrites is not bool(measured.rewritten):
        found.append(f"rewrites: forecast {forecast.rewrites}, measured {measured.rewritten}")
    if forecast.scans is not None and forecast.scans is not bool(measured.scanned):
        found.append(f"scans: forecast {forecast.scans}, measured {measured.scanned}")
    dropped = {as_forecast(item) for item in measured.dropped or ()}
    expected = told(forecast)
    found += [f"drop not forecast: {k} {n}" for k, n in sorted(dropped - expected)]
    found += [f"not dropped: {k} {n}" for k, n in sorted(expected - dropped)]
    removed = any(rows.deleted or rows.updated for rows in measured.changed or ())
    holding = any(k in ("table", "column") for k, _ in dropped)
    if forecast.loses_data is False and (removed or holding):
        found.append("loses_data: forecast False, measured True")
    if measured.locks is None or measured.dropped is None or measured.changed is None:
        found.append("could not be measured")
    return found
