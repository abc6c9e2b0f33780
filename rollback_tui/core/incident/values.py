"""The incident report as a value. Its JSON is stable: docs/json.md names every field.

Texts in it are as they came: whoever shows them makes them inert. None is *unknown* or *not
measured*, never zero; ``why`` then says why.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from rollback_tui.core.follow_ups import FollowUp
from rollback_tui.core.model import Operator, Outcome, RowChange, Target, Verification
from rollback_tui.core.monitoring.values import Metric, Unit
from rollback_tui.core.report.losses import Lost
from rollback_tui.core.value import Value

Level = Literal["critical", "major", "minor", "none"]

Tone = Literal["plain", "good", "attention", "bad"]
"""How a fact is to be read; a colour is never the only thing that says it."""

Kind = Literal["rollback", "recovery", "reapplication"]

StartedFrom = Literal["screens", "command line"]
"""``command line``: unattended, every question took its safe answer."""

Source = Literal["journal", "monitoring", "notifications", "follow_ups"]


class Severity(Value, frozen=True, kw_only=True):
    """How bad it was, by a rule that is stated."""

    level: Level
    because: str
    """What of the rule applied."""
    rule: str
    """The whole rule, in words."""


class Moment(Value, frozen=True, kw_only=True):
    """One line of the timeline."""

    at: datetime
    elapsed: float | None
    """Seconds since the run began: of the journal's monotonic clock, of others by the wall clock.
    None: the run's beginning is not known."""
    what: str
    tone: Tone = "plain"
    source: Source = "journal"


class Figure(Value, frozen=True, kw_only=True):
    """A number of somebody's, or why there is none."""

    value: int | None
    source: str
    """Who says so: ``impact command shop-impact``, ``Prometheus``."""
    why: str = ""


class Probes(Value, frozen=True, kw_only=True):
    """What the health probes met between the first and the last of the run."""

    failed: int
    asked: int


class Archived(Value, frozen=True, kw_only=True):
    """What a statement removed, and where it was copied first."""

    statement: int
    what: str
    """``42 values of public.users.verified_at``."""
    rows: int
    table: str


class LostSince(Value, frozen=True, kw_only=True):
    """Rows written since, which a recovery took away."""

    table: str
    rows: int | None
    basis: str


class Impact(Value, frozen=True, kw_only=True):
    """What users and data felt."""

    downtime_seconds: float | None
    """From the door's closing to its opening, by the monotonic clock. None: it is still closed, or
    the run never said."""
    downtime: str
    """The same in words; how the door was closed, and whom that kept out."""
    failed_requests: tuple[Figure, ...]
    """Of each source that was asked; empty: none was, it is not measured."""
    affected_users: tuple[Figure, ...]
    probes: Probes | None
    """None: no health URL was asked."""
    sessions_ended: int
    lost: tuple[Lost, ...]
    """Rows and values that statements removed or overwrote; ``kept``: archived first."""
    lost_since: tuple[LostSince, ...]
    lost_known: bool
    """False: more may be lost than is listed, or a number is missing."""
    lost_words: str
    archived: tuple[Archived, ...]
    restore_archived: str
    """The command that gives back what is archived; empty: nothing is."""


class Deed(Value, frozen=True, kw_only=True):
    """Something that was done in a phase."""

    kind: Literal["statement", "sql", "version", "hook", "recovery"]
    """``sql``: the tool's own, that changes something. ``version``: the framework's table."""
    at: datetime
    elapsed: float
    seconds: float | None
    what: str
    result: str
    """``done: ALTER TABLE``, ``FAILED``, ``rolled back`` …"""
    tone: Tone = "plain"
    sql: str = ""


class Step(Value, frozen=True, kw_only=True):
    """One phase as it was gone through."""

    phase: str
    status: str
    at: datetime | None
    elapsed: float | None
    seconds: float | None
    summary: str
    deeds: tuple[Deed, ...]


class Cause(Value, frozen=True, kw_only=True):
    """Why it was done, as far as somebody said."""

    trigger: str | None
    """What made it necessary, as it was given; None: it was not."""
    trigger_by: str | None
    """Who touched the follow-up last whose note the trigger is; None: it was given with the run."""
    trigger_at: datetime | None
    """When they did."""
    reason: str | None
    started_from: StartedFrom | None
    """None: an earlier version did not say."""


class Version(Value, frozen=True, kw_only=True):
    """The version of the schema, by the framework's own table."""

    before: str | None
    after: str | None
    """The one that is current now, as far as the outcome tells; None: not known, or none."""
    words: str
    """Both, and what is not known of them."""


class Migrated(Value, frozen=True, kw_only=True):
    """A migration that was taken back, or was to be."""

    version: str
    name: str
    applied_at: datetime | None
    script: str
    sha256: str


class Checked(Value, frozen=True, kw_only=True):
    """A safety check that did not pass."""

    name: str
    title: str
    status: str
    summary: str


class Override(Value, frozen=True, kw_only=True):
    """A failed check that was set aside, or a difference that was accepted beforehand."""

    kind: Literal["check", "verification", "schema", "declared"]
    """``declared``: by the configuration."""
    name: str
    title: str
    reason: str


class Answer(Value, frozen=True, kw_only=True):
    """A question of the run, and who answered it."""

    at: datetime
    question: str
    text: str
    choice: str
    by: str
    """``operator``, ``deadline``, ``configuration``."""
    who: str
    """From where it came; empty: not known."""


class People(Value, frozen=True, kw_only=True):
    """Who did it."""

    operator: Operator | None
    """``git_identity`` is claimed: nobody checked it."""
    answers: tuple[Answer, ...]
    aborted_by: tuple[str, ...]
    settled_by: str
    """``guardian``, ``operator``; empty: the worker came to its end itself."""


class Watched(Value, frozen=True, kw_only=True):
    """One metric of the monitoring."""

    metric: Metric
    unit: Unit | None
    """None: not known, for nothing said it."""
    usual: float | None
    worst: float | None
    worst_at: datetime | None
    now: float | None
    threshold: float | None
    """From where it is an alert; None: it was not judged."""
    level: float | None
    """The normal alert level, of which the threshold is a share."""
    worse: Literal["above", "below"]
    alerts: int
    standing: bool
    """An alert has not come back."""
    measured: int
    """Readings with a value."""
    missing: int
    """Readings without one, though there was something to be measured."""
    why: str
    """Why it was not monitored, or why its last reading has no value; empty otherwise."""
    nothing: bool
    """``why`` is no trouble: there is nothing to be measured, and there was nothing before."""
    rule: str
    points: tuple[tuple[float, float | None], ...]
    """(seconds since the monitoring began, value), at most 120: each the worst of its stretch of
    time; a value of None is a gap."""
    raised: tuple[float, ...]
    """Seconds since the monitoring began of each alert."""


class Monitoring(Value, frozen=True, kw_only=True):
    """The closer monitoring after the run."""

    begun_at: datetime | None
    """None: there was none; ``why`` says why."""
    until: datetime | None
    ended_at: datetime | None
    """None: it goes on, or it stopped without a word."""
    ended: str
    """Why it ended, and by whom; empty: it has not."""
    samples: int
    newest_at: datetime | None
    """When the newest of them was taken; None: there is none."""
    interval_seconds: float | None
    gap_seconds: float
    """Nobody measured for so long."""
    alerts: int
    standing: int
    metrics: tuple[Watched, ...]
    why: str = ""
    as_bad_as_before: tuple[Metric, ...] = ()
    """Past where an alert would stand in the newest sample, and so before the run already."""


class Notified(Value, frozen=True, kw_only=True):
    """One thing that was told, or is to be told, to one place."""

    at: datetime
    """When it happened."""
    occasion: str
    level: str
    title: str
    place: str
    state: Literal["delivered", "pending", "given up"]
    delivered_at: datetime | None
    attempts: int
    why: str
    """What went wrong last; empty when it was delivered at once."""


class Hooked(Value, frozen=True, kw_only=True):
    """A hook of the configuration that was called in the run."""

    at: datetime
    name: str
    ok: bool
    seconds: float
    summary: str


class Closed(Value, frozen=True, kw_only=True):
    """The door was closed for so long: in seconds since the run began."""

    since: float
    until: float | None
    """None: it is closed still."""


class Alarmed(Value, frozen=True, kw_only=True):
    """Something that must be done by hand."""

    summary: str
    remedy: str


class File(Value, frozen=True, kw_only=True):
    """A file or directory that the run kept."""

    what: str
    path: str


class Evidence(Value, frozen=True, kw_only=True):
    """What proves the outcome, and what was set aside on the way to it."""

    commit: str
    """How it is known whether COMMIT happened; empty where it never came to that."""
    failure: str
    """The server's own words; empty: no statement failed."""
    unchanged: str
    """What proves that nothing changed, after a failure; empty: nothing had to."""
    verifications: tuple[Verification, ...]
    rows_changed: tuple[RowChange, ...]
    """Tables whose rows are not as before, or were not counted."""
    checks: tuple[Checked, ...]
    checks_passed: int
    overrides: tuple[Override, ...]


class Incident(Value, frozen=True, kw_only=True):
    """All of it."""

    format: Literal[1] = 1
    run: str | None
    """UUID; None: the journal does not hold the beginning of a run."""
    folder: str
    as_of: datetime | None
    """The newest fact in it. The same facts give the same report, whenever it is made."""
    kind: Kind
    type: str
    """``Rollback of a migration in production``."""
    title: str
    status: str
    """The outcome in a phrase."""
    outcome: Outcome | None
    """None: the run goes on, or was interrupted and not settled yet."""
    summary: str
    severity: Severity
    cause: Cause
    environment: str | None
    target: Target | None
    recovers: str | None
    """Folder of the earlier run that this one brought back."""
    framework: str | None
    version: Version
    migrations: tuple[Migrated, ...]
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float
    door: tuple[Closed, ...]
    """When it was closed; empty: never."""
    timeline: tuple[Moment, ...]
    impact: Impact
    resolution: tuple[Step, ...]
    evidence: Evidence
    people: People
    monitoring: Monitoring
    notified: tuple[Notified, ...]
    hooks: tuple[Hooked, ...]
    alarms: tuple[Alarmed, ...]
    follow_ups: tuple[FollowUp, ...]
    files: tuple[File, ...]
    next_commands: tuple[str, ...]
    problems: tuple[str, ...]
    """What could not be read when this was made: it is not known what it would have said."""
