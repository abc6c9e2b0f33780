"""Can a checkpoint and a clone be made, can the run keep its journal, and what did others leave?"""

from __future__ import annotations

from rollback_tui.core.checks.verdicts import Question, some
from rollback_tui.core.facts import CheckpointFacts, CloneFacts, Facts, Leftover
from rollback_tui.core.model import CheckResult
from rollback_tui.core.text import data_size

CHECKPOINT = Question("checkpoint", "Checkpoint")
# What is missing cannot be conjured up by a typed reason: the dump would fail all the same.
CHECKPOINT_IMPOSSIBLE = Question("checkpoint", "Checkpoint", fixed=True)
CLONE = Question("clone", "Clone for instant recovery")
RUN_DIRECTORY = Question("run_directory", "Journal can be kept", fixed=True)
LEFTOVERS = Question("leftovers", "Nothing left by earlier runs")
# Nobody may begin while the target itself, or the placeholder in its stead, waits to be put back.
NOT_PUT_BACK = Question("leftovers", "Nothing left by earlier runs", fixed=True)

_WITHOUT = "or go without: [checkpoint] enabled = false."


def checkpoint(facts: Facts) -> CheckResult:
    """Enabled, a directory, room for it, and a pg_dump that the server accepts."""
    found = facts.checkpoint
    if found is None:
        return CHECKPOINT.unknown(
            facts, "checkpoint", "not known whether a checkpoint can be made", "Try again."
        )
    if not found.wanted:
        return CHECKPOINT.warned(
            "none will be made: data that goes cannot be brought back",
            ("[checkpoint] enabled = false",),
            "Set [checkpoint] enabled = true in rollback.toml.",
        )
    return _impossible(facts, found) or _room(facts, found)


def _impossible(facts: Facts, found: CheckpointFacts) -> CheckResult | None:
    server = facts.target.major
    why = (found.why,) if found.why else ()
    if not found.writable:
        return CHECKPOINT_IMPOSSIBLE.failed(
            "the checkpoint directory is not writable",
            (found.directory, *why),
            f"Make it writable, set [checkpoint] directory, {_WITHOUT}",
        )
    if found.pg_dump is None:
        return CHECKPOINT_IMPOSSIBLE.failed(
            f"no pg_dump for server {server} was found",
            why,
            f"Install PostgreSQL {server}'s client tools, {_WITHOUT}",
        )
    if found.pg_dump_major is None:
        return CHECKPOINT.unknown(
            facts,
            "checkpoint",
            "pg_dump does not say its version",
            f"Run {found.pg_dump} --version by hand.",
        )
    if found.pg_dump_major < server:
        return CHECKPOINT_IMPOSSIBLE.failed(
            f"pg_dump {found.pg_dump_major} is older than the server ({server})",
            (found.pg_dump, f"version {found.pg_dump_version}", *why),
            f"Install PostgreSQL {server}'s client tools, {_WITHOUT}",
        )
    if found.pg_dump_major >= 17 > server:
        # pg_restore 17 and later sends SET transaction_timeout, which older servers refuse.
        return CHECKPOINT_IMPOSSIBLE.failed(
            f"what pg_dump {found.pg_dump_major} writes cannot be restored on {server}",
            (found.pg_dump, f"version {found.pg_dump_version}", *why),
            f"Install PostgreSQL {server}'s client tools, {_WITHOUT}",
        )
    return None


def _room(facts: Facts, found: CheckpointFacts) -> CheckResult:
    evidence = [
        f"directory {found.directory}",
        f"{found.pg_dump} {found.pg_dump_version}",
        f"database {data_size(found.database_bytes)}; a dump is usually smaller",
        "copied off this host afterwards: [checkpoint] copy"
        if found.copied
        else "only on this host: [checkpoint] copy is not configured",
    ]
    if found.copy_required and not found.copied:
        return CHECKPOINT.failed(
            "a copy off this host is required, and nothing is configured that makes it",
            evidence,
            "Set [checkpoint] copy, or copy_required = false.",
        )
    if found.free_bytes is None or found.database_bytes <= 0:
        return CHECKPOINT.unknown(
            facts,
            "checkpoint",
            "not known whether the dump fits on the disk",
            f"Look with: df -h {found.directory}",
        )
    evidence.append(f"free {data_size(found.free_bytes)}")
    if found.free_bytes < found.database_bytes:
        return CHECKPOINT.failed(
            f"{data_size(found.free_bytes)} free,"
            f" the database has {data_size(found.database_bytes)}",
            evidence,
            "Make room, or set [checkpoint] directory to another disk.",
        )
    return _flagged(facts, evidence) or CHECKPOINT.passed(
        f"will be made; {data_size(found.free_bytes)} free for {data_size(found.database_bytes)}",
        evidence,
    )


def _flagged(facts: Facts, evidence: list[str]) -> CheckResult | None:
    """Name what a copy, or a crash in mid-run, does not keep as it was."""
    found = facts.fleeting
    if found is None:
        evidence.append("not known whether there are unlogged tables")
        return None
    if not found.unlogged and not found.unpopulated:
        return None
    parts = [some(len(found.unlogged), "unlogged table")] if found.unlogged else []
    if found.unpopulated:
        parts.append(some(len(found.unpopulated), "view without data", "views without data"))
    return CHECKPOINT.warned(
        f"will be made; not as whole as the rest: {' and '.join(parts)}",
        [
            *(f"unlogged, empty after a crash of the server: {name}" for name in found.unlogged),
            *(f"never filled, nothing in it to copy: {name}" for name in found.unpopulated),
            *evidence,
        ],
        "Know it: unlogged rows are in the dump, but a server crash in mid-run loses them.",
    )


def run_directory(facts: Facts) -> CheckResult:
    """Without a journal nobody could say afterwards what happened."""
    if facts.run_directory_problem is not None:
        return RUN_DIRECTORY.failed(
            "the journal cannot be written",
            (facts.run_directory_problem,),
            "Make the directory writable, or set [run] directory.",
        )
    return RUN_DIRECTORY.passed("the run's directory is writable")


def clone(facts: Facts) -> CheckResult:
    """Whether a copy can be made behind the door, and for how long that keeps it closed."""
    found = facts.clone
    if found is None:
        return CLONE.unknown(facts, "clone", "not known whether a clone can be made", "Try again.")
    if found.wanted == "off" and facts.plan.transactional:
        return CLONE.passed(
            "none, so configured: bringing the database back would take a pg_restore",
            ('[checkpoint] clone = "off"',),
        )
    if found.obstacle:
        evidence = (found.obstacle, *_cost(found))
        if found.wanted == "required":
            return CLONE.failed("no clone can be made, and it is required", evidence, found.remedy)
        return CLONE.warned(
            "no clone can be made; a recovery would take a pg_restore", evidence, found.remedy
        )
    if found.estimated_seconds is None:
        return CLONE.warned(
            "not known how long a copy would keep the door closed", _cost(found), _LOOK
        )
    summary = f"a copy keeps the door closed about {found.estimated_seconds:,.0f} s (estimate)"
    if found.free_bytes is None:
        return CLONE.warned(f"{summary}; not known if it fits", _cost(found), _LOOK)
    return CLONE.passed(summary, _cost(found))


_LOOK = (
    "Look on the server with df: the copy needs as much as the database has, and a full disk can"
    " stop the server."
)


def _cost(found: CloneFacts) -> tuple[str, ...]:
    estimated = found.estimated_seconds
    free = found.free_bytes
    asked = (
        "the plan is not one transaction: a copy is made although none is configured"
        if found.wanted == "off"
        else f'[checkpoint] clone = "{found.wanted}"'
    )
    return (
        asked,
        f"database {data_size(found.database_bytes)}; the copy takes as much on the server",
        "free on the server: " + ("not visible from here" if free is None else data_size(free)),
        f"estimated {'unknown' if estimated is None else f'{estimated:,.1f} s'},"
        f" given up after {found.limit_seconds:,.0f} s",
        f"strategy {found.strategy}",
    )


def leftovers(facts: Facts) -> CheckResult:
    """What earlier runs of this target left on the server: the target itself, or only copies."""
    found = facts.leftovers
    if found is None:
        return LEFTOVERS.unknown(
            facts,
            "leftovers",
            "not known what earlier runs left on the server",
            "Look by hand: psql -l",
        )
    if not found:
        return LEFTOVERS.passed("no database of an earlier run is on the server")
    evidence = [_leftover(one) for one in found]
    waiting = [one for one in found if one.kind in ("closed", "placeholder")]
    if waiting:
        return NOT_PUT_BACK.failed(
            f"run {waiting[0].run or '?'} never opened its door",
            evidence,
            f"Finish it first: rollback-tui settle {waiting[0].run}".rstrip(),
        )
    known = [one.bytes for one in found if one.bytes is not None]
    size = data_size(sum(known)) + (" at least" if len(known) < len(found) else "")
    return LEFTOVERS.warned(
        f"{some(len(found), 'database')} of earlier runs, {size}",
        evidence,
        "When nobody needs them any more: rollback-tui checkpoint prune",
    )


def _leftover(one: Leftover) -> str:
    size = "size unknown" if one.bytes is None else data_size(one.bytes)
    return f"{one.database}: {one.kind}, run {one.run or '?'}, {size}"
