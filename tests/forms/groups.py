"""All forms, in groups that share a schema."""

from __future__ import annotations

from dataclasses import dataclass

from tests.forms import alter_table, creates, drops, others, rows
from tests.forms.alter_schema import ALTER_SCHEMA
from tests.forms.form import Form
from tests.forms.schema import END, EVENT_FUNCTION, SCHEMA, SUBSCRIPTIONS


@dataclass(frozen=True)
class Group:
    """Some forms, and the schema they are executed on."""

    name: str
    forms: list[Form]
    schema_name: str
    schema: tuple[str, ...]
    end: tuple[str, ...] = ()
    """What must be done before the database can be dropped."""


GROUPS = [
    *(
        Group(name, forms, "shop", (EVENT_FUNCTION, SCHEMA, *SUBSCRIPTIONS), END)
        for name, forms in (
            ("DROP and TRUNCATE", drops.FORMS),
            ("rows", rows.FORMS),
            ("CREATE", creates.FORMS),
            ("others", others.FORMS),
        )
    ),
    Group("ALTER TABLE", alter_table.FORMS, "altered", (ALTER_SCHEMA,)),
]
CASES = [(group, form) for group in GROUPS for form in group.forms]
