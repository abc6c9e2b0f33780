"""The report as Markdown. Every text that is not our own is made inert on its way in."""

from __future__ import annotations

from collections.abc import Sequence

from rollback_tui.core.model import Migration, Operator, Plan
from rollback_tui.core.report import (
    afterwards,
    judged,
    kept,
    proof,
    recovering,
    schema,
    task,
    words,
)
from rollback_tui.core.report.foreseen import acknowledged, rehearsed
from rollback_tui.core.report.losses import Lost, certain, lost
from rollback_tui.core.report.pieces import code, fenced, table
from rollback_tui.core.run_view import RunView
from rollback_tui.core.text import data_size, markdown, shorten


def report_markdown(view: RunView) -> str:
    """Return the report of a run, finished or not."""
    started = view.started
    name = markdown(started.target.database) if started else "a run that never started"
    # What an earlier run was confirmed with is in that run's own report.
    own = started is None or started.task != "recover"
    parts: list[Sequence[str]] = [
        [f"# {_title(view, name)}: {words.status(view).lower()}"],
        _opening(view),
        _summary(view),
        _failure(view),
        _migrations(view),
        acknowledged(view) if own else (),
        rehearsed(view) if own else (),
        judged.checks(view),
        schema.section(view),
        judged.verifications(view),
        proof.section(view),
        afterwards.section(view),
        _impact(view),
        kept.section(view),
        _statements(view),
        recovering.section(view),
        _hooks(view),
        _follow_ups(view),
        _paths(view),
        _next(view),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _title(view: RunView, name: str) -> str:
    earlier = task.run_of(view.started.recovers) if view.started else ""
    after = f" after run {markdown(earlier)}" if earlier else ""
    return f"{task.title(view.started)} of {name}{after}"


# --- sections -------------------------------------------------------------------------------------


def _opening(view: RunView) -> list[str]:
    text = [markdown(view.finished.summary)] if view.finished and view.finished.summary else []
    text += [f"**{markdown(a.summary)}** {markdown(a.remedy)}" for a in view.alarms]
    return text


def _summary(view: RunView) -> list[str]:
    started = view.started
    rows = [("Status", f"**{words.status(view)}**")]
    if started:
        target = started.target
        operator = started.operator
        who = operator.user + (f" (sudo by {operator.sudo_user})" if operator.sudo_user else "")
        rows += [
            (
                "Database",
                markdown(f"{target.database} on {target.host}:{target.port} as {target.user}"),
            ),
            ("Fingerprint", code(target.fingerprint)),
        ]
        if started.environment:
            rows.append(("Environment", markdown(started.environment)))
        rows += [
            ("Operator", markdown(f"{who} at {operator.host}" if operator.host else who)),
            *_claimed(operator),
            ("Run", code(started.run)),
        ]
    rows += [
        ("Started", words.moment(view.started_at)),
        ("Completed", words.moment(view.finished_at) if view.finished_at else "not completed"),
        ("Duration", words.seconds(view.elapsed)),
        ("Downtime", words.downtime(view)),
        ("Door", words.door(view)),
    ]
    if words.commit(view):
        rows.append(("COMMIT", markdown(words.commit(view))))
    return ["## Summary", "", *table(("Fact", "Value"), rows)]


def _claimed(operator: Operator) -> list[tuple[str, str]]:
    """Whom git is configured for: nobody checked it."""
    return [("Git identity (claimed)", markdown(operator.git_identity))] * bool(
        operator.git_identity
    )


def _failure(view: RunView) -> list[str]:
    failure = view.failure
    lines: list[str] = []
    if failure is not None:
        where = f"Statement {failure.index}, line {failure.line}"
        if failure.position is not None:
            where += f", character {failure.position}"
        lines = [
            f"{where}; SQLSTATE {code(failure.sqlstate)}. The server's own words:",
            "",
            *fenced(
                "\n".join(
                    text
                    for text in (
                        f"ERROR: {failure.message}",
                        f"DETAIL: {failure.detail}" if failure.detail else "",
                        f"HINT: {failure.hint}" if failure.hint else "",
                    )
                    if text
                )
            ),
            "",
            *fenced(failure.sql, "sql"),
        ]
    failed = [p for p in view.phases if p.status == "failed"]
    if failed:
        lines += [""] if lines else []
        lines += [
            f"- phase {p.phase} failed" + (f": {markdown(p.summary)}" if p.summary else "")
            for p in failed
        ]
    if view.unchanged is not None:
        lines += [""] if lines else []
        lines += _unchanged(view)
    return ["## What failed", "", *lines] if lines else []


def _unchanged(view: RunView) -> list[str]:
    proof = view.unchanged
    if proof is None:
        return []
    if proof.proven:
        basis = f" (compared: {markdown(proof.basis)})" if proof.basis else ""
        return [f"The database is proven to be as before the run{basis}."]
    return [
        "That the database is as before the run is **not proven**:",
        "",
        *(f"- {markdown(d)}" for d in proof.differences),
    ]


def _migrations(view: RunView) -> list[str]:
    if view.started is None:
        return []
    plan = view.started.plan
    title = task.migrations(view.started, committed=view.committed)
    reason = markdown(view.started.reason) if view.started.reason else "not given"

    def applied(migration: Migration) -> str:
        if migration.applied_at is not None:
            return words.moment(migration.applied_at)
        if not plan.version_table:
            return "not known"
        return f"not recorded by {markdown(plan.framework)}"

    return [
        f"## {title}",
        "",
        *table(
            ("Version", "Name", "Originally applied", "Script"),
            [
                (
                    markdown(m.version),
                    markdown(m.name),
                    applied(m),
                    words.script(m.script),
                )
                for m in plan.migrations
            ],
        ),
        "",
        f"- Reason: {reason}",
        *_versions(plan),
    ]


def _versions(plan: Plan) -> list[str]:
    """Return from where to where it went, and what was given by hand."""
    if plan.version_table:
        tool = f"{markdown(plan.framework)}, {markdown(plan.version_table)}"
        said = [f"- From {markdown(plan.current_words)} to {markdown(plan.goal_words)} ({tool})"]
    else:
        said = ["- No framework is known; neither is what else is applied"]
    if plan.by_hand:
        said.append(f"- The script was given by hand: {markdown(plan.by_hand)}")
    if plan.version_stays:
        said.append(f"- No version was changed: {markdown(plan.version_stays)}")
    return said


def _impact(view: RunView) -> list[str]:
    impact = view.impact
    lines = ["## Impact", "", f"- Downtime: {words.downtime(view)}"]
    if view.sessions_ended:
        lines.append(f"- Sessions ended: {view.sessions_ended:,}")
    removed = lost(view)
    gone = [item for item in removed if not item.kept]
    if len(gone) < len(removed):
        lines.append("- Data removed and kept (see Kept below):")
        lines += [_lost_line(item) for item in removed if item.kept]
    if gone:
        lines.append("- Data lost:")
        lines += [_lost_line(item) for item in gone]
        if view.steps is not None and not view.committed:
            lines.append("  - more is not known: the run went statement by statement and stopped")
    elif view.lost is not None and view.outcome == "recovered":
        lines.append(f"- Data lost: {markdown(recovering.lost_in_all(view.lost))}")
    elif view.outcome == "recovered" and view.from_clone:
        lines.append("- Data lost: none, the copy was made behind the closed door")
    elif view.outcome == "recovered":
        lines.append(
            "- Data lost: what was written after the checkpoint was made; it was not counted"
        )
    elif view.outcome is None:
        lines.append("- Data lost: not known, the run is not finished")
    elif not certain(view):
        lines.append("- Data lost: not known")
    else:
        lines.append("- Data lost: none")
    users = impact.affected_users if impact else None
    requests = impact.failed_requests if impact else None
    lines.append(f"- Affected users: {'not measured' if users is None else f'{users:,}'}")
    lines.append(f"- Failed requests: {'not measured' if requests is None else f'{requests:,}'}")
    if impact and impact.probes:
        lines.append(f"- Failed health probes: {impact.failed_probes or 0:,} of {impact.probes:,}")
    if impact and impact.source:
        lines.append(f"- Measured by: {markdown(impact.source)}")
    return lines


def _lost_line(item: Lost) -> str:
    what = markdown(item.describe())
    return f"  - statement {item.statement}, line {item.line}: {what} ({item.basis})"


def _statements(view: RunView) -> list[str]:
    if view.started is None or all(s.status == "waiting" for s in view.statements):
        return []
    plan = {s.index: s for s in view.started.plan.statements}
    lines = table(
        ("#", "Line", "Statement", "State", "Time", "Answer"),
        [
            (
                str(s.index),
                str(plan[s.index].line),
                markdown(shorten(plan[s.index].sql, 90)),
                words.progress(s, ended=view.finished is not None),
                words.seconds(s.seconds) if s.seconds is not None else "",
                markdown(s.command_tag),
            )
            for s in view.statements
            if s.index in plan
        ],
    )
    notices = [(s.index, notice) for s in view.statements for notice in s.notices]
    if notices:
        lines += ["", "The server's notices:", ""]
        lines += [f"- statement {index}: {markdown(shorten(text, 300))}" for index, text in notices]
    changes = [sql for m in view.started.plan.migrations for sql in m.version_change]
    if changes and view.committed:
        same = "in the same transaction" if view.steps is None else "each migration for itself"
        lines += ["", f"Then the version table, {same}:", ""]
        lines += fenced("\n".join(changes), "sql")
    if view.steps is not None:
        title = "Statements, each committed by itself"
    else:
        title = "Statements executed" if view.committed else "Statements, none of them committed"
    return [f"## {title}", "", *lines]


def _hooks(view: RunView) -> list[str]:
    failed = [hook for hook in view.hooks if not hook.ok]
    if not failed:
        return []
    return [
        "## Hooks that failed",
        "",
        *(f"- {markdown(hook.name)}: {markdown(hook.summary)}" for hook in failed),
    ]


def _follow_ups(view: RunView) -> list[str]:
    items = words.follow_ups(view)
    return ["## Follow-ups", "", *(f"- [ ] {markdown(item)}" for item in items)] if items else []


def _paths(view: RunView) -> list[str]:
    rows = [(title, code(path)) for title, path in words.paths(view)]
    if not rows:
        return []
    lines = ["## Files", "", *table(("Fact", "Value"), rows)]
    made = view.checkpoint
    if made:
        lines += [
            "",
            f"The checkpoint: {data_size(made.bytes)}, {words.some(made.tables, 'table')}, "
            f"made {words.moment(made.created_at)} in {words.seconds(made.seconds)}, "
            f"manifest sha256 {code(made.manifest_sha256[:12])}.",
        ]
    lines += _elsewhere(view)
    copy = view.clone
    if copy is not None:
        lines += [
            "",
            f"The copy on the server: {code(copy.database)}, {data_size(copy.bytes)}, "
            f"made in {words.seconds(copy.seconds)} behind the door.",
        ]
    return lines


def _elsewhere(view: RunView) -> list[str]:
    """What there is on other machines: a copy of the checkpoint, a point in a backup."""
    copied = next((h for h in reversed(view.hooks) if h.name == "checkpoint copy"), None)
    lines = []
    if copied is not None:
        how = "copied off this host" if copied.ok else "**only on this host**, the copy failed"
        said = f": {markdown(copied.summary)}" if copied.summary else ""
        lines += ["", f"The checkpoint was {how}{said}."]
    elif view.checkpoint is not None:
        lines += ["", "The checkpoint is only on this host: no copy is configured."]
    point = view.restore_point
    if point is not None:
        seen = "is in the archive" if point.archived else "**was not seen archived**"
        begins = f"; a restore begins with {code(point.backup)}" if point.backup else ""
        lines += [
            "",
            f"Restore point {code(point.name)} of {point.provider} (stanza {code(point.stanza)}) "
            f"at {code(point.lsn)}: its WAL {seen}{begins}.",
        ]
        lines += [f"**{markdown(point.problem)}**"] if point.problem else []
        commands = fenced("\n".join(point.commands), "sh")
        lines += ["", "It brings the whole server back to it:", "", *commands]
    return lines


def _next(view: RunView) -> list[str]:
    commands = words.next_commands(view)
    return ["## Next commands", "", *fenced("\n".join(commands), "sh")] if commands else []
