"""Asking alembic for SQL: as few calls as the graph allows, and what was printed is checked
against the revision files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.script.source import Source
from rollback_tui.core.text import printable, shorten
from rollback_tui.frameworks import files as migration_files
from rollback_tui.frameworks.alembic.output import Section, Way, cut
from rollback_tui.frameworks.alembic.revisions import Graph, changed
from rollback_tui.frameworks.alembic.text import as_executed
from rollback_tui.frameworks.program import Program, ProgramFailed
from rollback_tui.frameworks.protocol import Made, Missing, VersionTable

_BY_HAND = "Give the script by hand: --script FILE."
_NO_CONNECTION = re.compile(r"nowhere\.invalid")
_ASKS = re.compile(r"'NoneType' object|has no attribute '(execute|scalar|fetch)|get_bind")


def chains(graph: Graph, ids: Sequence[str]) -> list[list[str]]:
    """Return ``ids`` cut where the next is not the only one that the last stands on."""
    chains: list[list[str]] = []
    for id_ in ids:
        if chains and graph.parents[chains[-1][-1]] == (id_,):
            chains[-1].append(id_)
        else:
            chains.append([id_])
    return chains


def print_chain_down(
    graph: Graph, chain: Sequence[str], table: VersionTable, program: Program
) -> dict[str, Made | Missing]:
    """Return what is printed for a chain, newest first: of one that fails, why; then the rest."""
    found: dict[str, Made | Missing] = {}
    left = list(chain)
    while left:
        top, bottom = left[0], left[-1]
        target = (*graph.revisions[bottom].down, "base")[0]
        bases = (id_ for id_, revision in graph.revisions.items() if not revision.down)
        beside = list(bases) if target == "base" else list(graph.children[target])
        # The branch must be named where several lead there: `base` is then that of this branch.
        towards = f"{bottom}@{target}" if len(beside) > 1 else target
        arguments = ("downgrade", f"{top}:{towards}", "--sql")
        sections, failed = _called(program, arguments, "downgrade", table)
        if list(sections) != left[: len(sections)] or (
            failed is None and len(sections) < len(left)
        ):
            raise _unexpected(program, arguments, left, list(sections))
        heads = frozenset({top})
        for id_ in sections:
            heads = _as_printed(graph.down(heads, id_)[1], heads, sections[id_], program, arguments)
            found[id_] = _made(graph, sections[id_], "downgrade", program.shown(*arguments))
        left = left[len(sections) :]
        if failed is not None:
            if failed[0] != left[0]:
                raise _unexpected(program, arguments, left, [failed[0]])
            found[left.pop(0)] = _cannot(graph, failed, "downgrade")
    return found


def print_path_up(
    graph: Graph, head: str, there: set[str], table: VersionTable, program: Program
) -> dict[str, Made | Missing]:
    """Return what is printed on the way up to ``head`` for all that is not ``there``."""
    path = graph.ancestors({head})
    started = max(there & path, key=lambda id_: (len(graph.ancestors({id_})), id_), default="base")
    wanted = path - there
    arguments = ("upgrade", f"{started}:{head}", "--sql")
    sections, failed = _called(program, arguments, "upgrade", table)
    if failed is None and not wanted <= set(sections):
        raise _unexpected(program, arguments, sorted(wanted), list(sections))
    found: dict[str, Made | Missing] = {}
    heads = frozenset({started} - {"base"})
    for id_, section in sections.items():
        if id_ not in path:
            raise _unexpected(program, arguments, sorted(wanted), list(sections))
        heads = _as_printed(graph.up(heads, id_)[1], heads, section, program, arguments)
        if id_ in wanted:
            found[id_] = _made(graph, section, "upgrade", program.shown(*arguments))
    if failed is not None:
        stopped = printable(failed[0])
        for id_ in wanted - set(found):
            found[id_] = (
                _cannot(graph, failed, "upgrade")
                if id_ == failed[0]
                else Missing(why=f"alembic cannot print what comes before it: {stopped} fails")
            )
    return found


def _called(
    program: Program, arguments: tuple[str, ...], way: Way, table: VersionTable
) -> tuple[dict[str, Section], tuple[str, str] | None]:
    """Call it; return the sections by revision, and the revision in which it failed with its words.

    Raises FrameworkError when it failed before it came to a revision.
    """
    failed: tuple[str, str] | None = None
    try:
        found = cut(program.run(*arguments), way, table, complete=True)
    except ProgramFailed as error:
        found = cut(error.output, way, table, complete=False)
        if not found.stopped_at:
            raise _before_all(error) from None
        failed = (found.stopped_at, error.words.rsplit(" · ", 1)[-1])
    sections = {section.revision: section for section in found.sections}
    if len(sections) != len(found.sections):
        names = [section.revision for section in found.sections]
        raise _unexpected(program, arguments, list(sections), names)
    return sections, failed


def _before_all(error: ProgramFailed) -> FrameworkError:
    if _NO_CONNECTION.search(error.words):
        return FrameworkError(
            "env.py connects although alembic was only asked to print (--sql)",
            "Give env.py the offline part that `alembic init` writes (context.is_offline_mode())."
            f" {_BY_HAND}",
        )
    return error


def _as_printed(
    expected: frozenset[str],
    heads: frozenset[str],
    section: Section,
    program: Program,
    arguments: tuple[str, ...],
) -> frozenset[str]:
    """Return the heads after ``section``. Raises FrameworkError when what was printed for the
    version table leads elsewhere than the graph that was read from the files."""
    if changed(heads, section.changes) != expected or not section.changes:
        raise FrameworkError(
            f"what `{shorten(program.shown(*arguments), 100)}` prints for the version table after"
            f" {printable(section.revision)} is not what the revision files say",
            f"Does something else in env.py or in that revision write to it? {_BY_HAND}",
        )
    return expected


def _unexpected(
    program: Program, arguments: tuple[str, ...], wanted: Sequence[str], got: Sequence[str]
) -> FrameworkError:
    return FrameworkError(
        f"`{shorten(program.shown(*arguments), 100)}` printed the revisions"
        f" {printable(', '.join(got)) or 'none'}, not {printable(', '.join(wanted))}",
        f"Is it the alembic of this project ([migrations] command)? {_BY_HAND}",
    )


def _cannot(graph: Graph, failed: tuple[str, str], way: Way) -> Missing:
    """Return why alembic could not print a revision."""
    id_, words = failed
    name = printable(Path(graph.revisions[id_].path).name)
    if _ASKS.search(words):
        return Missing(
            why=f"{way}() of {name} asks the database while it runs, so alembic cannot print it:"
            f" {words}"
        )
    return Missing(why=f"{way}() of {name} ends with an error: {words}")


def _made(graph: Graph, section: Section, way: Way, call: str) -> Made | Missing:
    revision = graph.revisions[section.revision]
    path = Path(revision.path)
    try:
        data = migration_files.read(path.parent, path.name)
    except FileNotFoundError:
        return Missing(why=f"{printable(revision.path)} does not exist")
    text, why = as_executed(section.text.decode(), data)
    if why:
        return Missing(why=f"{way}() of {printable(path.name)}: {why}")
    made = text.encode()
    return Made(
        source=Source(
            path=revision.path,
            data=made,
            start=0,
            end=len(made),
            transactional=section.transactional,
            origin=f"printed by `{call}`",
            file_sha256=hashlib.sha256(data).hexdigest(),
            nothing_to_undo="its upgrade() does nothing" if revision.idle else "",
        ),
        version_change=(),
    )
