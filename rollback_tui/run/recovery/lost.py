"""What an earlier run's undoing would lose: rows that were written since.

Before anything is restored the server alone is asked, and the numbers are labelled so. Behind the
closed door, with both databases standing, every row is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from rollback_tui.core.recovery import LostRows
from rollback_tui.core.text import printable
from rollback_tui.postgres import counts
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.differing import Differing, differing
from rollback_tui.postgres.since import LARGE_OBJECTS, Since, has_large_objects, written_since
from rollback_tui.run.recovery.earlier import Earlier

_WITH_ROWS = ("table", "partitioned table")


def about_lost(
    live: Connection,
    earlier: Earlier,
    checkpoint: Mapping[str, int | None],
    *,
    skip: frozenset[str],
    seconds: float,
) -> tuple[LostRows, ...]:
    """Return what would be lost as far as the target alone can tell, within ``seconds``.

    ``checkpoint``: rows by table in the dump that would be restored, which is older than the run;
    empty for a copy that was made behind the run's own door. ``skip``: tables that the run itself
    changed and nobody else writes to. Raises psycopg.Error when the connection is of no use.
    """
    boundary = earlier.boundary
    before = {row.table: row.before for row in earlier.view.rows}
    if earlier.view.captured is not None:
        before = {row.table: row.before for row in earlier.view.captured.rows} | before
    found = []
    for one in written_since(live, boundary, seconds):
        if one.table in skip:
            continue
        between = _between(before.get(one.table), checkpoint.get(one.table))
        lost = _about(one, earlier.left.get(one.table, before.get(one.table)), between)
        if lost.rows != 0:
            found.append(lost)
    return tuple(found)


def _between(at_the_door: int | None, in_the_dump: int | None) -> int:
    """Rows that came or went after the dump and before the run's door."""
    if at_the_door is None or in_the_dump is None:
        return 0
    return abs(at_the_door - in_the_dump)


def _about(one: Since, left: int | None, between: int) -> LostRows:
    """``left``: rows when the run ended; None: it did not count them."""
    if one.rows is None:
        return LostRows(table=one.table, rows=None, basis=one.why)
    gone = max(0, left - one.rows) if left is not None else 0
    said = [f"{gone:,} fewer than the run left"] if gone else []
    said += [f"{between:,} came or went between checkpoint and run"] if between else []
    if one.written is not None:
        said = [f"{one.written:,} written since, by their transaction ids", *said]
        return LostRows(table=one.table, rows=one.written + gone + between, basis="; ".join(said))
    if left is None:
        why = "nobody knows how many rows there were when the run ended"
        return LostRows(table=one.table, rows=None, basis=why)
    more = max(0, one.rows - left)
    said = [f"counted: {one.rows:,} rows, the run left {left:,}; changed ones are not seen", *said]
    return LostRows(table=one.table, rows=more + gone + between, basis="; ".join(said))


def exactly_lost(
    live: Connection,
    other: Connection,
    earlier: Earlier,
    *,
    skip: frozenset[str],
    seconds: float,
    said: Callable[[str, int, int], None],
) -> tuple[LostRows, ...]:
    """Compare ``live`` row by row with the database that would take its place, within ``seconds``,
    the smallest tables first; nobody may be writing. Raises psycopg.Error.

    ``said`` is told each table before it is compared: its name, its place and how many there are.
    """
    names = [t.name for t in reversed(counts.tables(live)) if t.kind in _WITH_ROWS]
    # Where there are none on either side there is nothing to ask the privileges of a superuser for.
    names += [LARGE_OBJECTS] if has_large_objects(live) or has_large_objects(other) else []
    wanted = [name for name in names if name not in skip]

    def told() -> Iterator[str]:
        for place, name in enumerate(wanted, 1):
            said(name, place, len(wanted))
            yield name

    compared = {
        d.table: d for d in differing(live, other, told(), own_xid=earlier.own_xid, seconds=seconds)
    }
    alone = [name for name in wanted if name not in compared or compared[name].left_out]
    since = {}
    if alone:
        # Tables and columns that are only here: what the run itself left in them is no loss.
        found = written_since(live, earlier.boundary, seconds)
        since = {one.table: one for one in found if one.table in alone}
    lost = [
        _compared(compared[name], earlier.removed.get(name, 0), since.get(name))
        if name in compared
        else _only_here(since.get(name), name, earlier.left.get(name))
        for name in wanted
    ]
    return tuple(one for one in lost if one.rows != 0)


def _compared(one: Differing, removed: int, since: Since | None) -> LostRows:
    if one.new is None:
        return LostRows(table=one.table, rows=None, basis=one.why)
    gone = max(0, one.deleted - removed)
    written = one.new + one.changed - one.own
    said = [
        f"{number:,} {word}"
        for number, word in ((one.new, "new"), (one.changed, "changed"), (one.deleted, "deleted"))
        if number
    ]
    notes = []
    if not one.keyed and said:
        notes.append("without a primary key a changed row counts as a new and a deleted one")
    if one.own or one.deleted > gone:
        ours = one.own + one.deleted - gone
        notes.append(f"{ours:,} of them by the run itself, which are not counted")
    if one.left_out:
        more = since.written if since is not None else None
        listed = printable(", ".join(one.left_out))
        if more is None:
            return LostRows(
                table=one.table, rows=None, basis=f"{listed}: only here, and nobody can compare"
            )
        if more > written:
            written = more
            notes.append(f"by transaction ids where only {listed} was written, which is only here")
    basis = "; ".join(["compared row by row: " + (", ".join(said) or "the same"), *notes])
    return LostRows(table=one.table, rows=written + gone, basis=basis)


def _only_here(since: Since | None, table: str, left: int | None) -> LostRows:
    why = "the table is not in what would be restored"
    if since is None or since.rows is None:
        return LostRows(table=table, rows=None, basis=f"{why}, and was not counted")
    if since.written is not None:
        return LostRows(
            table=table, rows=since.written, basis=f"{why}: written since, by transaction ids"
        )
    if left is not None:
        return LostRows(table=table, rows=max(0, since.rows - left), basis=f"{why}: counted")
    return LostRows(table=table, rows=since.rows, basis=f"{why}: all of its rows")
