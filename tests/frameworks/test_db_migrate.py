"""db-migrate's rules that need no db-migrate to be seen; the rest is in test_real_db_migrate.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.plan import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.db_migrate import DbMigrate, sql_file
from rollback_tui.frameworks.protocol import Missing, TableShape, VersionTable

FRAMEWORK = DbMigrate()
TABLE = VersionTable(schema="Ops", name="migrations")
NAME = "20260101000000-users"
COLUMNS = (
    ("id", "integer"),
    ("name", "character varying(255)"),
    ("run_on", "timestamp without time zone"),
)

PROMISED = """
exports.down = function(db) {
  var filePath = path.join(__dirname, 'sqls', 'NAME-down.sql');
  return new Promise( function( resolve, reject ) {
    fs.readFile(filePath, {encoding: 'utf-8'}, function(err,data){
      if (err) return reject(err);
      console.log('received data: ' + data);

      resolve(data);
    });
  })
  .then(function(data) {
    return db.runSql(data);
  });
};

exports._meta = {
  "version": 1
};
"""
CALLED_BACK = """
exports.down = function(db, callback) {
  var filePath = path.join(__dirname + '/sqls/NAME-down.sql');
  fs.readFile(filePath, {encoding: 'utf-8'}, function(err,data){
    if (err) return callback(err);
    console.log('received data: ' + data);

    db.runSql(data, function(err) {
      if (err) return callback(err);
      callback();
    });
  });
};
"""
UNDERSTOOD = {
    "as 0.11 writes it": PROMISED,
    "as 0.9 wrote it": CALLED_BACK,
    "formatted by a linter": (
        PROMISED.replace("'", '"').replace("var ", "const ").replace("( ", "(").replace(" )", ")")
    ),
    "CRLF": PROMISED.replace("\n", "\r\n"),
    "without the log": PROMISED.replace("console.log('received data: ' + data);", ""),
    "commented": "// exports.down = null;\n/* exports.down = 1 */" + PROMISED,
}
NOT_UNDERSTOOD = {
    "code of its own": "exports.down = function(db) { return db.dropTable('users'); };",
    "more than the file": PROMISED.replace(
        "return db.runSql(data);", "return db.runSql(data).then(() => db.dropTable('users'));"
    ),
    "changed text": PROMISED.replace("db.runSql(data)", "db.runSql(data.replace('a', 'b'))"),
    "two files": PROMISED.replace("resolve(data)", "resolve(data + 'x.sql')"),
    "not in sqls": PROMISED.replace("'sqls'", "'..'"),
    "given twice": PROMISED + PROMISED,
    "another way to export": PROMISED + "module.exports = require('./other');",
    "nothing": "exports.up = function(db) {};",
    "no way back": "exports.down = function(db) {\n  return null;\n};",
}


@pytest.mark.parametrize("code", UNDERSTOOD.values(), ids=UNDERSTOOD.keys())
def test_a_file_that_only_runs_its_sql_is_understood(code: str) -> None:
    assert sql_file(code.replace("NAME", NAME), "down") == f"{NAME}-down.sql"
    assert sql_file(code.replace("NAME", NAME), "up") is None


@pytest.mark.parametrize("code", NOT_UNDERSTOOD.values(), ids=NOT_UNDERSTOOD.keys())
def test_all_else_is_code(code: str) -> None:
    assert sql_file(code.replace("NAME", NAME), "down") is None


@pytest.mark.parametrize(
    ("columns", "recognised"),
    [
        (COLUMNS, True),
        (COLUMNS[:2], False),
        ((("id", "integer"), ("timestamp", "bigint"), ("name", "character varying")), False),
        ((*COLUMNS[:2], ("run_on", "timestamp with time zone")), False),
    ],
)
def test_the_version_table_is_known_by_its_shape(
    columns: tuple[tuple[str, str], ...], recognised: bool
) -> None:
    table = TableShape(schema="public", name="x", columns=columns, primary_key=("id",))
    assert FRAMEWORK.recognises(table) is recognised


def test_history_keeps_the_servers_order_and_leaves_scopes_out(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.js").touch()
    (tmp_path / "notes.js").touch()
    files = FRAMEWORK.files(tmp_path)
    assert [(f.version, f.name, f.down_path) for f in files] == [(NAME, "users", None)]
    rows = [
        (f"/{NAME}", None),
        ("/scope/20260301000000-x", None),
        ("20250101000000-gone", None),
        (NAME, None),
    ]
    past = FRAMEWORK.history(rows, files)
    assert [(m.version, m.name, m.path) for m in past.applied] == [
        (NAME, "users", str(tmp_path / f"{NAME}.js")),
        ("20250101000000-gone", "gone", None),
    ]
    assert past.problem == ""
    elsewhere = FRAMEWORK.history([(f"/{NAME}", "Ops")], files)
    assert '-csearch_path="Ops"' in elsewhere.problem
    missing = FRAMEWORK.down(past.applied[1], tmp_path)
    assert isinstance(missing, Missing)
    assert "no file in" in missing.why


def test_the_down_migration_is_the_file_that_the_code_names(tmp_path: Path) -> None:
    (tmp_path / "sqls").mkdir()
    path = tmp_path / f"{NAME}.js"
    applied = AppliedMigration(version=NAME, name="users", path=str(path))
    path.write_text(PROMISED.replace("NAME", "20250505050505-other"))
    missing = FRAMEWORK.down(applied, tmp_path)
    assert isinstance(missing, Missing)
    assert missing.why.endswith("20250505050505-other-down.sql does not exist")
    script = tmp_path / "sqls" / "20250505050505-other-down.sql"
    script.write_bytes(b"DROP TABLE users;\r\n")
    source = FRAMEWORK.down(applied, tmp_path)
    assert isinstance(source, Source)
    assert (source.path, source.data) == (str(script), b"DROP TABLE users;\r\n")
    assert (source.start, source.end, source.transactional) == (0, 19, True)
    missing = FRAMEWORK.up(applied, tmp_path)
    assert isinstance(missing, Missing)
    assert missing.why == f"{NAME}.js exports no up"
    script.unlink()
    script.symlink_to("/etc/passwd")
    with pytest.raises(FrameworkError, match="leads out"):
        FRAMEWORK.down(applied, tmp_path)


def test_the_row_is_deleted_by_both_names() -> None:
    applied = AppliedMigration(version="20260101000000-o'brien", name="")
    assert FRAMEWORK.version_change(TABLE, applied, None) == (
        """DELETE FROM "Ops".migrations WHERE name = '/20260101000000-o''brien'""",
        """DELETE FROM "Ops".migrations WHERE name = '20260101000000-o''brien'""",
    )
    assert FRAMEWORK.lock_sql("shop", TABLE) is None
    assert FRAMEWORK.transaction_lock(TABLE) == ()
