"""The safety checks: facts in, one judgement a question out; and what stands in the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from rollback_tui.core.checks import (
    around,
    external,
    in_doubt,
    others,
    plan,
    rows,
    schema,
    scripts,
    server,
    sessions,
    storage,
)
from rollback_tui.core.facts import Facts
from rollback_tui.core.model import CheckResult

CHECKS: tuple[Callable[[Facts], CheckResult | None], ...] = (
    server.target_fingerprint,
    others.unfinished_run,
    server.not_standby,
    server.no_pooler,
    server.privileges,
    plan.plan_not_empty,
    plan.down_migration,
    plan.later_migrations,
    scripts.script_readable,
    scripts.no_transaction_control,
    scripts.no_psql_commands,
    scripts.transactional,
    scripts.syntax,
    scripts.boundaries,
    plan.dependents,
    plan.version_table,
    plan.event_triggers,
    rows.stored_rows,
    rows.data_loss,
    schema.schema_restored,
    storage.checkpoint,
    external.external_backup,
    storage.clone,
    storage.run_directory,
    storage.leftovers,
    sessions.no_prepared_transactions,
    sessions.no_active_transactions,
    sessions.no_writers,
    sessions.sessions_endable,
    around.in_the_way,
    around.still_used,
    server.door,
    in_doubt.run_row,
    in_doubt.synchronous_standby,
)
"""In the order in which they are shown: the place, the plan, what is saved, who is there."""


def judge(facts: Facts) -> tuple[CheckResult, ...]:
    """Answer every safety question from ``facts`` that can be put to them: who has no backups
    outside is not asked about those."""
    return tuple(result for check in CHECKS if (result := check(facts)) is not None)


def obstacles(
    results: Iterable[CheckResult], overrides: Mapping[str, str] | None = None
) -> tuple[CheckResult, ...]:
    """Return what stands in the way: failed or unknown, and not set aside with a reason.

    ``overrides`` maps a check's name to the typed reason; a blank reason sets nothing aside, and
    neither does any reason where the check is not overridable.
    """
    reasons = overrides or {}
    return tuple(
        result
        for result in results
        if result.status in ("fail", "unknown")
        and not (result.overridable and reasons.get(result.name, "").strip())
    )


def may_roll_back(
    results: Iterable[CheckResult], overrides: Mapping[str, str] | None = None
) -> bool:
    """Return whether nothing stands in the way. No results at all prove nothing: False."""
    found = tuple(results)
    return bool(found) and not obstacles(found, overrides)
