"""What yoyo's migration files say of themselves, read without executing any of them.

A ``.sql`` file begins with comments, in which ``-- depends:`` and ``-- transactional:`` are
understood. A ``.py`` file is a program; it is understood where it is nothing but
``__depends__``, ``__transactional__`` and calls of ``step`` with plain strings, as most are.
"""

from __future__ import annotations

import ast
import configparser
import hashlib
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.text import printable
from rollback_tui.frameworks import files as migration_files

_DIRECTIVE = re.compile(r"\s*--\s*(transactional|depends)\s*:\s*(.*)", re.DOTALL)
_BLANK_OR_COMMENT = re.compile(r"(?:\s*|\s*--.*)", re.DOTALL)
_TRUTH = {"true": True, "false": False}


class Step(NamedTuple):
    """One ``step(…)`` of a Python migration."""

    apply: str
    rollback: str


class Said(NamedTuple):
    """What a migration file says."""

    depends: tuple[str, ...] = ()
    transactional: bool = True
    steps: tuple[Step, ...] | None = None
    """Of a Python file that is nothing but plain steps; None for all others."""
    code: str = ""
    """Of a Python file: what in it is more than plain steps."""
    unreadable: str = ""
    """Why yoyo itself could not load it, or why nobody can say what it depends on."""


def read(data: bytes, path: Path) -> Said:
    """Return what the file ``path`` says, whose bytes are ``data``."""
    name = printable(path.name)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return Said(unreadable=f"{name} is not UTF-8")
    return _python(text, name) if path.suffix == ".py" else _sql(text, name)


def _sql(text: str, name: str) -> Said:
    """Take the directives above the first line that is not a comment (``read_sql_migration``)."""
    found: dict[str, list[str]] = {}
    # Python's open() takes each of these for the end of a line; yoyo then sees \n only.
    for line in re.split(r"\r\n|\r|\n", text):
        directive = _DIRECTIVE.fullmatch(line)
        if directive:
            found.setdefault(directive[1], []).append(directive[2])
        elif not _BLANK_OR_COMMENT.fullmatch(line):
            break
    transactional = " ".join(found.get("transactional", ["true"])).lower()
    if transactional not in _TRUTH:
        return Said(unreadable=f"{name} says `transactional: {printable(transactional)}`")
    depends = tuple(" ".join(found.get("depends", [])).split())
    return Said(depends=depends, transactional=_TRUTH[transactional])


def _python(text: str, name: str) -> Said:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in strings: not ours to say
            tree = ast.parse(text.removeprefix("\ufeff"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Said(unreadable=f"{name} is no Python that can be read")
    settings: dict[str, object] = {"__depends__": (), "__transactional__": True}
    steps: list[Step] = []
    code = ""
    for node in tree.body:
        target = _assigned(node)
        if target in settings:
            try:
                settings[target] = ast.literal_eval(node.value)  # type: ignore[attr-defined]
            except ValueError:
                return Said(unreadable=f"{target} in {name} is not plainly said")
            continue
        found = _steps(node, target)
        if found is None:
            code = code or f"line {node.lineno}"
        else:
            steps += found
    depends = _names(settings["__depends__"])
    if depends is None:
        return Said(unreadable=f"__depends__ in {name} is not plainly said")
    return Said(
        depends=depends,
        transactional=bool(settings["__transactional__"]),
        steps=None if code else tuple(steps),
        code=code,
    )


def _assigned(node: ast.stmt) -> str:
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        target = node.target
    else:
        return ""
    return target.id if isinstance(target, ast.Name) else ""


def _steps(node: ast.stmt, target: str) -> list[Step] | None:
    """Return the steps that a statement adds, in their order; None when it does anything else."""
    if isinstance(node, ast.ImportFrom):
        plain = node.module == "yoyo" and all(
            one.name == "step" and one.asname is None for one in node.names
        )
        return [] if plain else None
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return []  # a docstring
    if isinstance(node, ast.Expr):
        calls: Sequence[ast.expr] = [node.value]
    elif target and isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        several = isinstance(node.value, ast.List | ast.Tuple)
        calls = node.value.elts if several else [node.value]  # type: ignore[attr-defined]
    else:
        return None
    found = [_step(call) for call in calls]
    return None if None in found else [one for one in found if one is not None]


def _step(call: ast.expr) -> Step | None:
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
        return None
    given = dict(zip(("apply", "rollback"), call.args, strict=False))
    given |= {one.arg: one.value for one in call.keywords if one.arg}
    known = len(call.args) + len(call.keywords) == len(given) and given.keys() <= set(Step._fields)
    if call.func.id != "step" or not known:
        return None
    texts: dict[str, str] = {}
    for name, value in given.items():
        if not isinstance(value, ast.Constant) or not isinstance(value.value, str | None):
            return None
        texts[name] = value.value or ""
    return Step(texts.get("apply", ""), texts.get("rollback", ""))


def _names(value: object) -> tuple[str, ...] | None:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, set | list | tuple | frozenset | dict):
        names = [one for one in value if isinstance(one, str)]
        return tuple(sorted(names)) if len(names) == len(value) else None
    return None


def sources(project: Path) -> tuple[str, ...]:
    """Return the directories that ``yoyo.ini`` in ``project`` names, ``%(here)s`` being the
    project; none where that cannot be read, or names a package or a pattern."""
    settings = configparser.RawConfigParser()
    try:
        settings.read_string(migration_files.read(project, "yoyo.ini").decode())
        named = settings.get("DEFAULT", "sources").replace("%(here)s", str(project)).split()
    except (FileNotFoundError, FrameworkError, UnicodeDecodeError, configparser.Error):
        return ()
    return () if any(re.search(r"[%*?\[:]", name) for name in named) else tuple(named)


def script(texts: Sequence[str]) -> bytes:
    """Return the SQL of several steps as one script."""
    return "".join(f"{text.strip()}\n;\n" for text in texts if text.strip()).encode()


def hash_of(migration_id: str) -> str:
    """Return what yoyo finds a migration by in its table (``get_migration_hash``)."""
    return hashlib.sha256(migration_id.encode(errors="surrogateescape")).hexdigest()
