"""What ``run --keep`` asks for: which statements, and what that will cost."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence

import click
import psycopg

from rollback_tui.cli.options import Common
from rollback_tui.core.errors import ConfigurationError, ConnectionFailed, RunRefused
from rollback_tui.core.model import Plan
from rollback_tui.core.outlook import Keepable
from rollback_tui.core.text import data_size, printable
from rollback_tui.postgres.archive.cost import BYTES_A_SECOND, keepable

ALL = "all"


def chosen(texts: Sequence[str], plan: Plan, done: Collection[int] = ()) -> frozenset[int]:
    """Return the statements of ``plan`` that ``--keep`` names: ``all``, or their numbers.

    ``done`` are statements that an interrupted run has done already: nothing of them is left to
    be kept. Raises ConfigurationError for a number that is no destructive statement.
    """
    destructive = {s.index for s in plan.statements if s.dangerous} - set(done)
    named: set[int] = set()
    for text in texts:
        if text.strip().lower() == ALL:
            named |= destructive
            continue
        if not text.strip().isdecimal() or int(text) not in destructive:
            known = ", ".join(map(str, sorted(destructive))) or "none of this plan"
            raise ConfigurationError(
                f"--keep {printable(text)}: there is no destructive statement of that number",
                f"Destructive are: {known}. Or: --keep all.",
            )
        named.add(int(text))
    return frozenset(named)


def agreed(given: Common, plan: Plan, keep: frozenset[int]) -> None:
    """Say what keeping costs, on standard error. Raises RunRefused when one of them cannot be
    kept, with every reason, and ConnectionFailed."""
    if not keep:
        return
    try:
        with contextlib.closing(given.connect()) as connection:
            found = keepable(connection, plan, only=keep)
    except psycopg.Error as error:
        raise ConnectionFailed(printable(" ".join(str(error).split())), "Try again.") from None
    bad = [k for k in found if k.obstacle]
    if bad:
        possible = sorted(keep - {k.statement for k in bad})
        others = " ".join(f"--keep {index}" for index in possible)
        raise RunRefused(
            "; ".join(f"statement {k.statement} cannot be kept: {k.obstacle}" for k in bad),
            f"The others can: {others}." if others else "Save that data by hand, or do without.",
        )
    if not given.as_json:
        for one in found:
            click.echo(printable(f"statement {one.statement}: keeps {cost(one)}"), err=True)
        click.echo(
            "  Estimates; whether the server's disk has the room is not known from here.", err=True
        )


def cost(one: Keepable) -> str:
    """Return what is kept, and the estimates, in words."""
    if one.bytes is None or one.seconds is None:
        return f"{one.what}, size and time not known"
    size = data_size(one.bytes)
    rate = data_size(BYTES_A_SECOND)
    return f"{one.what}, about {size}, about {one.seconds:.1f} s at {rate}/s"
