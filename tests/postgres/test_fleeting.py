"""What a crash empties, what holds nothing, and whose code runs inside our commands."""

from __future__ import annotations

from rollback_tui.core.facts import EventTrigger
from rollback_tui.postgres.connect import connect
from rollback_tui.postgres.event_triggers import event_triggers
from rollback_tui.postgres.fleeting import fleeting
from tests.conftest import Database

FUNCTION = "CREATE FUNCTION no_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'"


def test_unlogged_tables_and_empty_views_are_named(database: Database) -> None:
    with connect(database.dsn) as connection:
        connection.execute("CREATE TABLE kept (id int)")
        connection.execute('CREATE UNLOGGED TABLE "Cache" (id int)')
        connection.execute("CREATE TEMP TABLE mine (id int)")
        connection.execute("CREATE MATERIALIZED VIEW filled AS SELECT 1 AS x")
        connection.execute("CREATE MATERIALIZED VIEW hollow AS SELECT 1 AS x WITH NO DATA")
        found = fleeting(connection)
    assert found.unlogged == ('public."Cache"',)
    assert found.unpopulated == ("public.hollow",)


def test_only_event_triggers_that_fire_are_told(database: Database) -> None:
    admin = database.connect(superuser=True)
    admin.execute(FUNCTION)
    for name, event, when in (
        ("a_all", "ddl_command_start", ""),
        ("b_some", "sql_drop", "WHEN TAG IN ('DROP TABLE', 'ALTER TABLE')"),
        ("c_off", "ddl_command_end", ""),
        ("d_replica", "ddl_command_end", ""),
    ):
        admin.execute(f"CREATE EVENT TRIGGER {name} ON {event} {when} EXECUTE FUNCTION no_ddl()")
    admin.execute("ALTER EVENT TRIGGER c_off DISABLE")
    admin.execute("ALTER EVENT TRIGGER d_replica ENABLE REPLICA")
    with connect(database.dsn) as connection:
        found = event_triggers(connection)
    assert found == (
        EventTrigger(name="a_all", event="ddl_command_start", function="no_ddl"),
        EventTrigger(
            name="b_some", event="sql_drop", function="no_ddl", tags=("DROP TABLE", "ALTER TABLE")
        ),
    )
