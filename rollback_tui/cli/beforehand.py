"""``--rehearse``: what a rehearsal finds out, known to the command that follows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from rollback_tui.cli.session import Session
from rollback_tui.cli.stopping import stop_asked
from rollback_tui.core.checks.schema import NAME as ACCEPTING
from rollback_tui.core.errors import RunRefused
from rollback_tui.core.model import Plan
from rollback_tui.core.rehearsal import Rehearsal, Source
from rollback_tui.core.schema_verdict import evidence, summary


def rehearse_first(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--rehearse [schema|dump|clone]``; ``schema`` when nothing is named."""
    return click.option(
        "--rehearse",
        "source",
        is_flag=False,
        flag_value="schema",
        default=None,
        type=click.Choice(["schema", "dump", "clone"]),
        metavar="[schema|dump|clone]",
        help="Rehearse first on a scratch database, from the schema alone if nothing is named: then"
        " it is known what will become of the schema.",
    )(command)


def rehearsed(session: Session, plan: Plan, source: Source | None) -> Rehearsal | None:
    """Rehearse ``plan``, telling on standard error what is done and what was found of the schema;
    None when it is not wanted. Raises RunRefused when it was stopped."""
    if source is None:
        return None
    with stop_asked() as stop:
        found = session.rehearse(
            plan, source, lambda line: click.echo(f"  … {line}", err=True), stop
        )
        if stop.is_set():
            raise RunRefused("the rehearsal was stopped", "Nothing was changed.")
    if found.failure:
        click.echo(f"rehearsal FAILED: {found.failure}", err=True)
    elif found.foreseen is not None:
        click.echo(f"rehearsed, {found.foreseen.kind}: {summary(found.foreseen)}", err=True)
        for line in evidence(found.foreseen):
            click.echo(f"  {line}", err=True)
    return found


def as_typed(overrides: dict[str, str], rehearsal: Rehearsal | None) -> dict[str, str]:
    """Return the reasons as the journal should tell them: what a command's own rehearsal finds
    cannot have been seen by whoever typed the reason with that command."""
    if rehearsal is None or ACCEPTING not in overrides:
        return overrides
    return overrides | {ACCEPTING: f"{overrides[ACCEPTING]} (typed before it was rehearsed)"}
