"""All frameworks that are known, by name: those that are built in, and those plugged in.

A plug-in is a package with an entry point of the group ``rollback_tui.frameworks`` whose name is
the framework's and that leads to its class (``docs/adding_a_framework.md``). They are looked for
only when a name is asked for that is not built in, or when nothing that is built in recognises a
database: to look for them reads the metadata of every installed package.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple, cast

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.text import printable
from rollback_tui.frameworks.alembic.framework import Alembic
from rollback_tui.frameworks.atlas import Atlas
from rollback_tui.frameworks.db_migrate import DbMigrate
from rollback_tui.frameworks.dbmate import Dbmate
from rollback_tui.frameworks.diesel import Diesel
from rollback_tui.frameworks.django.framework import Django
from rollback_tui.frameworks.flyway.framework import Flyway
from rollback_tui.frameworks.golang_migrate import GolangMigrate
from rollback_tui.frameworks.goose import Goose
from rollback_tui.frameworks.graphile_migrate import GraphileMigrate
from rollback_tui.frameworks.knex import Knex
from rollback_tui.frameworks.liquibase.framework import Liquibase
from rollback_tui.frameworks.node_pg_migrate import NodePgMigrate
from rollback_tui.frameworks.other import Other
from rollback_tui.frameworks.pairs import Pairs
from rollback_tui.frameworks.pgroll import Pgroll
from rollback_tui.frameworks.postgrator import Postgrator
from rollback_tui.frameworks.prisma import Prisma
from rollback_tui.frameworks.protocol import Framework
from rollback_tui.frameworks.rails import Rails
from rollback_tui.frameworks.refinery import Refinery
from rollback_tui.frameworks.sequelize import Sequelize
from rollback_tui.frameworks.shmig import Shmig
from rollback_tui.frameworks.sqitch.framework import Sqitch
from rollback_tui.frameworks.sql_migrate import SqlMigrate
from rollback_tui.frameworks.sqlx import Sqlx
from rollback_tui.frameworks.tern import Tern
from rollback_tui.frameworks.typeorm import TypeOrm
from rollback_tui.frameworks.yoyo.framework import Yoyo

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "rollback_tui.frameworks"
"""The entry points of plug-ins."""


class _Frameworks(dict[str, Framework]):
    """Those that are built in; asked for another name, it looks among the plug-ins."""

    def __missing__(self, name: str) -> Framework:
        return framework_named(name)


_BUILT_IN: tuple[Framework, ...] = (
    Alembic(),
    Atlas(),
    DbMigrate(),
    Dbmate(),
    Diesel(),
    Django(),
    Flyway(),
    GolangMigrate(),
    Goose(),
    GraphileMigrate(),
    Knex(),
    Liquibase(),
    NodePgMigrate(),
    Other(),
    Pairs(),
    Pgroll(),
    Postgrator(),
    Prisma(),
    Rails(),
    Refinery(),
    Sequelize(),
    Shmig(),
    Sqitch(),
    SqlMigrate(),
    Sqlx(),
    Tern(),
    TypeOrm(),
    Yoyo(),
)

FRAMEWORKS: dict[str, Framework] = _Frameworks((one.name, one) for one in _BUILT_IN)
"""By their names, as in ``--framework``. It holds those that are built in; ``FRAMEWORKS[name]``
finds a plug-in as well, and raises FrameworkError for a name that nobody has."""


class PluggedIn(NamedTuple):
    """What the installed plug-ins came to."""

    frameworks: tuple[Framework, ...]
    problems: tuple[str, ...]
    """A sentence for each that cannot be used."""


def framework_named(name: str) -> Framework:
    """Return the framework of that name. Raises FrameworkError, naming the known ones."""
    if name in FRAMEWORKS:
        return FRAMEWORKS[name]
    for entry in _entries():
        if entry.name == name:
            return _loaded(entry)
    raise FrameworkError(
        f"unknown framework: {printable(name)}",
        f"The known ones are: {', '.join((*FRAMEWORKS, *(e.name for e in _entries())))}.",
    )


@cache
def plugged_in() -> PluggedIn:
    """Return all frameworks that other packages bring, except for names that are built in."""
    frameworks, problems = [], []
    for entry in _entries():
        try:
            frameworks.append(_loaded(entry))
        except FrameworkError as error:
            problems.append(f"{error.summary}.")
    return PluggedIn(tuple(frameworks), tuple(problems))


@cache
def _entries() -> tuple[EntryPoint, ...]:
    # Loading it takes longer than most commands need for all else.
    from importlib.metadata import entry_points

    found = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    return tuple(entry for entry in found if entry.name not in FRAMEWORKS)


@cache
def _loaded(entry: EntryPoint) -> Framework:
    """Return the plug-in's framework. Raises FrameworkError when it cannot be used."""
    where = f"the plug-in {printable(entry.name)} ({printable(entry.value)})"
    again = "Repair that package or remove it; docs/adding_a_framework.md has a working template."
    try:
        made = entry.load()
        framework = made() if isinstance(made, type) else made
    except Exception as error:  # noqa: BLE001 - it is somebody else's code
        words = printable(" ".join(f"{type(error).__name__}: {error}".split()))
        raise FrameworkError(f"{where} cannot be loaded: {words}", again) from None
    missing = lacking(framework)
    if missing:
        raise FrameworkError(f"{where} has no {', '.join(missing)}", again)
    if framework.name != entry.name:
        raise FrameworkError(
            f"{where} calls itself {printable(str(framework.name))}",
            "Give the entry point the framework's own name.",
        )
    return cast("Framework", framework)


def captures(framework: object) -> bool:
    """Whether what only its program can run is captured: all, where it is of the kind
    ``captured``; what is code, where it is of the kind ``files`` and says how it is called."""
    kind = getattr(framework, "kind", "")
    return kind == "captured" or (kind == "files" and hasattr(framework, "down_command"))


def lacking(framework: object) -> tuple[str, ...]:
    """Return the names that the protocol of its kind asks for, and that it does not have."""
    from rollback_tui.frameworks import protocol

    asked: type = protocol.Framework
    if captures(framework):
        asked = protocol.Capturing
    elif getattr(framework, "kind", "") == "printed":
        asked = protocol.Printing
    names = {
        name
        for base in asked.__mro__
        if base.__module__ == protocol.__name__
        for name in (*vars(base), *vars(base).get("__annotations__", ()))
        if not name.startswith("_")
    }
    return tuple(sorted(name for name in names if not hasattr(framework, name)))
