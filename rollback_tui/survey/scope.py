"""What a plan may touch, as far as its forecast and its rehearsal say: what else changes is a
surprise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg

from rollback_tui.core.elsewhere import Announced
from rollback_tui.core.lock_modes import strength
from rollback_tui.core.model import Effect, Plan, Statement, Value
from rollback_tui.core.names import chains, parts
from rollback_tui.core.rehearsal import Rehearsal
from rollback_tui.core.script.assigned import assigned
from rollback_tui.postgres.aside import aside
from rollback_tui.postgres.relations import relations
from rollback_tui.postgres.writes import Sight

_WRITES_ROWS = strength("RowExclusive")
_CHANGES = strength("ShareRowExclusive")
"""From this mode on a statement changes the table itself; weaker ones read, or write rows."""

_FILLS = ("REFRESH MATERIALIZED VIEW", "TRUNCATE", "CLUSTER", "VACUUM")
"""Statements that may give a table a new file without rewriting its rows as ALTER TABLE does; the
first two with other rows."""

_OF_ROLES = {"REASSIGN OWNED": "owner of", "DROP OWNED": "grants on"}
"""Statements on all that some roles own, and what they change of it."""

_VERBS = ("CREATE ", "ALTER ", "DROP ")

# Foreign keys whose action writes the referring table: c cascade, n set null, d set default.
_ACTIONS = """
SELECT k.confrelid, k.conrelid FROM pg_catalog.pg_constraint k
 WHERE k.contype = 'f' AND (k.confdeltype IN ('c', 'n', 'd') OR k.confupdtype IN ('c', 'n', 'd'))
"""


class Scope(Value, frozen=True, kw_only=True):
    """What a plan may touch. Tables are named by their oid."""

    rows: frozenset[int]
    """Rows of these may be written."""
    files: frozenset[int]
    """These may be truncated or written anew."""
    changed: frozenset[int]
    """These are altered or dropped, whether rows are written or not."""
    dropped: frozenset[int]
    """These go."""
    announced: Announced
    """What the forecast says that it changes in the schema."""
    unsure: tuple[str, ...]
    """Statements of which nobody knows what they do: ``statement 3 (DO)``."""
    updated: dict[int, frozenset[str]]
    """For tables that are written by nothing but plain UPDATEs: the columns that these set."""
    repartitions: bool
    """Partitions are attached or detached."""
    lost_columns: dict[int, frozenset[str]]
    """Columns that are dropped, or get another type."""
    bookkeeping: frozenset[int]
    """The framework's own tables beside its version table: what is in them is its business."""

    @property
    def touched(self) -> frozenset[int]:
        """Everything that the plan may write, alter or drop."""
        return self.rows | self.files | self.changed | self.dropped

    @property
    def sure(self) -> bool:
        """Whether it is known of every statement what it does."""
        return not self.unsure


def scope(
    connection: psycopg.Connection[Any],
    plan: Plan,
    sight: Sight,
    rehearsal: Rehearsal | None = None,
) -> Scope:
    """Return what ``plan`` may touch of what is in ``sight``. Raises psycopg.Error."""
    if rehearsal is not None and rehearsal.plan_sha256 != plan.sha256:
        # What another plan writes excuses nothing.
        rehearsal = None
    found = _Found(connection, sight, plan)
    for statement in plan.statements:
        if not statement.effect.no_op:
            found.take(statement)
    version = found.oid(plan.version_table) if plan.version_table else None
    if version is not None:
        found.rows.add(version)
        found.other.add(version)
        # golang-migrate empties its table with TRUNCATE; what is in it is verified by itself.
        found.files.add(version)
    found.books = {oid for oid in found.bookkeeping(plan) if oid != version}
    found.rows |= found.books
    found.other |= found.books
    rehearsed = rehearsal is not None and _told(plan, rehearsal)
    if rehearsal is not None:
        names = {c.relation for m in rehearsal.statements for c in m.changed or ()}
        changed = {oid for name in names if (oid := found.oid(name)) is not None}
        found.other |= changed - found.rows
        found.rows |= changed
        renewed = {name for m in rehearsal.statements for name in m.rewritten or ()}
        found.files |= {oid for name in renewed if (oid := found.oid(name)) is not None}
    return found.scope(() if rehearsed else tuple(found.unsure))


def _told(plan: Plan, rehearsal: Rehearsal) -> bool:
    """Whether the rehearsal tells of every statement what it writes: it had the target's data."""
    return (
        rehearsal.plan_sha256 == plan.sha256
        and rehearsal.source != "schema"
        and not rehearsal.failure
        and len(rehearsal.statements) == len(plan.statements)
        and all(m.changed is not None and not m.failed for m in rehearsal.statements)
    )


class _Found:
    """Collects it, statement by statement."""

    def __init__(self, connection: psycopg.Connection[Any], sight: Sight, plan: Plan) -> None:
        self._sight = sight
        self._by_name = {parts(table.name): oid for oid, table in sight.tables.items()}
        names = {n for s in plan.statements for n in _relations(s.effect)}
        known = (plan.version_table,) if plan.version_table else ()
        unread = {n for n in (*names, *known) if parts(n) not in self._by_name}
        self._by_name |= {
            parts(name): known.oid
            for name, known in relations(connection, sorted(unread)).items()
            if known.oid in sight.tables
        }
        with aside(connection) as cursor:
            row = cursor.execute("SELECT pg_catalog.current_schemas(false)::text[]").fetchone()
            self.path: tuple[str, ...] = tuple(row[0]) if row else ()
            self._actions: dict[int, set[int]] = {}
            for parent, child in cursor.execute(_ACTIONS).fetchall():
                self._actions.setdefault(parent, set()).add(child)
        self.rows: set[int] = set()
        self.files: set[int] = set()
        self.changed: set[int] = set()
        self.dropped: set[int] = set()
        self.named: set[str] = set()
        self.unsure: list[str] = []
        self.other: set[int] = set()
        """Written by something else than a plain UPDATE of that table."""
        self.updated: dict[int, set[str]] = {}
        self.lost: dict[int, set[str]] = {}
        self.repartitions = False
        self.books: set[int] = set()
        self.schemas: set[str] = set()
        self.granted: set[str] = set()
        self.kinds: set[tuple[str, frozenset[str]]] = set()
        self.pairs: set[tuple[str, str]] = set()

    def oid(self, name: str) -> int | None:
        """Return the number of a table by the name it has when the next statement runs, qualified
        or as written."""
        return self._by_name.get(parts(name))

    def bookkeeping(self, plan: Plan) -> set[int]:
        """Return the tables of the framework that the plan's own SQL names: beside the version
        table its log, its lock. Where foreign keys cascade from them, those too."""
        named = {chain for text in plan.bookkeeping for chain in chains(text) if len(chain) > 1}
        found = {oid for chain in named if (oid := self._by_name.get(chain)) is not None}
        waiting = list(found)
        while waiting:
            children = self._actions.get(waiting.pop(), set()) - found
            found |= children
            waiting += children
        return found

    def take(self, statement: Statement) -> None:
        """Add what one statement may touch."""
        effect = statement.effect
        if effect.basis == "unknown" or not effect.resolved:
            self.unsure.append(f"statement {statement.index} ({effect.kind})")
        locked = [
            (strength(lock.mode), oid)
            for lock in effect.locks
            if (oid := self.oid(lock.relation)) is not None
        ]
        self._rows(statement, {oid for mode, oid in locked if mode == _WRITES_ROWS})
        strong = {oid for mode, oid in locked if mode >= _CHANGES}
        self.changed |= strong
        if effect.rewrites is not False or effect.kind.upper().startswith(_FILLS):
            self.files |= self._whole(strong)
        if effect.kind.upper().startswith(_FILLS[:2]):
            self._rows(statement, strong)
        for doomed in effect.doomed:
            oid = self.oid(doomed.relation)
            if oid is not None and doomed.kind == "table":
                self.files |= self._whole({oid})
        for _, name in (*effect.drops, *effect.collateral):
            oid = self.oid(name)
            if oid is not None:
                self.dropped |= self._below({oid})
        self.repartitions = self.repartitions or "PARTITION" in effect.kind.upper()
        self._objects(statement)
        self._columns(effect)

    def _objects(self, statement: Statement) -> None:
        """Add what it names, of every kind."""
        effect, kind = statement.effect, statement.effect.kind.upper()
        every = (*effect.drops, *effect.creates, *effect.collateral)
        named = {
            *effect.objects,
            *(lock.relation for lock in effect.locks),
            *(name for _, name in every),
            *(relation for relation, _ in effect.retyped),
        }
        self.named |= named
        self.schemas |= {name for what, name in every if what == "schema"}
        if kind.startswith(("ALTER SCHEMA", "CREATE SCHEMA", "DROP SCHEMA")):
            self.schemas |= set(effect.objects)
        if kind in ("GRANT", "REVOKE"):
            self.granted |= set(effect.objects)
        words = {word for chain in chains(statement.sql) for word in chain}
        if kind == "ALTER DEFAULT PRIVILEGES":
            self.kinds |= {("default grants", frozenset()), ("default privileges", frozenset())}
        elif kind in _OF_ROLES:
            self.kinds.add((_OF_ROLES[kind], frozenset()))
        elif kind == "CREATE FOREIGN TABLE":
            self.kinds |= {(what, frozenset(words)) for what in ("table", "column")}
        elif kind.startswith(_VERBS) and (not effect.objects or kind == "CREATE STATISTICS"):
            self.kinds.add((kind.partition(" ")[2].partition(" …")[0].lower(), frozenset(words)))
        if "RENAME" in kind or "SET SCHEMA" in kind:
            moves = "SET SCHEMA" in kind
            table = moves or kind.endswith("RENAME")
            self._renamed(statement.sql, named, moves=moves, table=table)

    def _renamed(self, sql: str, named: set[str], *, moves: bool, table: bool) -> None:
        """Pair the words that change: of a RENAME its last word with what it had named before; of
        SET SCHEMA the schemas. ``table``: it is a table that has another name from here on."""
        said = [chain[-1] for chain in chains(sql)]
        if not said:
            return
        new = said[-1]
        for name in named:
            chain = parts(name)
            if not chain:
                continue
            schema = chain[0] if len(chain) > 1 else self.path[0] if self.path else "public"
            if moves:
                self.pairs.add((schema, new))
                self.named.add(f"{_quoted(new)}.{_quoted(chain[-1])}")
            else:
                self.pairs |= {(word, new) for word in (*said[:-1], chain[-1])}
            if table and chain in self._by_name:
                later = (new, chain[-1]) if moves else (schema, new)
                self._by_name[later] = self._by_name.pop(chain)

    def _rows(self, statement: Statement, written: set[int]) -> None:
        """Add tables whose rows it writes, with their partitions and what foreign keys do."""
        if not written:
            return
        whole = self._whole(written)
        target = self.oid(statement.effect.objects[0]) if statement.effect.objects else None
        columns = assigned(statement.sql)
        if columns is not None and target is not None:
            for oid in self._whole({target}):
                self.updated.setdefault(oid, set()).update(columns)
            self.other |= whole - self._whole({target})
        else:
            self.other |= whole
        waiting = list(whole)
        while waiting:
            children = self._whole(self._actions.get(waiting.pop(), set())) - whole
            whole |= children
            self.other |= children
            waiting += children
        # A foreign key to itself may write rows of the table beside those that were chosen.
        self.other |= {oid for oid in whole if oid in self._actions.get(oid, ())}
        self.rows |= whole

    def _below(self, oids: Iterable[int]) -> set[int]:
        """Return tables with their partitions."""
        every = set(oids) & self._sight.tables.keys()
        for oid in tuple(every):
            if self._sight.tables[oid].kind == "p":
                every |= {part.oid for part in self._sight.below(oid)}
        return every

    def _whole(self, oids: Iterable[int]) -> set[int]:
        """Return tables with their partitions, and with the tables that they are partitions of:
        their rows are theirs too."""
        every = self._below(oids)
        for oid in tuple(every):
            table = self._sight.tables[oid]
            while table.above is not None and table.above in self._sight.tables:
                every.add(table.above)
                table = self._sight.tables[table.above]
        return every

    def _columns(self, effect: Effect) -> None:
        gone = [name for kind, name in (*effect.drops, *effect.collateral) if "column" in kind]
        pairs = [*effect.retyped, *((n.rpartition(".")[0], n.rpartition(".")[2]) for n in gone)]
        for relation, column in pairs:
            oid = self.oid(relation)
            if oid is not None:
                for each in self._whole({oid}):
                    self.lost.setdefault(each, set()).add(_folded(column))

    def scope(self, unsure: tuple[str, ...]) -> Scope:
        """Return what was found."""
        return Scope(
            rows=frozenset(self.rows),
            files=frozenset(self.files),
            changed=frozenset(self.changed),
            dropped=frozenset(self.dropped),
            announced=Announced(
                named=frozenset(self.named),
                path=self.path,
                schemas=frozenset(self.schemas),
                granted=frozenset(self.granted),
                kinds=tuple(sorted(self.kinds, key=lambda kind: (kind[0], sorted(kind[1])))),
                renamed=frozenset(self.pairs),
            ),
            unsure=unsure,
            updated={o: self._since(c) for o, c in self.updated.items() if o not in self.other},
            repartitions=self.repartitions,
            lost_columns={oid: self._since(columns) for oid, columns in self.lost.items()},
            bookkeeping=frozenset(self.books),
        )

    def _since(self, columns: set[str]) -> frozenset[str]:
        """Return columns with the names that they had before the plan renamed them."""
        found = set(columns)
        while more := {old for old, new in self.pairs if new in found} - found:
            found |= more
        return frozenset(found)


def _relations(effect: Effect) -> tuple[str, ...]:
    return (
        *effect.objects,
        *(lock.relation for lock in effect.locks),
        *(doomed.relation for doomed in effect.doomed),
        *(name for kind, name in (*effect.drops, *effect.collateral) if _is_table(kind)),
        *(name.rpartition(".")[0] for kind, name in effect.drops if "column" in kind),
        *(relation for relation, _ in effect.retyped),
    )


def _is_table(kind: str) -> bool:
    return "column" not in kind and ("table" in kind or "view" in kind)


def _folded(name: str) -> str:
    """A column as the catalog has it."""
    if name.startswith('"') and name.endswith('"') and len(name) > 1:
        return name[1:-1].replace('""', '"')
    return name.lower()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
