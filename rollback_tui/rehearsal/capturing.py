"""The down migration of a framework that can only run it, captured.

The framework's own program runs on a scratch copy of the schema, behind our gateway, which records
what it sends (:mod:`rollback_tui.rehearsal.calling`); that becomes the script, with what changed
the version table set apart (:mod:`rollback_tui.rehearsal.sorting`).
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import msgspec
import psycopg

from rollback_tui.checkpoint.storage import make_directory, write_whole
from rollback_tui.config import Settings
from rollback_tui.core.errors import ConfigurationError, FrameworkError, RollbackTuiError
from rollback_tui.core.model import AppliedMigration, Plan
from rollback_tui.core.text import inert_json, printable
from rollback_tui.frameworks import captured
from rollback_tui.frameworks.captured import Capture, Captures
from rollback_tui.frameworks.detect import Detection
from rollback_tui.frameworks.protocol import Capturing, Missing
from rollback_tui.frameworks.registry import FRAMEWORKS, captures
from rollback_tui.parser import Parser
from rollback_tui.postgres.connect import Connection, connect
from rollback_tui.postgres.gateway import Gateway, Recorded
from rollback_tui.rehearsal.belonging import Belonging
from rollback_tui.rehearsal.calling import Caller
from rollback_tui.rehearsal.held import Held
from rollback_tui.rehearsal.literals import Literals
from rollback_tui.rehearsal.making import made, with_the_schema
from rollback_tui.rehearsal.order import APPLICATION, Order, Original, look_for, words_of
from rollback_tui.rehearsal.own_server import OwnServer
from rollback_tui.rehearsal.scratch import Beside
from rollback_tui.rehearsal.sent import Unclear, done, one_by_one
from rollback_tui.rehearsal.sorting import Sorter
from rollback_tui.survey.applied import detected, history
from rollback_tui.survey.captured import BY_HAND, obstacle
from rollback_tui.survey.outline import choose

_SPARE_SECONDS = 60.0
"""That the gateway stays open longer than all calls may take."""


def capture(
    dsn: str,
    settings: Settings,
    project: Path,
    *,
    steps: int,
    version: str | None,
    said: Callable[[str], None],
    stop: threading.Event,
) -> Captures:
    """Capture the down migrations of the newest ``steps`` migrations, or of all newer than
    ``version``, and keep them.

    ``said`` is told what is being done; ``stop`` ends it early. The target is only read, its
    version table held while the tool runs. The scratch database is removed in any case.

    Raises RollbackTuiError when nothing can be captured: then nothing was rolled back anywhere.
    """
    with contextlib.closing(_connected(dsn, settings)) as connection:
        detection = detected(connection, settings, project)
        past = history(connection, detection)
    if past.problem:
        raise FrameworkError(past.problem, "Repair that with the framework's own command first.")
    wanted = choose(past.applied, steps, version)
    code = _code(detection, wanted)
    for migration in code:
        against = obstacle(settings, detection.framework, migration)
        if against:
            raise FrameworkError(f"{printable(migration.version)} cannot be captured", against)
    plan = _plan(detection, past.applied, wanted)
    order = Order(dsn, settings, project, plan, "schema", said=said, stop=stop)
    original = look_for(order, ())
    scratch = made(order, original, with_the_schema)
    try:
        with contextlib.closing(_connected(dsn, settings)) as target:
            held = Held(target, detection.table.quoted)
            if held.note:
                order.note(f"the version table could not be held meanwhile: {held.note}")
            work = _Work(order, original, scratch, detection, held)
            found = tuple(work.captures(past.applied, wanted, code))
    except psycopg.Error as error:
        raise RollbackTuiError(
            f"capturing was cut off: {words_of(error)}", "Nothing was rolled back. Try again."
        ) from None
    finally:
        scratch.remove()
    for one in found:
        _keep(project / settings.run.directory, one)
    return Captures(made=found, notes=tuple(order.notes))


def _code(detection: Detection, wanted: Sequence[AppliedMigration]) -> tuple[AppliedMigration, ...]:
    """Return which of ``wanted`` only the tool can run: those are captured, and the others are only
    taken back where they stand above one of them.

    Raises FrameworkError when there is none, or when one of the others has no way back: the tool
    might forget it and leave the schema as it is.
    """
    framework = FRAMEWORKS[detection.framework]
    if framework.kind == "captured":
        return tuple(wanted)
    found = []
    for migration in wanted if captures(framework) else ():
        script = framework.down(migration, Path(detection.directory))
        if not isinstance(script, Missing):
            continue
        if not script.capturable:
            raise FrameworkError(
                f"{printable(migration.version)} has no way back, so nothing is captured:"
                f" {script.why}",
                "See `rollback-tui plan`.",
            )
        found.append(migration)
    if not found:
        raise FrameworkError(
            f"there is nothing to capture: {detection.framework} does not have to run these down"
            " migrations itself",
            "`rollback-tui plan` shows their scripts, and where they come from.",
        )
    return tuple(found)


def _connected(dsn: str, settings: Settings) -> Connection:
    timeout = settings.connection.connect_timeout
    return connect(dsn, timeout=timeout, application=APPLICATION, patience=300)


def _plan(
    detection: Detection, applied: Sequence[AppliedMigration], wanted: Sequence[AppliedMigration]
) -> Plan:
    """Return the plan without scripts that a scratch database is made for."""
    goal = applied[len(wanted)] if len(wanted) < len(applied) else None
    return Plan(
        framework=detection.framework,
        version_table=detection.table.quoted,
        directory=detection.directory,
        current=applied[0].version,
        goal=goal.version if goal else None,
        migrations=(),
        applied=tuple(applied),
        own_tables=FRAMEWORKS[detection.framework].own_tables(detection.table),
    )


def _keep(directory: Path, one: Capture) -> None:
    """Keep a capture, only for this user to read: it holds values."""
    path = captured.stored(directory, one.framework, one.version)
    try:
        make_directory(path.parent)
        write_whole(path, inert_json(msgspec.json.format(msgspec.json.encode(one), indent=1)))
    except OSError as error:
        raise ConfigurationError(
            f"{printable(str(path))} cannot be written: {error.strerror}",
            "Set [run] directory to a directory you may write to.",
        ) from None


class _Work:
    """The tool at work on one scratch database."""

    def __init__(
        self,
        order: Order,
        original: Original,
        scratch: Beside | OwnServer,
        detection: Detection,
        held: Held,
    ) -> None:
        self._order, self._original, self._scratch = order, original, scratch
        self._detection, self._held = detection, held
        self._framework = cast("Capturing", FRAMEWORKS[detection.framework])

    def captures(
        self,
        applied: Sequence[AppliedMigration],
        wanted: Sequence[AppliedMigration],
        code: Sequence[AppliedMigration],
    ) -> Iterator[Capture]:
        """Call the tool, and yield what it did, the newest migration first: of ``code``, those of
        ``wanted`` that are read from no file. What is older than they are is left where it is."""
        order = self._order
        seconds = (len(wanted) + 1) * order.settings.migrations.seconds + _SPARE_SECONDS
        with (
            contextlib.closing(connect(self._scratch.dsn, application=APPLICATION)) as inside,
            Gateway(self._scratch.dsn, read_only=False, seconds=seconds) as gateway,
            Parser() as parser,
        ):
            caller = Caller(order, self._detection, gateway, inside, self._held)
            caller.prove(applied, parser)
            for place in range(wanted.index(code[-1]) + 1):
                order.say(f"taking {wanted[place].version} back on the scratch copy")
                below = applied[place:]
                command, entries = caller.take_back(below)
                if wanted[place] in code:
                    yield self._sorted(entries, parser, below, command)

    def _sorted(
        self,
        entries: Sequence[Recorded],
        parser: Parser,
        applied: Sequence[AppliedMigration],
        command: str,
    ) -> Capture:
        """Return what one call of the down command comes to."""
        migration, table = applied[0], self._detection.table
        capture = Capture(
            framework=self._detection.framework,
            version=migration.version,
            path=migration.path or "",
            file_sha256=captured.file_sha256(migration),
            applied=tuple(one.version for one in applied),
            target=self._original.target.fingerprint,
            database=self._original.target.database,
            command=command,
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            statements=(),
            version_change=(),
        )
        try:
            with (
                contextlib.closing(connect(self._scratch.dsn, application=APPLICATION)) as names,
                contextlib.closing(connect(self._scratch.dsn, application=APPLICATION)) as values,
            ):
                kept, undone = done(one_by_one(entries, parser))
                own = self._framework.own_tables(table)
                found = Sorter(Belonging(names, table.quoted, own), self._held.changes).sort(kept)
                literals = Literals(values)
                script, change = (
                    tuple(literals.written_into(one.text, one.parameters) for one in part)
                    for part in (found.statements, found.version_change)
                )
        except Unclear as error:
            return msgspec.structs.replace(capture, refused=f"{error}; {BY_HAND}")
        left_out = sorted([*undone, *found.left_out], key=lambda one: one.place)
        unseen = "" if change else f"what changed the version table was not seen; {BY_HAND}"
        return msgspec.structs.replace(
            capture,
            statements=script,
            version_change=change,
            left_out=tuple((one.text, one.why) for one in left_out),
            reads=found.reads,
            refused=found.refused or unseen,
        )
