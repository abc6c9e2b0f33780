"""Scripts for psql: the real psql and our reading of them must do the same."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psycopg
import pytest

from rollback_tui.core.model import Script
from rollback_tui.core.script.read import read_script
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.psql.script import MAX_INCLUDED, Setting, as_psql_reads
from tests.conftest import Database
from tests.frameworks import installed

VARIABLES = {
    "name": "o'clock",
    "word": "seen",
    "table": 'we"ird',
    "back": "a\\b",
    "yes": "on",
    "zero": "0",
    "é": "accent",
    "cast": "'7'::int",
    "n": "2",
}

SAME = {
    "literal, identifier, raw": "INSERT INTO seen SELECT :'name', :n, 'x' AS :\"table\";",
    "not in quotes": "INSERT INTO seen VALUES (':name :n', $$:word :'name'$$, E'\\':n');",
    "not in comments": "-- :word\n/* :word /* :n */ :word */INSERT INTO :word VALUES (':n');",
    "casts and slices": "INSERT INTO seen SELECT '1'::text, (ARRAY[1,2,3])[1:n], '2' :: text"
    " FROM (SELECT 2 AS n) s;",
    "a slice with a variable": "\\set m 2\nINSERT INTO seen SELECT (ARRAY[7,8,9])[:m:3];",
    "is it set": "INSERT INTO seen VALUES (:{?word}, :{?nothing});",
    "a value with a cast": "INSERT INTO seen VALUES (:cast);",
    "an unset name in quotes": "INSERT INTO seen VALUES ((json_object('a':'nope'))::text);",
    "a backslash in a value": "INSERT INTO seen VALUES (:'back');",
    "a backslash behind a word": "INSERT INTO seen SELECT:'back';",
    "an accent": "INSERT INTO seen VALUES (:'é');",
    "set joins its values": "\\set a 'x y' z :word\nINSERT INTO seen VALUES (:'a');",
    "set takes C's escapes": "\\set a 'it''s\\ta\\101\\x42\\\\'\nINSERT INTO seen VALUES (:'a');",
    "set keeps double quotes": '\\set a "X" :"table"\nINSERT INTO seen VALUES (:\'a\');',
    "set without a value": "\\set a\nINSERT INTO seen VALUES (:'a');",
    "set and unset": "\\set a 1\n\\unset word\nINSERT INTO seen VALUES (:a, :{?word});",
    "harmless": "\\pset format csv\n\\timing\n\\x on\n\\t\n\\a\n\\d pg_class\n\\dt+ *.none\n"
    "\\set QUIET\n\\set ON_ERROR_STOP on\n\\set VERBOSITY terse\n\\conninfo\n"
    "INSERT INTO seen VALUES (1); \\echo done \\\\ INSERT INTO seen VALUES (2);",
    "echo with an apostrophe": "\\echo 'it''s' :name\n\\warn \"two words\"\n\\qecho `true`\n"
    "INSERT INTO seen VALUES (1);",
    "if": "\\if :yes\nINSERT INTO seen VALUES (1);\n\\elif true\nINSERT INTO seen VALUES (2);\n"
    "\\else\nINSERT INTO seen VALUES (3);\n\\endif\nINSERT INTO seen VALUES (4);",
    "if not": "\\if :zero\nnonsense '\\else'\n\\! exit 1\n\\if true\n\\else\n\\endif\n\\elif fal\n"
    "\\elif y\nINSERT INTO seen VALUES (2);\n\\else\n:word\n\\endif\n",
    "if within a statement": "INSERT INTO seen\n\\if :{?n}\nVALUES (1)\n\\else\nnonsense\n\\endif",
    "quit": "INSERT INTO seen VALUES (1);\n\\if true\n\\q\n\\endif\nnonsense \\gexec '",
    "escaped marks": "INSERT INTO seen VALUES (1)\\; INSERT INTO seen SELECT '1'\\:\\:text;",
    "no newline, no semicolon": "INSERT INTO seen VALUES (:n)",
    "CRLF": "\\set a 1\r\n\\if true\r\nINSERT INTO seen VALUES (:a);\r\n\\endif\r\n",
    "included": "\\i parts/one.sql\nINSERT INTO seen VALUES (3);\n",
    "assignment": "DO $$ DECLARE n int := 2; BEGIN INSERT INTO seen VALUES (n); END$$;",
    "named argument": "INSERT INTO seen SELECT make_interval(days:=:n)::text;",
}

FILES = {
    "parts/one.sql": "\\ir two.sql\nINSERT INTO seen VALUES (:'of_two')",
    "parts/two.sql": "\\set of_two 'set below'\nINSERT INTO seen VALUES (:n); \\q\nnonsense",
}


def project(directory: Path) -> Path:
    for name, text in FILES.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(text)
    return directory


def reading(text: str, directory: Path, unsure: dict[str, str] | None = None) -> Source:
    path = directory / "script.sql"
    path.write_bytes(text.encode())
    data = path.read_bytes()
    return as_psql_reads(
        Source(path=str(path), data=data, start=0, end=len(data)),
        Setting(directory=directory, variables=VARIABLES, unsure=unsure or {}),
    )


def script(source: Source) -> Script:
    return read_script(source, first_index=1, trees=lambda texts: [None for _ in texts])


def seen(connection: psycopg.Connection[tuple[object, ...]]) -> list[tuple[object, ...]]:
    found = connection.execute("SELECT a, b, c FROM seen").fetchall()
    connection.execute("TRUNCATE seen")
    return found


def test_what_psql_does_we_do(database: Database, tmp_path: Path) -> None:
    """Each script is run by the real psql, and statement by statement as we read it."""
    program = installed.debian("psql")
    project(tmp_path)
    connection = database.connect()
    connection.execute("CREATE TABLE seen (a text, b text, c text)")
    more = [part for k, v in VARIABLES.items() for part in ("--set", f"{k}={v}")]
    for title, text in SAME.items():
        source = reading(text, tmp_path)
        assert not source.problems, (title, source.problems)
        for statement in script(source).statements:
            connection.execute(statement.sql.encode())
        ours = seen(connection)
        done = subprocess.run(
            [str(program), "-X", "-q", "-v", "ON_ERROR_STOP=1", *more, "-f", "script.sql"],
            env=installed.bare_environment(
                PGHOST=database.server.host,
                PGPORT=str(database.server.port),
                PGUSER=database.owner,
                PGDATABASE=database.name,
            ),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (title, done.stderr)
        assert ours == seen(connection) != [], title


def test_a_script_without_psql_stays_the_file(tmp_path: Path) -> None:
    for text in (
        "BEGIN;\nDROP TABLE a;\nCOMMIT;\n",
        "SELECT '12:30'::time, x[1:m], E'\\\\', $$\\d :word$$; -- \\echo :word\n",
        "\ufeffSELECT a::int;",
    ):
        source = reading(text, tmp_path)
        assert (source.data, source.origin, source.file_sha256) == (text.encode(), "", "")


def test_lines_keep_their_numbers(tmp_path: Path) -> None:
    source = reading(
        "\\set a 1\n\\if false\nSELECT 0;\n\\endif\n\nDROP TABLE t:a;\nSELECT 1;", tmp_path
    )
    assert source.data.decode().split("\n") == [
        *(" " * 8, " " * 9, " " * 9, " " * 6, "", "DROP TABLE t1;", "SELECT 1;")
    ]
    assert (
        source.origin
        == "the file as psql reads it: with the variables :a; without \\set, \\if, \\endif"
    )
    assert [s.line for s in script(source).statements] == [6, 7]
    assert len(source.file_sha256) == 64


def test_only_the_section_is_read(tmp_path: Path) -> None:
    data = b"\\! up :word\n-- DOWN\nDROP TABLE :word;\n-- END\n\\! more"
    start, end = data.index(b"DROP"), data.index(b"-- END")
    source = as_psql_reads(
        Source(path=str(tmp_path / "x"), data=data, start=start, end=end, transactional=False),
        Setting(directory=tmp_path, variables=VARIABLES, unsure={}),
    )
    assert source.data == data.replace(b":word;", b"seen;")
    assert source.data[source.start : source.end] == b"DROP TABLE seen;\n"
    assert not source.transactional


REFUSED = {
    "connect": ("SELECT 1;\n\\connect other\n", 2, "\\connect is a command of psql"),
    "copy": ("\\copy t from 'x'", 1, "\\copy is"),
    "shell": ("SELECT 1; \\! rm -rf x", 1, "\\! is"),
    "gexec": ("SELECT 'DROP TABLE a' \\gexec\n", 1, "\\gexec is"),
    "gset": ("\n\nSELECT 1 AS a \\gset\n", 3, "\\gset is"),
    "g": ("SELECT 1 \\g\n", 1, "\\g is"),
    "output": ("\\o file\n", 1, "\\o is"),
    "watch": ("SELECT 1 \\watch 1\n", 1, "\\watch is"),
    "reset": ("DROP TABLE a \\r\n", 1, "\\r is"),
    "nothing": ("SELECT 1; \\ SELECT", 1, "\\ is"),
    "a condition": ("\\if :{?nothing} and true\n\\endif", 1, "cannot be decided here"),
    "an unset condition": ("\\if :nothing\nDROP TABLE a;\n\\endif", 1, ":nothing"),
    "backquotes": ("\\set a `date`\n", 1, "a shell would run"),
    "an open quote": ("\\set a 'b\nSELECT 1;", 1, "an open quote"),
    "going on": ("\\set ON_ERROR_STOP off\n", 1, "go on after an error"),
    "going on by unset": ("\\unset ON_ERROR_STOP\n", 1, "go on after an error"),
    "autocommit": ("\\set AUTOCOMMIT off\n", 1, "transactions of its own"),
    "single lines": ("\\set SINGLELINE\n", 1, "each line"),
    "of the connection": ("SELECT 1;\nGRANT SELECT ON a TO :USER;", 2, "once it is connected"),
    "of the connection, set": ("\\set db :DBNAME\n", 1, "once it is connected"),
    "not sure": ("DROP TABLE :place;", 1, "the value of :place is not known: two targets"),
    "quotes that close": ("\\set a '''b'\nSELECT :a';", 2, "open quote"),
    "a command in a value": ("\\set a '1 \\\\\\\\gexec'\nSELECT :a;", 2, "a backslash"),
    "a variable in a value": ("\\set a ':' word\nSELECT 1 :a;", 2, "another variable"),
    "no endif": ("\\if true\nSELECT 1;\n", 3, "line 1 has no \\endif"),
    "no if": ("SELECT 1;\n\\endif\n", 2, "has no \\if"),
    "two elses": ("\\if true\n\\else\n\\else\n\\endif\n", 3, "has no \\if"),
    "outside": ("\\i ../x.sql\n", 1, "is outside the project"),
    "absolute": ("\\i /etc/passwd\n", 1, "is outside the project"),
    "no such file": ("\\ir none.sql\n", 1, "there is no such file"),
    "itself": ("\\i script.sql\n", 1, "includes itself"),
    "in a statement": ("SELECT\n\\i parts/two.sql\n", 2, "inside a statement"),
    "two files": ("\\i parts/one.sql parts/two.sql\n", 1, "does not name one file"),
    "a directory": ("\\i parts\n", 1, "not a regular file"),
}


@pytest.mark.parametrize("title", REFUSED)
def test_the_rest_is_refused_with_its_line(title: str, tmp_path: Path) -> None:
    text, line, summary = REFUSED[title]
    source = reading(text, project(tmp_path), {"place": "two targets"})
    found = script(source)
    assert [problem.line for problem in source.problems] == [line]
    assert summary in source.problems[0].summary
    assert source.problems[0].remedy
    assert source.problems[0] in found.problems
    assert source.origin


def test_a_link_out_of_the_project_is_not_followed(tmp_path: Path) -> None:
    inside = tmp_path / "project"
    inside.mkdir()
    (tmp_path / "secret.sql").write_text("SELECT 1;")
    (inside / "link.sql").symlink_to(tmp_path / "secret.sql")
    (problem,) = reading("\\i link.sql", inside).problems
    assert "outside the project" in problem.summary


def test_files_that_include_each_other_without_end(tmp_path: Path) -> None:
    for place in range(MAX_INCLUDED + 2):
        (tmp_path / f"{place}.sql").write_text(f"\\i {place + 1}.sql\n\\i {place + 1}.sql\n")
    source = reading("\\i 0.sql", tmp_path)
    assert source.problems
    assert all("too much" in problem.summary for problem in source.problems)


def test_data_for_copy_is_no_sql(tmp_path: Path) -> None:
    """psql takes nothing in it for its own, and the splitter refuses the script."""
    text = "\\set a 1\nCOPY t FROM stdin;\n:a\t\\N\n\\.\n"
    source = reading(text, tmp_path)
    assert source.data == text.encode()
    assert "copy_from_stdin" in {problem.rule for problem in script(source).problems}
