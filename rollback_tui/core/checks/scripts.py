"""May these bytes be executed, all of them, and in one transaction?"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from rollback_tui.core.checks.verdicts import Question, listed, some
from rollback_tui.core.facts import Facts
from rollback_tui.core.model import CheckResult, Problem

SCRIPT_READABLE = Question("script_readable", "Script is readable", fixed=True)
TRANSACTION_CONTROL = Question("no_transaction_control", "No transaction control", fixed=True)
PSQL_COMMANDS = Question("no_psql_commands", "No psql commands", fixed=True)
TRANSACTIONAL = Question("transactional", "Fits in one transaction", fixed=True)
BOUNDARIES = Question("boundaries", "Statements end where we think")
SYNTAX = Question("syntax", "Server accepts the syntax")

_PSQL_RULES = frozenset({"psql_command", "copy_from_stdin", "copy_to_stdout"})
_CONTROL_RULES = frozenset({"transaction_control"})


def _problems(facts: Facts, rules: Collection[str]) -> list[tuple[str, Problem]]:
    return [
        (m.script.path, problem)
        for m in facts.plan.migrations
        if m.script
        for problem in m.script.problems
        if problem.rule in rules
    ]


def _lines(found: list[tuple[str, Problem]]) -> list[str]:
    return [f"{path}, line {p.line} (byte {p.offset}): {p.summary}" for path, p in found]


def script_readable(facts: Facts) -> CheckResult:
    """Encoding, unterminated quotes, and everything else that no other check speaks of."""
    rules = (
        {p.rule for m in facts.plan.migrations if m.script for p in m.script.problems}
        - _PSQL_RULES
        - _CONTROL_RULES
    )
    found = _problems(facts, rules)
    if found:
        return SCRIPT_READABLE.failed(
            found[0][1].summary,
            _lines(found),
            found[0][1].remedy or "Correct the down migration, then check again.",
        )
    scripts = [m.script for m in facts.plan.migrations if m.script]
    return SCRIPT_READABLE.passed(
        f"{some(len(scripts), 'script')} read whole, byte for byte",
        [f"{s.path}: {some(s.size, 'byte')}, sha256 {s.sha256}" for s in scripts],
    )


def no_transaction_control(facts: Facts) -> CheckResult:
    """BEGIN, COMMIT and their kin would end our transaction under the run."""
    found = _problems(facts, _CONTROL_RULES)
    if found:
        return TRANSACTION_CONTROL.failed(
            f"{some(len(found), 'statement')} would control the transaction",
            _lines(found),
            found[0][1].remedy or "Remove BEGIN, COMMIT, ROLLBACK, SAVEPOINT from the script.",
        )
    wrapped = [
        m.script.path for m in facts.plan.migrations if m.script and m.script.wrapper_removed
    ]
    if wrapped:
        return TRANSACTION_CONTROL.passed(
            "BEGIN … COMMIT around the whole is replaced by the run's own",
            [f"{path}: its own-line BEGIN and COMMIT are taken off" for path in wrapped],
        )
    return TRANSACTION_CONTROL.passed("the scripts leave the transaction to the run")


def no_psql_commands(facts: Facts) -> CheckResult:
    """Backslash commands and COPY from or to the client are psql's, not the server's."""
    found = _problems(facts, _PSQL_RULES)
    if found:
        return PSQL_COMMANDS.failed(
            f"{some(len(found), 'line')} only psql would understand",
            _lines(found),
            found[0][1].remedy or "Write it as SQL, then check again.",
        )
    return PSQL_COMMANDS.passed("nothing in it needs psql")


def transactional(facts: Facts) -> CheckResult:
    """CONCURRENTLY, VACUUM and the like cannot run in a transaction block: then the plan goes
    statement by statement, and only a checkpoint brings it back."""
    if not facts.plan.transactional:
        return _stepwise(facts)
    unread = [s for s in facts.plan.statements if s.effect.transactional is None]
    if unread:
        # Not a reason to stop: what cannot run in a transaction fails in it, cleanly.
        return TRANSACTIONAL.warned(
            f"not known for {some(len(unread), 'statement')}: the server will judge",
            [f"statement {s.index}, line {s.line}: {s.effect.kind}" for s in unread],
            "Read them in the preview. If one cannot, the run ends unchanged.",
        )
    return TRANSACTIONAL.passed("all of it runs in one transaction, or not at all")


_SHARED = (
    ("ALTER SYSTEM", "the whole server's configuration"),
    ("CREATE DATABASE", "another database of the server"),
    ("DROP DATABASE", "another database of the server"),
    ("ALTER DATABASE", "what belongs to a database from outside"),
    ("CREATE TABLESPACE", "the whole server's disks"),
    ("DROP TABLESPACE", "the whole server's disks"),
    ("ALTER TABLESPACE", "the whole server's disks"),
    ("CREATE ROLE", "the whole server's roles"),
    ("ALTER ROLE", "the whole server's roles"),
    ("DROP ROLE", "the whole server's roles"),
    ("GRANT ROLE", "the whole server's roles"),
    ("REASSIGN OWNED", "also what the roles own outside this database"),
    ("CREATE SUBSCRIPTION", "a replication slot on another server"),
    ("DROP SUBSCRIPTION", "a replication slot on another server"),
    ("COMMIT PREPARED", "a transaction of somebody else"),
    ("ROLLBACK PREPARED", "a transaction of somebody else"),
    ("DISCARD", "the run's own session, its locks and limits"),
)
"""Beginning of an effect's kind → what it reaches that no checkpoint of this database holds."""


def _stepwise(facts: Facts) -> CheckResult:
    shared = [
        f"statement {s.index}, line {s.line}: {s.effect.kind} changes {what}"
        for s in facts.plan.statements
        for kind, what in _SHARED
        if s.effect.kind.startswith(kind)
    ]
    if shared:
        return TRANSACTIONAL.failed(
            f"{some(len(shared), 'statement')} could be undone neither by ROLLBACK nor from the"
            " checkpoint",
            shared,
            "Take these out of the down migration and run them by hand afterwards.",
        )
    alone = [
        f"statement {s.index}, line {s.line}: {s.effect.kind} cannot run in a transaction"
        for s in facts.plan.statements
        if s.effect.transactional is False
    ]
    alone += [
        f"{m.version} is marked as not transactional by its framework"
        for m in facts.plan.migrations
        if m.script and not m.script.transactional
    ]
    saved = facts.checkpoint is None or facts.checkpoint.wanted
    if not saved and not (facts.clone and facts.clone.wanted == "required"):
        return TRANSACTIONAL.failed(
            "it goes statement by statement, and no checkpoint would bring it back",
            [*alone, "[checkpoint] enabled = false"],
            "Set [checkpoint] enabled = true, or take these out of the down migration.",
        )
    if facts.run_row_problem != "":
        alone.append(
            "the run's own row cannot be written: of a statement that is interrupted you may have"
            " to say yourself whether it is done"
        )
    return TRANSACTIONAL.warned(
        "runs statement by statement: what is done stays done",
        ["only the checkpoint brings it back", *alone],
        "Read it twice. `run` needs --statement-by-statement for it.",
    )


def boundaries(facts: Facts) -> CheckResult:
    """Where two readings of a script differ, the target's own parser is the judge: it takes a
    piece as exactly one command, or refuses it."""
    scripts = [m.script for m in facts.plan.migrations if m.script]
    doubts = [
        f"{script.path}, line {doubt.line} (byte {doubt.offset}): {doubt.summary}"
        for script in scripts
        for doubt in script.doubts
    ]
    number = some(len(facts.plan.statements), "statement")
    if facts.parser == ():
        if not doubts:
            return BOUNDARIES.passed(f"the server takes each of {number} as one command")
        return BOUNDARIES.passed(
            f"read in two ways, and the server has judged: {number}, each one command", doubts
        )
    if doubts and facts.parser:
        return BOUNDARIES.failed(
            f"two readings differ in {some(len(doubts), 'place')}, and the server does not take"
            " every statement",
            doubts,
            "Correct the down migration where the server's parser complains, then check again.",
        )
    if doubts:
        return _undecided(facts, f"two readings differ in {some(len(doubts), 'place')}", doubts)
    once = [script.path for script in scripts if script.statements and not script.read_twice]
    if not once:
        return BOUNDARIES.passed("two readings of each script agree")
    if facts.parser is None:
        return _undecided(facts, f"{some(len(once), 'script')} read by one scanner only", once)
    return BOUNDARIES.warned(
        f"{some(len(once), 'script')} read by one scanner only",
        once,
        "The server's parser complains of a statement: correct that first, then check again.",
    )


def _undecided(facts: Facts, what: str, evidence: list[str]) -> CheckResult:
    judgement = BOUNDARIES.unknown(
        facts,
        "parser",
        f"{what}, and the server's parser could not be asked",
        "Check the connection and try again; or read the places named, and say why it is right.",
    )
    return msgspec.structs.replace(judgement, evidence=listed([*evidence, *judgement.evidence]))


def syntax(facts: Facts) -> CheckResult:
    """What the target's own parser says of each statement, without executing it."""
    answers = facts.parser
    if answers is None:
        return SYNTAX.unknown(
            facts,
            "parser",
            "the server's parser could not be asked",
            "Check the connection and try again.",
        )
    if answers:
        line = {s.index: s.line for s in facts.plan.statements}
        return SYNTAX.failed(
            f"{some(len(answers), 'statement')} with a syntax error",
            [
                f"statement {a.index}, line {line.get(a.index, '?')}: {a.sqlstate} {a.message}"
                + (f" at character {a.position}" if a.position else "")
                for a in answers
            ],
            "Correct the down migration, then check again.",
        )
    return SYNTAX.passed(
        f"{some(len(facts.plan.statements), 'statement')} parsed by the server itself",
        ("prepared, not executed",),
    )
