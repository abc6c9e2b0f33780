"""What a statement demands of the rows that are stored, and which rows it would touch, as read from
its tree. Nothing here was looked up: names are the parts as written, without quotes.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from rollback_tui.core.model import Value

Name: TypeAlias = tuple[str, ...]
"""The parts of a name, unquoted: ``("public", "order")``."""


class Uses(Value, frozen=True, kw_only=True):
    """What a query calls on that may be somebody's own code."""

    functions: tuple[Name, ...] = ()
    operators: tuple[Name, ...] = ()
    relations: tuple[Name, ...] = ()

    def __add__(self, other: Uses) -> Uses:
        """Return both together."""
        return Uses(
            functions=(*self.functions, *other.functions),
            operators=(*self.operators, *other.operators),
            relations=(*self.relations, *other.relations),
        )


class Added(Value, frozen=True, kw_only=True):
    """A column that the same ALTER TABLE adds."""

    column: str
    type: str
    """SQL; empty for a serial."""
    default: str = ""
    """SQL; empty: none."""
    computed: bool = False
    """An identity, a serial or GENERATED: the server fills it row by row."""
    unless_there: bool = False
    """IF NOT EXISTS."""
    uses: Uses = Uses()


class Demand(Value, frozen=True, kw_only=True):
    """One rule that a statement checks the stored rows against."""

    rule: Literal[
        "not null", "unique", "check", "foreign key", "type", "validate", "domain", "other"
    ]
    """``validate``: a constraint that is NOT VALID so far; ``domain``: of all columns of a domain,
    NOT NULL when there is no expression; ``other``: one that is not counted."""
    relation: Name
    """The table; of ``domain`` the domain."""
    only: bool = False
    columns: tuple[str, ...] = ()
    """The columns it is about, as far as the tree tells."""
    constraint: str = ""
    """Its name; empty when the server would make one up."""
    unchecked: bool = False
    """NOT VALID: demanded by a later VALIDATE CONSTRAINT only."""
    inline: bool = False
    """Written in an ADD COLUMN."""
    retyped: bool = False
    """The same statement gives one of the columns another type first."""
    added: tuple[Added, ...] = ()
    uses: Uses = Uses()
    expression: str = ""
    """SQL that must not be false; ``value`` stands for the value of a domain."""
    here_only: bool = False
    """NO INHERIT."""
    keys: tuple[str, ...] = ()
    """SQL of what must be unique together."""
    where: str = ""
    """SQL of a partial index."""
    nulls_equal: bool = False
    """NULLS NOT DISTINCT."""
    operator_classes: tuple[str, ...] = ()
    index: str = ""
    """PRIMARY KEY USING INDEX: its columns must not be null."""
    other: Name = ()
    """The table that is referenced."""
    other_columns: tuple[str, ...] = ()
    """Empty: its primary key."""
    full: bool = False
    """MATCH FULL."""
    type: str = ""
    """The new type, as SQL."""
    type_name: Name = ()
    using: str = ""
    casts: tuple[str, ...] | None = ()
    """USING ``column::a::b``: the types, the innermost first; None: another expression."""
    validates: bool = False
    """Of ``domain``: VALIDATE CONSTRAINT."""
    broken: Literal["unique", "foreign key", "exclusion", "partition"] | None = None
    """Of ``other``: the rule that could be broken."""
    why: str = ""
    """Of ``other``: what it is that is not counted."""


class Change(Value, frozen=True, kw_only=True):
    """A name that means something else after a statement."""

    what: Literal["relation", "column", "type"]
    name: Name
    """Of a column: the relation's name and the column."""
    labels: tuple[str, ...] | None = None
    """Of an enumeration that it creates."""
    former: str = ""
    """What a renamed column was called."""


class Asked(Value, frozen=True, kw_only=True):
    """The rows that a DELETE, UPDATE or MERGE touches, as queries."""

    relation: Name
    count: str
    rows: str
    uses: Uses


class Reading(Value, frozen=True, kw_only=True):
    """All this of one statement."""

    touched: Asked | None = None
    why: str = ""
    """Why the rows it touches cannot be asked for; empty when they can, or it touches none."""
    demands: tuple[Demand, ...] = ()
    changes: tuple[Change, ...] = ()
    uses: Uses = Uses()
    constant: bool = False
    """It names no column and calls no function: for ``SELECT expression``."""
