"""Is there a fresh backup outside, and can it be given a restore point?"""

from __future__ import annotations

import humanize

from rollback_tui.core.checks.verdicts import Question
from rollback_tui.core.facts import ExternalFacts, Facts
from rollback_tui.core.model import CheckResult

EXTERNAL = Question("external_backup", "Backup outside (pgBackRest)")

_LOOK = "Look by hand: pgbackrest info; or go without: take [pgbackrest] stanza out."
_REMEDY = "Make a backup first (pgbackrest backup), or look with: pgbackrest info"


def external_backup(facts: Facts) -> CheckResult | None:
    """The provider's newest backup is fresh, of this cluster, and its WAL arrives. None: nobody
    configured one, and then there is no such question."""
    found = facts.external
    if found is None:
        return EXTERNAL.unknown(
            facts,
            "external",
            "not known whether there is a fresh backup",
            _LOOK,
        )
    if not found.wanted:
        return None
    if found.unreadable:
        summary = "not known whether there is a fresh backup"
        lines = (found.unreadable, f"stanza {found.stanza}")
        say = EXTERNAL.unknown_because if found.required else EXTERNAL.warned
        return say(summary, lines, _LOOK)
    evidence = _evidence(found)
    trouble = _trouble(found)
    if trouble:
        say = EXTERNAL.failed if found.required else EXTERNAL.warned
        return say(trouble, evidence, _REMEDY)
    if found.point_problem:
        summary = f"fresh, but no restore point can be made: {found.point_problem}"
        say = EXTERNAL.failed if found.required else EXTERNAL.warned
        return say(summary, evidence, "Without one, a restore brings back the end of the archive.")
    return EXTERNAL.passed(
        f"fresh: {_age(found)} old; a restore point will be made before the run", evidence
    )


def _trouble(found: ExternalFacts) -> str:
    if found.problem:
        return found.problem
    if found.age_seconds is None:
        return "there is no backup"
    if found.age_seconds > found.max_age_hours * 3600:
        return f"stale: the newest backup is {_age(found)} old"
    return ""


def _evidence(found: ExternalFacts) -> tuple[str, ...]:
    backup = f"{found.backup} ({found.kind}), {_age(found)} old" if found.backup else "none"
    return (
        f"stanza {found.stanza}",
        f"newest backup {backup}; stale after {found.max_age_hours:g} hours",
        f"WAL in the archive up to {found.wal or 'nothing'}",
        *(("a backup is being made now",) if found.running else ()),
        *((f"no restore point: {found.point_problem}",) if found.point_problem else ()),
    )


def _age(found: ExternalFacts) -> str:
    return (
        "nobody knows how"
        if found.age_seconds is None
        else humanize.naturaldelta(found.age_seconds)
    )
