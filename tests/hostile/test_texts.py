"""Escape sequences, invisible and reordering characters and markup, from every side: none of
them reaches a terminal, a log, a journal or a report as anything but text."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from rollback_tui.core.text import inert_json, printable, typeable
from tests.cli.conftest import Project
from tests.ssh.raw import judged
from tests.ssh.terminal import Connection

TITLE, CLIPBOARD, C1, BIDI, ZERO = (
    "\x1b]0;owned\x07",
    "\x1b]52;c;aGk=\x07",
    "\x9b31m",
    "\u202e",
    "\u200b",
)
MARKUP = "[/foo][@click=app.quit]x[bold]"
EVIL = f"{MARKUP}{TITLE}{CLIPBOARD}{C1}{BIDI}evil{ZERO}"
FILE_NAME = EVIL.replace("/", "")
# What lies is refused in a script; its author can still name it.
NAMED = "".join(c if c.isascii() and c.isprintable() else f"\\{ord(c):04X}" for c in EVIL)
DOWN = f"""
DO $$ BEGIN RAISE NOTICE '%', U&'{NAMED}'; END $$;
DROP TABLE U&"{NAMED}";
ALTER TABLE users DROP COLUMN verified_at;
"""
SSH = {"SSH_CONNECTION": f"10.0.0.7{EVIL} 50 10.0.0.1 22", "SUDO_USER": EVIL}


def inert(output: bytes) -> bool:
    """Whether nothing in it acts on a terminal or is not what it looks like."""
    text = output.decode()
    return printable(text, keep_lines=True) == text


def _settings() -> str:
    hook = json.dumps([sys.executable, "-c", f"print({EVIL!r}, flush=True)"])
    return (
        f"environment = {json.dumps(EVIL)}\n"
        f"[maintenance]\non = {{ command = {hook} }}\noff = {{ command = {hook} }}"
    )


@pytest.fixture
def evil(project: Project) -> Iterator[Project]:
    """A project in which everybody who can name something names it so."""
    project.two_migrations()
    with psycopg.connect(project.database.dsn, autocommit=True) as owner:
        owner.execute(f'ALTER TABLE tokens RENAME TO "{EVIL}"')
        owner.execute(f'CREATE VIEW "v{EVIL}" AS SELECT 1 AS "{EVIL}"')
    (old,) = (project.directory / "db" / "migrations").glob("20240202*")
    up = old.read_text().partition("-- migrate:down")[0]
    old.unlink()
    (old.parent / f"20240202000000_{FILE_NAME}.sql").write_text(f"{up}-- migrate:down\n{DOWN}")
    project.configure(_settings())
    noisy = project.database.connect(application_name=EVIL)
    noisy.execute(f"SELECT '{EVIL}', 1")
    yield project


@pytest.mark.parametrize(
    "arguments",
    [
        ("state",),
        ("plan",),
        ("check",),
        ("doctor",),
        ("state", "--json"),
        ("plan", "--json"),
        ("check", "--json"),
    ],
    ids=" ".join,
)
def test_looking_is_inert(evil: Project, arguments: tuple[str, ...]) -> None:
    done = evil.command(*arguments, env=SSH)
    output = (done.stdout + done.stderr).encode()
    assert inert(output), output
    if arguments[0] in ("state", "plan"):
        assert MARKUP in done.stdout, "markup is text like any other"
    if "--json" in arguments:
        json.loads(done.stdout)


def _run(project: Project, *options: str) -> tuple[int, bytes]:
    done = project.command(
        *("run", "--confirm", project.database.name, "--yes", "--reason", f"because {EVIL}"),
        *options,
        env=SSH,
    )
    return done.returncode, (done.stdout + done.stderr).encode()


def _all_of_it_is_inert(project: Project, output: bytes) -> None:
    assert inert(output), output
    looked_at = set()
    for path in project.run_folder().rglob("*"):
        if path.is_file() and not path.is_socket():
            looked_at.add(path.name)
            assert inert(path.read_bytes()), path
    assert looked_at >= {"journal.jsonl", "rollback.log", "report.md", "report.json", "worker.log"}
    for arguments in (("history",), ("history", "--csv"), ("report",), ("report", "--json")):
        done = project.command(*arguments)
        assert done.returncode == 0, done.stderr
        assert inert(done.stdout.encode()), arguments
    for manifest in project.directory.glob("rollback_checkpoints/*/manifest.json"):
        assert inert(manifest.read_bytes())


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
def test_a_whole_run_is_inert(evil: Project, options: tuple[str, ...]) -> None:
    code, output = _run(evil, *options)
    assert code == 0, output.decode()
    _all_of_it_is_inert(evil, output)
    assert "[/foo]" in (evil.run_folder() / "rollback.log").read_text()


def test_a_failure_in_the_servers_words_is_inert(evil: Project) -> None:
    (path,) = (evil.directory / "db" / "migrations").glob("20240202*")
    said = f"DETAIL = U&'{NAMED}', HINT = U&'{NAMED}'"
    raised = f"DO $$ BEGIN RAISE EXCEPTION '%', U&'{NAMED}' USING {said}; END $$"
    path.write_text(
        path.read_text().partition("-- migrate:down")[0] + f"-- migrate:down\n{raised};\n"
    )
    code, output = _run(evil)
    assert code == 3, output.decode()
    _all_of_it_is_inert(evil, output)


WORSE = {
    "database": f" {MARKUP}\x1b[2J\u2066db\u2069",
    "schema": "s\r\n\t\x07[/red]\x1b[6n\u200d",
    "wide": "\u65e5\u672c\u8a9e\u8868\U0001f600" * 4,
    "flood": "Z" + "\u0335" * 20 + "\ufeff\u0378",
    "role": f"{MARKUP}\x1b]52;c;aGk=\x07\u2067r",
    "label": "\x1b[?1049l[bold]gone",
}
"""Names for whatever else a database has names for."""
PASTED = f"\x1b[200~{EVIL}\x1b[201~"
LOG = "application.log"


@pytest.fixture
def worse(evil: Project) -> Iterator[Project]:
    """The same, and the database, a role, a schema, an enum and a comment are named so too."""
    made = evil.database
    for connection in made.opened:
        connection.close()
    role, schema, wide, flood, name = (
        sql.Identifier(WORSE[n]) for n in ("role", "schema", "wide", "flood", "database")
    )
    with psycopg.connect(made.server.dsn(), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
        admin.execute(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(made.name), name)
        )
    made.name = WORSE["database"]
    with psycopg.connect(made.dsn, autocommit=True) as owner:
        for text, *names in (
            ("CREATE SCHEMA {}", schema),
            ("CREATE TYPE {}.{} AS ENUM ({})", schema, flood, sql.Literal(WORSE["label"])),
            (
                "CREATE TABLE {0}.{1} ({2} {0}.{2}, CONSTRAINT {1} CHECK ({2} IS NOT NULL))",
                schema,
                wide,
                flood,
            ),
            ("COMMENT ON TABLE {}.{} IS {}", schema, wide, sql.Literal(EVIL)),
        ):
            owner.execute(sql.SQL(text).format(*names))
    evil.configure(f"{_settings()}\n[recovery]\nlog_files = [{json.dumps(LOG)}]")
    (evil.directory / LOG).write_text(f"INFO {EVIL}\nERROR {EVIL}\n")
    seen = psycopg.connect(
        made.server.dsn(made.name, WORSE["role"]), application_name=EVIL, autocommit=True
    )
    made.opened.append(seen)
    seen.execute(f"SELECT '{EVIL}', '{WORSE['flood']}{WORSE['wide']}'")
    yield evil
    seen.close()
    with psycopg.connect(made.server.dsn(), autocommit=True) as admin:
        admin.execute(sql.SQL("DROP ROLE {}").format(role))


def visit(screen: Connection, *keys: str) -> None:
    """Press keys one by one, and look each time whether a frame is still where it belongs; what
    they opened is closed again."""
    for key in (*keys, "\x1b"):
        screen.press(key)
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            screen.read()
            time.sleep(0.05)
        for row in screen.screen.rows:
            if row[0] in ("│", "╭", "╰"):
                assert row[-1] in ("│", "╮", "╯"), screen.screen.text


def test_every_screen_shows_it_as_text_and_nothing_of_it_reaches_the_terminal(
    worse: Project,
) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "COLUMNS" and k[:2] != "PG"} | SSH
    environment |= {"TERM": "xterm-256color", "XDG_STATE_HOME": str(worse.directory)}
    program = [sys.executable, "-m", "rollback_tui"]
    screen = Connection(program, worse.directory, environment)
    try:
        screen.until("20240202000000", "counted", "[/foo]")
        for keys in ("\r", "v", "v", "v", "v", "v", "t", "?", "L", "\x10", "a"):
            visit(screen, keys)
        visit(screen, "/", PASTED)
        screen.press("n")
        screen.until("We may roll back")
        for keys in ("v", "?", "\x1b[B", "o"):
            visit(screen, keys)
        screen.press("n")
        screen.until("to review", "[/foo]")
        screen.press("     ")
        screen.until("all reviewed", "n: confirm and run")
        for keys in ("f", "v", "?", "\r", "c"):
            visit(screen, keys)
        screen.press("a")
        screen.until("Arm this terminal?")
        screen.press("\t\r")
        screen.until("ARMED")
        visit(screen, "r")
        screen.press("4")
        name = typeable(worse.database.name)
        screen.until("You are about to roll back", name, "type the database as it stands above")
        visit(screen, name)
        assert "\u2713" in screen.screen.text
        visit(screen, "\t", "\t", "\t", PASTED)
        code, output = _run(worse)
        assert code == 0, output.decode()
        screen.press("q")
        screen.until("Leave?")
        screen.press("\t\r")
        assert screen.end() == 0
    finally:
        screen.close()
    attached = Connection([*program, "attach"], worse.directory, environment)
    try:
        attached.until("3 of 3 done", "[/foo]")
        for keys in ("\r", "?", "L", "\t"):
            visit(attached, keys)
        attached.press("n")
        attached.until("Schema restored")
        for keys in ("m", "l", "?", "v"):
            visit(attached, keys)
        attached.press("u")
        attached.until("what could undo it", "as counted at")
        visit(attached, "\r")
        visit(attached)
        attached.press("n")
        attached.until("Rollback of")
        visit(attached, "c", "\r", "?")
        attached.press("q")
        assert attached.end() == 0
    finally:
        attached.close()
    for drawn in (screen.drawn, attached.drawn):
        for piece in (TITLE, CLIPBOARD, C1, BIDI, ZERO, *"\u2066\u2067\u2069\u200d\ufeff\u0378"):
            assert piece.encode() not in drawn
        wire = judged(drawn)
        assert wire.restored
        assert all(inert(text.encode()) for text in wire.copied)
    assert judged(attached.drawn).copied, "the folder of the report"


def test_json_is_escaped_where_a_terminal_would_obey() -> None:
    value = f"{EVIL}\x7f\U000e0041 é 日"
    encoded = inert_json(json.dumps({value: [value]}, ensure_ascii=False).encode())
    assert json.loads(encoded) == {value: [value]}
    assert inert(encoded)
    assert "é 日" in encoded.decode()
