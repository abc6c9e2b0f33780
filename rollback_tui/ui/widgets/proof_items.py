"""Everything that is known about a run's result, as items of a list with the text beside each."""

from __future__ import annotations

from textual.content import Content

from rollback_tui.core.model import RowChange, Verification
from rollback_tui.core.proof import Contents
from rollback_tui.core.recovery import LostRows
from rollback_tui.core.run_view import RunView
from rollback_tui.core.schema_verdict import how_many
from rollback_tui.ui.theme import STATUS, Tone, line, lines
from rollback_tui.ui.widgets.proof_lines import budget_words, mark, marks, tally
from rollback_tui.ui.widgets.run_lines import archived, back_again
from rollback_tui.ui.widgets.schema_lines import in_full
from rollback_tui.ui.wording import count, took

Item = tuple[str, tuple[str, Tone], str, Content]
"""Key, mark, title, and the text beside it."""

SHOWN = 200
"""So many tables are listed; the report has all."""


def items(view: RunView) -> list[Item]:
    """Return everything that is known about the result, worst news first, then by kind."""
    found = _first(view)
    found += _recovery(view)
    found += _verified(view)
    found += _accepted(view)
    found += _contents(view)
    if view.rows:
        changed = sum(row.before != row.after for row in view.rows)
        title = f"rows: {changed:,} of {count(len(view.rows), 'table')} changed"
        found.append(("rows", ("= rows", "accent"), title, rows_text(view.rows)))
    if view.kept:
        title = f"kept: {count(len(view.kept), 'archive table')}"
        found.append(("kept", _kept_mark(view), title, _kept(view)))
    return found


def _head(key: str, title: str, text: list[Content]) -> Item:
    """Return the line that begins a group; beside it what the group comes to."""
    return f"head {key}", ("", "dim"), title.upper(), lines(text)


# --- what comes first ---------------------------------------------------------------------------


def _first(view: RunView) -> list[Item]:
    found: list[Item] = []
    if view.finished and view.finished.next_commands:
        text = [line(("Type exactly:", "strong")), line("")]
        text += [line(("  $ ", "dim"), command) for command in view.finished.next_commands]
        found.append(("next", ("→ next", "accent"), "what to do next", lines(text)))
    if view.failure is not None:
        found.append(("failure", ("✗ failed", "bad"), "the failed statement", _failure(view)))
    if view.unchanged is not None:
        proven = view.unchanged.proven
        text = [line("Compared with what was there before the run: ", view.unchanged.basis, ".")]
        text += [line(("· ", "dim"), item) for item in view.unchanged.differences]
        said: tuple[str, Tone] = ("✓ proven", "good") if proven else ("✗ differs", "bad")
        found.append(("unchanged", said, "nothing was changed", lines(text)))
    return found


def _failure(view: RunView) -> Content:
    failure = view.failure
    if failure is None:
        return line("")
    rows = [
        line((f"statement {failure.index}, line {failure.line}", "strong")),
        line((f"{failure.sqlstate} ", "bad"), (failure.message, "bad")),
    ]
    rows += [line(failure.detail)] if failure.detail else []
    # The server may say CASCADE here: it must be plain that this is not our advice.
    rows += [line(("the server's hint: ", "dim"), failure.hint)] if failure.hint else []
    if failure.position is not None:
        rows.append(line((f"at character {failure.position}", "dim")))
    return lines([*rows, line(""), line(failure.sql)])


# --- recovery -----------------------------------------------------------------------------------


def _recovery(view: RunView) -> list[Item]:
    planned, lost, repair = view.planned_recovery, view.lost, view.repair
    found: list[Item] = []
    if planned is not None:
        long = took(planned.estimated_seconds) or "nobody knew how long"
        text = [line(planned.restores), line((f"expected to take {long}", "dim")), line("")]
        text += [line(("· ", "dim"), step) for step in planned.steps]
        found.append(_head("recovery", "recovery", text))
    elif view.recovery:
        found.append(_head("recovery", "recovery", [line("What brought the database back.")]))
    if lost is not None:
        found.append(("lost", *_lost_mark(lost.lost), lost_text(lost.lost, lost.agreed)))
    done = set()
    for number, step in enumerate(view.recovery):
        done.add(step.name)
        glyph, word, tone = STATUS[step.verdict or ("pass" if step.ok else "fail")]
        said = {"pass": "done", "fail": "failed"}.get(word, word)
        rows = [line((f"{glyph} {said}", tone), "  ", (step.name, "strong")), line(step.summary)]
        if step.sql:
            rows += [line(""), line(("sent to repair it:", "accent"))]
            rows += [line("  ", (f"{sql};", "strong")) for sql in step.sql]
        if step.evidence:
            rows += [line(""), *(line(("· ", "dim"), item) for item in step.evidence)]
        rows.append(line((f"took {took(step.seconds)}", "dim")))
        found.append(
            (
                f"recovery {number} {step.name}",
                (f"{glyph} {said}", tone),
                step.name,
                lines(rows),
            )
        )
    if repair is not None and repair.step not in done:
        rows = [line(("about to be sent:", "accent"))]
        rows += [line("  ", (f"{sql};", "strong")) for sql in repair.sql]
        title = repair.step
        found.append((f"repair {repair.step}", ("▸ repairs", "accent"), title, lines(rows)))
        done.add(repair.step)
    ended = view.finished is not None
    word = "– not done" if ended else "· waits"
    found += [
        (f"step {name}", (word, "dim"), name, line(("It was not reached.", "dim")))
        for name in (planned.steps if planned else ())
        if name not in done
    ]
    return found


def _lost_mark(lost: tuple[LostRows, ...]) -> tuple[tuple[str, Tone], str]:
    if any(one.rows is None for one in lost):
        return ("? lost", "bad"), "writes since: not all could be counted"
    total = sum(one.rows or 0 for one in lost)
    if not total:
        return ("✓ none", "good"), "writes since: none is lost"
    return ("! lost", "warn"), f"writes since: {count(total, 'row')} lost"


def lost_text(
    lost: tuple[LostRows, ...] | None, agreed: int | None = None, *, basis: bool = True
) -> Content:
    """Return which writes would be lost, or were, table by table; unknown is said. ``basis``: also
    how each number is known."""
    if lost is None:
        return line(("? It is not known which writes since then would be lost.", "bad"))
    rows = []
    if not lost:
        rows.append(line(("✓ No row that was written since is lost.", "good")))
    ordered = sorted(lost, key=lambda one: (one.rows is not None, -(one.rows or 0), one.table))
    for one in ordered[:SHOWN]:
        number: tuple[str, Tone] = ("unknown", "bad")
        if one.rows is not None:
            number = (f"{one.rows:,}", "warn" if one.rows else "dim")
        known: tuple[str, Tone] = (f"  {one.basis}" if basis else "", "dim")
        rows.append(line((f"{number[0]:>10}  ", number[1]), one.table, known))
    if len(ordered) > SHOWN:
        rows.append(line((f"… and {len(ordered) - SHOWN:,} more tables", "dim")))
    if agreed is not None:
        rows.append(line((f"agreed to lose: {count(agreed, 'row')}", "dim")))
    return lines(rows)


# --- verifications ------------------------------------------------------------------------------


def _verified(view: RunView) -> list[Item]:
    if not view.verifications:
        return []
    said = [line(f"{tally(view.verifications)}.")]
    if view.proof is not None:
        cost = view.proof.cost
        said.append(line(f"proof: {budget_words(view, view.elapsed)}."))
        if cost.others:
            others = f"{count(cost.others, 'table')} judged by the server's own counters"
            said.append(line((others, "dim")))
        if cost.beyond:
            said.append(line(("not reached, and unknown: ", "warn"), ", ".join(cost.beyond)))
    title = f"verifications {marks(view.verifications)}"
    return [_head("verified", title, said), *(_verification(v) for v in view.verifications)]


def _verification(verification: Verification) -> Item:
    glyph, word, tone = mark(verification)
    rows = [
        line((f"{glyph} {word}", tone), "  ", (verification.title, "strong")),
        line(verification.summary),
    ]
    if verification.accepted:
        rows.append(line(("≈ ", "warn"), verification.accepted))
    rows += [line(""), *(line(("· ", "dim"), item) for item in verification.evidence)]
    rows.append(line((f"judged in {took(verification.seconds)}", "dim")))
    return (
        f"verification {verification.name}",
        (f"{glyph} {word}", tone),
        verification.title,
        lines(rows),
    )


def _accepted(view: RunView) -> list[Item]:
    foreseen = view.foreseen
    if foreseen is None:
        return []
    why = foreseen.accepted
    if not why and foreseen.declared:
        why = f"declared in the configuration: {', '.join(foreseen.declared)}"
    text = in_full(foreseen.verdict, accepted=why)
    if why and foreseen.verdict.leftover:
        many = how_many(foreseen.verdict.leftover)
        return [("accepted", ("≈ accepted", "warn"), f"accepted beforehand: {many}", text)]
    return [("foreseen", ("= foreseen", "accent"), "the schema, as it was foreseen", text)]


# --- contents and rows --------------------------------------------------------------------------


def _contents(view: RunView) -> list[Item]:
    if not view.contents:
        return []
    taken = {c.when: {one.table: one for one in c.contents} for c in view.contents}
    seconds = sum(c.seconds for c in view.contents)
    before, after = taken.get("before", {}), taken.get("after", {})
    tables = [*before, *(table for table in after if table not in before)]
    judged = [(t, _same(before.get(t), after.get(t))) for t in tables]
    if "after" not in taken:
        # The script is still to come, or it never came to that.
        judged = [(t, "before" if before[t].fingerprint else "unknown") for t in tables]
    words = ("same", "differs", "unknown", "gone", "before")
    number = {word: sum(j == word for _, j in judged) for word in words}
    said = ", ".join(f"{n} {word}" for word, n in number.items() if n)
    marks: dict[str, tuple[str, Tone]] = {
        "same": ("✓", "good"),
        "differs": ("≠", "warn"),
        "gone": ("–", "dim"),
        "before": ("·", "dim"),
        "unknown": ("?", "warn"),
    }
    rows = [
        line(
            (f"A number over all rows and the columns that stay; read in {took(seconds)}.", "dim")
        ),
    ]
    for table, word in judged[:SHOWN]:
        one, other = before.get(table), after.get(table)
        why = next((c.why for c in (other, one) if c is not None and c.why), "")
        glyph, tone = marks[word]
        rows.append(
            line(
                (f"{glyph} {word:<8}", tone),
                table,
                (f"  {_rows(one)} → {_rows(other)} rows", "dim"),
                (f"  {why}" if why else "", "warn"),
            )
        )
    if len(judged) > SHOWN:
        rows.append(line((f"… {len(judged) - SHOWN:,} more tables are in the report", "dim")))
    mark_of: tuple[str, Tone] = ("= contents", "accent")
    if number["unknown"]:
        mark_of = ("? contents", "warn")
    return [("contents", mark_of, f"contents: {said}", lines(rows))]


def _same(before: Contents | None, after: Contents | None) -> str:
    if before is not None and before.fingerprint and after is None:
        return "gone"
    if before is None or after is None or not before.fingerprint or not after.fingerprint:
        return "unknown"
    return "same" if before.fingerprint == after.fingerprint else "differs"


def _rows(contents: Contents | None) -> str:
    if contents is None:
        return "–"
    return "?" if contents.rows is None else f"{contents.rows:,}"


def rows_text(rows: tuple[RowChange, ...]) -> Content:
    """Return rows before and after, the changed tables first; not counted is ``?``."""

    def number(value: int | None) -> str:
        return "–" if value is None else f"{value:,}"

    ordered = sorted(rows, key=lambda row: (row.before == row.after, row.table))
    shown = ordered[:SHOWN]
    body = [line((f"{'before':>12} {'after':>12}  table  (– not there, or not counted)", "dim"))]
    for row in shown:
        tone: Tone = "plain" if row.before == row.after else "warn"
        body.append(line((f"{number(row.before):>12} {number(row.after):>12}  {row.table}", tone)))
    if len(ordered) > len(shown):
        body.append(line((f"… {len(ordered) - len(shown):,} more tables are in the report", "dim")))
    return lines(body)


# --- what was kept ------------------------------------------------------------------------------


def _kept_mark(view: RunView) -> tuple[str, Tone]:
    """Return the mark of the archive: it is there only when its transaction was committed."""
    if view.committed or view.steps is not None:
        return "✓ kept", "good"
    return ("– undone", "dim") if view.finished is not None else ("· kept", "dim")


def _kept(view: RunView) -> Content:
    rows = [line(("· ", "dim"), archived(event)) for event in view.kept]
    if view.committed or view.steps is not None:
        rows += [
            line(""),
            line("When the migration is applied again, this puts it back:"),
            line(("  $ ", "dim"), back_again(view)),
        ]
    else:
        rows += [
            line(""),
            line("It is in the same transaction, and stands when that commits."),
        ]
    return lines(rows)
