"""What is rare: dropped where it was left behind; made again only where that is plain."""

from __future__ import annotations

from collections.abc import Iterator

from rollback_tui.core.mending.actions import Action, Stage
from rollback_tui.core.mending.names import named
from rollback_tui.core.schema import Difference, SchemaSnapshot
from rollback_tui.core.text import shorten

_DROPPED = {
    "publication": "PUBLICATION",
    "operator": "OPERATOR",
    "collation": "COLLATION",
    "conversion": "CONVERSION",
    "server": "SERVER",
    "language": "LANGUAGE",
    "access method": "ACCESS METHOD",
    "operator class": "OPERATOR CLASS",
    "operator family": "OPERATOR FAMILY",
    "foreign-data wrapper": "FOREIGN DATA WRAPPER",
    "text search configuration": "TEXT SEARCH CONFIGURATION",
    "text search dictionary": "TEXT SEARCH DICTIONARY",
    "text search parser": "TEXT SEARCH PARSER",
    "text search template": "TEXT SEARCH TEMPLATE",
    "cast": "CAST",
}


def mend_other(
    difference: Difference, wanted: SchemaSnapshot, found: SchemaSnapshot
) -> Iterator[Action]:
    """Yield how what was left behind is dropped; else say why nothing is derived."""
    del wanted, found
    key = named(difference.object)
    word = _DROPPED.get(key.kind)
    if difference.before is None and word:
        stage = Stage.DROP_HANGING if key.kind == "publication" else Stage.DROP_FUNCTION
        yield Action(difference.object, stage, (f"DROP {word} {key.name}",), "", key.name)
        return
    if difference.before is None and key.kind == "subscription":
        yield Action(
            difference.object,
            Stage.UNKNOWN,
            why="DROP SUBSCRIPTION also drops the slot on the other server: by hand",
        )
        return
    definition = shorten(difference.before or "", 300)
    yield Action(
        difference.object,
        Stage.UNKNOWN,
        why=f"no statement is derived for a {key.kind}; it should be: {definition or 'there'}",
    )
