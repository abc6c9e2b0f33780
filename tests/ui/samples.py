"""What may be known around the fake shop's plan, for the tests of the preview."""

from __future__ import annotations

import msgspec

from rollback_tui.core.facts import Dependent
from rollback_tui.core.model import Lock, Plan, Statement, Violation
from rollback_tui.core.outlook import InTheWay, Keepable, Mention, Outlook, Written
from rollback_tui.core.recovery import LostRows, RecoveryOption
from rollback_tui.core.rehearsal import (
    Dropped,
    Measured,
    Rehearsal,
    RoundTrip,
    RowsChanged,
)
from rollback_tui.core.schema import Difference
from rollback_tui.core.schema_verdict import Mending, SchemaVerdict
from tests.ui.fake import plan

TOKENS = "public.verification_tokens"


def waits(*statements: int, pid: int = 4714, **more: object) -> InTheWay:
    """backoffice, with a transaction open since a minute and a half."""
    values: dict[str, object] = {
        "statements": statements,
        "relation": "public.users",
        "needed": "AccessExclusive",
        "held": "RowExclusive",
        "granted": True,
        "pid": pid,
        "application": "backoffice",
        "user": "shop",
        "state": "idle in transaction",
        "query": "UPDATE public.users SET email = 'x'",
        "age": 95.0,
        "behind": 2,
    }
    return InTheWay(**{**values, **more})  # type: ignore[arg-type]


def outlook(**more: object) -> Outlook:
    """A view that fails statement 3, a query that still names its column, costs of keeping."""
    values: dict[str, object] = {
        "dependents": (
            Dependent(
                statement=3,
                dropped="public.users.verified_at",
                dependent="view public.active_users",
                cascades=False,
            ),
            Dependent(
                statement=2, dropped=TOKENS, dependent="view public.open_tokens", cascades=True
            ),
        ),
        "mentions": (
            Mention(
                statement=3,
                object="public.users.verified_at",
                source="pg_stat_statements",
                application="",
                user="shop",
                calls=88_123,
                query="SELECT verified_at FROM users WHERE id = $1",
            ),
        ),
        "statistics": True,
        "written": (
            Written(version="20240115103000", relation=TOKENS, rows=312, basis="transaction ids"),
        ),
        "keepable": (
            Keepable(
                statement=2, what=f"5,321 rows of {TOKENS}", rows=5321, bytes=655_360, seconds=0.1
            ),
            Keepable(
                statement=3,
                what="1,204 values of public.users.verified_at",
                rows=1204,
                bytes=40_960,
                seconds=0.02,
            ),
            Keepable(
                statement=4,
                what="",
                rows=None,
                bytes=None,
                seconds=None,
                obstacle="it is a DO block",
            ),
        ),
    }
    return Outlook(**{**values, **more})  # type: ignore[arg-type]


def measured(index: int, **more: object) -> Measured:
    """A statement that did what was forecast, in a moment."""
    statement = plan().statements[index - 1]
    values: dict[str, object] = {
        "index": index,
        "seconds": 0.012,
        "transactional": True,
        "locks": statement.effect.locks,
        "rewritten": (),
        "scanned": (),
        "dropped": (),
        "changed": (),
        "rows": None,
    }
    return Measured(**{**values, **more})  # type: ignore[arg-type]


def rehearsal(**more: object) -> Rehearsal:
    """All five statements; the DO block deletes rows and takes a lock that nobody foresaw."""
    values: dict[str, object] = {
        "plan_sha256": plan().sha256,
        "source": "schema",
        "embedded": False,
        "server_version": 180004,
        "database": "shop__rehearsal_1a2b3c4d",
        "made_seconds": 0.6,
        "seconds": 1.4,
        "statements": (
            measured(1),
            measured(
                2, dropped=(Dropped(kind="view", name="public.open_tokens", collateral=True),)
            ),
            measured(3, rewritten=("public.users",), seconds=0.73),
            measured(
                4,
                locks=(Lock(relation="public.sessions", mode="RowExclusive"),),
                changed=(
                    RowsChanged(relation="public.sessions", inserted=0, updated=0, deleted=17),
                ),
            ),
            measured(5),
        ),
        "round_trip": RoundTrip(verdict="pass", summary="The schema was the same again."),
        "differences": ("statement 3: wrote public.users anew: no rewrite had been forecast",),
        "notes": ("work_mem is not set as on the target",),
    }
    return Rehearsal(**{**values, **more})  # type: ignore[arg-type]


def changed_plan(index: int, **more: object) -> Plan:
    """The shop's plan with one statement changed."""

    def change(statement: Statement) -> Statement:
        return msgspec.structs.replace(statement, **more) if statement.index == index else statement

    return plan().with_statements(change)


def violation(**more: object) -> Violation:
    """Three users without an address, where the script restores NOT NULL."""
    values: dict[str, object] = {
        "rule": "not null",
        "relation": "public.users",
        "name": "email",
        "count": 3,
    }
    return Violation(**{**values, **more})  # type: ignore[arg-type]


def many(total: int, destructive: tuple[int, ...]) -> Plan:
    """A script of ``total`` statements of which few lose data."""
    whole = plan()
    script = whole.migrations[0].script
    assert script is not None
    harmless, drop = script.statements[0], script.statements[1]
    statements = tuple(
        msgspec.structs.replace(drop if n in destructive else harmless, index=n, line=n)
        for n in range(1, total + 1)
    )
    script = msgspec.structs.replace(script, statements=statements, sha256="cd" * 32)
    migration = msgspec.structs.replace(whole.migrations[0], script=script)
    return msgspec.structs.replace(whole, migrations=(migration,))


LABEL = Difference(
    object="type public.mood", before="enum (sad, ok)", after="enum (sad, ok, happy)"
)
REQUIRED = Difference(object="column public.users.email", before="text NOT NULL", after="text")
LOST_VIEW = Difference(
    object="view public.recent_orders", before="SELECT id FROM orders", after=None
)


def foreseen(**more: object) -> SchemaVerdict:
    """An enum label that stays, and a column that loses its NOT NULL."""
    values: dict[str, object] = {
        "kind": "leftover",
        "origin": "recorded",
        "version": "20240110090000",
        "objects": 217,
        "leftover": (REQUIRED, LABEL),
        "mending": (
            Mending(
                object=REQUIRED.object,
                sql=("ALTER TABLE public.users ALTER COLUMN email SET NOT NULL",),
                why="reads the whole table under a lock",
            ),
            Mending(object=LABEL.object, why="a label of an enum cannot be removed"),
        ),
        "notes": ("order of columns differs: public.users",),
    }
    return SchemaVerdict(**{**values, **more})  # type: ignore[arg-type]


def clean(kind: str, **more: object) -> SchemaVerdict:
    """A verdict with nothing left over."""
    return foreseen(kind=kind, leftover=(), mending=(), **more)


def rungs() -> tuple[RecoveryOption, ...]:
    """A copy that can be swapped in, a dump that cannot be read, and a backup outside."""
    return (
        RecoveryOption(
            rung="clone",
            title="Swap the copy in",
            restores="shop as it was at 03:13:02, when the door closed.",
            estimated_seconds=0.3,
            lost=(
                LostRows(table="public.orders", rows=1204, basis="compared row by row"),
                LostRows(table="public.users", rows=3, basis="compared row by row"),
            ),
            confirm="lose 1,207 rows",
        ),
        RecoveryOption(
            rung="dump",
            title="Restore the checkpoint beside, and swap",
            restores="shop as it was at 03:13:00, when the dump was made.",
            estimated_seconds=32.0,
            lost=None,
            obstacle="toc.dat is not as in the manifest",
            remedy="rollback-tui checkpoint verify",
            confirm="lose an unknown number of rows",
        ),
        RecoveryOption(
            rung="external",
            title="The backup by pgBackRest",
            restores="The whole server as of the restore point rollback_6f1c.",
            estimated_seconds=None,
            lost=(LostRows(table="public.orders", rows=None, basis="no counters"),),
            commands=(
                "systemctl stop postgresql",
                "pgbackrest --stanza=main --type=name --target=rollback_6f1c restore",
            ),
        ),
    )
