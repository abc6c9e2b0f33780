"""Objects of the catalog, as far as a forecast looks at them."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from rollback_tui.core.script.tree import dotted


@lru_cache(maxsize=65536)
def _qualified(schema: str, plain: str) -> str:
    return dotted([schema, plain])


class Relation(NamedTuple):
    """A relation of a user's schema."""

    oid: int
    schema: str
    plain: str
    """Its own name, not quoted."""
    kind: str
    """``relkind``: r table, p partitioned table, v view, m materialised view, S sequence,
    f foreign table, i index, I partitioned index, c composite type."""
    persistence: str
    """``relpersistence``: p permanent, u unlogged, t temporary."""
    is_partition: bool
    owner: int
    has_triggers: bool
    """Of a user, not those that keep a foreign key."""
    has_rules: bool
    row_type: int
    of_type: int
    """``reloftype``; 0: none."""
    method: int
    tablespace: int
    clustered: bool

    @property
    def name(self) -> str:
        """Qualified, and quoted where needed: ``public."order"``."""
        return _qualified(self.schema, self.plain)


class Index(NamedTuple):
    """An index of a table."""

    oid: int
    table: int
    unique: bool
    primary: bool
    valid: bool
    constraint: int
    """The constraint it keeps; 0: none."""
    columns: tuple[int, ...]
    """Column numbers; 0 for an expression."""
    partial: bool
    exclusion: bool


class ForeignKey(NamedTuple):
    """A foreign key, as its table and the table it refers to have it."""

    oid: int
    name: str
    table: int
    parent: int
    columns: tuple[int, ...]
    parent_columns: tuple[int, ...]
    validated: bool
    on_delete: str
    """a no action, r restrict, c cascade, n set null, d set default."""
    on_update: str
    inherited_from: int
    """The same foreign key of the partitioned table above; 0: its own."""
    index_oid: int
    """The parent's unique index that it rests on."""
    deferred: bool
    """Initially: checked at COMMIT."""


class Column(NamedTuple):
    """A column of a relation."""

    number: int
    name: str
    type: int
    modifier: int
    type_words: str
    """``character varying(10)``, ``public.colour``."""
    not_null: bool
    has_default: bool
    generated: str
    """s stored, v virtual (18+); empty: not generated."""
    identity: str
    collation: int
    is_local: bool
    inherited: int
    """From how many parents."""


class Constraint(NamedTuple):
    """A constraint of a table (or, without one, of a domain)."""

    oid: int
    name: str
    table: int
    type: str
    """c check, f foreign key, n not null (18+), p primary key, u unique, x exclusion, t trigger."""
    validated: bool
    columns: tuple[int, ...]
    index_oid: int
    parent: int
    """The table that a foreign key refers to; 0."""
    inherited_from: int
    """``conparentid``."""
    is_local: bool
    inherited: int
    no_inherit: bool
    definition: str
    """Of a CHECK, as ``pg_get_constraintdef`` writes it; empty while another session has the
    table locked: to ask would be to wait."""
