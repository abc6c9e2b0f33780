"""What the screens may ask for, answered by the real world."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from rollback_tui.cli import noted
from rollback_tui.cli.after import After, view_of
from rollback_tui.cli.early import Early
from rollback_tui.cli.line import Line, SentLog
from rollback_tui.cli.options import ANSWER_SECONDS, Common
from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.postgres import activity
from rollback_tui.postgres.connect import Connection, resolved, target
from rollback_tui.ui.crash import hide
from rollback_tui.ui.operations import Choice, Limits

# The rest is imported where it is used, and names of types only here: all of it together takes as
# long to import as Textual, and the first screen needs none of it.
if TYPE_CHECKING:
    from rollback_tui.core.activity.signals import Signal
    from rollback_tui.core.claim import Claim
    from rollback_tui.core.events import Record
    from rollback_tui.core.facts import Facts
    from rollback_tui.core.model import Activity, CheckResult, Plan, TableCount, Target
    from rollback_tui.core.outlook import InTheWay, Outlook
    from rollback_tui.core.proof import ProofCost
    from rollback_tui.core.recovery import RecoveryOption
    from rollback_tui.core.rehearsal import Rehearsal, Source
    from rollback_tui.core.run_view import RunSummary
    from rollback_tui.frameworks.captured import Captures
    from rollback_tui.run.request import Resumption
    from rollback_tui.ui.operations import Feed, LogFeed

_COUNT_SECONDS = 30.0
_SIZE_EVERY = 30.0


class Session:
    """See ``rollback_tui.ui.operations.Operations``. One line for what is refreshed each
    second, others for what may take long, so that none waits for another; a rehearsal, which may
    take minutes, has connections of its own."""

    def __init__(self, common: Common, *, read_only: bool = False) -> None:
        self._common = common
        self.environment = common.settings.environment
        self.read_only = read_only
        self.limits = Limits(
            connect=common.settings.connection.connect_timeout,
            answer=ANSWER_SECONDS,
            table=_COUNT_SECONDS,
        )
        self._sent = SentLog()
        self._live = Line(self._connect)
        self._work = Line(self._connect)
        self._count = Line(self._connect)
        self._around = Line(self._connect)
        self._lines = (self._live, self._work, self._count, self._around)
        self._size: tuple[float, int] | None = None
        self._fingerprint: str | None = None
        self._tables: dict[str, TableCount] = {}
        self.early = Early()
        self.after = After(common)

    def begin(
        self, look: Callable[[Target, Activity], None] = lambda _target, _found: None
    ) -> None:
        """Connect and ask for what the first screen shows, without waiting for it; ``look`` is
        handed it, in a thread."""
        asked: list[Target] = []

        def first() -> Target:
            asked.append(self.target())
            return asked[0]

        def second() -> Activity:
            found = self.activity()
            look(asked[0], found)
            return found

        self.early.begin({"target": first, "activity": second})

    def _connect(self) -> Connection:
        connection = self._common.connect(sent=self._sent.add)
        # It may come from a passfile or a service file, which only libpq has read.
        hide(connection.info.password)
        return connection

    def target(self) -> Target:
        """Return the database we are connected to; remembered as the one that was looked at."""
        early: Target | None = self.early.take("target")
        found = early or self._live.ask(target)
        self._fingerprint = self._fingerprint or found.fingerprint
        return found

    def activity(self) -> Activity:
        """Return what goes on now."""
        early: Activity | None = self.early.take("activity")
        if early is not None:
            return early
        known = self._size
        fresh = known is not None and time.monotonic() - known[0] < _SIZE_EVERY
        size = known[1] if known is not None and fresh else None
        now = self._live.ask(lambda c: activity.activity(c, database_bytes=size))
        if not fresh:
            self._size = (time.monotonic(), now.database_bytes)
        return now

    def tables(self) -> tuple[TableCount, ...]:
        """Return the tables with estimates."""
        from rollback_tui.postgres import counts

        found = self._count.ask(counts.tables)
        self._tables = {table.name: table for table in found}
        return found

    def count(self, table: str) -> TableCount:
        """Return one table with its exact count."""
        from rollback_tui.postgres import counts

        # All of ten thousand tables are not asked for again for each of them.
        known = self._tables.get(table) or next((t for t in self.tables() if t.name == table), None)
        if known is None:
            raise RollbackTuiError(f"{table} is gone", "Refresh the list.")
        exact = self._count.ask(lambda c: counts.count(c, table, _COUNT_SECONDS))
        return msgspec.structs.replace(known, exact=exact)

    def schema_fingerprint(self) -> str:
        """Return the SHA-256 of the schema as it is now; equal schemas have equal ones."""
        from rollback_tui.postgres import catalog

        return self._work.ask(lambda c: catalog.snapshot(c).fingerprint)

    def plan(self, choice: Choice, *, count: bool = True) -> Plan:
        """Return the plan for ``choice``; ``count``: with what goes counted."""
        from rollback_tui.survey.planning import make_plan

        return self._work.ask(
            lambda c: make_plan(
                c,
                self._common.settings,
                self._common.project,
                steps=choice.steps,
                version=choice.version,
                count_losses=count,
            )
        )

    def counted(self, plan: Plan) -> Plan:
        """Return ``plan`` with what goes counted."""
        from rollback_tui.survey.counting import counted

        return self._work.ask(lambda c: counted(c, plan))

    def facts(self, plan: Plan, rehearsal: Rehearsal | None = None) -> Facts:
        """Return everything the checks look at."""
        from rollback_tui.run import claims, folder
        from rollback_tui.survey import facts

        return self._work.ask(
            lambda c: facts.gather(
                c,
                self._common.settings,
                self._common.project,
                plan,
                confirmed=self._fingerprint,
                run_directory_problem=folder.problem(self._common.run_directory()),
                unfinished=lambda: claims.of_target(self._common.run_directory(), target(c)),
                rehearsal=rehearsal,
            )
        )

    def checks(self, plan: Plan, rehearsal: Rehearsal | None = None) -> tuple[CheckResult, ...]:
        """Judge all safety checks now."""
        from rollback_tui.core.checks import judge

        return judge(self.facts(plan, rehearsal))

    def proof_cost(self, plan: Plan) -> ProofCost:
        """Return what verifying the result would cost behind the closed door."""
        from rollback_tui.survey.proof import proof_cost

        return self._around.ask(lambda c: proof_cost(c, self._common.settings, plan))

    def recovery_options(self, folder: Path) -> tuple[RecoveryOption, ...]:
        """Return the rungs by which the run in ``folder`` could be undone now."""
        from rollback_tui.run.recovery.ladder import recovery_options

        dsn = self._around.ask(resolved)
        return recovery_options(dsn, self._common.settings, self._common.project, folder)

    def recover(self, folder: Path, option: RecoveryOption, *, reason: str) -> Path:
        """Start a run that takes ``option``; return its folder."""
        return self.undo(folder, option, reason=reason, agreed=option.lost_rows)

    def undo(
        self,
        folder: Path,
        option: RecoveryOption,
        *,
        reason: str,
        agreed: int | None,
        attended: bool = True,
    ) -> Path:
        """The same; ``agreed``: how many rows may be lost, None: an unknown number."""
        from rollback_tui.cli.undoing import recovery_request

        fingerprint = self._fingerprint or self.target().fingerprint
        request = self._work.ask(
            lambda c: recovery_request(
                c,
                self._common,
                folder,
                option,
                fingerprint=fingerprint,
                reason=reason,
                attended=attended,
                agreed=agreed,
            )
        )
        self.close()
        noted.start(self._common, request)
        return Path(request.folder)

    def guide(self, folder: Path) -> str:
        """Return how to bring the database back by hand."""
        from rollback_tui.run.by_hand.guide import guide

        return guide(view_of(folder), self._common.settings)

    def logs(self) -> LogFeed:
        """Follow the application's log files."""
        from rollback_tui.run.logs import LogFiles

        files = self._common.settings.recovery.log_files
        return LogFiles([str(self._common.project / name) for name in files])

    def cancel(self, pid: int, backend_start: datetime | None) -> Signal:
        """Cancel another session's query."""
        send, seen = activity.cancel, (pid, backend_start)
        return self._live.ask(lambda c: noted.signal(self._common, c, "cancelled", send, seen))

    def terminate(self, pid: int, backend_start: datetime | None) -> Signal:
        """End another session."""
        send, seen = activity.terminate, (pid, backend_start)
        return self._live.ask(lambda c: noted.signal(self._common, c, "terminated", send, seen))

    def done_before(
        self,
        records: Iterable[Record],
        plan: Plan,
        skip: Collection[int],
        redo: Collection[int],
    ) -> Resumption:
        """Return what of ``plan`` an interrupted run has done; ``records`` are its journal's."""
        from rollback_tui.run.resume import done_before

        return self._work.ask(lambda c: done_before(records, plan, c, skip=skip, redo=redo))

    def start(
        self,
        plan: Plan,
        overrides: Mapping[str, str],
        reason: str,
        *,
        attended: bool = True,
        stepwise_confirmed: bool = False,
        resume: Resumption | None = None,
        keep: frozenset[int] = frozenset(),
        rehearsal: Rehearsal | None = None,
        trigger: str = "",
    ) -> Path:
        """Start the worker for the confirmed plan and return the run's folder."""
        from rollback_tui.run import folder
        from rollback_tui.run.request import RunRequest, operator

        dsn = self._work.ask(resolved)
        fingerprint = self._fingerprint or self.target().fingerprint
        run = str(uuid.uuid4())
        made = folder.create(self._common.run_directory(), run)
        # The door would end these sessions; they are made again when they are needed.
        self.close()
        noted.start(
            self._common,
            RunRequest(
                run=run,
                folder=str(made),
                project=str(self._common.project),
                dsn=dsn,
                settings=self._common.settings,
                plan=plan,
                fingerprint=fingerprint,
                overrides=dict(overrides),
                reason=reason,
                operator=operator(self._common.project),
                attended=attended,
                stepwise_confirmed=stepwise_confirmed,
                resume=resume,
                keep=tuple(sorted(keep)),
                rehearsal=rehearsal,
                trigger=trigger,
            ),
        )
        return made

    def outlook(self, plan: Plan) -> Outlook:
        """Return what stands around ``plan``."""
        from rollback_tui.survey.outlook import outlook

        return self._around.ask(lambda c: outlook(c, plan))

    def in_the_way(self, plan: Plan) -> tuple[InTheWay, ...]:
        """Return who holds a lock that ``plan`` will need."""
        from rollback_tui.postgres.blockers import in_the_way

        return self._live.ask(lambda c: in_the_way(c, plan.statements))

    def rehearse(
        self, plan: Plan, source: Source, said: Callable[[str], None], stop: threading.Event
    ) -> Rehearsal:
        """Execute ``plan`` on a scratch database and measure it.

        The target is copied only while nobody is connected to it: then all else waits meanwhile.
        """
        # A tenth of what everything here takes to import, and few commands rehearse.
        from rollback_tui.rehearsal import rehearse

        dsn = self._work.ask(resolved)
        with contextlib.ExitStack() as silent:
            if source == "clone":
                for line in self._lines:
                    silent.enter_context(line.silent())
            settings, project = self._common.settings, self._common.project
            return rehearse(dsn, settings, project, plan, source, said=said, stop=stop)

    def capture(
        self, choice: Choice, said: Callable[[str], None], stop: threading.Event
    ) -> Captures:
        """Capture what the framework's own program sends to take ``choice`` back."""
        from rollback_tui.rehearsal.capturing import capture

        return capture(
            self._work.ask(resolved),
            self._common.settings,
            self._common.project,
            steps=choice.steps,
            version=choice.version,
            said=said,
            stop=stop,
        )

    def claims(self) -> tuple[Claim, ...]:
        """Return the runs of this target that have no outcome."""
        return self._common.claims()

    def settle(self, folder: Path) -> None:
        """Finish an interrupted run; its journal then has the outcome."""
        from rollback_tui.cli.beside import settle_request
        from rollback_tui.run import launch

        self.close()
        noted.note(self._common, "settle asked for", run=folder.name[16:])
        launch.settle(settle_request(self._common, folder))

    def follow(self, folder: Path) -> Feed:
        """Follow a run."""
        return noted.followed(self._common, folder)

    def report(self, folder: Path) -> str:
        """Return the run's Markdown report, made from its journal."""
        from rollback_tui.core.report import report_markdown

        return report_markdown(view_of(folder))

    def history(self) -> tuple[RunSummary, ...]:
        """Return past and running runs, newest first."""
        from rollback_tui.run import feed

        return feed.history(self._common.run_directory())

    def sql_log(self) -> tuple[str, ...]:
        """Return the last SQL texts this terminal sent."""
        return self._sent.lines()

    def close(self) -> None:
        """Close the connections."""
        for line in self._lines:
            line.close()
