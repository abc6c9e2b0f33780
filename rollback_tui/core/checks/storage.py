"""Can a checkpoint be made, and can the run keep its journal?"""

from __future__ import annotations

import humanize

from rollback_tui.core.checks.verdicts import Question
from rollback_tui.core.facts import CheckpointFacts, Facts
from rollback_tui.core.model import CheckResult

CHECKPOINT = Question("checkpoint", "Checkpoint")
# What is missing cannot be conjured up by a typed reason: the dump would fail all the same.
CHECKPOINT_IMPOSSIBLE = Question("checkpoint", "Checkpoint", fixed=True)
RUN_DIRECTORY = Question("run_directory", "Journal can be kept", fixed=True)

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
        f"database {_size(found.database_bytes)}; a dump is usually smaller",
    ]
    if found.free_bytes is None or found.database_bytes <= 0:
        return CHECKPOINT.unknown(
            facts,
            "checkpoint",
            "not known whether the dump fits on the disk",
            f"Look with: df -h {found.directory}",
        )
    evidence.append(f"free {_size(found.free_bytes)}")
    if found.free_bytes < found.database_bytes:
        return CHECKPOINT.failed(
            f"{_size(found.free_bytes)} free, the database has {_size(found.database_bytes)}",
            evidence,
            "Make room, or set [checkpoint] directory to another disk.",
        )
    return CHECKPOINT.passed(
        f"will be made; {_size(found.free_bytes)} free for {_size(found.database_bytes)}",
        evidence,
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


def _size(number: int) -> str:
    return humanize.naturalsize(number, binary=True)
