"""What the schema will be like afterwards, in a line and in full; and what would mend it."""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content

from rollback_tui.core.schema import Difference
from rollback_tui.core.schema_verdict import Mending, SchemaVerdict
from rollback_tui.core.text import shorten
from rollback_tui.ui.theme import Tone, line, lines
from rollback_tui.ui.walk import SCHEMA_CHECK, Walk, valid_rehearsal
from rollback_tui.ui.wording import count

DEFINITION = 600
"""Characters of a definition that are shown."""
NOT_FROM_HERE = "not known: rehearse with r"

BASELINES = {
    "recorded": "the recorded baseline",
    "replayed": "the baseline replayed from the up scripts",
    "none": "no baseline",
}
"""Where what should be there is known from."""

VERDICTS: dict[str, tuple[str, Tone]] = {
    "identical": ("✓", "good"),
    "equivalent": ("≈", "good"),
    "leftover": ("✗", "bad"),
    "drift": ("!", "warn"),
    "unknown": ("?", "warn"),
}
"""Glyph and tone of each kind of verdict."""


def baseline_of(verdict: SchemaVerdict) -> str:
    """Return which baseline was used: ``the recorded baseline of 20240110090000``."""
    return f"{BASELINES[verdict.origin]} of {verdict.version or 'the empty database'}"


def verdict_words(verdict: SchemaVerdict) -> tuple[str, Tone]:
    """Return a verdict in one line, with its glyph."""
    glyph, tone = VERDICTS[verdict.kind]
    words = {
        "identical": f"identical with {baseline_of(verdict)}",
        "equivalent": f"equivalent to {baseline_of(verdict)} ({count(len(verdict.notes), 'note')})",
        "leftover": f"leaves {count(len(verdict.leftover), 'object')} behind",
        "drift": f"drift: {count(len(verdict.drift), 'object')} differed before already",
        "unknown": f"no baseline of {verdict.version or 'the empty database'}:"
        " rollback-tui baseline record, at each deploy",
    }[verdict.kind]
    if verdict.kind == "leftover" and verdict.drift:
        words += f"; {count(len(verdict.drift), 'object')} differed before already"
    return f"{glyph} {words}", tone


def accepted_why(walk: Walk) -> str:
    """Return the typed reason why the differences are accepted, or that the configuration declares
    them; empty when they are not."""
    if reason := dict(walk.overrides).get(SCHEMA_CHECK):
        return reason
    check = next((c for c in walk.checks or () if c.name == SCHEMA_CHECK), None)
    if walk.judging:
        # What stands there was judged of an earlier rehearsal, or of none.
        return ""
    if check is not None and check.status in ("pass", "warn"):
        return "declared in the configuration"
    return ""


def foreseen(walk: Walk) -> SchemaVerdict | None:
    """Return what the rehearsal of exactly this plan found the schema to be."""
    rehearsal = valid_rehearsal(walk)
    return rehearsal.foreseen if rehearsal else None


def foreseen_words(walk: Walk) -> tuple[str, Tone]:
    """Return what the schema will be like afterwards; that nobody knows is never green."""
    if walk.rehearsing is not None:
        return "? being rehearsed …", "dim"
    rehearsal, verdict = valid_rehearsal(walk), foreseen(walk)
    if rehearsal is None:
        return f"? {NOT_FROM_HERE}", "warn"
    if verdict is None:
        return "? not known: the rehearsal did not come to its end", "warn"
    words, tone = verdict_words(verdict)
    if verdict.kind == "leftover" and (why := accepted_why(walk)):
        return f"≈{words[1:]}, accepted: {why}", "warn"
    return words, tone


def foreseen_line(walk: Walk) -> Content:
    """Return the line above the list of statements."""
    words, tone = foreseen_words(walk)
    verdict = foreseen(walk)
    more = ""
    if verdict is not None and verdict.kind == "leftover" and not accepted_why(walk):
        more = " — see Safety (2), or v"
    elif verdict is not None and verdict.kind != "unknown":
        more = " · v"
    return line((" schema afterwards: ", "dim"), (words, tone), (more, "dim"))


def in_full(verdict: SchemaVerdict, *, accepted: str = "") -> Content:
    """Return the whole verdict: what should be, what is, and what would mend it."""
    words, tone = verdict_words(verdict)
    rows = [line((words, tone))]
    if verdict.origin != "none":
        compared = f"{count(verdict.objects, 'object')} compared with {baseline_of(verdict)}."
        rows.append(line((compared, "dim")))
    else:
        rows += [
            line(
                "Nobody knows what the schema should be: no baseline of this version was recorded"
            ),
            line("at a deploy, and none could be made from the up scripts. Nothing is compared."),
        ]
    if verdict.unsure:
        rows.append(
            line(
                (
                    "What the schema should have been before is not known: some of this may have"
                    " differed already.",
                    "warn",
                )
            )
        )
    if accepted:
        rows.append(line(("≈ accepted: ", "warn"), accepted))
    if verdict.leftover:
        rows += [
            line(""),
            line(("What this rollback leaves behind, or does not bring back", "bad")),
        ]
        rows += _objects(verdict.leftover, verdict.mending)
    if loose := _loose(verdict):
        rows += [line(""), line(("What would mend the rest", "accent"))]
        rows += [row for one in loose for row in (line(one.object), *_mending(one))]
    if verdict.drift:
        rows += [line(""), line(("Different before already; the run does not touch it", "warn"))]
        rows += _objects(verdict.drift, ())
    if verdict.notes:
        rows += [line(""), line(("No statement can notice", "strong"))]
        rows += [line(("  · ", "dim"), note) for note in verdict.notes]
    return lines(rows)


def mending_sql(verdict: SchemaVerdict) -> str:
    """Return what would mend it, as a script; empty when nothing can be derived."""
    return "\n".join(f"{statement};" for one in verdict.mending for statement in one.sql)


def _objects(differences: Iterable[Difference], mending: tuple[Mending, ...]) -> list[Content]:
    by_object = {one.object: one for one in mending}
    rows: list[Content] = []
    for difference in differences:
        if difference.before is None:
            word = "left behind"
        elif difference.after is None:
            word = "missing"
        else:
            word = "changed"
        rows.append(line(("· ", "dim"), (difference.object, "strong"), (f"  {word}", "warn")))
        rows += [
            line(("    should be  ", "dim"), _definition(difference.before)),
            line(("    is         ", "dim"), _definition(difference.after)),
        ]
        if difference.object in by_object:
            rows += _mending(by_object[difference.object])
    return rows


def _mending(one: Mending) -> list[Content]:
    rows = [line(("    mend with  ", "accent"), f"{statement};") for statement in one.sql]
    if one.why:
        rows.append(line(("               " if one.sql else "    mend       ", "dim"), one.why))
    return rows


def _loose(verdict: SchemaVerdict) -> list[Mending]:
    shown = {difference.object for difference in verdict.leftover}
    return [one for one in verdict.mending if one.object not in shown]


def _definition(text: str | None) -> tuple[str, Tone]:
    if text is None:
        return "not there", "dim"
    return shorten(text, DEFINITION) or "there", "plain"
