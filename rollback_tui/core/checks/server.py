"""Is this the right server, reached the right way, by a role that may do it?"""

from __future__ import annotations

from rollback_tui.core.checks.verdicts import Question, some
from rollback_tui.core.facts import Facts
from rollback_tui.core.model import CheckResult

FINGERPRINT = Question("target_fingerprint", "The confirmed database", fixed=True)
STANDBY = Question("not_standby", "Not a standby", fixed=True)
POOLER = Question("no_pooler", "No pooler in between", fixed=True)
PRIVILEGES = Question("privileges", "Privileges")
DOOR = Question("door", "Door")


def target_fingerprint(facts: Facts) -> CheckResult:
    """Cluster, database and role of the server together: a typo or a failover changes it."""
    target = facts.target
    where = f"{target.database} on {target.host}:{target.port}, {target.role}"
    evidence = (
        where,
        f"fingerprint {target.fingerprint}, system identifier {target.system_identifier}",
    )
    if facts.confirmed_fingerprint is None:
        return FINGERPRINT.passed(f"this is {target.fingerprint}: {where}", evidence)
    if facts.confirmed_fingerprint != target.fingerprint:
        return FINGERPRINT.failed(
            "this is not the database that was confirmed",
            (*evidence, f"confirmed was {facts.confirmed_fingerprint}"),
            "Look at the connection settings, then begin again at screen 1.",
        )
    return FINGERPRINT.passed(f"still {target.fingerprint}, as confirmed", evidence)


def not_standby(facts: Facts) -> CheckResult:
    """A standby cannot be written to; what it shows is the primary's past."""
    if facts.target.role == "standby":
        return STANDBY.failed(
            "this server is a standby: it cannot be written to",
            (f"pg_is_in_recovery() on {facts.target.host}:{facts.target.port}",),
            "Connect to the primary.",
        )
    return STANDBY.passed("this server is the primary")


def no_pooler(facts: Facts) -> CheckResult:
    """Behind a pooler, locks and settings leak between its clients (faults seen in pgbouncer)."""
    if facts.pooler is None:
        return POOLER.unknown(
            facts,
            "pooler",
            "not known whether a pooler is in between",
            "Connect straight to PostgreSQL's own port.",
        )
    if facts.pooler:
        return POOLER.failed(
            "a pooler is in between: locks and settings would leak",
            ("the backend that answers is not the one that gave us its key",),
            "Connect straight to PostgreSQL's own port (often 5432).",
        )
    return POOLER.passed("we speak to PostgreSQL itself")


def privileges(facts: Facts) -> CheckResult:
    """What the role may not change, and what it would not see."""
    rights = facts.privileges
    user = facts.target.user
    if rights is None:
        return PRIVILEGES.unknown(
            facts, "privileges", "the role's privileges could not be read", "Try again."
        )
    if rights.not_owned:
        return PRIVILEGES.failed(
            f"{user} may not change {some(len(rights.not_owned), 'object')} of the plan",
            rights.not_owned,
            "Connect as their owner, or as a superuser.",
        )
    if rights.row_security:
        return PRIVILEGES.failed(
            "row-level security hides rows: dump and counts would lack them",
            rights.row_security,
            "Connect as a role with BYPASSRLS, or as the tables' owner.",
        )
    missing = [
        text
        for has, text in (
            (rights.read_all_stats, "pg_read_all_stats: queries of other roles are hidden"),
            (rights.signal_backend, "pg_signal_backend: other roles' sessions cannot be ended"),
            (rights.database_owner, "owner of the database: the door cannot be closed"),
        )
        if not has and not rights.superuser
    ]
    if missing:
        return PRIVILEGES.warned(
            f"enough for the statements, {some(len(missing), 'right')} missing",
            missing,
            "Grant these, or go on: the checks below say what cannot be done.",
        )
    kind = "superuser" if rights.superuser else "owner of the database"
    return PRIVILEGES.passed(f"{user} is {kind} and may do all of it")


def door(facts: Facts) -> CheckResult:
    """Say exactly which rung of the door it will be, why not a better one, and whom it does not
    keep out."""
    if facts.door == "none":
        return DOOR.warned(
            "no door: applications keep working beside the run",
            ('[door] mode = "open"; sessions that need locked tables wait',),
            'For a closed door set [door] mode = "closed" in rollback.toml.',
        )
    if any(line.startswith("door:") for line in facts.unreadable):
        return DOOR.unknown(
            facts,
            "door",
            "not known how the door can be closed",
            "Set connection.maintenance_database to another database that this role may enter.",
        )
    if facts.door == "rename":
        return DOOR.passed(
            "applications cannot enter, nor superusers",
            ("the database is renamed while the run has it; a placeholder keeps its name",),
        )
    if facts.door == "terminate":
        return DOOR.warned(
            "sessions are only terminated: applications can come back",
            facts.door_why,
            "Connect as the owner of the database, with CREATEDB, or stop the applications.",
        )
    superusers = sorted(
        {
            f"{s.application or '-'} as {s.user}"
            for s in (facts.activity.sessions if facts.activity else ())
            if s.superuser and not s.ours and s.backend_type == "client backend"
        }
    )
    if superusers:
        return DOOR.warned(
            "applications cannot enter, but superusers can, and some do",
            (*superusers, *facts.door_why),
            "Stop these, give the application a role that is no superuser, or clear what keeps"
            " the database from being renamed.",
        )
    return DOOR.passed(
        "applications cannot enter; superusers can still enter",
        ("connection limit 0, then the sessions are ended", *facts.door_why),
    )
