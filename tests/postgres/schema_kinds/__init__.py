"""Single changes of a schema, each with the objects that its difference must name."""

from __future__ import annotations

from tests.postgres.schema_kinds import code, columns, constraints, far, rights, tables, types
from tests.postgres.schema_kinds.kind import Family, Kind

FAMILIES: tuple[Family, ...] = (
    *tables.FAMILIES,
    *constraints.FAMILIES,
    *columns.FAMILIES,
    *code.FAMILIES,
    *types.FAMILIES,
    *rights.FAMILIES,
    *far.FAMILIES,
)

__all__ = ["FAMILIES", "Family", "Kind"]
