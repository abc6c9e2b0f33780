"""Escape sequences, invisible and reordering characters and markup, from every side: none of
them reaches a terminal, a log, a journal or a report as anything but text."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator

import psycopg
import pytest

from rollback_tui.core.text import inert_json, printable
from tests.cli.conftest import Project
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
    hook = json.dumps([sys.executable, "-c", f"print({EVIL!r}, flush=True)"])
    project.configure(
        f"environment = {json.dumps(EVIL)}\n"
        f"[maintenance]\non = {{ command = {hook} }}\noff = {{ command = {hook} }}"
    )
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


def test_every_screen_shows_it_as_text_and_nothing_of_it_reaches_the_terminal(
    evil: Project,
) -> None:
    screen = Connection(
        [sys.executable, "-m", "rollback_tui"],
        evil.directory,
        {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        | SSH
        | {"TERM": "xterm-256color"},
    )
    try:
        screen.until("20240202000000", "counted", "[/foo]")
        screen.press("n")
        screen.until("We may roll back")
        screen.press("n")
        screen.until("to review", "[/foo]")
        screen.press("     ")
        screen.until("all reviewed")
        screen.press("n")
        screen.until("You are about to roll back")
        code, output = _run(evil)
        assert code == 0, output.decode()
        screen.press("q")
        screen.until("Leave?")
        screen.press("\t\r")
        screen.end()
    finally:
        screen.close()
    attached = Connection(
        [sys.executable, "-m", "rollback_tui", "attach"],
        evil.directory,
        dict(os.environ) | {"TERM": "xterm-256color"},
    )
    try:
        attached.until("3 of 3 done", "[/foo]")
        attached.press("n")
        attached.until("Schema restored")
        attached.press("n")
        attached.until("Rollback of")
        attached.press("q")
        attached.end()
    finally:
        attached.close()
    for drawn in (screen.drawn, attached.drawn):
        for piece in (TITLE, CLIPBOARD, C1, BIDI, ZERO):
            assert piece.encode() not in drawn
        commands = set(re.findall(rb"\x1b\](\d+)", drawn))
        assert commands <= {b"8", b"22"}, "links and the shape of the pointer, nothing else"


def test_json_is_escaped_where_a_terminal_would_obey() -> None:
    value = f"{EVIL}\x7f\U000e0041 é 日"
    encoded = inert_json(json.dumps({value: [value]}, ensure_ascii=False).encode())
    assert json.loads(encoded) == {value: [value]}
    assert inert(encoded)
    assert "é 日" in encoded.decode()
