"""Where a run stands, as the guide by hand needs to know it: from the journal alone."""

# ruff: noqa: S608 - nothing is sent: it is text for a person, names and strings quoted by pasted
from __future__ import annotations

import msgspec

from rollback_tui.config import Settings
from rollback_tui.core import events as ev
from rollback_tui.core.names import parts
from rollback_tui.core.run_view import RunView
from rollback_tui.postgres.naming import beside_name
from rollback_tui.run.by_hand.pasted import Server


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """One run, the server it is on, and what the target is called now."""

    view: RunView
    settings: Settings
    begun: ev.RunStarted
    now: str
    """What the target is called now, as far as the journal knows."""
    server: Server
    touched: tuple[tuple[str, int | None], ...]
    """The tables that the plan touches, by name, with their rows when the run began; None: not
    counted."""

    @property
    def short(self) -> str:
        """The run's first eight characters, as they are in the names of what it makes."""
        return self.begun.run[:8]

    @property
    def database(self) -> str:
        """The target's own name."""
        return self.begun.target.database

    @property
    def maintenance(self) -> str:
        """The database from which the door is worked, and databases are renamed."""
        return self.settings.connection.maintenance_database

    def beside(self, suffix: str) -> str:
        """Return a name for a database beside the target; never one that a run gives."""
        return beside_name(self.database, f"{suffix}{self.short}")

    def psql(self, *statements: str) -> str:
        """Return the command that sends these to the maintenance database."""
        return self.server.psql(self.maintenance, *statements)


def situation(view: RunView, begun: ev.RunStarted, settings: Settings) -> Situation:
    """Return where the run stands that ``view`` shows."""
    closed, target = view.door_closed, begun.target
    return Situation(
        view=view,
        settings=settings,
        begun=begun,
        now=(closed.renamed_to if closed else "") or target.database,
        server=Server(host=target.host, port=target.port, user=target.user),
        touched=_touched(view, begun),
    )


def _touched(view: RunView, begun: ev.RunStarted) -> tuple[tuple[str, int | None], ...]:
    lost = {loss.relation for loss in begun.plan.losses}
    if view.captured is None:
        # An index or a view is locked too, and has no rows: only what loses some is surely a table.
        return tuple((name, None) for name in sorted(lost))
    locked = {lock.relation for s in begun.plan.statements for lock in s.effect.locks}
    # Qualified, or (where the catalog was not asked) as the script has it.
    wanted = {parts(name) for name in lost | locked}
    rows = ((row.table, parts(row.table), row.before) for row in view.captured.rows)
    found = {table: n for table, name, n in rows if name in wanted or name[-1:] in wanted}
    return tuple((table, found[table]) for table in sorted(found))


def end_sessions(where: str) -> str:
    """Return the SQL that ends the sessions that ``where`` names, ours excepted."""
    return (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity\n"
        f"WHERE {where} AND usesysid IS NOT NULL AND pid <> pg_backend_pid();"
    )
