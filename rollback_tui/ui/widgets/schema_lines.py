"""What the schema will be like afterwards, in a line and in full; and what would mend it."""

from __future__ import annotations

from textual.content import Content

from rollback_tui.core.schema import Difference, condensed, grouped
from rollback_tui.core.schema_verdict import Mending, SchemaVerdict, how_many
from rollback_tui.core.text import printable, shorten
from rollback_tui.ui.theme import Tone, line, lines
from rollback_tui.ui.walk import SCHEMA_CHECK, Walk, valid_rehearsal
from rollback_tui.ui.wording import count

DEFINITION = 300
"""Characters of a definition that are shown; of longer ones only where they part."""
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
    notes = count(len(verdict.notes), "note")
    words = {
        "identical": f"identical with {baseline_of(verdict)}",
        "equivalent": f"equivalent to {BASELINES[verdict.origin]} ({notes})",
        "leftover": f"leaves {how_many(verdict.leftover)} behind",
        "drift": f"drift: {how_many(verdict.drift)} differed before already",
        "unknown": f"not known: {verdict.why}"
        if verdict.why and not verdict.why.startswith("no baseline")
        else "no baseline: rollback-tui baseline record, at each deploy",
    }[verdict.kind]
    if verdict.kind == "leftover" and verdict.drift:
        words += f"; {how_many(verdict.drift)} differed before already"
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
    """Return the line between the list of statements and the text of one."""
    words, tone = foreseen_words(walk)
    verdict = foreseen(walk)
    more = ""
    if verdict is not None and verdict.kind == "leftover" and not accepted_why(walk):
        more = " — see Safety (2), or v"
    elif verdict is not None and verdict.kind in ("identical", "equivalent", "drift"):
        more = " · v"
    return line(("schema afterwards: ", "dim"), (words, tone), (more, "dim"))


def short(difference: Difference) -> str:
    """Return a difference in one line: what should be there, and what is."""
    name = difference.object
    if difference.before is None:
        return f"left behind: {name}"
    if difference.after is None:
        return f"missing: {name}"
    should, found = shorten(difference.before, 80), shorten(difference.after, 80)
    return f"{name}: should be {should}, is {found}"


def in_full(verdict: SchemaVerdict, *, accepted: str = "") -> Content:
    """Return the whole verdict: what should be, what is, and what would mend it."""
    words, tone = verdict_words(verdict)
    rows = [line((words, tone))]
    if verdict.origin != "none":
        compared = f"{count(verdict.objects, 'object')} compared with {baseline_of(verdict)}."
        rows.append(line((compared, "dim")))
    else:
        rows.append(line(f"Nothing was compared: {verdict.why or 'there is no baseline'}."))
        rows.append(
            line(
                ("Now: ", "accent"),
                "rollback-tui baseline replay runs the up scripts on an empty database. Recorded"
                " at each deploy, it is there the next time.",
            )
        )
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
        rows += _objects(verdict, verdict.leftover, verdict.mending)
    if loose := _loose(verdict):
        rows += [line(""), line(("What would mend the rest", "accent"))]
        rows += [row for one in loose for row in (line(one.object), *_mending(one))]
    if verdict.drift:
        rows += [line(""), line(("Different before already; the run does not touch it", "warn"))]
        rows += _objects(verdict, verdict.drift, ())
    if verdict.notes:
        rows += [line(""), line(("No statement can notice", "strong"))]
        rows += [line(("  · ", "dim"), note) for note in verdict.notes]
    return lines(rows)


def mending_sql(verdict: SchemaVerdict) -> str:
    """Return what would mend it, as a script; empty when nothing can be derived."""
    return "\n".join(f"{statement};" for one in verdict.mending for statement in one.sql)


def _objects(
    verdict: SchemaVerdict, differences: tuple[Difference, ...], mending: tuple[Mending, ...]
) -> list[Content]:
    by_object = {one.object: one for one in mending}
    rows: list[Content] = []
    for group in grouped(condensed(differences)):
        if all(d.object != group.object for d in group.differences):
            rows.append(line(("  in ", "dim"), (group.object, "strong")))
        for difference in group.differences:
            rows += _object(difference)
            if difference.object in verdict.entangled:
                rows.append(line(("    it was not as it should be before already", "warn")))
            if difference.object in by_object:
                rows += _mending(by_object[difference.object])
    return rows


def _object(difference: Difference) -> list[Content]:
    """Return what should be there, and what is; of long definitions only where they part."""
    name, before, after = difference.object, difference.before, difference.after
    word = "left behind" if before is None else "missing" if after is None else "changed"
    head = line(("· ", "dim"), (name, "strong"), (f"  {word}", "warn"))
    if before is not None and after is not None and max(len(before), len(after)) > DEFINITION:
        parted = difference.describe().removeprefix(f"changed: {printable(name)}: ")
        return [head, line(("    differs    ", "dim"), parted)]
    return [
        head,
        line(("    should be  ", "dim"), _definition(before)),
        line(("    is         ", "dim"), _definition(after)),
    ]


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
