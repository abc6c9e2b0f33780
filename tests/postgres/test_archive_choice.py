"""Which rows are kept of what a statement chooses: those of partitions, and never others."""

from __future__ import annotations

import pytest

from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.model import Touched
from rollback_tui.postgres import archive
from rollback_tui.postgres.archive.restore import restore
from rollback_tui.postgres.archive.source import sources
from tests.postgres.archiving import Connection, Judge, roll_back, rows, statements
from tests.postgres.archiving import judge as judge
from tests.postgres.test_archive_edges import connection as connection
from tests.postgres.test_archive_edges import newest

PARTITIONS = """
CREATE TABLE whole (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE half PARTITION OF whole FOR VALUES FROM (0) TO (10);
CREATE TABLE rest PARTITION OF whole DEFAULT;
CREATE TABLE to_half (id int PRIMARY KEY, r int REFERENCES half ON DELETE CASCADE);
CREATE TABLE parted (id int PRIMARY KEY, r int REFERENCES whole ON DELETE CASCADE)
  PARTITION BY LIST (id);
CREATE TABLE parted1 PARTITION OF parted DEFAULT;
CREATE TABLE keyed (id int PRIMARY KEY, r int) PARTITION BY LIST (id);
CREATE TABLE keyed1 PARTITION OF keyed DEFAULT;
ALTER TABLE keyed1 ADD FOREIGN KEY (r) REFERENCES whole ON DELETE CASCADE;
INSERT INTO whole SELECT generate_series(1, 15);
INSERT INTO to_half SELECT i, i FROM generate_series(1, 9) i;
INSERT INTO parted SELECT i, i FROM generate_series(1, 15) i;
INSERT INTO keyed SELECT i, i FROM generate_series(1, 15) i;
"""


@pytest.mark.parametrize("table", ["whole", "half"])
def test_keys_to_and_from_single_partitions_are_followed(
    connection: Connection, judge: Judge, table: str
) -> None:
    connection.execute(PARTITIONS.encode())
    before = rows(connection, "s")
    touched = Touched(relation=table, count="", rows=f"SELECT {table}.* FROM {table} WHERE id < 5")
    run = roll_back(
        connection, statements(judge, [f"DELETE FROM {table} WHERE id < 5"], {1: touched})
    )
    kept = {item.relation for item in newest(connection).items}
    assert kept == {f"s.{table}", "s.to_half", "s.parted", "s.keyed1"}
    assert rows(connection, "s") != before
    restore(connection, archive.find(connection, run))
    assert rows(connection, "s") == before


@pytest.mark.parametrize(
    ("condition", "word"),
    [
        ("id IN (SELECT id FROM users LIMIT 3)", "LIMIT"),
        ("id IN (SELECT DISTINCT ON (state) id FROM users)", "DISTINCT ON"),
        ("id IN (SELECT row_number() OVER () FROM users)", "ROW_NUMBER"),
        ("name = 'no limit' AND id = 3", ""),
    ],
)
def test_rows_that_are_chosen_by_chance_cannot_be_kept(
    connection: Connection, judge: Judge, condition: str, word: str
) -> None:
    """The copy would be of some rows, and the statement remove others."""
    text = f"DELETE FROM users WHERE {condition}"
    chosen = Touched(
        relation="users", count="", rows=f"SELECT users.* FROM users WHERE {condition}"
    )
    (statement,) = statements(judge, [text], {1: chosen})
    if not word:
        assert sources(connection, statement)
        return
    with pytest.raises(RollbackTuiError, match=f"{word} may choose other rows"):
        sources(connection, statement)


def test_rows_of_a_table_with_rules_cannot_be_kept(connection: Connection, judge: Judge) -> None:
    """A rule may remove other rows than the statement names, also those that a key reaches."""
    connection.execute("CREATE RULE r AS ON DELETE TO orders DO INSTEAD DELETE FROM notes")
    for table in ("orders", "users"):
        chosen = Touched(relation=table, count="", rows=f"SELECT {table}.* FROM {table}")
        (statement,) = statements(judge, [f"DELETE FROM {table} WHERE id = 1"], {1: chosen})
        with pytest.raises(RollbackTuiError, match="may change other rows instead"):
            sources(connection, statement)
