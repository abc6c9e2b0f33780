"""Alembic's revisions, read without executing them, and the graph that they are.

Ported rules: of ``alembic.script.revision`` which revisions a revision stands on (branches, merges,
``depends_on``), of ``alembic.runtime.migration.HeadMaintainer`` how the version table, which holds
the heads, changes with a step. Version 1.20.
"""

from __future__ import annotations

import ast
import heapq
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import Value
from rollback_tui.core.text import printable

_NAMES = ("revision", "down_revision", "depends_on", "branch_labels")
_LEGACY = re.compile(r"([a-f0-9]+)\.py")
"""``_legacy_rev``: before 0.2 the file's name was the revision."""
_CREATED = re.compile(r"^Create Date:[ \t]*(.+?)[ \t]*$", re.MULTILINE)


class Revision(Value, frozen=True, kw_only=True):
    """What a revision file says of itself."""

    id: str
    down: tuple[str, ...]
    """``down_revision``: none for a base, several for a merge."""
    depends_on: tuple[str, ...]
    """Revisions or labels of other branches."""
    labels: tuple[str, ...]
    message: str
    """The first paragraph of its docstring, on one line."""
    created: str
    """``Create Date`` of its docstring, as written; empty when it says none."""
    idle: bool
    """Its ``upgrade()`` has no statement, so there is nothing to undo: most merges."""
    path: str


class Change(NamedTuple):
    """One statement on the version table."""

    kind: Literal["insert", "update", "delete"]
    version: str
    """The row that is inserted, deleted, or that is there before the update."""
    to: str = ""
    """What it is after the update."""


def parsed(data: bytes, path: Path) -> Revision | None:
    """Return the revision in the file ``path``, whose bytes are ``data``; None when it is none.

    Raises FrameworkError when it is no Python, or does not say plainly what it is.
    """
    found = _read(data)
    name = printable(path.name)
    if isinstance(found, str):
        raise FrameworkError(f"{name} cannot be read: {found}", "Correct that file.")
    values, documentation, idle = found
    legacy = _LEGACY.fullmatch(path.name)
    if "revision" not in values and not (legacy and "down_revision" in values):
        return None
    words: dict[str, tuple[str, ...]] = {}
    for key in _NAMES:
        listed = _words(values.get(key))
        if listed is None:
            raise FrameworkError(
                f"{key} of {name} is not written down as plain text",
                "Write it as a string or a tuple of strings: files are read, not executed.",
            )
        words[key] = listed
    own = words["revision"] or ((legacy[1],) if legacy else ())
    if len(own) != 1:
        raise FrameworkError(f"{name} has no revision identifier", "Write it into that file.")
    created = _CREATED.search(documentation)
    return Revision(
        id=own[0],
        down=words["down_revision"],
        depends_on=words["depends_on"],
        labels=words["branch_labels"],
        message=" ".join(documentation.strip().split("\n\n")[0].split()),
        created=created[1] if created else "",
        idle=idle,
        path=str(path),
    )


_UNPLAIN = object()
"""Instead of a value that is computed."""


@lru_cache(maxsize=4096)
def _read(data: bytes) -> tuple[Mapping[str, object], str, bool] | str:
    """Return the four names' values, the docstring, and whether ``upgrade`` does nothing; or why
    it cannot be read. Remembered by content: the history of a run is read many times."""
    try:
        tree = syntax(data)
    except SyntaxError as error:
        return f"line {error.lineno}: {printable(error.msg)}"
    except (ValueError, RecursionError, MemoryError) as error:
        return printable(str(error)) or "it is nested too deep"
    values: dict[str, object] = {}
    idle = False
    for node in tree.body:
        targets: Sequence[ast.expr] = ()
        value: ast.expr | None = None
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign):
            targets, value = (node.target,), node.value
        elif isinstance(node, ast.FunctionDef) and node.name == "upgrade":
            idle = not node.decorator_list and all(_does_nothing(line) for line in node.body)
        for target in targets:
            if value is not None and isinstance(target, ast.Name) and target.id in _NAMES:
                values[target.id] = _plain(value)
    return values, ast.get_docstring(tree) or "", idle


def syntax(data: bytes) -> ast.Module:
    """Return the syntax tree of a Python file. Raises SyntaxError, ValueError, RecursionError or
    MemoryError."""
    with warnings.catch_warnings():
        # An invalid escape in somebody's file must not be told on the screen.
        warnings.simplefilter("ignore")
        return ast.parse(data)


def _plain(value: ast.expr) -> object:
    try:
        return ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return _UNPLAIN


def _does_nothing(line: ast.stmt) -> bool:
    constant = isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)
    return constant or isinstance(line, ast.Pass)


def _words(value: object) -> tuple[str, ...] | None:
    """Return a value as Alembic's ``to_tuple`` takes it; None when it is something else."""
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,) if value else ()
    if isinstance(value, list | tuple | set) and all(isinstance(one, str) for one in value):
        return tuple(sorted(value)) if isinstance(value, set) else tuple(value)
    return None


class Graph:
    """All revisions of a project, and what stands on what."""

    def __init__(self, revisions: Iterable[Revision]) -> None:
        """Raises FrameworkError when two files have the same revision or one's base is missing."""
        self.revisions: dict[str, Revision] = {}
        for one in revisions:
            if one.id in self.revisions:
                names = [printable(Path(r.path).name) for r in (self.revisions[one.id], one)]
                raise FrameworkError(
                    f"{names[0]} and {names[1]} are both the revision {printable(one.id)}",
                    "Give one of them its own revision.",
                )
            self.revisions[one.id] = one
        self._labels = {label: r.id for r in self.revisions.values() for label in r.labels}
        self._known()
        self.parents = {id_: self._parents(id_) for id_ in self.revisions}
        """What a revision stands on: ``_normalized_down_revisions``."""
        self.children: dict[str, set[str]] = {id_: set() for id_ in self.revisions}
        for id_, parents in self.parents.items():
            for parent in parents:
                self.children[parent].add(id_)
        self.order = self.newest_first(self.revisions)

    def _known(self) -> None:
        for one in self.revisions.values():
            for name in (*one.down, *(self._labels.get(d, d) for d in one.depends_on)):
                if name not in self.revisions:
                    raise FrameworkError(
                        f"{printable(Path(one.path).name)} stands on the revision"
                        f" {printable(name)}, which no file has",
                        "Check out the code that was deployed, whole. Where revisions are in"
                        " several directories, name them all in alembic.ini: version_locations.",
                    )

    def _parents(self, id_: str) -> tuple[str, ...]:
        """Without the dependencies that a revision below it on its own branch has already."""
        depends = self._resolved(id_)
        if depends:
            below, waiting = {id_}, list(self.revisions[id_].down)
            while waiting:
                lower = waiting.pop()
                if lower not in below:
                    below.add(lower)
                    waiting += self.revisions[lower].down
                    depends = [d for d in depends if d not in self._resolved(lower)]
        return tuple(dict.fromkeys((*self.revisions[id_].down, *depends)))

    def _resolved(self, id_: str) -> list[str]:
        return [self._labels.get(name, name) for name in self.revisions[id_].depends_on]

    def ancestors(self, ids: Iterable[str]) -> set[str]:
        """Return ``ids`` and all they stand on, dependencies included."""
        found: set[str] = set()
        waiting = list(ids)
        while waiting:
            id_ = waiting.pop()
            if id_ not in found:
                found.add(id_)
                waiting += self.parents[id_]
        return found

    def heads(self, ids: Iterable[str]) -> frozenset[str]:
        """Return those of ``ids`` on which no other of them stands."""
        among = set(ids)
        return frozenset(id_ for id_ in among if not self.children[id_] & among)

    def newest_first(self, ids: Iterable[str]) -> tuple[str, ...]:
        """Return ``ids`` so that each comes before all it stands on: the order of a downgrade.

        Where branches leave a choice, the one with the latest ``Create Date`` goes first. Of the
        rest of the list the order is the same when its beginning is taken away. Raises
        FrameworkError when they stand on each other in a circle.
        """
        among = set(ids)
        above = {id_: len(self.children[id_] & among) for id_ in among}
        free = [self._key(id_) for id_, count in above.items() if not count]
        heapq.heapify(free)
        ordered: list[str] = []
        while free:
            id_ = heapq.heappop(free).id
            ordered.append(id_)
            for parent in self.parents[id_]:
                if parent in among:
                    above[parent] -= 1
                    if not above[parent]:
                        heapq.heappush(free, self._key(parent))
        if len(ordered) < len(among):
            circle = min(among - set(ordered))
            raise FrameworkError(
                f"the revision {printable(circle)} stands on itself, over others",
                "Correct down_revision or depends_on of one of them.",
            )
        return tuple(ordered)

    def _key(self, id_: str) -> _Newest:
        return _Newest(self.revisions[id_].created, id_)

    def down(self, heads: frozenset[str], id_: str) -> tuple[tuple[Change, ...], frozenset[str]]:
        """Return how the table with these heads changes when ``id_``, one of them, is taken back,
        and the heads that are then there."""
        parents, others = self.parents[id_], heads - {id_}
        covered = (
            self.ancestors(others)
            if others
            else {a for p in parents for a in self.ancestors((p,)) if a != p}
        )
        bare = sorted(set(parents) - covered)
        if not bare:
            return (Change("delete", id_),), others
        if len(parents) == 1:
            bare = list(parents)
        changes = (*(Change("insert", one) for one in bare[:-1]), Change("update", id_, bare[-1]))
        return changes, others | set(bare)

    def up(self, heads: frozenset[str], id_: str) -> tuple[tuple[Change, ...], frozenset[str]]:
        """Return how the table with these heads changes when ``id_`` is applied, and the heads
        that are then there."""
        below = sorted(heads & set(self.parents[id_]))
        if not below:
            return (Change("insert", id_),), heads | {id_}
        others = heads - set(below)
        if others:
            covered = self.ancestors(others)
            below = [one for one in below if one not in covered] or below
        changes = (*(Change("delete", one) for one in below[:-1]), Change("update", below[-1], id_))
        return changes, (heads - set(below)) | {id_}


class _Newest(NamedTuple):
    """A key that puts the latest first in a heap."""

    created: str
    id: str

    def __lt__(self, other: object) -> bool:
        return isinstance(other, _Newest) and (self.created, self.id) > (other.created, other.id)


def changed(heads: frozenset[str], changes: Iterable[Change]) -> frozenset[str]:
    """Return the heads after ``changes``."""
    after = set(heads)
    for change in changes:
        if change.kind != "insert":
            after.discard(change.version)
        if change.kind != "delete":
            after.add(change.to or change.version)
    return frozenset(after)
