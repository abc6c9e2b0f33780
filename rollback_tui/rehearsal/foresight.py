"""What the schema will be like after the run, and whose doing the differences are.

The scratch database need not be the target in everything: another major version writes definitions
otherwise, and what a role may not see is not in a dump. So only what the plan changed there is
taken from it; all else is as the target has it now.
"""

from __future__ import annotations

import msgspec
import psycopg

from rollback_tui.core.errors import ConfigurationError, RollbackTuiError
from rollback_tui.core.mending import mended
from rollback_tui.core.schema import SchemaSnapshot, carried_over
from rollback_tui.core.schema_verdict import SchemaVerdict, verdict
from rollback_tui.rehearsal.order import Order, Original, Stopped, words_of
from rollback_tui.rehearsal.replay import replay
from rollback_tui.survey.baseline import Baselines, for_plan, save
from rollback_tui.survey.ups import Ups, known_ups


def foreseen(
    order: Order, original: Original, before: SchemaSnapshot, after: SchemaSnapshot
) -> SchemaVerdict:
    """Judge the schema that the plan would leave on the target.

    ``before`` and ``after`` are of the scratch database. Where no baseline of the goal was
    recorded, or where without that of the current version nobody could say what had drifted, both
    are replayed, and kept. What is not known is unknown, with the reason: this raises nothing.
    """
    here = original.schema
    will_be = carried_over(here, before, after)
    ups = known_ups(order.plan)
    known = _kept(order, original, ups)
    if known.goal is None and not order.plan.version_stays:
        known = _replayed(order, original, ups, known)
    found = _judged(order, known, here, will_be)
    if found.unsure:
        known = _replayed(order, original, ups, known)
        found = _judged(order, known, here, will_be)
    return found if known.goal is None else mended(found, will_be, known.goal)


def _judged(
    order: Order, known: Baselines, here: SchemaSnapshot, will_be: SchemaSnapshot
) -> SchemaVerdict:
    return verdict(
        will_be,
        known.goal,
        before=here,
        current=known.current,
        origin=known.origin,
        version=order.plan.goal or "",
        bookkeeping=order.plan.books,
        why=known.why,
        baseline_at=known.recorded_at,
    )


def _kept(order: Order, original: Original, ups: Ups) -> Baselines:
    directory = order.project / order.settings.verify.baseline_directory
    try:
        return for_plan(directory, order.plan, original.target.server_version, ups)
    except ConfigurationError as error:
        order.note(error.summary)
        return Baselines(goal=None, current=None, origin="none", why=error.summary)


def _replayed(order: Order, original: Original, ups: Ups, known: Baselines) -> Baselines:
    """Return what is known when both versions were replayed and kept; with the reason, when they
    could not be. A replay that is valid still is not made again."""
    directory = order.project / order.settings.verify.baseline_directory
    try:
        for baseline in replay(order, ups):
            save(directory, baseline)
        again = for_plan(directory, order.plan, original.target.server_version, ups)
    except Stopped:
        return _without(known, "the replay of the up scripts was stopped")
    except RollbackTuiError as error:
        order.farewell(f"not replayed: {error.summary}")
        return _without(known, f"the up scripts cannot be replayed: {error.summary}")
    except psycopg.Error as error:
        return _without(known, f"the up scripts cannot be replayed: {words_of(error)}")
    return again if again.goal is not None or known.goal is None else known


def _without(known: Baselines, why: str) -> Baselines:
    if known.goal is not None:
        return known
    return msgspec.structs.replace(known, why=f"{known.why}; {why}" if known.why else why)
