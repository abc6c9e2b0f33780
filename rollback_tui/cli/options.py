"""Options that several commands share, and what they come to."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from rollback_tui.config import FILE_NAME, Settings, load
from rollback_tui.core.errors import ConfigurationError, ConnectionFailed, RollbackTuiError
from rollback_tui.postgres.connect import Connection, connect, resolved, with_database
from rollback_tui.ui.operations import Choice

if TYPE_CHECKING:
    from rollback_tui.core.claim import Claim

Command = Callable[..., Any]

ANSWER_SECONDS = 300.0
"""Nothing that is only looked at takes so long; a screen must not wait for an answer that was lost
on its way."""


class Common(msgspec.Struct, frozen=True, kw_only=True):
    """What the common options and the configuration say together."""

    dsn: str
    settings: Settings
    project: Path
    """Where relative paths of the configuration start: its directory, or the current one."""
    as_json: bool

    def connect(self, *, sent: Callable[[str], None] | None = None) -> Connection:
        """Connect to the target. Raises ConnectionFailed; when an unfinished run keeps us out,
        it names that run and the command."""
        timeout = self.settings.connection.connect_timeout
        try:
            return connect(self.dsn, timeout=timeout, sent=sent, patience=ANSWER_SECONDS)
        except ConnectionFailed as error:
            raise self._explained(error) from None

    def _explained(self, error: ConnectionFailed) -> ConnectionFailed:
        try:
            closed = [claim for claim in self.claims() if claim.door_closed]
        except RollbackTuiError:
            closed = []
        if not closed:
            return error
        from rollback_tui.core.claim import remedy, sentence

        return ConnectionFailed(f"{sentence(closed[0])} ({error.summary})", remedy(closed[0]))

    def claims(self) -> tuple[Claim, ...]:
        """Return the kept runs of this target that have no outcome, newest first. Asks the
        maintenance database only when there are such runs at all. Raises ConfigurationError."""
        if not self._any_kept():
            return ()
        # Journals and what is in them are a fifth of a start, and most have none.
        from rollback_tui.run import claims

        settings = self.settings.connection
        return claims.unfinished(
            self.run_directory(),
            self.dsn,
            settings.maintenance_database,
            settings.connect_timeout,
        )

    def _any_kept(self) -> bool:
        try:
            # The audit log is no run.
            return any(path.is_dir() for path in self.run_directory().iterdir())
        except FileNotFoundError:
            return False
        except OSError:
            # Whoever reads it says what is wrong with it.
            return True

    def run_directory(self) -> Path:
        """Where journals and reports are kept."""
        return self.project / self.settings.run.directory

    def used_dsn(self) -> str:
        """Return the connection string as it was really used, for a pipe to the worker."""
        with self.connect() as connection:
            return resolved(connection)

    def used_maintenance_dsn(self) -> str:
        """Return that of the maintenance database, which is reached also when the door of the
        target is closed."""
        settings = self.settings.connection
        dsn = with_database(self.dsn, settings.maintenance_database)
        with connect(dsn, timeout=settings.connect_timeout) as connection:
            return resolved(connection)


def common(command: Command) -> Command:
    """Add the options of the target, the configuration and the output."""

    @click.option("--dsn", default=None, help="Connection string or URL of the target.")
    @click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        default=None,
        help=f"Configuration file.  [default: {FILE_NAME} here, if there is one]",
    )
    @click.option("--migrations", default=None, metavar="DIR", help="Directory of migrations.")
    @click.option(
        "--framework",
        default=None,
        metavar="NAME",
        help="The migration tool: dbmate, rails, alembic … (docs/frameworks.md)."
        "  [default: recognised]",
    )
    @click.option(
        "--script",
        default=None,
        metavar="FILE",
        help="SQL that takes the newest migration back, written by hand.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @functools.wraps(command)
    def with_common(
        *args: Any,
        dsn: str | None,
        config: Path | None,
        migrations: str | None,
        framework: str | None,
        script: str | None,
        as_json: bool,
        **options: Any,
    ) -> Any:
        settings = _overridden(load(config), migrations, framework, script)
        if settings.notify.to:
            from rollback_tui.cli.secrets import hide_places

            hide_places(settings.notify)
        given = Common(
            dsn=dsn or os.environ.get("DATABASE_URL") or settings.connection.dsn,
            settings=settings,
            project=(config.resolve().parent if config else Path.cwd()),
            as_json=as_json,
        )
        return command(*args, given=given, **options)

    return with_common


def _overridden(
    settings: Settings, migrations: str | None, framework: str | None, script: str | None
) -> Settings:
    changes: dict[str, str] = {}
    if migrations is not None:
        # As a shell user means it: from where the command was typed, not from the config file.
        changes["directory"] = str(Path(migrations).absolute())
    if framework is not None:
        changes["framework"] = framework
    if script is not None:
        # The worker, and the screens, may have another current directory.
        changes["script"] = str(Path(script).absolute())
    if not changes:
        return settings
    return msgspec.structs.replace(
        settings, migrations=msgspec.structs.replace(settings.migrations, **changes)
    )


def how_far(command: Command) -> Command:
    """Add ``--steps N`` and ``--to VERSION``."""

    @click.option("--steps", type=click.IntRange(min=1), default=None, help="How many migrations.")
    @click.option("--to", "version", default=None, help="Version that stays applied.")
    @functools.wraps(command)
    def with_choice(*args: Any, steps: int | None, version: str | None, **options: Any) -> Any:
        if steps is not None and version is not None:
            raise ConfigurationError(
                "--steps and --to say two different things", "Give one of them."
            )
        return command(*args, choice=Choice(steps=steps or 1, version=version), **options)

    return with_choice
