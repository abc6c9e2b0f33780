"""What goes when objects are dropped, followed through ``pg_depend`` as PostgreSQL itself does.

The walk is that of ``findDependentObjects`` (``dependency.c``): automatic and internal dependents
go silently, normal ones stop a statement or go with CASCADE, and what is internal to another
object (the rule of a view, the index of a constraint) stands for its owner. Bodies of functions
written as strings are not in ``pg_depend``; nobody can see into them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import psycopg
from psycopg.rows import TupleRow

from rollback_tui.postgres.aside import query


class Address(NamedTuple):
    """An object as pg_depend names it: (catalog, object, column or 0)."""

    catalog: int
    object: int
    column: int


class Edge(NamedTuple):
    """``dependent`` depends on ``on``; ``owner`` is what it is internal to, if anything."""

    on: Address
    dependent: Address
    automatic: bool
    owner: Address | None


Edges = Callable[[Sequence[Address]], Sequence[Edge]]
"""Looks up what depends on some objects."""


def edges(cursor: psycopg.Cursor[TupleRow], addresses: Sequence[Address]) -> list[Edge]:
    """Ask the catalog what depends on ``addresses``. Raises psycopg.Error."""
    rows = cursor.execute(query("dependents").encode(), arrays(addresses)).fetchall()
    return [
        Edge(
            Address(*row[0:3]),
            Address(*row[3:6]),
            row[6],
            None if row[7] is None else Address(*row[7:10]),
        )
        for row in rows
    ]


def arrays(addresses: Sequence[Address]) -> dict[str, list[int]]:
    """Return ``addresses`` as the parameters of a query about many objects."""
    return {
        "catalogs": [a.catalog for a in addresses],
        "objects": [a.object for a in addresses],
        "columns": [a.column for a in addresses],
    }


class Known:
    """``pg_depend`` as far as it was asked for, each object once."""

    def __init__(self, cursor: psycopg.Cursor[TupleRow]) -> None:
        """Nothing is asked yet."""
        self._cursor = cursor
        self._edges: dict[Address, dict[Edge, None]] = {}

    def prefetch(self, roots: Iterable[Address], *, cascade: bool) -> set[Address]:
        """Read what may go with ``roots``, in as many questions as it is deep, and return it, the
        roots too. Without ``cascade`` only what goes silently is followed. Raises psycopg.Error."""
        seen: set[Address] = set()
        frontier = list(dict.fromkeys(roots))
        while frontier:
            seen.update(frontier)
            found = self.edges(frontier)
            following = dict.fromkeys(
                address
                for edge in found
                if cascade or edge.automatic
                for address in (edge.dependent, edge.owner)
                if address is not None
            )
            frontier = [address for address in following if address not in seen]
        return seen

    def edges(self, addresses: Sequence[Address]) -> list[Edge]:
        """Return what depends on some objects, asking only what is new. Raises psycopg.Error."""
        missing = {a: dict[Edge, None]() for a in addresses if a not in self._edges}
        if missing:
            for edge in edges(self._cursor, list(missing)):
                # What depends on a column depends on its table.
                for address in (edge.on, edge.on._replace(column=0)):
                    if address in missing:
                        missing[address][edge] = None
            self._edges |= missing
        return [edge for address in addresses for edge in self._edges[address]]


def walk(
    edges_of: Edges, roots: Mapping[Address, str], gone: set[Address], *, cascade: bool
) -> list[tuple[str, Address]]:
    """Drop ``roots`` in thought: add to ``gone``, and return what stops it or goes with it.

    ``roots`` are objects and what to call them; the answer has the root's words and the dependent.
    """
    source = dict(roots)
    frontier = list(source)
    noted: dict[Address, str] = {}
    silent: set[Address] = set()
    while frontier:
        gone.update(frontier)
        following: dict[Address, str] = {}
        found = [e for e in edges_of(frontier) if not is_gone(e.dependent, gone)]
        for edge in found:
            if edge.automatic and (edge.owner is None or is_gone(edge.owner, gone)):
                following[edge.dependent] = _source_of(source, edge.on)
        silent.update(following)
        for edge in found:
            target = edge.owner or edge.dependent
            if edge.dependent in silent or is_gone(target, gone | silent):
                continue
            name = _source_of(source, edge.on)
            noted.setdefault(target, name)
            if cascade:
                following[target] = name
        source |= following
        frontier = list(following)
    # What looked like an obstacle at first may have gone silently by another way.
    return [(name, a) for a, name in noted.items() if a not in silent]


def is_gone(address: Address, gone: set[Address]) -> bool:
    """Whether an object, or the whole that it is a column of, is among those dropped."""
    return address in gone or address._replace(column=0) in gone


def _source_of(source: Mapping[Address, str], on: Address) -> str:
    return source.get(on) or source.get(on._replace(column=0)) or ""
