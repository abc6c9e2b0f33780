"""The command line: the composition root, the only place that knows every layer.

Exit codes: 0 rolled back (or: all is well) · 1 refused (or: not safe) · 2 usage or configuration
· 3 unchanged · 4 recovered · 5 needs_operator.
"""

from __future__ import annotations

import sys

import click
import psycopg

from rollback_tui.cli import (
    archive,
    baseline,
    beside,
    checkpoints,
    doctor,
    look,
    past,
    practise,
    pruning,
    recover,
    rehearse,
    rollback,
    terminal,
    worker,
)
from rollback_tui.core.errors import RollbackTuiError, RunRefused
from rollback_tui.core.text import printable


class _Group(click.Group):
    """A group that opens the screens when no command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "--version")):
            args = ["ui", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Group, context_settings={"help_option_names": ["--help"]})
@click.version_option(package_name="rollback-tui", prog_name="rollback-tui")
def commands() -> None:
    """A guided, verified rollback of a PostgreSQL migration.

    Without a command: the screens. Every screen has a plain command too.
    """


for _command in (
    terminal.ui,
    look.state,
    look.plan,
    look.check,
    rehearse.rehearse,
    rollback.run,
    rollback.settle,
    recover.recover,
    terminal.attach,
    past.history,
    past.report,
    past.guide,
    checkpoints.checkpoint,
    baseline.baseline,
    archive.archive,
    doctor.doctor,
    practise.demo,
    worker.worker,
):
    commands.add_command(_command)

checkpoints.checkpoint.add_command(pruning.prune_)


def _code(error: RollbackTuiError) -> int:
    if isinstance(error, beside.Unfinished):
        return 5
    return 1 if isinstance(error, RunRefused) else 2


def main() -> None:
    """Run the command line; every known error is one line and a remedy."""
    try:
        commands(prog_name="rollback-tui")
    except RollbackTuiError as error:
        click.echo(f"error: {printable(error.summary)}", err=True)
        if error.remedy:
            click.echo(f"  → {printable(error.remedy)}", err=True)
        sys.exit(_code(error))
    except psycopg.Error as error:
        # Where nobody expected one: the server's own words are better than a traceback.
        click.echo(f"error: {printable(' '.join(str(error).split()))}", err=True)
        click.echo("  → The server said so. `rollback-tui state` shows how it is now.", err=True)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
