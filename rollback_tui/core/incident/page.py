"""The report laid out once, for Markdown and HTML alike: what it says, in which order."""

from __future__ import annotations

from rollback_tui.core.claim import who
from rollback_tui.core.incident import felt, hours_after, judged, resolved
from rollback_tui.core.incident.blocks import (
    Bullets,
    Checklist,
    Code,
    Course,
    Facts,
    Page,
    Paragraph,
    Section,
    Table,
    Text,
    code,
    plain,
    since,
)
from rollback_tui.core.incident.values import Figure, Impact, Incident, Tone
from rollback_tui.core.report import words

TONES: dict[str, Tone] = {
    "critical": "bad",
    "major": "attention",
    "minor": "plain",
    "none": "plain",
}
"""How a severity is shown."""


def page(incident: Incident) -> Page:
    """Return the report as a page."""
    sections = (
        _summary(incident),
        _attention(incident),
        felt.section(incident),
        _timeline(incident),
        resolved.section(incident),
        judged.verification(incident),
        judged.overrides(incident),
        _people(incident),
        hours_after.monitoring(incident),
        hours_after.notifications(incident),
        _follow_ups(incident),
        _files(incident),
        _notes(incident),
    )
    as_of = words.moment(incident.as_of)
    return Page(
        title=incident.title,
        status=Text(text=incident.status, tone=_tone(incident)),
        lead=tuple(_lead(incident)),
        figures=_figures(incident),
        sections=tuple(section for section in sections if section.blocks),
        foot=f"Incident report of run {incident.run or 'unknown'}, by rollback-tui from the run's"
        f" own journal. Newest fact in it: {as_of}. Times are UTC; +seconds count from the run's"
        " beginning.",
    )


def _tone(incident: Incident) -> Tone:
    if incident.outcome in ("rolled_back", "recovered"):
        return "attention" if incident.severity.level in ("critical", "major") else "good"
    return "attention" if incident.outcome in ("refused", "unchanged") else "bad"


# --- what is read first ---------------------------------------------------------------------------


def _lead(incident: Incident) -> list[Text]:
    operator = incident.people.operator
    done = {
        "rollback": "confirmed the rollback",
        "recovery": "confirmed the recovery",
        "reapplication": "confirmed the reapplication",
    }[incident.kind]
    versions = ", ".join(m.version for m in incident.migrations) or "an unknown migration"
    where = incident.target.database if incident.target else "an unknown database"
    place = f" ({incident.environment})" if incident.environment else ""
    name = who(operator) if operator else "Somebody"
    status = f"{incident.status[:1].lower()}{incident.status[1:]}"
    if incident.started_at is None:
        begin = f"The journal of this run has no beginning; {status}."
        return [
            plain(begin),
            plain(_felt(incident.impact)),
            plain(felt.lost_in_a_sentence(incident)),
        ]
    lead = [
        f"{name} {done} of {versions} in {where}{place} at {words.moment(incident.started_at)}."
        f" After {words.seconds(incident.seconds)}: {status}.",
        _felt(incident.impact),
        felt.lost_in_a_sentence(incident),
    ]
    if incident.cause.trigger:
        lead.insert(1, f"Trigger: {incident.cause.trigger}.")
    if incident.cause.reason:
        lead.insert(1, f"Reason: {incident.cause.reason}.")
    if incident.monitoring.begun_at is not None:
        lead.append(_alerts(incident))
    return [plain(text) for text in lead]


def _alerts(incident: Incident) -> str:
    found = incident.monitoring
    so_far = "" if found.ended_at else " so far"
    bad = f" As bad as before the run: {', '.join(found.as_bad_as_before)}."
    bad = bad if found.as_bad_as_before else ""
    if not found.alerts:
        return f"The monitoring afterwards raised no alert{so_far}.{bad}"
    stand = f"{found.standing:,} of them still standing" if found.standing else "none stands now"
    raised = words.some(found.alerts, "alert")
    return f"The monitoring afterwards raised {raised}{so_far}; {stand}.{bad}"


def _felt(impact: Impact) -> str:
    if impact.downtime_seconds == 0:
        out = "Applications were never kept out"
    elif impact.downtime_seconds is None:
        out = "For how long applications are kept out is not known yet"
    else:
        out = f"Applications were kept out for {words.seconds(impact.downtime_seconds)}"
    requests, users = _number(impact.failed_requests), _number(impact.affected_users)
    return f"{out}. Failed requests: {requests}; affected users: {users}."


def _number(found: tuple[Figure, ...]) -> str:
    """One number, or the least and the most where sources differ."""
    known = [one.value for one in found if one.value is not None]
    if not known:
        return "not measured"
    least, most = min(known), max(known)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _by(found: tuple[Figure, ...]) -> str:
    known = [one.source.split(" (")[0] for one in found if one.value is not None]
    if known:
        return "by " + " and ".join(known)
    return "; ".join(f"{one.source.split(' (')[0]}: {one.why}" for one in found) or "nobody asked"


def _figures(incident: Incident) -> tuple[tuple[str, Text, str], ...]:
    impact, severity = incident.impact, incident.severity
    undone = sum(not item.done for item in incident.follow_ups)
    down = (
        "still closed"
        if incident.door and incident.door[-1].until is None
        else words.seconds(impact.downtime_seconds)
    )
    return (
        ("Severity", Text(text=severity.level, tone=TONES[severity.level]), severity.because),
        ("Downtime", plain(down.split(" (")[0]), "door closed to door open"),
        (
            "Failed requests",
            plain(_number(impact.failed_requests)),
            _by(impact.failed_requests),
        ),
        ("Affected users", plain(_number(impact.affected_users)), _by(impact.affected_users)),
        ("Data lost", plain(felt.lost_in_short(incident)), felt.kept_in_short(impact)),
        ("Follow-ups", plain(f"{undone} open"), f"of {len(incident.follow_ups)}"),
    )


# --- sections -------------------------------------------------------------------------------------


def _summary(incident: Incident) -> Section:
    rows = [
        ("Type", plain(incident.type)),
        ("Status", Text(text=incident.status, tone=_tone(incident))),
        (
            "Severity",
            Text(
                text=f"{incident.severity.level}: {incident.severity.because}",
                tone=TONES[incident.severity.level],
            ),
        ),
        ("Trigger", plain(_trigger(incident))),
        ("Reason", plain(incident.cause.reason or "not given")),
    ]
    target = incident.target
    if target is not None:
        server = f"{target.database} on {target.host}:{target.port} as {target.user}"
        rows += [
            ("Database", plain(f"{server}, PostgreSQL {target.major}, {target.role}")),
            ("Fingerprint", code(target.fingerprint)),
        ]
    rows += [
        ("Environment", plain(incident.environment or "not named in the configuration")),
        ("Version", plain(incident.version.words)),
        ("Started", plain(words.moment(incident.started_at))),
        (
            "Ended",
            plain(words.moment(incident.finished_at) if incident.finished_at else "not yet"),
        ),
        ("Duration", plain(words.seconds(incident.seconds))),
        ("Downtime", plain(incident.impact.downtime)),
    ]
    if incident.evidence.commit:
        rows.append(("COMMIT", plain(incident.evidence.commit)))
    if incident.recovers:
        rows.append(("Earlier run", code(incident.recovers)))
    rows.append(("Run", code(incident.run or "unknown")))
    migrations = Table(
        caption="Migrations",
        head=("Version", "Name", "Originally applied", "Script", "SHA-256"),
        rows=tuple(
            (
                plain(m.version),
                plain(m.name),
                plain(words.moment(m.applied_at)),
                code(m.script) if m.script else plain("none"),
                code(m.sha256[:12]),
            )
            for m in incident.migrations
        ),
    )
    blocks = (Facts(rows=tuple(rows)), *((migrations,) if incident.migrations else ()))
    return Section(key="summary", title="Summary", blocks=blocks)


def _trigger(incident: Incident) -> str:
    cause = incident.cause
    if cause.trigger and cause.trigger_by is not None:
        when = words.moment(cause.trigger_at)
        return f"{cause.trigger} (from the follow-ups, {cause.trigger_by}, {when})"
    if cause.trigger:
        return cause.trigger
    started = {
        "screens": "started at the screens",
        "command line": "started by the command line, unattended",
        None: "how it was started is not known",
    }[cause.started_from]
    return f"not given; {started}"


def _attention(incident: Incident) -> Section:
    """What cannot wait: only there when something is wrong."""
    lines = [
        Text(text=f"{alarm.summary}. What to do: {alarm.remedy}", tone="bad")
        for alarm in incident.alarms
    ]
    if incident.door and incident.door[-1].until is None:
        lines.append(Text(text="The door is still closed: applications are kept out.", tone="bad"))
    lines += [
        Text(text=f"Could not be read for this report: {problem}", tone="attention")
        for problem in incident.problems
    ]
    blocks: list[Bullets | Code | Paragraph] = [Bullets(items=tuple(lines))] if lines else []
    if incident.outcome in (None, "needs_operator") and incident.next_commands:
        blocks.append(Paragraph(texts=(plain("Exactly what to type next:"),)))
        blocks.append(Code(text="\n".join(incident.next_commands), language="sh"))
    return Section(key="attention", title="What needs attention now", blocks=tuple(blocks))


def _timeline(incident: Incident) -> Section:
    if not incident.timeline:
        return Section(key="timeline", title="Timeline", blocks=())
    day = ""
    rows = []
    for moment in incident.timeline:
        date, time = moment.at.strftime("%Y-%m-%d"), moment.at.strftime("%H:%M:%S.%f")[:-3]
        shown, day = (time if date == day else f"{date} {time}"), date
        elapsed = "" if moment.elapsed is None else since(moment.elapsed)
        rows.append((plain(shown), plain(elapsed), Text(text=moment.what, tone=moment.tone)))
    phases = tuple(
        (step.phase, step.elapsed, step.seconds, _ended(step.status))
        for step in incident.resolution
        if step.elapsed is not None and step.seconds is not None
    )
    course = Course(seconds=incident.seconds, phases=phases, door=incident.door)
    table = Table(caption="Key events", head=("UTC", "Since", "What happened"), rows=tuple(rows))
    return Section(key="timeline", title="Timeline", blocks=(course, table))


def _ended(status: str) -> Tone:
    return "bad" if status == "failed" else "plain"


def _people(incident: Incident) -> Section:
    operator = incident.people.operator
    rows = []
    if operator is not None:
        rows = [
            ("User", plain(f"{operator.user}, uid {operator.uid}")),
            ("sudo by", plain(operator.sudo_user or "no sudo")),
            ("SSH connection", plain(operator.ssh_connection or "none: not over SSH")),
            ("Host", plain(operator.host or "not known")),
            (
                "Git identity",
                plain(
                    f"{operator.git_identity} (claimed: nobody checked it)"
                    if operator.git_identity
                    else "none configured"
                ),
            ),
        ]
    if incident.people.settled_by:
        rows.append(("Brought to its outcome by", plain(f"the {incident.people.settled_by}")))
    for asked in incident.people.aborted_by:
        rows.append(("Abort asked for by", plain(asked or "a signal, or not known")))
    answers = tuple(
        (
            plain(words.moment(one.at)),
            plain(f"{one.question}: {one.text}" if one.text else one.question),
            plain(one.choice),
            plain(one.who or judged.BY[one.by]),
        )
        for one in incident.people.answers
    )
    blocks: list[Facts | Table | Paragraph] = [Facts(rows=tuple(rows))] if rows else []
    if answers:
        blocks.append(
            Table(
                caption="Questions of the run, and who answered",
                head=("When", "Question", "Answer", "By"),
                rows=answers,
            )
        )
    else:
        blocks.append(Paragraph(texts=(plain("The run asked no question."),)))
    return Section(key="people", title="Who did it", blocks=tuple(blocks))


def _follow_ups(incident: Incident) -> Section:
    return Section(
        key="follow-ups", title="Follow-ups", blocks=(Checklist(items=incident.follow_ups),)
    )


def _files(incident: Incident) -> Section:
    rows = tuple((one.what, code(one.path)) for one in incident.files)
    blocks: list[Facts | Paragraph | Code] = [Facts(rows=rows)] if rows else []
    if incident.next_commands and incident.outcome not in (None, "needs_operator"):
        blocks.append(Paragraph(texts=(plain("What helps to look at it again:"),)))
        blocks.append(Code(text="\n".join(incident.next_commands), language="sh"))
    return Section(key="files", title="Where everything is", blocks=tuple(blocks))


def _notes(incident: Incident) -> Section:
    notes = (
        f"Severity is judged by this rule: {incident.severity.rule}",
        "Downtime, durations and +times are of the run's own monotonic clock; times of day are UTC."
        " What came after the run is timed by the wall clock.",
        "Not measured and not known are said so; they are never counted as none.",
    )
    items = tuple(plain(note) for note in notes)
    return Section(key="notes", title="How to read this", blocks=(Bullets(items=items),))
