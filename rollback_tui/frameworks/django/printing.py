"""Django is asked for SQL: in the project, by the project's own Python, with settings of our own.

These settings take over the project's and replace every database by the address that the program
is given, so that whatever the project or its environment says, it cannot lead elsewhere. They and
the command that does the work (:mod:`rollback_tui.frameworks.django.command`) stand in a private
directory that is gone after the call; nothing is written into the project.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import AppliedMigration, Value
from rollback_tui.core.script.source import Source
from rollback_tui.core.text import printable, shorten
from rollback_tui.frameworks import files as migration_files
from rollback_tui.frameworks.django import migrations as django_migrations
from rollback_tui.frameworks.django.migrations import Key
from rollback_tui.frameworks.program import NOWHERE, Program
from rollback_tui.frameworks.protocol import Missing

Direction = Literal["down", "up"]

_APP, _COMMAND, _SETTINGS = "rollback_tui_command", "rollback_tui_sql", "rollback_tui_settings"
_VARIABLE = "DJANGO_SETTINGS_MODULE"

_SETTINGS_TEXT = """\
import importlib
import json
import re

_own = importlib.import_module({module!r})
globals().update({{name: value for name, value in vars(_own).items() if name.isupper()}})
_address = json.loads({address!r})


_before = {{"default": {{}}, **globals().get("DATABASES", {{}})}}


def _engine(name):
    others = ("sqlite3", "mysql", "oracle", "dummy", "")
    other = name.rpartition(".")[2] in others
    return "django.db.backends.postgresql" if other else name


def _search_path(options):
    found = re.findall(r"(?:-c\\s*|--)search[-_]path=((?:\\\\.|[^\\s\\\\])*)", options or "")
    return re.sub(r"\\\\(.)", r"\\1", found[-1]) if found else ""


DATABASES = {{
    alias: {{
        **_address,
        "ENGINE": _engine(database.get("ENGINE", "")),
        "OPTIONS": {{"sslmode": "disable"}},
    }}
    for alias, database in _before.items()
}}
ROLLBACK_TUI_SEARCH_PATH = _search_path((_before["default"].get("OPTIONS") or {{}}).get("options"))
INSTALLED_APPS = [*globals().get("INSTALLED_APPS", ()), {app!r}]
"""


class Answer(Value, frozen=True, kw_only=True):
    """What Django says of one migration."""

    sql: tuple[str, ...]
    """Statements, each with its semicolon, and descriptions, which are comments of one line."""
    atomic: bool = True
    problem: str = ""
    """Why there is no script; empty: there is one."""
    dependents: tuple[str, ...] = ()
    """Applied migrations that need it and were not asked for."""
    stays: tuple[str, ...] = ()
    """Operations whose way back is ``noop`` by the migration's own word."""
    search_path: str = ""
    """What the project's settings set it to; empty: nothing, or what our session has as well."""
    version: str = ""
    """Django's own."""


class _Written(Value, frozen=True, kw_only=True):
    django: str
    search_path: str
    migrations: tuple[Answer, ...]


def ask(
    direction: Direction,
    wanted: Sequence[Key],
    directory: Path,
    program: Program,
    *,
    usual: bool,
) -> tuple[Answer, ...]:
    """Return Django's answer for each of ``wanted``, in the order in which they are to run.

    ``usual``: the program is called as usual, by the project's ``manage.py``. Raises
    FrameworkError when that is not found, or when Django fails.
    """
    home = django_migrations.home(directory)
    own = program.environment.get(_VARIABLE) or (
        django_migrations.settings_module(home) if home else ""
    )
    if not own:
        raise FrameworkError(
            f"no {django_migrations.MANAGE} in {printable(str(directory))} names the settings",
            f'Name them in rollback.toml: [migrations.environment] {_VARIABLE} = "shop.settings".',
        )
    if usual and home:
        program = _at_home(program, home)
    with tempfile.TemporaryDirectory(prefix="rollback_tui-") as name:
        private = Path(name)
        _put_command(private, program, own)
        order, answer = private / "order.json", private / "answer.json"
        unapplied = wanted if direction == "up" else ()
        _write(
            order,
            json.dumps({"direction": direction, "migrations": wanted, "unapplied": unapplied}),
        )
        program.run(
            *(_COMMAND, str(order), str(answer)),
            *(f"--settings={_SETTINGS}", f"--pythonpath={private}"),
            extra={_VARIABLE: own},
        )
        try:
            written = msgspec.json.decode(answer.read_bytes(), type=_Written)
        except (OSError, msgspec.MsgspecError):
            raise FrameworkError(
                f"`{shorten(program.shown(_COMMAND), 200)}` ended well and wrote nothing",
                "[migrations] command in rollback.toml must lead to the project's manage.py on"
                " this machine.",
            ) from None
    return tuple(
        msgspec.structs.replace(one, search_path=written.search_path, version=written.django)
        for one in written.migrations
    )


def source(migration: AppliedMigration, answer: Answer) -> Source | Missing:
    """Return the script that ``answer`` is for ``migration``, whose file is known.

    Raises FrameworkError when that file is not safe to read.
    """
    shown = printable(migration.version)
    if answer.problem:
        return Missing(why=f"{shown}: {_explained(answer.problem)}")
    if answer.dependents:
        named = ", ".join(printable(one) for one in answer.dependents[:5])
        return Missing(
            why=f"{named} stays applied and depends on {shown}: roll that back first, or with it"
        )
    path = Path(migration.path or "")
    try:
        data = migration_files.read(path.parent, path.name)
    except FileNotFoundError:
        return Missing(why=f"{printable(str(path))} is gone")
    text = _text(answer).encode()
    named = printable(", ".join(dict.fromkeys(answer.stays)))
    stays = f"what {named} did stays: its way back is noop" if named else ""
    return Source(
        path=str(path),
        data=text,
        start=0,
        end=len(text),
        transactional=answer.atomic,
        origin=f"written by Django {printable(answer.version)} as `manage.py migrate` would run it"
        + (f"; {stays}" if stays else ""),
        file_sha256=hashlib.sha256(data).hexdigest(),
        nothing_to_undo=""
        if text
        else stays or "Django has nothing to change in the database for it",
    )


def _explained(problem: str) -> str:
    words = shorten(problem, 400)
    if problem == "unknown":
        return (
            "Django does not know it: its app is not in INSTALLED_APPS of these settings, or the"
            " migration is part of a squashed one that is applied"
        )
    if problem == "stopped":
        return "Django could not write an earlier one, and does not know the models above it"
    if "Found wrong number" in problem:
        return (
            f"{words}. Django looks constraints up in the database as it is now: roll back one"
            " migration at a time; if this is the newest, the schema is not what the migrations say"
        )
    return words


def _text(answer: Answer) -> str:
    """Return the script; empty when Django has nothing to do in the database."""
    lines: list[str] = []
    any_sql = False
    for item in answer.sql:
        lines.append(item)
        if item.lstrip().startswith("--") and "\n" not in item.strip():
            continue
        any_sql = True
        if "--" in item.rstrip().rpartition("\n")[2]:
            # The semicolon that Django puts at the end may stand in a comment.
            lines.append(";")
    if any_sql and answer.search_path:
        # Django's session begins with it, and names have no schema.
        lines.insert(0, f"SET search_path TO {answer.search_path};")
    return "\n".join((*lines, "")) if any_sql else ""


def _at_home(program: Program, home: Path) -> Program:
    """Call it where ``manage.py`` is, with the project's own Python when it has one there or in
    the directory that we were started in."""
    python, *rest = program.command
    for place in (home, program.project):
        found = msgspec.structs.replace(program, command=(python,), project=place).where()
        if found.is_relative_to(place.absolute()):
            python = str(found)
            break
    return msgspec.structs.replace(program, command=(python, *rest), project=home)


def _put_command(private: Path, program: Program, own: str) -> None:
    address = program.address or NOWHERE
    database = {
        "NAME": address.database,
        "USER": address.user,
        "PASSWORD": address.password,
        "HOST": address.host,
        "PORT": str(address.port),
    }
    text = _SETTINGS_TEXT.format(module=own, address=json.dumps(database), app=_APP)
    _write(private / f"{_SETTINGS}.py", text)
    commands = private / _APP / "management" / "commands"
    commands.mkdir(parents=True)
    for package in (commands.parent.parent, commands.parent, commands):
        _write(package / "__init__.py", "")
    given = Path(__file__).with_name("command.py").read_text(encoding="utf-8")
    _write(commands / f"{_COMMAND}.py", given)


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
