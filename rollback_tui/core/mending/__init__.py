"""The DDL that would mend a schema: derived from what should be, what is, and both snapshots.

It is shown, to be read and copied; nothing here executes anything. Where nothing can be derived it
says why. Definitions are those of :mod:`rollback_tui.postgres.schema`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from rollback_tui.core.mending import code, columns, hanging, kinds, others, rights, tables
from rollback_tui.core.mending.actions import Action, Stage, ordered
from rollback_tui.core.mending.names import belonging, families, named
from rollback_tui.core.schema import Difference, SchemaSnapshot
from rollback_tui.core.schema_verdict import Mending, SchemaVerdict

__all__ = ["belonging", "mend", "mended", "named"]

_Mender = Callable[[Difference, SchemaSnapshot, SchemaSnapshot], Iterator[Action]]

_MENDERS: dict[str, _Mender] = {
    "table": tables.mend_table,
    "sequence": tables.mend_sequence,
    "column": columns.mend_column,
    "constraint": hanging.mend_constraint,
    "index": hanging.mend_index,
    "statistics": hanging.mend_statistics,
    "trigger": hanging.mend_trigger,
    "rule": hanging.mend_trigger,
    "internal triggers of": hanging.mend_internal_triggers,
    "policy": hanging.mend_policy,
    "type": kinds.mend_type,
    "view": code.mend_view,
    "materialised view": code.mend_view,
    "function": code.mend_function,
    "procedure": code.mend_function,
    "aggregate": code.mend_function,
    "event trigger": code.mend_event_trigger,
    "owner of": rights.mend_owner,
    "grants on": rights.mend_grants,
    "default grants": rights.mend_default_grants,
    "comment on": rights.mend_comment,
    "schema": rights.mend_schema,
    "extension": rights.mend_extension,
}

_WHOLE = (
    "table",
    "view",
    "materialised view",
    "sequence",
    "type",
    "function",
    "procedure",
    "aggregate",
)
_LOSING = (
    "DROP VIEW ",
    "DROP MATERIALIZED VIEW ",
    "DROP FUNCTION ",
    "DROP PROCEDURE ",
    "DROP AGGREGATE ",
    "DROP INDEX ",
)
"""What hangs on such an object is lost with it."""


_MOST = 500
"""Nobody reads more statements than for so many differences, and to derive them takes its time."""


def mended(
    verdict: SchemaVerdict, after: SchemaSnapshot, baseline: SchemaSnapshot
) -> SchemaVerdict:
    """Return ``verdict`` with what would mend what is left over."""
    return msgspec.structs.replace(
        verdict, mending=mend(verdict.leftover, wanted=baseline, found=after)
    )


def mend(
    differences: Sequence[Difference], *, wanted: SchemaSnapshot, found: SchemaSnapshot
) -> tuple[Mending, ...]:
    """Return what makes ``differences`` (``before`` what should be, ``after`` what is) go away, in
    an order in which it can be executed. An object may come twice: dropped early, made late."""
    if len(differences) > _MOST:
        why = f"{len(differences):,} differences: no statements are derived for so many"
        return (Mending(object="all of it", why=why),)
    given = {d.object: d for d in differences}
    for name in [n for n in given if n.startswith("owner of ")]:
        then = rights.after_change_of_owner(named(name).name, wanted, found)
        given |= {d.object: d for d in then if d.before != d.after}
        given = {n: d for n, d in given.items() if n not in {x.object for x in then} or d in then}
    taken = _along(given, wanted, found)
    actions: list[Action] = []
    for difference in given.values():
        if difference.object not in taken:
            mender = _MENDERS.get(named(difference.object).kind, others.mend_other)
            actions += mender(difference, wanted, found)
    actions += _remade(actions, given, wanted, found)
    actions += _reborn(actions, wanted, found)
    return tuple(
        Mending(object=action.object, sql=action.sql, why=action.why)
        for action in ordered(actions)
        if action.sql or action.why
    )


def _along(given: dict[str, Difference], wanted: SchemaSnapshot, found: SchemaSnapshot) -> set[str]:
    """Return the objects that come or go with a whole one: columns of a table that is made, all
    that hangs on one that is dropped."""
    taken: set[str] = set()
    below, above = families(found), families(wanted)
    for name, difference in given.items():
        if named(name).kind not in _WHOLE:
            continue
        if difference.before is None:
            taken |= {n for n in below.get(named(name).name, ()) if n not in wanted.objects}
        elif difference.after is None and named(name).kind == "table":
            taken |= {n for n in above.get(named(name).name, ()) if n.startswith("column ")}
    return taken


def _remade(
    actions: Sequence[Action],
    given: dict[str, Difference],
    wanted: SchemaSnapshot,
    found: SchemaSnapshot,
) -> list[Action]:
    """What is dropped to be made again loses what hung on it: that must be made again as well,
    though it did not differ."""
    again: list[Action] = []
    below = families(wanted)
    for name in dict.fromkeys(action.object for action in actions if _drops(action)):
        difference = given.get(name)
        if difference is None or difference.before is None:
            continue
        for other in below.get(named(name).name, ()):
            if other in given:
                continue
            mender = _MENDERS.get(named(other).kind)
            if mender is None or named(other).kind == "column":
                continue
            lost = Difference(object=other, before=wanted.objects[other], after=None)
            again += mender(lost, wanted, found)
    return again


_MAKING = (
    Stage.CREATE_TABLE,
    Stage.CREATE_VIEW,
    Stage.CREATE_SEQUENCE,
    Stage.CREATE_TYPE,
    Stage.CREATE_FUNCTION,
    Stage.EARLY_FUNCTION,
)


def _reborn(
    actions: Sequence[Action], wanted: SchemaSnapshot, found: SchemaSnapshot
) -> list[Action]:
    """What is made gets the grants of default privileges: those it should not have are revoked."""
    again: list[Action] = []
    for name in dict.fromkeys(a.object for a in actions if a.stage in _MAKING and a.sql):
        if sql := rights.born_with(name, wanted, found):
            again.append(Action(name, Stage.GRANTS, sql))
    return again


def _drops(action: Action) -> bool:
    return any(
        text.startswith(_LOSING) or (text.startswith("ALTER TYPE ") and " RENAME TO " in text)
        for text in action.sql
    )
