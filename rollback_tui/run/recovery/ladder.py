"""The rungs by which a run could be undone, as they stand now."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

import psycopg
from msgspec.structs import replace

from rollback_tui.checkpoint import clone as copying
from rollback_tui.checkpoint import manifest as mf
from rollback_tui.checkpoint.proof import restore_time
from rollback_tui.checkpoint.swap import refuse_what_cannot_be
from rollback_tui.config import Settings
from rollback_tui.core.errors import CheckpointError, FrameworkError, RollbackTuiError
from rollback_tui.core.recovery import LostRows, RecoveryOption, Rung
from rollback_tui.core.text import data_size, printable
from rollback_tui.frameworks.quoting import identifier
from rollback_tui.postgres.connect import Connection, connect, target, with_database
from rollback_tui.run.recovery.earlier import Earlier, read_earlier, same_database, standing
from rollback_tui.run.recovery.lost import about_lost
from rollback_tui.survey.applied import detected, history

_COUNT_SECONDS = 15.0
_SWAP_SECONDS = 2.0
"""Closing the door, two renames and opening it again: 0.1 to 0.5 s were measured."""
_HEADROOM = 1.1

_TITLES: dict[Rung, str] = {
    "clone": "Swap the kept copy in",
    "dump": "Restore the checkpoint beside, then swap it in",
    "external": "Restore the backup outside",
    "reapply": "Apply the migrations again",
}


def recovery_options(
    dsn: str, settings: Settings, project: Path, folder: Path
) -> tuple[RecoveryOption, ...]:
    """Return them, best first, with what each would lose. Raises RollbackTuiError.

    Rungs that cannot be taken are among them, last, each with its obstacle. Nothing is changed;
    writes since are counted for some seconds at most.
    """
    earlier = read_earlier(folder)
    limits = settings.connection
    maintenance_dsn = with_database(dsn, limits.maintenance_database)
    with (
        contextlib.closing(connect(dsn, timeout=limits.connect_timeout)) as live,
        contextlib.closing(connect(maintenance_dsn, timeout=limits.connect_timeout)) as maintenance,
    ):
        try:
            looking = Ladder(live, maintenance, settings, project, earlier)
            return _best_first([looking.confirmed(rung) for rung in looking.rungs()])
        except psycopg.Error as error:
            raise RollbackTuiError(
                f"the ways back cannot be judged: {printable(' '.join(str(error).split()))}",
                "Try again; or bring it back by hand, as the guide says.",
            ) from None


def _best_first(options: list[RecoveryOption]) -> tuple[RecoveryOption, ...]:
    """What can be taken before what cannot, what loses nothing before what does, a backup outside
    last, for it takes the whole server; else in the order of the ladder."""

    def place(option: RecoveryOption) -> tuple[bool, bool, bool]:
        return bool(option.obstacle), option.rung == "external", option.lost_rows != 0

    return tuple(sorted(options, key=place))


class Ladder:
    """Looks at each rung for one run. Raises psycopg.Error and RollbackTuiError."""

    def __init__(
        self,
        live: Connection,
        maintenance: Connection,
        settings: Settings,
        project: Path,
        earlier: Earlier,
    ) -> None:
        self._live = live
        self._maintenance = maintenance
        self._settings = settings
        self._project = project
        self._earlier = earlier
        self._here = target(live)
        self._blocked = self._for_all()

    def rungs(self) -> tuple[Rung, ...]:
        """Return the rungs that are there for this run, possible or not, in their order."""
        outside = self._earlier.view.restore_point is not None
        return ("clone", "dump", *(("external",) if outside else ()), "reapply")

    def confirmed(self, rung: Rung) -> RecoveryOption:
        """Return a rung with what it would lose, and what must be typed."""
        option = self.rung(rung)
        if option.obstacle:
            return option
        if rung in ("clone", "dump"):
            option = replace(option, lost=self._lost(rung))
        return replace(option, confirm=confirmation(option, self._here.database))

    def rung(self, rung: Rung) -> RecoveryOption:
        """Return a rung as far as it can be told without counting: with its obstacle."""
        looking = {
            "clone": self._clone,
            "dump": self._dump,
            "external": self._external,
            "reapply": self._reapply,
        }
        try:
            return looking[rung]()
        except (CheckpointError, FrameworkError) as error:
            return self._option(rung, obstacle=error.summary, remedy=error.remedy)

    def _option(
        self,
        rung: Rung,
        restores: str = "",
        seconds: float | None = None,
        *,
        obstacle: str = "",
        remedy: str = "",
    ) -> RecoveryOption:
        blocked, helps = self._blocked
        return RecoveryOption(
            rung=rung,
            title=_TITLES[rung],
            restores=restores,
            estimated_seconds=seconds,
            lost=None,
            obstacle=blocked or obstacle,
            remedy=helps if blocked else remedy,
        )

    def _for_all(self) -> tuple[str, str]:
        """Return what stands in the way of every rung, and what helps; empty: nothing."""
        earlier = self._earlier
        if earlier.view.finished is None:
            return "the run has no outcome yet", f"rollback-tui settle {earlier.short}"
        if earlier.view.outcome in ("refused", "unchanged"):
            return (
                "the run changed nothing: there is nothing to bring back",
                "Of an earlier run: rollback-tui recover RUN; rollback-tui history lists them",
            )
        if not same_database(earlier, self._here):
            return (
                f"the run was on another database ({earlier.begun.target.fingerprint}) than this"
                f" one ({self._here.fingerprint})",
                "Check --dsn: another port, another server, or a database made anew.",
            )
        if self._here.role == "standby":
            return "this server is a standby", "Connect to the primary."
        return "", ""

    # --- whole databases ------------------------------------------------------------------------

    def _clone(self) -> RecoveryOption:
        found = standing(self._maintenance, self._earlier)
        if found is None:
            view = self._earlier.view
            if view.clone is not None and view.clone.oid == self._here.database_oid:
                return self._option("clone", obstacle="it is in place already", remedy="")
            made = any(p.phase == "clone" and p.status == "done" for p in self._earlier.view.phases)
            return self._option(
                "clone",
                obstacle="it was dropped when the run had ended well" if made else "none was made",
                remedy='For the next run: [checkpoint] clone = "wanted".',
            )
        refuse_what_cannot_be(self._maintenance, self._here.database, found.database)
        when = (
            "as it was behind the closed door, before the first statement"
            if found.what == "clone"
            else f"as run {self._earlier.short} found it, before another took its place"
        )
        restores = f"the database {when} (it stands beside as {printable(found.database)})"
        option = self._option("clone", restores, _SWAP_SECONDS)
        return replace(option, basis="two renames, whatever its size; indexes looked into besides")

    def _dump(self) -> RecoveryOption:
        made = self._earlier.view.checkpoint
        if made is None:
            return self._option(
                "dump",
                obstacle="the run made no checkpoint",
                remedy="Others, if there are any: rollback-tui checkpoint list",
            )
        path = Path(made.path)
        manifest, _ = mf.read(path)
        if manifest.fingerprint != self._earlier.begun.target.fingerprint:
            raise CheckpointError(
                f"Checkpoint of another database: {printable(manifest.target.database)}"
                f" ({manifest.fingerprint})",
                "Choose another: `rollback-tui checkpoint list`.",
            )
        _same_sizes(path, manifest)
        refuse_what_cannot_be(self._maintenance, self._here.database)
        self._room(manifest)
        restores = (
            f"the database as it was at {manifest.created_at:%Y-%m-%d %H:%M:%S} UTC, before the run"
        )
        expected = restore_time(path)
        return replace(
            self._option("dump", restores, expected.seconds), basis=printable(expected.basis)
        )

    def _room(self, manifest: mf.Manifest) -> None:
        """Raise CheckpointError when the server's disk, as far as it is seen, has no room for what
        the dump was made of."""
        unlimited = replace(self._settings.checkpoint, clone_seconds=float("inf"))
        facts = copying.estimate(
            self._maintenance, self._here.database_oid, unlimited, door="rename"
        )
        free, needed = facts.free_bytes, manifest.database_bytes or facts.database_bytes
        if free is not None and free < needed * _HEADROOM:
            raise CheckpointError(
                f"the server's disk has {data_size(free)} free, a database beside needs about"
                f" {data_size(needed)} and a tenth",
                "Make room on the server.",
            )

    # --- the others -----------------------------------------------------------------------------

    def _external(self) -> RecoveryOption:
        point = self._earlier.view.restore_point
        if point is None:
            return self._option("external", obstacle="the run made no restore point")
        option = self._option(
            "external",
            f"the whole server, all of its databases, at the restore point {point.name}"
            f" ({point.provider})",
            obstacle=point.problem,
        )
        return replace(option, commands=point.commands)

    def _reapply(self) -> RecoveryOption:
        view = self._earlier.view
        if self._earlier.begun.task != "rollback" or not view.committed:
            return self._option("reapply", obstacle="the run rolled no migration back")
        if view.swapped is not None:
            return self._option("reapply", obstacle="its migrations are back already")
        undone = self._earlier.begun.plan
        # What reads scripts: only for a list that is shown, and a worker shows none.
        from rollback_tui.survey.upwards import plan_upwards

        plan = plan_upwards(self._live, self._settings, self._project, undone)
        versions = printable(", ".join(m.version for m in plan.migrations))
        data = "what they removed is not back: no rows were kept"
        if view.kept:
            rows = sum(one.rows for one in view.kept)
            data = f"{rows:,} rows and values that the run kept are put back"
        elif not any(loss.count != 0 for loss in view.losses):
            data = "they removed no rows"
        option = self._option("reapply", f"the schema of {versions} again; {data}")
        return replace(option, lost=())

    # --- what would be lost ---------------------------------------------------------------------

    def _lost(self, rung: Rung) -> tuple[LostRows, ...]:
        rows: Mapping[str, int | None] = {}
        made = self._earlier.view.checkpoint
        if rung == "dump" and made is not None:
            manifest, _ = mf.read(Path(made.path))
            rows = {
                f"{identifier(t.schema)}.{identifier(t.table)}": t.rows for t in manifest.tables
            }
        skip = untouched_by_others(self._live, self._settings, self._project, self._earlier)
        return about_lost(self._live, self._earlier, rows, skip=skip, seconds=_COUNT_SECONDS)


def untouched_by_others(
    live: Connection, settings: Settings, project: Path, earlier: Earlier
) -> frozenset[str]:
    """Return the version table, when it is as the run left it: that is no loss of anybody."""
    plan = earlier.begun.plan
    if not plan.version_table:
        return frozenset()
    left = plan.applied_after if earlier.view.committed else tuple(m.version for m in plan.applied)
    try:
        applied = history(live, detected(live, settings, project)).applied
    except FrameworkError:
        return frozenset()
    same = tuple(m.version for m in applied) == left
    return frozenset({plan.version_table}) if same else frozenset()


def confirmation(option: RecoveryOption, database: str) -> str:
    """Return what must be typed to take a rung."""
    lost = option.lost_rows
    if lost == 0:
        return database
    return "lose unknown rows" if lost is None else f"lose {lost} rows"


def _quoted(table: mf.TableRows) -> str:
    return f"{identifier(table.schema)}.{identifier(table.table)}"


def _same_sizes(path: Path, manifest: mf.Manifest) -> None:
    """Raise CheckpointError when a file is missing or has another size. Its bytes are compared
    when it is restored, before anything else happens."""
    for entry in manifest.files:
        try:
            found = (path / entry.path).stat().st_size
        except OSError as error:
            raise CheckpointError(
                f"{printable(entry.path)} of the checkpoint cannot be read: {error.strerror}",
                "Choose another: `rollback-tui checkpoint list`.",
            ) from None
        if found != entry.bytes:
            raise CheckpointError(
                f"{printable(entry.path)} of the checkpoint has {found:,} bytes, and had"
                f" {entry.bytes:,}",
                "It is damaged. Choose another: `rollback-tui checkpoint list`.",
            )
