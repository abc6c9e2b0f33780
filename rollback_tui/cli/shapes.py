"""The JSON shapes of the command line; documented in docs/json.md and kept stable."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from rollback_tui.cli.plain_output import echo_json
from rollback_tui.core.model import CheckResult, Migration, Plan, Statement


def print_json(value: object) -> None:
    """Print one JSON document."""
    echo_json(msgspec.json.format(msgspec.json.encode(value), indent=2))


def print_json_line(value: object) -> None:
    """Print one JSON document on one line: one of many."""
    echo_json(msgspec.json.encode(value))


def plan_shape(plan: Plan) -> dict[str, object]:
    """Return a plan as ``plan --json`` prints it."""
    return {
        "framework": plan.framework,
        "current": plan.current,
        "target": plan.goal,
        "migrations": [_migration(m) for m in plan.migrations],
        "statements": [
            _statement(s, m)
            for m in plan.migrations
            for s in (m.script.statements if m.script else ())
        ],
        "version_change": [text for m in plan.migrations for text in m.version_change],
        "by_hand": plan.by_hand or None,
        "version_stays": plan.version_stays or None,
    }


def _migration(migration: Migration) -> dict[str, object]:
    script = migration.script
    return {
        "version": migration.version,
        "name": migration.name,
        "applied_at": migration.applied_at,
        "path": script.path if script else None,
        "sha256": script.sha256 if script else None,
        "transactional": script.transactional if script else None,
        "problems": msgspec.to_builtins(script.problems) if script else [],
        "why_no_script": migration.why_no_script,
        "origin": script.origin if script else "",
        "nothing_to_undo": script.nothing_to_undo if script else "",
    }


def _statement(statement: Statement, migration: Migration) -> dict[str, object]:
    effect = statement.effect
    return {
        "index": statement.index,
        "migration": migration.version,
        "line": statement.line,
        "start": statement.start,
        "end": statement.end,
        "sql": statement.sql,
        "kind": effect.kind,
        "objects": effect.objects,
        "lock": [{"relation": lock.relation, "mode": lock.mode} for lock in effect.locks],
        "rewrites": effect.rewrites,
        "scans": effect.scans,
        "loses_data": effect.loses_data,
        "loss": [msgspec.to_builtins(loss) for loss in statement.loss],
        "transactional": effect.transactional,
        "hazards": effect.hazards,
        "basis": effect.basis,
        "resolved": effect.resolved,
        "no_op": effect.no_op,
        "drops": _objects(effect.drops),
        "collateral": _objects(effect.collateral),
        "session": effect.session,
        "violations": [
            msgspec.to_builtins(violation) | {"certain": violation.certain}
            for violation in statement.violations
        ],
        "touched": _touched(statement),
    }


def _objects(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"class": kind, "name": name} for kind, name in pairs]


def _touched(statement: Statement) -> list[dict[str, object]]:
    """The rows of a DELETE, UPDATE or MERGE; empty where they cannot be asked for beforehand."""
    touched = statement.touched
    if touched is None:
        return []
    counted = next((loss for loss in statement.loss if loss.kind == "rows"), None)
    count = counted.count if counted else None
    return [{"relation": touched.relation, "count": count, "sql": touched.count}]


def check_shape(results: Iterable[CheckResult], *, safe: bool) -> dict[str, object]:
    """Return the checks as ``check --json`` prints them."""
    return {
        "safe": safe,
        "checks": [
            {
                "name": result.name,
                "title": result.title,
                "status": result.status,
                "summary": result.summary,
                "evidence": result.evidence,
                "remedy": result.remedy,
                "overridable": result.overridable,
            }
            for result in results
        ],
    }
