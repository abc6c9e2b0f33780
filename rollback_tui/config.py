"""``rollback.toml`` → Settings. Unknown keys are refused, with the line."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from rollback_tui.config_aftercare import Incident as Incident
from rollback_tui.config_aftercare import Monitor as Monitor
from rollback_tui.config_aftercare import Notify as Notify
from rollback_tui.config_aftercare import Prometheus as Prometheus
from rollback_tui.config_copies import CheckpointSettings as CheckpointSettings
from rollback_tui.config_copies import CopyHook as CopyHook
from rollback_tui.config_copies import Hook as Hook
from rollback_tui.config_copies import PgBackRest as PgBackRest
from rollback_tui.config_copies import Table as Table
from rollback_tui.config_health import Health as Health
from rollback_tui.config_screen import Screen as Screen
from rollback_tui.config_screen import over, person_file
from rollback_tui.core.errors import ConfigurationError

FILE_NAME = "rollback.toml"

Seconds = Annotated[float, Meta(ge=0)]

_T = TypeVar("_T")


class Connection(Table, frozen=True, kw_only=True):
    """How the database is reached, when neither ``--dsn`` nor ``DATABASE_URL`` says so."""

    dsn: Annotated[
        str,
        Meta(description="libpq connection string or URL. Empty: libpq's own PG* and defaults."),
    ] = ""
    connect_timeout: Annotated[float, Meta(ge=2, description="Seconds to wait for the server.")] = (
        10
    )
    maintenance_database: Annotated[
        str,
        Meta(description="The other database of the server, from which the door is worked."),
    ] = "postgres"


class Migrations(Table, frozen=True, kw_only=True):
    """Where the migrations are."""

    directory: Annotated[
        str, Meta(description="Directory with the migration files. Empty: found by framework.")
    ] = ""
    framework: Annotated[
        str,
        Meta(
            description="The migration tool: ``dbmate``, ``rails``, ``alembic`` …, as"
            " docs/frameworks.md names it. Empty: recognised by its version table."
        ),
    ] = ""
    table: Annotated[
        str,
        Meta(description="Version table, ``schema.table``. Empty: the framework's default."),
    ] = ""
    version_column: Annotated[
        str,
        Meta(
            description="Its column with the version, for the frameworks ``pairs`` and ``other``."
        ),
    ] = ""
    time_column: Annotated[
        str,
        Meta(description="Its column with the time of applying, for the same. Empty: none."),
    ] = ""
    command: Annotated[
        tuple[str, ...],
        Meta(
            description="The framework's own program, where it prints or runs the down migration."
            " Empty: its usual one, without a path."
        ),
    ] = ()
    environment: Annotated[
        dict[str, str],
        Meta(
            description="Variables it is given besides DATABASE_URL and PG*. ``{url}``, ``{host}``,"
            " ``{port}``, ``{user}``, ``{password}`` and ``{database}`` stand for where it may"
            " connect."
        ),
    ] = msgspec.field(default_factory=dict)
    seconds: Annotated[
        float, Meta(gt=0, description="A call of that program may take this long.")
    ] = 60
    status_command: Annotated[
        tuple[str, ...],
        Meta(
            description="Arguments of a harmless call that reads what is applied; the places of"
            " ``down_command`` stand in it as well. Only where scripts are captured. Empty: the"
            " framework's own."
        ),
    ] = ()
    down_command: Annotated[
        tuple[str, ...],
        Meta(
            description="Arguments of the call that takes back the newest migration; ``{version}``"
            " and ``{name}`` stand for it, ``{migrations}`` for the directory, ``{table}`` and"
            " ``{schema}`` for the version table. Only where scripts are captured. Empty: the"
            " framework's own."
        ),
    ] = ()
    script: Annotated[
        str,
        Meta(
            description="A down script given by hand, for the newest migration (``--script``)."
            " Empty: the framework's own."
        ),
    ] = ""


class RunSettings(Table, frozen=True, kw_only=True):
    """The run itself."""

    directory: Annotated[str, Meta(description="Where journals and reports are kept.")] = (
        "rollback_runs"
    )
    lock_timeout_seconds: Annotated[
        float,
        Meta(gt=0, description="A statement waits this long for a lock, then all is retried."),
    ] = 3
    lock_attempts: Annotated[
        int, Meta(ge=1, le=100, description="Attempts of the whole transaction.")
    ] = 5
    statement_timeout_seconds: Annotated[
        float, Meta(gt=0, description="A single statement may take this long.")
    ] = 900
    commit_seconds: Annotated[
        float,
        Meta(
            gt=0,
            description="COMMIT without an answer for so long is decided over another connection.",
        ),
    ] = 20
    run_row: Annotated[
        bool,
        Meta(
            description="Write the run's own row to schema rollback_tui of the target: it decides"
            " whether an unanswered COMMIT happened. Otherwise the version table does."
        ),
    ] = True
    drain_seconds: Annotated[
        float, Meta(ge=0, description="Grace for writers before the door closes.")
    ] = 20
    drain_then: Annotated[
        Literal["ask", "terminate", "give_up"],
        Meta(description="What to do with writers that are still there."),
    ] = "ask"
    gate: Annotated[
        Literal["commit", "ask"],
        Meta(description="When every verification passed: commit at once, or ask first."),
    ] = "commit"
    answer_seconds: Annotated[
        float,
        Meta(gt=0, description="How long a question waits. Nobody answers: the safe choice."),
    ] = 300
    notices_kept: Annotated[int, Meta(ge=0, description="Notices kept for each statement.")] = 20


class Door(Table, frozen=True, kw_only=True):
    """What keeps applications out while the run has the database."""

    mode: Annotated[
        Literal["closed", "open"],
        Meta(description="``open``: an online rollback, sessions are not ended."),
    ] = "closed"
    rung: Annotated[
        Literal["best", "limit", "terminate"],
        Meta(
            description="How it is closed. ``best``: by renaming the database, and where that"
            " cannot be, the best that can. ``limit``: connection limit 0. ``terminate``: sessions"
            " are only ended."
        ),
    ] = "best"
    allow_applications: Annotated[
        tuple[str, ...],
        Meta(
            description="application_name of sessions that are never ended. With these the"
            " database cannot be renamed."
        ),
    ] = ()
    allow_users: Annotated[
        tuple[str, ...], Meta(description="Roles whose sessions are never ended; likewise.")
    ] = ()


class Maintenance(Table, frozen=True, kw_only=True):
    """The application's maintenance mode."""

    on: Annotated[Hook, Meta(description="Called before the door closes.")] = Hook()
    off: Annotated[Hook, Meta(description="Called after it opened; always, and retried.")] = Hook()


class Caches(Table, frozen=True, kw_only=True):
    """Caches that hold what the rollback changes."""

    clear: Annotated[
        tuple[Hook, ...], Meta(description="Called in order, after COMMIT, before the door opens.")
    ] = ()


class Verify(Table, frozen=True, kw_only=True):
    """How the result is judged."""

    row_count_tolerance: Annotated[
        float,
        Meta(ge=0, le=1, description="A table must keep at least this share of its rows."),
    ] = 0.99
    count_seconds: Annotated[
        float,
        Meta(gt=0, description="Time for exact counts; tables not reached stay unknown."),
    ] = 60
    budget_seconds: Annotated[
        float,
        Meta(
            gt=0,
            description="What proving the result may add to the downtime, before and after the"
            " script together; what is not reached stays unknown.",
        ),
    ] = 60
    accept: Annotated[
        tuple[str, ...],
        Meta(
            description="Objects whose difference from the baseline is right, as the verification"
            " names them: ``type public.mood``. ``*`` stands for any text."
        ),
    ] = ()
    baseline_directory: Annotated[
        str, Meta(description="Where ``baseline record`` keeps schemas.")
    ] = "rollback_baselines"


class Impact(Table, frozen=True, kw_only=True):
    """What users felt, from your own systems."""

    command: Annotated[
        tuple[str, ...],
        Meta(
            description='Prints JSON: {"affected_users": N, "failed_requests": N}. '
            "RUN_STARTED and RUN_FINISHED (ISO 8601) are in its environment."
        ),
    ] = ()
    timeout_seconds: Annotated[float, Meta(gt=0, description="Its deadline.")] = 20


class Recovery(Table, frozen=True, kw_only=True):
    """What the manual guide and the log pane need to know of your application."""

    services: Annotated[
        tuple[str, ...],
        Meta(description="systemd units that are stopped before a restore by hand."),
    ] = ()
    log_files: Annotated[
        tuple[str, ...], Meta(description="The application's log files, followed on screen.")
    ] = ()


class Settings(Table, frozen=True, kw_only=True):
    """The whole file."""

    environment: Annotated[
        str,
        Meta(description="Shown in the header; ``production`` is red."),
    ] = ""
    connection: Connection = Connection()
    migrations: Migrations = Migrations()
    checkpoint: CheckpointSettings = CheckpointSettings()
    pgbackrest: PgBackRest = PgBackRest()
    run: RunSettings = RunSettings()
    door: Door = Door()
    maintenance: Maintenance = Maintenance()
    caches: Caches = Caches()
    notify: Notify = Notify()
    health: Health = Health()
    verify: Verify = Verify()
    recovery: Recovery = Recovery()
    impact: Impact = Impact()
    monitor: Monitor = Monitor()
    prometheus: Prometheus = Prometheus()
    incident: Incident = Incident()
    screen: Screen = Screen()


def load(path: Path | None) -> Settings:
    """Read the settings from ``path``, or from ``rollback.toml`` here when there is one.

    Raises ConfigurationError with file and line for anything that cannot be used.
    """
    if path is None:
        path = Path(FILE_NAME)
        if not path.exists():
            return Settings()
    return parse(_read(path, "Name a readable file with --config."), str(path))


def load_screen(project: Screen, path: Path | None = None) -> Screen:
    """Return ``project`` with the person's own screen.toml on top (``path``, or where it is by the
    XDG rules); ``project`` itself where there is none.

    Raises ConfigurationError with file and line for anything that cannot be used.
    """
    path = path or person_file()
    if path is None or not path.exists():
        return project
    text = _read(path, "It holds only your own keys and colours: mend it, or move it away.")
    person = _converted(text, str(path), Screen)
    return over(project, tomllib.loads(text), person)


def _read(path: Path, remedy: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigurationError(f"{path} cannot be read: {reason}", remedy) from None


def parse(text: str, name: str = FILE_NAME) -> Settings:
    """Return the settings that ``text`` holds. Raises ConfigurationError."""
    return _converted(text, name, Settings)


def _converted(text: str, name: str, kind: type[_T]) -> _T:
    try:
        return msgspec.convert(tomllib.loads(text), kind)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"{name}: {_plain(str(error))}", "Correct the TOML syntax there."
        ) from None
    except msgspec.ValidationError as error:
        message = str(error)
        line = _line_of(text, message)
        where = f"{name}, line {line}" if line else name
        raise ConfigurationError(
            f"{where}: {_plain(message)}", "docs/configuration.md lists every key."
        ) from None


def _plain(message: str) -> str:
    message = message.replace("Object contains unknown field", "unknown key").replace("`", "'")
    # A value in the wrong place is repeated, and a URL of a place is a secret.
    return re.sub(r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s'\"]+", r"\1…", message)


def _line_of(text: str, message: str) -> int | None:
    """Find the line that a validation error speaks of; None when it cannot be told."""
    path = re.search(r"at `\$\.?([^`]*)`", message)
    parts = [p for p in re.split(r"[.\[\]]+", path.group(1)) if p] if path else []
    unknown = re.search(r"unknown field `([^`]+)`", message)
    if unknown:
        parts.append(unknown.group(1))
    keys = [p for p in parts if not p.isdigit() and p != "..."]
    section: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line)
        if header:
            section = [part.strip().strip("\"'") for part in header.group(1).split(".")]
            if section == keys:
                return number
            continue
        assignment = re.match(r"\s*([\w.\"'-]+)\s*=", line)
        if assignment:
            here = section + [p.strip("\"'") for p in assignment.group(1).split(".")]
            if here == keys[: len(here)] and len(here) >= len(keys) - 1:
                return number
    return None
