"""What can be told of a Django project without running any of its code.

Migration files are parsed and never imported: which apps there are, which migrations, and what
each needs (``dependencies``, ``run_before``, ``replaces``). Where Django must be asked for more,
:mod:`rollback_tui.frameworks.django.framework` does it.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.text import printable
from rollback_tui.frameworks import files as migration_files
from rollback_tui.frameworks.project_tree import directories

MANAGE = "manage.py"

_SETTINGS = re.compile(r"""DJANGO_SETTINGS_MODULE["']\s*\]?\s*[,=]\s*["']([\w.]+)["']""")

Key = tuple[str, str]
"""App label and name of a migration, as in the table."""


class Needs(NamedTuple):
    """What a migration file says of others."""

    dependencies: tuple[Key, ...] = ()
    """Those that are written down as they are; of ``swappable_dependency(…)`` only Django knows
    which one it is."""
    run_before: tuple[Key, ...] = ()
    replaces: tuple[Key, ...] = ()


class Found(NamedTuple):
    """A migration of the project."""

    app: str
    name: str
    path: Path


def migrations(project: Path) -> tuple[Found, ...]:
    """Return all migrations below ``project``, by app and name.

    Raises FrameworkError when the project cannot be read or is too large to be looked through.
    """
    found: list[Found] = []
    for directory in directories(project):
        if directory.name != "migrations":
            continue
        names = [n for n in migration_files.names(directory) if _is_module(n)]
        modules = [n for n in names if needs(directory / n) is not None]
        if modules:
            app = label(directory.parent)
            found.extend(Found(app, name.removesuffix(".py"), directory / name) for name in modules)
    return tuple(sorted(found))


def needs(path: Path) -> Needs | None:
    """Return what the migration at ``path`` needs; None when it has no class ``Migration``.

    Raises FrameworkError when the file is not safe to read.
    """
    try:
        status = path.stat()
    except OSError:
        return None
    return _needs(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=10_000)
def _needs(path: Path, changed: int, size: int) -> Needs | None:  # noqa: ARG001 - make it fresh
    try:
        tree = _parsed(migration_files.read(path.parent, path.name))
    except FileNotFoundError:
        return None
    for node in tree.body if tree else ():
        if isinstance(node, ast.ClassDef) and node.name == "Migration":
            values = dict(_assigned(node.body))
            return Needs(
                _keys(values.get("dependencies")),
                _keys(values.get("run_before")),
                _keys(values.get("replaces")),
            )
    return None


def label(app: Path) -> str:
    """Return the label of the app in the directory ``app``: what its ``AppConfig`` says, or the
    directory's name."""
    try:
        tree = _parsed(migration_files.read(app, "apps.py"))
    except (FileNotFoundError, FrameworkError):
        tree = None
    configs = []
    for node in tree.body if tree else ():
        if isinstance(node, ast.ClassDef) and any(
            ast.unparse(base).endswith("Config") for base in node.bases
        ):
            configs.append({name: _text(value) for name, value in _assigned(node.body)})
    for config in configs:
        if config.get("label"):
            return config["label"]
    for config in configs:
        if config.get("name"):
            return config["name"].rpartition(".")[2]
    return app.name


def home(project: Path) -> Path | None:
    """Return the directory with the project's ``manage.py``, the nearest to ``project``; None when
    there is none. Raises FrameworkError when several are as near."""
    found = [d for d in directories(project) if (d / MANAGE).is_file()]
    if not found:
        return None
    depth = min(len(d.parts) for d in found)
    nearest = [d for d in found if len(d.parts) == depth]
    if len(nearest) > 1:
        named = ", ".join(printable(str(d / MANAGE)) for d in nearest)
        raise FrameworkError(
            f"there are several Django projects here: {named}",
            "Name the directory of one of them with --migrations DIR.",
        )
    return nearest[0]


def settings_module(home: Path) -> str:
    """Return the settings that ``manage.py`` names; empty when it names none that can be read."""
    try:
        text = migration_files.read(home, MANAGE).decode(errors="replace")
    except FileNotFoundError:
        return ""
    match = _SETTINGS.search(text)
    return match[1] if match else ""


def _is_module(name: str) -> bool:
    """Django takes every module whose name does not begin with ``_`` or ``~``."""
    return name.endswith(".py") and name[0] not in "_~" and "." not in name.removesuffix(".py")


def _parsed(data: bytes) -> ast.Module | None:
    try:
        with warnings.catch_warnings(
            action="ignore"
        ):  # of a backslash that is none of our business
            return ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _assigned(body: list[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for node in body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            yield node.target.id, node.value


def _keys(value: ast.expr | None) -> tuple[Key, ...]:
    """Return the pairs of a list of pairs, as far as they are written as two texts."""
    if not isinstance(value, (ast.List, ast.Tuple)):
        return ()
    pairs = [e.elts for e in value.elts if isinstance(e, (ast.Tuple, ast.List))]
    texts = [(_text(pair[0]), _text(pair[1])) for pair in pairs if len(pair) == 2]
    return tuple((app, name) for app, name in texts if app and name)


def _text(value: ast.expr) -> str:
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""
