"""Did anything change that the plan does not announce, and is gone what it drops?"""

from __future__ import annotations

from typing import NamedTuple

from rollback_tui.core import proving
from rollback_tui.core.model import Verification
from rollback_tui.core.rehearsal import Rehearsal
from rollback_tui.core.schema import Difference, diff
from rollback_tui.postgres.connect import Connection
from rollback_tui.run.context import Run
from rollback_tui.run.verifying import after
from rollback_tui.run.verifying.asking import before
from rollback_tui.run.verifying.expectation import still_there
from rollback_tui.survey.surprises import beside_rows, changed_elsewhere, written_elsewhere


def nothing_else(run: Run, connection: Connection) -> Verification:
    """Judge rows by the server's counters and the schema by comparison, against the rehearsal of
    this plan where there was one, and against its forecast."""
    kept = after.evidence(run)
    scope = kept.proof.scope
    written = after.writes(run, connection)
    differences = diff(before(run).schema, after.schema(run, connection))
    rehearsal = _of_this(run)
    if rehearsal is not None and rehearsal.changes is not None:
        found = _against(rehearsal, rehearsal.changes, differences, connection)
        unsure = scope.unsure if rehearsal.source == "schema" else ()
        by = "the rehearsal"
    else:
        others = changed_elsewhere(scope, differences, after.sight(run, connection))
        found = _Schema(others, ())
        unsure = scope.unsure
        by = "the forecast of each statement"
    beside, announced = beside_rows(
        scope, run.plan, written, kept.sight, after.sight(run, connection)
    )
    return proving.nothing_else_verification(
        written=written,
        rows=written_elsewhere(scope, written),
        schema=found.others,
        missing=found.missing,
        by=by,
        unsure=unsure,
        beside=beside,
        announced=announced,
    )


class _Schema(NamedTuple):
    others: tuple[Difference, ...]
    """What changed beside what was announced."""
    missing: tuple[Difference, ...]
    """What was announced and did not happen."""


def _of_this(run: Run) -> Rehearsal | None:
    """The rehearsal of this very plan, if it came to its end."""
    found = run.request.rehearsal
    if found is None or found.plan_sha256 != run.plan.sha256 or found.failure:
        return None
    return found


def _against(
    rehearsal: Rehearsal,
    rehearsed: tuple[Difference, ...],
    differences: tuple[Difference, ...],
    connection: Connection,
) -> _Schema:
    """Compare what changed with what changed in the rehearsal.

    On a server of another major version, or of our own with other roles, the same change may be
    written differently: there it is the same when the same object came, went or changed.
    """
    major = connection.info.server_version // 10000
    loosely = rehearsal.embedded or rehearsal.server_version // 10000 != major

    def mark(one: Difference) -> tuple[object, ...]:
        if loosely:
            return (one.object, one.before is None, one.after is None)
        return (one.object, one.before, one.after)

    expected = {mark(one) for one in rehearsed}
    found = {mark(one) for one in differences}
    return _Schema(
        tuple(one for one in differences if mark(one) not in expected),
        tuple(one for one in rehearsed if mark(one) not in found),
    )


def gone(run: Run, connection: Connection) -> Verification:
    """Judge whether each object that the plan drops, found before by its number, is gone."""
    doomed = run.doomed
    return proving.gone_verification(len(doomed), still_there(connection, doomed))
