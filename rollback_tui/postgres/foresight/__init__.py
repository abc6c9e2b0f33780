"""What a statement will do, told by its parse tree and the target's catalog together.

Each family of statements has a module with resolvers: functions (:class:`Catalog`, the effect that
the tree alone gave, the fields of the statement's node) → the effect, resolved. One that meets
something it cannot know raises :class:`Unsure`; the effect then stays what the text tells.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence

import psycopg

from rollback_tui.core.model import Effect, Statement
from rollback_tui.core.script.tree import opened
from rollback_tui.postgres.aside import aside, canonical_from_here
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.foresight import aftermath, ahead
from rollback_tui.postgres.foresight.catalog import Catalog, Cursor, Unsure
from rollback_tui.postgres.foresight.resolvers import RESOLVERS

Tree = Mapping[str, object]

MOST_SECONDS = 10.0
"""For all statements of a plan; what is not resolved by then stays what the text tells."""

_CUT_SHORT = (
    psycopg.errors.QueryCanceled,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.InternalError_,
)
"""The catalog is too large for the time there is; or somebody changes it in this very moment
("cache lookup failed")."""


def foresee(
    connection: Connection,
    statements: Sequence[Statement],
    trees: Sequence[Tree | None],
    *,
    first: Collection[int] = (),
) -> tuple[Effect, ...]:
    """Return the effect of each statement, resolved against the catalog as it is now.

    ``trees`` has the parse tree of each statement, None where nobody could read it. ``first`` are
    the indexes of the statements that begin a script: the run puts the search_path back before
    each, so what the script before did to it does not matter there. Statements
    are taken in their order: what one drops, makes or renames is not looked up for a later one.
    Nothing is changed and no lock of a user's relation is taken. An effect is returned as it was,
    not ``resolved``, when the catalog does not tell, or not in time. Raises psycopg.Error.
    """
    if not statements:
        return ()
    deadline = time.monotonic() + MOST_SECONDS
    found: list[Effect] = []
    try:
        with aside(connection, seconds=MOST_SECONDS) as cursor:
            catalog = _catalog(cursor, statements)
            for statement, tree in zip(statements, trees, strict=True):
                if time.monotonic() > deadline:
                    break
                if statement.index in first:
                    catalog.begin_script()
                found.append(_resolved(catalog, statement.effect, tree))
    except _CUT_SHORT:
        pass  # what was found so far holds
    return (*found, *(s.effect for s in statements[len(found) :]))


def _catalog(cursor: Cursor, statements: Sequence[Statement]) -> Catalog:
    row = cursor.execute(
        "SELECT array_remove(current_schemas(true)::text[], 'pg_catalog'),"
        " current_setting('TimeZone'), current_setting('server_version_num')::int"
    ).fetchone()
    assert row is not None  # noqa: S101 - a SELECT without FROM has always one row
    objects = ahead.objects(cursor, statements)
    cursor.execute("SET LOCAL transaction_read_only = on; SET LOCAL lock_timeout = 1000")
    canonical_from_here(cursor)
    path, timezone, version = row
    catalog = Catalog(cursor, path, version=version, timezone=timezone)
    catalog.objects = objects
    ahead.prefetch(catalog, [statement.effect for statement in statements])
    return catalog


def _resolved(catalog: Catalog, effect: Effect, tree: Tree | None) -> Effect:
    """Resolve one statement, and remember what it changes for the next ones."""
    if tree is None:
        catalog.lost = True
    if tree is None or catalog.lost:
        return effect
    kind, fields = opened(tree)
    resolver = RESOLVERS.get(kind)
    found = effect
    if resolver is not None:
        try:
            found = resolver(catalog, effect, fields)
        except Unsure:
            found = effect
    aftermath.remember(catalog, found, kind, fields)
    return found
