"""May these bytes be executed, all of them, in one transaction?"""

from __future__ import annotations

from collections.abc import Collection

from rollback_tui.core.checks.verdicts import Question, some
from rollback_tui.core.facts import Facts
from rollback_tui.core.model import CheckResult, Problem

SCRIPT_READABLE = Question("script_readable", "Script is readable", fixed=True)
TRANSACTION_CONTROL = Question("no_transaction_control", "No transaction control", fixed=True)
PSQL_COMMANDS = Question("no_psql_commands", "No psql commands", fixed=True)
TRANSACTIONAL = Question("transactional", "Fits in one transaction", fixed=True)
SYNTAX = Question("syntax", "Server accepts the syntax")

_PSQL_RULES = frozenset({"psql_command", "copy_from_stdin"})
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
    """Backslash commands and COPY … FROM STDIN are psql's, not the server's."""
    found = _problems(facts, _PSQL_RULES)
    if found:
        return PSQL_COMMANDS.failed(
            f"{some(len(found), 'line')} only psql would understand",
            _lines(found),
            found[0][1].remedy or "Write it as SQL, then check again.",
        )
    return PSQL_COMMANDS.passed("nothing in it needs psql")


def transactional(facts: Facts) -> CheckResult:
    """CONCURRENTLY, VACUUM and the like cannot run in a transaction block."""
    statements = [s for s in facts.plan.statements if s.effect.transactional is False]
    marked = [m for m in facts.plan.migrations if m.script and not m.script.transactional]
    remedy = "Take these out of the down migration and run them by hand afterwards."
    if statements or marked:
        lines = [f"statement {s.index}, line {s.line}: {s.effect.kind}" for s in statements]
        lines += [f"{m.version} is marked as not transactional by its framework" for m in marked]
        return TRANSACTIONAL.failed(
            f"{some(len(lines), 'part')} cannot run in a transaction", lines, remedy
        )
    unread = [s for s in facts.plan.statements if s.effect.transactional is None]
    if unread:
        # Not a reason to stop: what cannot run in a transaction fails in it, cleanly.
        return TRANSACTIONAL.warned(
            f"not known for {some(len(unread), 'statement')}: the server will judge",
            [f"statement {s.index}, line {s.line}: {s.effect.kind}" for s in unread],
            "Read them in the preview. If one cannot, the run ends unchanged.",
        )
    return TRANSACTIONAL.passed("all of it runs in one transaction, or not at all")


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
