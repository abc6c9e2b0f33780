"""What is to be rolled back, before a script is read: which migrations, and by what."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rollback_tui.config import Settings
from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import AppliedMigration, Plan
from rollback_tui.core.text import printable
from rollback_tui.frameworks import by_hand
from rollback_tui.frameworks import files as migration_files
from rollback_tui.frameworks.detect import Detection
from rollback_tui.frameworks.registry import FRAMEWORKS
from rollback_tui.postgres.connect import Connection
from rollback_tui.survey.applied import NoFramework, history, recognised
from rollback_tui.survey.scripts import Found, down_scripts


class Outline(NamedTuple):
    """A plan whose scripts are not read yet."""

    plan: Plan
    """Without migrations."""
    chosen: tuple[AppliedMigration, ...]
    downs: tuple[Found, ...]
    """Of each of ``chosen``."""
    schema: str
    """Of the version table, unquoted; empty: none is known."""


def outline(
    connection: Connection, settings: Settings, project: Path, steps: int, version: str | None
) -> Outline:
    """Return what :func:`rollback_tui.survey.planning.make_plan` is to read. Raises FrameworkError
    when the history, the files or the choice make no sense."""
    found = recognised(connection, settings, project)
    if isinstance(found, NoFramework):
        return _script_alone(settings, project, found.why, steps, version)
    past = history(connection, found)
    if past.problem:
        raise FrameworkError(past.problem, "Repair that with the framework's own command first.")
    chosen = tuple(choose(past.applied, steps, version))
    script = settings.migrations.script
    if script and len(chosen) > 1:
        raise _one_only(f"--script takes one migration back, and {len(chosen)} are chosen")
    with migration_files.said_plainly():
        downs = down_scripts(connection, settings, project, found, past.applied, chosen)
    stays = ""
    if script and not downs[0].version_change:
        stays = FRAMEWORKS[found.framework].version_stays or (
            f"what {found.framework} would change in its table is not known"
        )
    plan = _plan(settings, project, found, past.applied, chosen, stays)
    return Outline(plan, chosen, downs, found.table.schema)


def _plan(
    settings: Settings,
    project: Path,
    found: Detection,
    applied: tuple[AppliedMigration, ...],
    chosen: Sequence[AppliedMigration],
    stays: str,
) -> Plan:
    left = applied if stays else applied[len(chosen) :]
    script = settings.migrations.script
    by = str(by_hand.place(project, script)) if script else ""
    said: tuple[str, ...] = ()
    if by:
        changed = stays or f"what {found.framework} does to its own table is done as usual"
        said = (f"The script was given by hand: {printable(by)}; {changed}.",)
    return Plan(
        framework=found.framework,
        version_table=found.table.quoted,
        directory=found.directory,
        current=applied[0].version if applied else None,
        goal=left[0].version if left else None,
        migrations=(),
        applied=applied,
        stale_files=FRAMEWORKS[found.framework].stale_files(Path(found.directory)),
        notes=(*said, *found.why),
        by_hand=by,
        version_stays=stays,
        transaction_lock=FRAMEWORKS[found.framework].transaction_lock(found.table),
        own_tables=FRAMEWORKS[found.framework].own_tables(found.table),
    )


def _script_alone(
    settings: Settings, project: Path, why: str, steps: int, version: str | None
) -> Outline:
    """The script is all there is: no version table, no history, no version change."""
    if steps != 1 or version is not None:
        raise _one_only("--script is one step, and no framework says what else is applied")
    path = by_hand.place(project, settings.migrations.script)
    plan = Plan(
        framework=by_hand.NAME,
        version_table="",
        directory="",
        current=None,
        goal=None,
        migrations=(),
        applied=(),
        notes=(
            f"The script was given by hand: {printable(str(path))}.",
            f"No version is changed, and nobody knows what else is applied: {why}.",
        ),
        by_hand=str(path),
        version_stays=why,
    )
    chosen = AppliedMigration(version=path.name, name="given by hand", path=str(path))
    return Outline(plan, (chosen,), (Found(by_hand.given(path), ()),), "")


def _one_only(summary: str) -> FrameworkError:
    return FrameworkError(summary, "Leave --steps and --to out, or leave --script out.")


def choose(
    applied: Sequence[AppliedMigration], steps: int, version: str | None
) -> Sequence[AppliedMigration]:
    """Return the newest ``steps`` of ``applied``, or all newer than ``version``. Raises
    FrameworkError when there are none or not so many."""
    if not applied:
        raise FrameworkError("no migration is applied", "There is nothing to roll back.")
    if version is not None:
        place = next((i for i, m in enumerate(applied) if m.version == version), None)
        if place is None:
            raise FrameworkError(
                f"version {version} is not applied",
                f"Applied are: {', '.join(m.version for m in applied[:10])}.",
            )
        if place == 0:
            raise FrameworkError(
                f"version {version} is the current one", "There is nothing to roll back."
            )
        return applied[:place]
    if not 1 <= steps <= len(applied):
        raise FrameworkError(
            f"{steps} steps cannot be rolled back: {len(applied)} migrations are applied",
            f"Choose --steps between 1 and {len(applied)}.",
        )
    return applied[:steps]
