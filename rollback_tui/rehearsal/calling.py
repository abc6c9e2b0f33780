"""The framework's own program, called so that it can only reach the scratch copy.

A program that connects where its own configuration says would roll back the real database. So

- it gets an address and a password that lead to the scratch copy and nowhere else, and nothing of
  the environment that names a database passes (:mod:`rollback_tui.frameworks.program`);
- before its down command is called, its status command must come through the gateway and read the
  version table there;
- while it runs, the version table of the target is held against every change, and watched
  (:mod:`rollback_tui.rehearsal.held`).
"""

from __future__ import annotations

import contextlib
import re
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.text import printable
from rollback_tui.frameworks.detect import Detection
from rollback_tui.frameworks.program import ProgramFailed
from rollback_tui.frameworks.protocol import Capturing
from rollback_tui.frameworks.quoting import identifier
from rollback_tui.frameworks.registry import FRAMEWORKS
from rollback_tui.parser import Parser
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.gateway import Gateway, Recorded
from rollback_tui.rehearsal.belonging import named
from rollback_tui.rehearsal.held import Held
from rollback_tui.rehearsal.order import Order, Stopped
from rollback_tui.rehearsal.sent import Unclear, one_by_one
from rollback_tui.survey.applied import detected, history
from rollback_tui.survey.captured import BY_HAND
from rollback_tui.survey.scripts import program_of

_GOES_ELSEWHERE = (
    "Nothing was rolled back. Let the tool's own configuration take DATABASE_URL or the PG*"
    " variables, or name in rollback.toml the variables that it takes ([migrations] environment),"
    " then capture again."
)
_LOOK_SECONDS = 0.2


class Caller:
    """Calls the program of one framework, for one scratch database."""

    def __init__(
        self,
        order: Order,
        detection: Detection,
        gateway: Gateway,
        inside: Connection,
        held: Held,
    ) -> None:
        """``inside`` is a session of ours in the scratch database."""
        self._order, self._gateway, self._inside, self._held = order, gateway, inside, held
        self._table, self._directory = detection.table, detection.directory
        self._framework = cast("Capturing", FRAMEWORKS[detection.framework])

    def prove(self, applied: Sequence[AppliedMigration], parser: Parser) -> None:
        """Raise FrameworkError unless the tool's status comes through the gateway, reads the
        version table there, and changes nothing of it."""
        self._order.say("asking the tool for its status")
        shown = self._call("status_command", applied[0])
        recording = self._gateway.recording
        if not recording.sessions:
            away = "; ".join(recording.turned_away)
            raise FrameworkError(
                f"`{shown}` did not connect to where it was told"
                + (f" ({away})" if away else "")
                + ": its down migration is not called, for it might reach the real database",
                _GOES_ELSEWHERE,
            )
        if not self._reads_versions(recording.entries, parser):
            raise FrameworkError(
                f"`{shown}` came through the gateway, but did not read {self._shown_table} there:"
                " its down migration is not called, for what it read may be the real database's",
                "Name a call that reads what is applied: [migrations] status_command."
                f" {_GOES_ELSEWHERE}",
            )
        if self._versions() != [one.version for one in applied]:
            raise FrameworkError(
                f"`{shown}` changed what is applied: it is no harmless call",
                "Name one that only reads: [migrations] status_command.",
            )

    def take_back(self, applied: Sequence[AppliedMigration]) -> tuple[str, Sequence[Recorded]]:
        """Have the newest of ``applied`` taken back; return the call and what it sent. Raises
        FrameworkError unless exactly that version is gone afterwards."""
        before = len(self._gateway.recording.entries)
        shown = self._call("down_command", applied[0])
        now = self._versions()
        if now != [one.version for one in applied[1:]]:
            left = f"{printable(now[0])} is the newest of {len(now)}" if now else "none is applied"
            raise FrameworkError(
                f"`{shown}` did not take back exactly {printable(applied[0].version)}: now {left}",
                "That was on the scratch copy; the real database is as it was. Name the call that"
                " takes back one migration: [migrations] down_command.",
            )
        return shown, self._gateway.recording.entries[before:]

    @property
    def _shown_table(self) -> str:
        return printable(self._table.quoted)

    def _call(self, which: str, migration: AppliedMigration) -> str:
        """Call the tool; return the call as a person would type it. Raises FrameworkError."""
        order, framework = self._order, self._framework
        words = getattr(order.settings.migrations, which) or getattr(framework, which)
        program = program_of(framework, order.settings, order.project, self._gateway.address)
        places = {
            "{version}": migration.version,
            "{name}": migration.name,
            "{migrations}": _seen_from(order.project, Path(self._directory)),
            "{table}": self._table.name,
            "{schema}": self._table.schema,
        }
        if migration.version.startswith("-") or migration.name.startswith("-"):
            raise FrameworkError(
                f"{printable(migration.version)} would be an option on a command line",
                f"It cannot be captured: {BY_HAND}.",
            )
        shown = program.shown(*_filled(words, places))
        with tempfile.TemporaryDirectory(prefix="rollback_tui-") as directory:
            for name, text in framework.given.items():
                (Path(directory) / name).write_text(text, encoding="utf-8")
            places["{directory}"] = directory
            names, values = framework.environment.keys(), framework.environment.values()
            extra = dict(zip(names, _filled(list(values), places), strict=True))
            try:
                with self._ended_when_stopped():
                    program.run(*_filled(words, places), extra=extra)
            except FrameworkError as error:
                if order.stop.is_set():
                    raise Stopped from None
                self._nobody_tried()
                if not isinstance(error, ProgramFailed):
                    raise
                if which == "status_command":
                    # No migration was called: rows have nothing to do with it.
                    raise FrameworkError(
                        error.summary,
                        f"Only its status was asked; no down migration was called. {error.remedy}",
                    ) from None
                raise FrameworkError(
                    error.summary,
                    "That was on a scratch copy without the application's rows; the real database"
                    f" is as it was. A migration that needs rows cannot be captured: {BY_HAND}.",
                ) from None
        self._nobody_tried()
        return shown

    @contextlib.contextmanager
    def _ended_when_stopped(self) -> Iterator[None]:
        """Take the database away from the program when all is to be stopped: then it ends."""
        done = threading.Event()

        def watch() -> None:
            while not done.wait(_LOOK_SECONDS):
                if self._order.stop.is_set():
                    self._gateway.end()
                    return

        thread = threading.Thread(target=watch, name="stop", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _nobody_tried(self) -> None:
        tried = self._held.tried()
        if tried:
            raise FrameworkError(
                f"while the tool ran, {tried} waited to change {self._shown_table} of the real"
                " database",
                "Either a deploy began just then, or the tool does not go where it is told. Look at"
                f" that session before you go on. {_GOES_ELSEWHERE}",
            )

    def _reads_versions(self, entries: Sequence[Recorded], parser: Parser) -> bool:
        try:
            statements = one_by_one(entries, parser)
        except Unclear:
            return False
        table = identifier(self._table.name)
        return any(
            bool(one.rows) and not {table, self._table.quoted}.isdisjoint(named(one.tree))
            for one in statements
        )

    def _versions(self) -> list[str]:
        found = detected(self._inside, self._order.settings, self._order.project)
        return [one.version for one in history(self._inside, found).applied]


def _seen_from(project: Path, directory: Path) -> str:
    """Return the directory as the project, in which the program is called, sees it: short where it
    is inside, and never an option."""
    whole = directory.absolute()
    with contextlib.suppress(ValueError):
        short = str(whole.relative_to(project.absolute()))
        return str(whole) if short.startswith("-") else short
    return str(whole)


def _filled(words: Sequence[str], places: Mapping[str, str]) -> list[str]:
    """Return the words with the places filled in, once: what is filled in may look like another."""
    known = re.compile("|".join(map(re.escape, places)))
    return [known.sub(lambda found: places[found[0]], word) for word in words]
