"""Who was told of a run, in words: what arrived, and what did not and why."""

from __future__ import annotations

from textual.content import Content

from rollback_tui.core.notices import Notice, Post
from rollback_tui.core.text import cells, shorten
from rollback_tui.ui.after import After
from rollback_tui.ui.theme import line, lines
from rollback_tui.ui.watch_words import at
from rollback_tui.ui.wording import count

OCCASIONS = {
    "started": "the run began",
    "gate": "it asked something",
    "finished": "it has an outcome",
    "alert": "an alert",
    "settled": "it was settled",
}


def undelivered_line(after: After | None, width: int) -> Content | None:
    """Return in a line of ``width`` cells what has not arrived yet; None when nothing is left."""
    post = after.post if after is not None else None
    if post is None or not post.pending:
        return None
    first, place = post.pending[0]
    many = len(post.pending)
    others = "" if many == 1 else f", and {count(many - 1, 'other')}"
    said = f"! {count(many, 'notification')} not delivered yet: {_still(post, first, place)}"
    return line(" ", (f"{shorten(said, max(8, width - 1 - cells(others)))}{others}", "warn"))


def _still(post: Post, notice: Notice, place: str) -> str:
    tried = [one for one in post.attempts if one.id == notice.id and one.place == place]
    if not tried:
        # At each place things arrive in the order in which they happened.
        waits = next((one.id for one, where in post.pending if where == place), "") != notice.id
        return f"{place} ({'after what did not arrive' if waits else 'not tried yet'})"
    return f"{place} ({tried[-1].why}), {count(len(tried), 'try', 'tries')}"


def told(after: After | None) -> Content:
    """Return every notice with every place that wants it, newest first."""
    post = after.post if after is not None else None
    if post is None:
        return line(("Who was told is not known yet.", "dim"))
    if not post.notices:
        return lines(
            [
                line("Nobody was told of this run."),
                line(("[[notify.to]] in rollback.toml names whom to tell.", "dim")),
            ]
        )
    rows = []
    for notice in reversed(post.notices):
        when = at(notice.at, seconds=True)
        rows.append(
            line((when, "dim"), "  ", (notice.title, "strong"), f"  ({OCCASIONS[notice.occasion]})")
        )
        rows += [_place(post, notice, place) for place in notice.places]
        rows.append(line(""))
    return lines(rows)


def _place(post: Post, notice: Notice, place: str) -> Content:
    tried = [one for one in post.attempts if one.id == notice.id and one.place == place]
    arrived = next((one for one in tried if one.ok), None)
    if arrived is not None:
        again = f", at attempt {arrived.attempt}" if arrived.attempt > 1 else ""
        return line(("  ✓ ", "good"), f"{place}  {at(arrived.at, seconds=True)}{again}")
    given_up = next((d for d in post.dropped if d.id == notice.id and d.place == place), None)
    if given_up is not None:
        return line(("  ✗ ", "bad"), f"{place}  given up: {given_up.why}")
    return line(("  ! ", "warn"), f"not delivered yet: {_still(post, notice, place)}")
