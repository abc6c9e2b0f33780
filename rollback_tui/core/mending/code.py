"""Views, functions, procedures, aggregates, event triggers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rollback_tui.core.mending.actions import Action, Stage
from rollback_tui.core.mending.names import mentions, named
from rollback_tui.core.mending.words import clauses, literal, note, noted, option_changes, setting
from rollback_tui.core.mending.words import options as parameters
from rollback_tui.core.schema import Difference, SchemaSnapshot


def mend_view(
    difference: Difference, wanted: SchemaSnapshot, found: SchemaSnapshot
) -> Iterator[Action]:
    """Yield what makes one view or materialised view as it should be."""
    key = named(difference.object)
    kind = "MATERIALIZED VIEW" if key.kind == "materialised view" else "VIEW"
    should, notes = noted(difference.before or "")
    is_, found_notes = noted(difference.after or "")
    if should and should == is_:
        alter = f"ALTER {kind} {key.name}"
        sql = option_changes(alter, note(notes, "with") or "", note(found_notes, "with") or "")
        if (space := note(notes, "tablespace")) != note(found_notes, "tablespace"):
            sql = (*sql, f"{alter} SET TABLESPACE {space or 'pg_default'}")
        yield Action(difference.object, Stage.ALTER_TABLE, sql)
        return
    if is_:
        others = [v for v in _on(key.name, found) if v != difference.object]
        also = [v for v in others if wanted.objects.get(v) == found.objects.get(v)]
        yield Action(
            difference.object,
            Stage.DROP_VIEW,
            (f"DROP {kind} {key.name}",),
            f"{', '.join(also)} must be dropped before and made again after" if also else "",
            key.name,
            is_,
        )
    if should:
        items = ", ".join(setting(n, v) for n, v in parameters(note(notes, "with") or "").items())
        method, space = note(notes, "using"), note(notes, "tablespace")
        sql = (
            f"CREATE {kind} {key.name}"
            + (f" USING {method}" if method else "")
            + (f" WITH ({items})" if items else "")
            + (f" TABLESPACE {space}" if space else "")
            + f" AS\n{should}",
        )
        yield Action(
            difference.object,
            Stage.CREATE_VIEW,
            sql,
            "it is filled with what the tables hold now" if kind != "VIEW" else "",
            key.name,
            should,
        )


def _on(view: str, snapshot: SchemaSnapshot) -> list[str]:
    return [
        name
        for name, definition in snapshot.objects.items()
        if name.startswith(("view ", "materialised view ")) and mentions(definition, view)
    ]


_BODY = re.compile(r"\n(?: LANGUAGE|AS |BEGIN ATOMIC|RETURN )")


def mend_function(
    difference: Difference, wanted: SchemaSnapshot, found: SchemaSnapshot
) -> Iterator[Action]:
    """Yield what makes one function, procedure or aggregate as it should be."""
    key = named(difference.object)
    should, is_ = difference.before, difference.after
    drop = f"DROP {key.kind.upper()} {key.name}"
    bare = key.name.partition("(")[0]
    if should is None:
        yield Action(difference.object, Stage.DROP_FUNCTION, (drop,), "", bare, is_ or "")
        return
    create = _aggregate(bare, should) if key.kind == "aggregate" else should.strip().rstrip(";")
    if not create:
        yield Action(
            difference.object, Stage.UNKNOWN, why="this kind of aggregate is not written out here"
        )
        return
    stage = Stage.EARLY_FUNCTION if _needed_early(bare, wanted) else Stage.CREATE_FUNCTION
    if is_ is None or (key.kind != "aggregate" and _head(should) == _head(is_)):
        yield Action(difference.object, stage, (create,), "", bare, should)
        return
    users = [
        name
        for name, definition in found.objects.items()
        if name.startswith(("trigger ", "view ", "index ", "column ", "policy ", "rule "))
        and mentions(definition, bare)
    ]
    yield Action(
        difference.object,
        stage,
        (drop, create),
        f"{', '.join(users[:5])} must be dropped before and made again after" if users else "",
        bare,
        should,
    )


def _head(definition: str) -> str:
    """Return name, arguments and what it returns: OR REPLACE cannot change those."""
    return _BODY.split(definition, maxsplit=1)[0]


def _needed_early(function: str, wanted: SchemaSnapshot) -> bool:
    """Whether a table's column, or a domain, needs the function."""
    return any(
        mentions(definition, function)
        for name, definition in wanted.objects.items()
        if name.startswith(("column ", "type "))
    )


def _aggregate(name: str, definition: str) -> str:
    found: dict[str, str] = {}
    flags: list[str] = []
    for line in definition.split("\n"):
        word, _, text = line.partition(" ")
        if text:
            found[word] = text
        else:
            flags.append(word)
    if "ordered-set" in flags or "hypothetical" in flags:
        return ""
    found.pop("returns", None)
    arguments = found.pop("arguments", "*") or "*"
    modify = {"r": "READ_ONLY", "s": "SHAREABLE", "w": "READ_WRITE"}
    items: list[str] = []
    for word, text in found.items():
        if word in ("initcond", "minitcond"):
            items.append(f"{word.upper()} = {literal(text)}")
        elif word.endswith("_modify"):
            if word.replace("_modify", "") in found:
                items.append(f"{word.upper()} = {modify[text]}")
        elif word == "sortop":
            items.append(f"SORTOP = OPERATOR({text.partition('(')[0]})")
        else:
            items.append(f"{word.upper()} = {text}")
    items += [flag.upper() for flag in flags]
    return f"CREATE AGGREGATE {name}({arguments}) ({', '.join(items)})"


_EVENT = ("on", "when tag in", "execute function", "disabled", "enabled replica", "enabled always")


def mend_event_trigger(
    difference: Difference, wanted: SchemaSnapshot, found: SchemaSnapshot
) -> Iterator[Action]:
    """Yield what makes one event trigger as it should be."""
    del wanted, found
    name = named(difference.object).name
    should = clauses(difference.before or "", _EVENT)
    is_ = clauses(difference.after or "", _EVENT)
    why = "as a superuser"
    fires = [key for key in _EVENT[3:] if key in should]
    same = all(should.get(key) == is_.get(key) for key in _EVENT[:3])
    if difference.after is not None and (difference.before is None or not same):
        yield Action(difference.object, Stage.DROP_HANGING, (f"DROP EVENT TRIGGER {name}",), why)
    if difference.before is None:
        return
    sql: list[str] = []
    if not same:
        tags = f" WHEN TAG IN {should['when tag in']}" if "when tag in" in should else ""
        sql.append(
            f"CREATE EVENT TRIGGER {name} ON {should['on']}{tags}"
            f" EXECUTE FUNCTION {should['execute function']}"
        )
    if fires or same:
        how = {"disabled": "DISABLE"}.get(fires[0], fires[0].upper()) if fires else "ENABLE"
        how = how.replace("ENABLED", "ENABLE")
        sql.append(f"ALTER EVENT TRIGGER {name} {how}")
    yield Action(difference.object, Stage.COMMENTS, tuple(sql), why)
