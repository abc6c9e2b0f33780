"""``notify``: who is told of a run. A test message to each place, what was told, what still waits
and why, another attempt, and giving one up. Needs no connection to a database."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import click

from rollback_tui.aftercare.attendant import presence
from rollback_tui.aftercare.ledger import LedgerDamaged
from rollback_tui.aftercare.outbox import Outbox, Pending, pending, read_post, retry
from rollback_tui.aftercare.places import by_name, resolved, shown
from rollback_tui.aftercare.sending import Answer, send, understood
from rollback_tui.cli.attending import begun, resume
from rollback_tui.cli.findings import Finding
from rollback_tui.cli.noted import note
from rollback_tui.cli.options import Common, common
from rollback_tui.cli.shapes import print_json
from rollback_tui.config_aftercare import SWITCH, Notify, Place, switched_off
from rollback_tui.core.errors import ConfigurationError, RollbackTuiError
from rollback_tui.core.notices import FILE_NAME, Notice, Post
from rollback_tui.core.report.words import moment, some
from rollback_tui.core.text import printable
from rollback_tui.run import feed
from rollback_tui.run import folder as run_folder


@click.group()
def notify() -> None:
    """Who is told of a run: test it, see what was told, try again what did not arrive."""


@notify.command("test")
@click.option("--to", "name", default=None, metavar="NAME", help="Only this place.")
@common
def test(given: Common, name: str | None) -> None:
    """Send a test message to each place now; exit 0 only when all of them took it."""
    places = _places(given.settings.notify, name)
    with ThreadPoolExecutor(max_workers=len(places)) as pool:
        seconds = given.settings.notify.timeout_seconds
        answers = list(pool.map(lambda place: _tested(place, seconds), places))
    if given.as_json:
        print_json(
            [
                {
                    "place": place.name,
                    "arrived": answer.ok,
                    "seconds": answer.seconds,
                    "why": answer.why or None,
                }
                for place, answer in zip(places, answers, strict=True)
            ]
        )
    else:
        for place, answer in zip(places, answers, strict=True):
            click.echo(printable(_line(place, answer)))
    sys.exit(0 if all(answer.ok for answer in answers) else 1)


@notify.command("list")
@click.argument("run", required=False)
@common
def list_(given: Common, run: str | None) -> None:
    """What was told of RUN (default: the newest), what was not yet, and why."""
    folder = feed.find(given.run_directory(), run)
    post = read_post(folder)
    waiting = pending(post, given.settings.notify, os.environ)
    if given.as_json:
        print_json(
            {"folder": str(folder), "notices": [_shape(n, post, waiting) for n in post.notices]}
        )
        return
    if not post.notices:
        click.echo(printable(f"Nobody was told of {folder.name}."))
    for notice in post.notices:
        click.echo(printable(f"{moment(notice.at)}  {notice.occasion}  {notice.title}"))
        for place in notice.places:
            click.echo(printable(f"    {place}: {_fate(notice, place, post, waiting)}"))


@notify.command("retry")
@click.argument("run", required=False)
@common
def retry_(given: Common, run: str | None) -> None:
    """Try once more, now, what did not arrive: of RUN, or of all runs. Exit 0 only when nothing is
    left."""
    folders = _folders(given, run)
    left: list[tuple[Path, Pending]] = []
    sent = 0
    here = given.settings.environment
    for folder in folders:
        before = len(read_post(folder).pending)
        there = _environment(folder) if run is None else ""
        if there and here and there != here:
            # Places of two configurations may be called alike, and not be the same.
            why = f"it was in {there}, and this is {here}; name the run to tell it from here"
            waits = pending(read_post(folder), given.settings.notify, os.environ)
            left += [(folder, one._replace(why=why)) for one in waits]
            continue
        try:
            post = retry(folder, given.settings.notify)
        except OSError as error:
            why = f"{Path(error.filename or '').name}: {error.strerror}"
            click.echo(printable(f"warning: {folder.name}: {why}"), err=True)
            post = read_post(folder)
        sent += before - len(post.pending)
        left += [(folder, one) for one in pending(post, given.settings.notify, os.environ)]
    _look_after(given)
    if given.as_json:
        print_json({"sent": sent, "pending": [_left_shape(folder, one) for folder, one in left]})
    else:
        click.echo(f"{some(sent, 'message')} sent, {len(left):,} left.")
        for folder, one in left:
            where = f"{folder.name}  {one.notice.occasion} to {one.place}"
            click.echo(printable(f"    {where}: {one.why or 'after what did not arrive'}"))
    sys.exit(1 if left else 0)


def _environment(folder: Path) -> str:
    """Return where the run was, as it was called then; empty where that is not known."""
    started = begun(folder)
    return started.environment if started is not None else ""


def _look_after(given: Common) -> None:
    """Who looked after a run may have been killed, and there may be more to tell: start it again.
    That it cannot be is no failure of the attempt that was asked for."""
    with contextlib.suppress(RollbackTuiError, OSError):
        now, left = datetime.now(UTC), presence.unfinished(given.run_directory())
        resume(given, tuple(folder for folder in left if presence.expected(folder, now)))


@notify.command("drop")
@click.argument("run")
@click.option("--to", "name", required=True, metavar="NAME", help="The place.")
@common
def drop(given: Common, run: str, name: str) -> None:
    """Give up what NAME was not told of RUN: it is never tried again."""
    folder = feed.find(given.run_directory(), run)
    if not (folder / FILE_NAME).exists():
        raise ConfigurationError(
            f"nobody was told of {folder.name}", "`rollback-tui notify list` shows what was told."
        )
    names = dict.fromkeys(place for one in read_post(folder).notices for place in one.places)
    if name not in names:
        raise ConfigurationError(
            f"{name} was not to be told of {folder.name}", f"These were: {', '.join(names)}."
        )
    number = Outbox(folder, given.settings.notify).drop(name, "given up by hand")
    if number:
        note(given, "notices given up", f"{number} to {name}", run=folder.name[16:], place=name)
    if given.as_json:
        print_json({"folder": str(folder), "place": name, "dropped": number})
    else:
        click.echo(printable(f"{some(number, 'message')} to {name} given up."))


def findings(settings: Notify) -> Iterator[Finding]:
    """Return what ``doctor`` says of the places. Nothing is sent."""
    if not settings.to:
        yield Finding(
            "note",
            "no place is configured where people are told of a run",
            "Add [[notify.to]] to rollback.toml (docs/notifications.md).",
        )
        return
    with ThreadPoolExecutor(max_workers=2) as pool:
        yield from pool.map(_found, settings.to)
    if switched_off():
        yield Finding("note", f"nobody is told of a run: {SWITCH} is off here")


def _found(place: Place) -> Finding:
    url, missing = resolved(place, os.environ)
    told = f"notifications: {place.name}"
    if not url:
        return Finding(
            "bad",
            f"{told}: {missing}",
            "Set it in the environment of whoever starts the run.",
        )
    answer = understood(url)
    if not answer.ok:
        return Finding(
            "bad",
            f"{told}: {answer.why}",
            "See https://github.com/caronc/apprise for how its URL is written.",
        )
    return Finding("ok", f"{told}: {shown(url)}; `rollback-tui notify test` tries it")


def _places(settings: Notify, name: str | None) -> tuple[Place, ...]:
    if not settings.to:
        raise ConfigurationError(
            "no place is configured where anybody could be told",
            "Add [[notify.to]] with name and url to rollback.toml: docs/notifications.md has three"
            " lines for Slack, PagerDuty and e-mail.",
        )
    if name is None:
        return settings.to
    place = by_name(settings, name)
    if place is None:
        raise ConfigurationError(
            f"no place is called {name}",
            f"There are: {', '.join(one.name for one in settings.to)}.",
        )
    return (place,)


def _tested(place: Place, seconds: float) -> Answer:
    url, missing = resolved(place, os.environ)
    if not url:
        return Answer(ok=False, why=missing)
    at = moment(datetime.now(UTC))
    return send(
        url,
        f"rollback-tui: test of {printable(place.name)}",
        f"This is a test from {printable(socket.gethostname())}, sent at {at}.\n"
        "Nothing happened, and nothing has to be done. Who reads this here will also be told when a"
        " rollback begins, needs an answer, or ends.",
        "info",
        seconds=seconds,
    )


def _line(place: Place, answer: Answer) -> str:
    url = resolved(place, os.environ).url
    where = f"{place.name} ({shown(url)})" if url else place.name
    if answer.ok:
        return f"ok   {where}: arrived in {answer.seconds:.1f} s"
    return f"bad  {where}: {answer.why}"


def _folders(given: Common, run: str | None) -> list[Path]:
    """The run that was named, or all that have something pending, the oldest first. One that cannot
    be read is said, and keeps no other waiting."""
    if run is not None:
        return [feed.find(given.run_directory(), run)]
    found = []
    for folder in reversed(run_folder.folders(given.run_directory())):
        try:
            if read_post(folder).pending:
                found.append(folder)
        except LedgerDamaged as error:
            click.echo(printable(f"warning: {error.summary}"), err=True)
    return found


def _fate(notice: Notice, place: str, post: Post, waiting: tuple[Pending, ...]) -> str:
    tried = [a for a in post.attempts if (a.id, a.place) == (notice.id, place)]
    arrived = next((a for a in tried if a.ok), None)
    if arrived is not None:
        late = f", at attempt {arrived.attempt}" if arrived.attempt > 1 else ""
        return f"told at {moment(arrived.at)}{late}"
    given_up = next((d for d in post.dropped if (d.id, d.place) == (notice.id, place)), None)
    if given_up is not None:
        return f"given up at {moment(given_up.at)}: {given_up.why}"
    one = next(w for w in waiting if (w.notice.id, w.place) == (notice.id, place))
    if not one.why:
        first = next(w for w in waiting if w.place == place)
        return f"NOT TOLD YET: {'not tried' if first is one else 'after what did not arrive'}"
    return f"NOT TOLD YET: {one.why} ({some(one.attempts, 'attempt')})"


def _shape(notice: Notice, post: Post, waiting: tuple[Pending, ...]) -> dict[str, object]:
    return {
        "id": notice.id,
        "occasion": notice.occasion,
        "level": notice.level,
        "at": notice.at,
        "title": notice.title,
        "body": notice.body,
        "places": [_place_shape(notice, place, post, waiting) for place in notice.places],
    }


def _place_shape(
    notice: Notice, place: str, post: Post, waiting: tuple[Pending, ...]
) -> dict[str, object]:
    tried = [a for a in post.attempts if (a.id, a.place) == (notice.id, place)]
    arrived = next((a for a in tried if a.ok), None)
    given_up = next((d for d in post.dropped if (d.id, d.place) == (notice.id, place)), None)
    left = next((w for w in waiting if (w.notice.id, w.place) == (notice.id, place)), None)
    why = given_up.why if given_up else left.why if left else ""
    return {
        "place": place,
        "state": "told" if arrived else "given up" if given_up else "pending",
        "at": arrived.at if arrived else given_up.at if given_up else None,
        "attempts": len(tried),
        "why": why or None,
    }


def _left_shape(folder: Path, one: Pending) -> dict[str, object]:
    return {
        "folder": str(folder),
        "id": one.notice.id,
        "occasion": one.notice.occasion,
        "place": one.place,
        "attempts": one.attempts,
        "why": one.why or None,
    }
