"""Down and up again: does the schema come back?

Two in five published down scripts leave something behind, or do not bring something back. Applying
the up scripts again shows both: what is left makes them fail, or shows in the comparison.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg import errors, sql

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import Script, Statement
from rollback_tui.core.rehearsal import RoundTrip, Source
from rollback_tui.core.schema import Difference, SchemaSnapshot, condensed, diff, moved_columns
from rollback_tui.core.script.read import effective, read_script
from rollback_tui.core.script.source import Source as UpSource
from rollback_tui.core.text import printable, shorten
from rollback_tui.parser import Parser
from rollback_tui.postgres import catalog
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.execute import execute, timeouts
from rollback_tui.postgres.ourselves import OURSELVES
from rollback_tui.rehearsal.order import Order, words_of
from rollback_tui.rehearsal.reach import reaching
from rollback_tui.survey.scripts import up_scripts
from rollback_tui.survey.ups import version_table_of

_WIDTH = 160

_STOPPED = "it was stopped on the way up"

_NEEDS_ROWS = ("22", "23")
"""Classes of SQLSTATE that speak of values: data exceptions, violated constraints. On the schema
alone the rows are missing that a script counts on."""

_ONLY_TOGETHER = (errors.UnsafeNewEnumValueUsage, errors.ObjectInUse)
"""What the server refuses only because down and up are in one transaction here: a value of an
enum that is not committed yet, a table with trigger events that have not fired."""


# Whoever made the version table applies the migrations, and owns what they make. Ours may be
# another role: of a superuser on call, say. From 16 on, to be a member is not yet enough.
_MIGRATOR = """
SELECT r.rolname
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_roles r ON r.oid = c.relowner
 WHERE c.oid = pg_catalog.to_regclass(%s) AND r.rolname <> current_user
   AND pg_catalog.pg_has_role(current_user, r.oid, %s)
"""


class _Up(NamedTuple):
    """The way up of one migration."""

    version: str
    script: Script


class WayBack:
    """The up scripts of a plan, oldest first."""

    def __init__(self, order: Order) -> None:
        self.transactional = True
        """All of them can be in the transaction of the plan."""
        self._order = order
        self._ups: list[_Up] = []
        self._role = ""
        self._obstacle = ""
        self._known = False

    def read(self, connection: Connection, *, embedded: bool) -> None:
        """Read the scripts, and see whether they may be executed here. Raises psycopg.Error."""
        plan = self._order.plan
        sources = self._sources(connection)
        if sources is None:
            return
        with Parser() as parser:
            for migration, source in zip(reversed(plan.migrations), sources, strict=True):
                script = read_script(source, first_index=1, trees=parser.trees)
                self._ups.append(_Up(migration.version, script))
        self._known = True
        needed = "SET" if connection.info.server_version >= 160000 else "MEMBER"
        row = connection.execute(_MIGRATOR, [plan.version_table, needed]).fetchone()
        self._role = row[0] if row else ""
        for up in self._ups:
            self._obstacle = self._obstacle or _why_not(connection, up, embedded=embedded)
        self.transactional = bool(self._obstacle) or all(
            up.script.transactional
            and all(s.effect.transactional is not False for s in up.script.statements)
            for up in self._ups
        )

    def _sources(self, connection: Connection) -> list[UpSource] | None:
        """Return the up scripts as the framework finds or prints them, oldest first; None when one
        is not known."""
        plan = self._order.plan
        applied = {m.version: m for m in plan.applied}
        again = [applied[m.version] for m in reversed(plan.migrations) if m.version in applied]
        if len(again) < len(plan.migrations):
            self._order.note("the up script is not known: no framework is")
            return None
        try:
            found = up_scripts(
                connection,
                self._order.settings,
                self._order.project,
                plan.framework,
                version_table_of(plan),
                Path(plan.directory),
                again,
                plan.applied[len(again) :],
            )
        except FrameworkError as error:
            self._order.note(f"the up script is not known: {error.summary}")
            return None
        sources: list[UpSource] = []
        for one in found:
            if not isinstance(one.script, UpSource):
                self._order.note(f"the up script is not known: {one.script.why}")
                return None
            sources.append(one.script)
        return sources

    def go(self, connection: Connection, before: SchemaSnapshot) -> RoundTrip | None:
        """Apply the up scripts and compare; None when they are not known.

        In the open transaction, where there is one; else each statement for itself. Raises
        psycopg.Error when the connection is lost.
        """
        if not self._known:
            return None
        if self._obstacle:
            return RoundTrip(verdict="unknown", summary=self._obstacle)
        for up in self._ups:
            self._order.say(f"applying {up.version} again")
            failed = self._apply(connection, up)
            if failed is not None:
                return failed
        return judged(before, catalog.snapshot(connection))

    def _apply(self, connection: Connection, up: _Up) -> RoundTrip | None:
        """Apply one migration; return the verdict when it fails."""
        inside = connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
        if self._role:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(self._role)))
        limits = self._order.settings.run
        for statement in up.script.statements:
            if self._order.stop.is_set():
                return RoundTrip(verdict="unknown", summary=_STOPPED)
            try:
                if inside:
                    connection.execute(
                        timeouts(limits.lock_timeout_seconds, limits.statement_timeout_seconds)
                    )
                execute(connection, statement.sql)
            except psycopg.Error as error:
                if connection.broken or connection.closed:
                    raise
                if self._order.stop.is_set():
                    # The server was asked to cancel: that says nothing about the script.
                    return RoundTrip(verdict="unknown", summary=_STOPPED)
                return self._failed(up, statement, error, inside=inside)
        connection.execute(OURSELVES)
        return None

    def _failed(
        self, up: _Up, statement: Statement, error: psycopg.Error, *, inside: bool
    ) -> RoundTrip:
        """Return the verdict when a statement of an up script failed."""
        together = inside and isinstance(error, _ONLY_TOGETHER)
        rowless = without_rows(self._order.source, error.sqlstate)
        why = "; on the schema alone the rows are missing: --from dump" if rowless else ""
        where = f"line {statement.line} of {text_of(up.script)}"
        return RoundTrip(
            verdict="unknown" if together or rowless else "fail",
            summary=f"{printable(up.version)} could not be applied again, {where}:"
            f" {words_of(error)}{why}",
            differences=(shorten(statement.sql, _WIDTH),),
        )


def text_of(script: Script) -> str:
    """Return what the lines of a script are lines of: its file's name, or who printed it."""
    return f"what was {script.origin}" if script.origin else printable(Path(script.path).name)


def without_rows(source: Source, sqlstate: str | None) -> bool:
    """Whether a failure may come only of the rows that a scratch database lacks."""
    return source == "schema" and (sqlstate or "")[:2] in _NEEDS_ROWS


def _why_not(connection: Connection, up: _Up, *, embedded: bool) -> str:
    """Return why the script is not executed here; empty when it may be."""
    name = printable(up.version)
    if up.script.problems:
        first = up.script.problems[0]
        return f"the up script of {name}, line {first.line}: {printable(first.summary)}"
    if not effective(up.script) and not up.script.nothing_to_undo:
        return f"the up script of {name} has no statement"
    far = reaching(connection, up.script.statements)
    if far is not None and not (embedded and far[1] == "server"):
        return f"the up script of {name} is not applied: {far[0]}"
    return ""


def judged(before: SchemaSnapshot, after: SchemaSnapshot) -> RoundTrip:
    """Compare the schema before ``down`` with the one after ``down`` and ``up``.

    Identical, or equivalent (order of columns, comments): pass.
    """
    found = diff(before, after)
    real = [d for d in found if not d.cosmetic]
    moved = [f"order of columns differs: {printable(t)}" for t in moved_columns(before, after)]
    notes = [*moved, *(d.describe() for d in found if d.cosmetic)]
    if not real:
        how = "equivalent" if notes else "identical"
        return RoundTrip(
            verdict="pass",
            summary=f"after down and up the schema is {how}, {len(after.objects):,} objects",
            differences=tuple(notes),
        )
    shown = condensed(real)
    differ = "object differs" if len(shown) == 1 else "objects differ"
    return RoundTrip(
        verdict="fail",
        summary=f"down and up do not give the schema back: {len(shown):,} {differ}",
        differences=(*(_in_words(d) for d in shown), *notes),
    )


def _in_words(difference: Difference) -> str:
    name = printable(difference.object)
    if difference.before is None:
        return f"left behind: {name}"
    if difference.after is None:
        definition = shorten(difference.before, _WIDTH)
        return f"not brought back: {name}" + (f" ({definition})" if definition else "")
    return difference.describe()
