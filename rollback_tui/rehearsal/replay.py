"""All up scripts up to a version, run on an empty scratch database: a baseline without a record.

The scripts run as they did at their deploys: oldest first, each migration in a transaction of its
own unless its mark or one of its statements says otherwise, by the role that owns the version
table. What no script makes (an extension that a superuser created, a schema, its grants) is there
before the first one, as the target has it: it is in the baselines of both versions, and so can
neither be missed nor hide what a migration should have taken back.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import psycopg
from psycopg import errors, sql

from rollback_tui.checkpoint.storage import now
from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.mending import belonging, mend, named
from rollback_tui.core.model import Script, Statement
from rollback_tui.core.schema import SchemaSnapshot, diff
from rollback_tui.core.script.read import read_script
from rollback_tui.core.text import printable
from rollback_tui.parser import Parser
from rollback_tui.postgres import catalog
from rollback_tui.postgres.connect import Connection, connect, watchful
from rollback_tui.postgres.execute import execute, session_timeouts
from rollback_tui.postgres.watchdog import cancelled_when
from rollback_tui.rehearsal.making import empty, made
from rollback_tui.rehearsal.order import APPLICATION, Order, Original, Stopped, look_for, words_of
from rollback_tui.rehearsal.round_trip import text_of
from rollback_tui.rehearsal.scratch import Scratch
from rollback_tui.survey.baseline import Baseline
from rollback_tui.survey.ups import Ups, with_scripts

_BY_HAND = "Record the baselines instead: `rollback-tui baseline record` in each deploy."


class _Step(NamedTuple):
    version: str
    script: Script


def replay(order: Order, ups: Ups) -> tuple[Baseline, ...]:
    """Return the baselines of the goal and of the current version of the order's plan.

    The scratch database is removed in any case; nothing is kept here. Raises RollbackTuiError when
    an up script is not known, is no SQL that may be executed in a scratch database, or fails;
    psycopg.Error when the server is lost.
    """
    ups = _with_scripts(order, ups)
    steps = _steps(order, ups)
    statements = [s for step in steps for s in step.script.statements]
    original = _looked(order, steps, statements)
    scratch = made(order, original, empty)
    try:
        return _played(order, original, scratch, steps, ups)
    finally:
        scratch.remove()


_PLACE = re.compile(r".*statement (\d+) (\(line \d+\).*)")


def _looked(order: Order, steps: Sequence[_Step], statements: Sequence[Statement]) -> Original:
    """Look at the target; what may be executed in no scratch database is refused by its file."""
    try:
        return look_for(order, statements)
    except RollbackTuiError as error:
        place = _PLACE.match(error.summary)
        of = [
            step.version
            for step in steps
            if place and any(s.index == int(place.group(1)) for s in step.script.statements)
        ]
        if place is None or not of:
            raise
        raise RollbackTuiError(
            f"the up script of {printable(of[0])} is not executed {place.group(2)}", _BY_HAND
        ) from None


def _with_scripts(order: Order, ups: Ups) -> Ups:
    """Return the scripts with those that the framework's program prints: it is asked now."""
    if ups.why or all(up.source is not None for up in ups.scripts):
        return ups
    order.say("asking for the up scripts")
    opened = connect(
        order.dsn,
        timeout=order.settings.connection.connect_timeout,
        application=APPLICATION,
        patience=order.patience,
    )
    with contextlib.closing(opened) as connection:
        return with_scripts(ups, connection, order.settings, order.project, order.plan)


def _steps(order: Order, ups: Ups) -> list[_Step]:
    """Read the scripts of all that is applied. Raises RollbackTuiError for what is no plain SQL."""
    if ups.why:
        raise RollbackTuiError(ups.why, _BY_HAND)
    steps: list[_Step] = []
    index = 1
    with Parser() as parser:
        for up in ups.scripts:
            if up.source is None:
                raise RollbackTuiError(f"the up script of {printable(up.version)} is not known", "")
            script = read_script(up.source, first_index=index, trees=parser.trees)
            if script.problems:
                first = script.problems[0]
                raise RollbackTuiError(
                    f"the up script of {printable(up.version)}, line {first.line}:"
                    f" {printable(first.summary)}",
                    _BY_HAND,
                )
            index += len(script.statements)
            steps.append(_Step(up.version, script))
            if order.stop.is_set():
                raise Stopped
    return steps


def _played(
    order: Order, original: Original, scratch: Scratch, steps: Sequence[_Step], ups: Ups
) -> tuple[Baseline, ...]:
    wanted = {order.plan.goal or "", order.plan.current or ""}
    found: list[Baseline] = []

    def keep(connection: Connection, version: str) -> None:
        found.append(
            Baseline(
                version=version,
                server_version=scratch.server_version,
                snapshot=catalog.snapshot(connection),
                origin="replayed",
                recorded_at=now(),
                made_from=ups.made_from(version),
            )
        )

    with contextlib.closing(_opened(order, scratch)) as connection:
        _furnish(order, original, connection, steps)
    # On a server of our own the superuser may take any role; beside the target we are who we are.
    with (
        contextlib.closing(_opened(order, scratch)) as connection,
        cancelled_when(connection, order.stop.is_set),
    ):
        if "" in wanted:
            keep(connection, "")
        role = _role(order, connection, original.migrator)
        for number, step in enumerate(steps, 1):
            order.say(f"replaying {step.version} ({number:,} of {len(steps):,})")
            _apply(order, connection, step, role)
            if step.version in wanted:
                keep(connection, step.version)
            if wanted <= {one.version for one in found}:
                break
    return tuple(found)


def _opened(order: Order, scratch: Scratch) -> Connection:
    connection = connect(scratch.admin_dsn, application=APPLICATION, patience=order.patience)
    # DISCARD ALL forgets what psycopg would prepare at the fifth time; psycopg would not know.
    connection.prepare_threshold = None
    watchful(connection)
    return connection


def _role(order: Order, connection: Connection, migrator: str) -> str:
    """Return the role that the scripts are run by; empty: our own."""
    me = connection.execute("SELECT current_user").fetchone()
    if not migrator or (me and me[0] == migrator):
        return ""
    try:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(migrator)))
        connection.execute("RESET ROLE")
    except psycopg.Error as error:
        if connection.broken:
            raise
        order.note(f"replayed as our own role, not as {migrator}: {words_of(error)}")
        return ""
    return migrator


# --- what was there before the first script -----------------------------------------------------


def _furnish(
    order: Order, original: Original, connection: Connection, steps: Sequence[_Step]
) -> None:
    """Give the empty database what the target has and no script speaks of."""
    here = catalog.snapshot(connection)
    text = ";\n".join(s.sql.lower() for step in steps for s in step.script.statements)
    objects = here.objects | {
        name: original.schema.objects[name]
        for name in _nobodys(original.schema, order.plan.books, text)
    }
    like = msgspec.structs.replace(
        here, objects=objects, column_order=original.schema.column_order | here.column_order
    )
    for one in mend(diff(like, here), wanted=like, found=here):
        for statement in one.sql:
            try:
                connection.execute(statement.encode())
            except psycopg.Error as error:
                if connection.broken:
                    raise
                order.note(f"not as on the target: {printable(one.object)}: {words_of(error)}")
                break


def _nobodys(target: SchemaSnapshot, books: Sequence[str], text: str) -> Iterator[str]:
    """Yield the objects that are there although no script can have made them: the framework's own
    tables, and extensions, schemas, their grants and default privileges that no script mentions."""
    for table in books:
        bare = table.rpartition(".")[2].strip('"').lower()
        made_by_hand = re.search(
            rf"create\s+table\s+(if\s+not\s+exists\s+)?([\w\"]+\.)?\"?{re.escape(bare)}\b", text
        )
        if not made_by_hand:
            yield from belonging(f"table {table}", target)
    for name in target.objects:
        key = named(name)
        word = key.name.rpartition(" ")[2].strip('"').lower()
        spoken = key.kind == "default grants" and re.search(r"\bdefault\s+privileges\b", text)
        if name.startswith(_BY_HAND_TOO) and not spoken and not _speaks(key.kind, word, text):
            yield name


_BY_HAND_TOO = (
    "extension ",
    "schema ",
    "grants on schema ",
    "owner of schema ",
    "default grants ",
)


def _speaks(kind: str, word: str, text: str) -> bool:
    """Whether a script speaks of that extension or schema, in whatever statement."""
    what = "extension" if kind == "extension" else "schema"
    return re.search(rf"\b{what}\b[^;]*(?<!\w){re.escape(word)}(?!\w)", text) is not None


# --- one migration --------------------------------------------------------------------------------


def _apply(order: Order, connection: Connection, step: _Step, role: str) -> None:
    """Apply one migration in a session as good as new. Raises RollbackTuiError when it fails."""
    limits = order.settings.run
    connection.execute("DISCARD ALL")
    session_timeouts(connection, limits.lock_timeout_seconds, limits.statement_timeout_seconds)
    together = step.script.transactional and all(
        s.effect.transactional is not False for s in step.script.statements
    )
    if role:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
    with connection.transaction() if together else contextlib.nullcontext():
        for statement in step.script.statements:
            _execute(order, connection, step, statement, role)
    connection.execute("DISCARD ALL")


def _execute(
    order: Order, connection: Connection, step: _Step, statement: Statement, role: str
) -> None:
    # Who may create an extension is not always who migrates, and it does not show in the schema.
    alone = role and statement.effect.kind == "CREATE EXTENSION"
    try:
        if alone:
            connection.execute("RESET ROLE")
        if statement.effect.kind == "CREATE ROLE":
            _make_role(connection, statement)
        else:
            execute(connection, statement.sql)
        if alone:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
    except psycopg.Error as error:
        if connection.broken or connection.closed:
            raise
        if order.stop.is_set():
            raise Stopped from None
        where = f"line {statement.line} of {text_of(step.script)}"
        raise RollbackTuiError(
            f"the up script of {printable(step.version)} fails on an empty database, {where}:"
            f" {words_of(error)}",
            _BY_HAND,
        ) from None


def _make_role(connection: Connection, statement: Statement) -> None:
    """A server of our own has the target's roles already, also those that a script makes."""
    with contextlib.suppress(errors.DuplicateObject), connection.transaction():
        execute(connection, statement.sql)
