"""What Flyway's configuration says of its files: prefixes, placeholders, transactions."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import Value
from rollback_tui.core.text import printable
from rollback_tui.frameworks.whole_files import first_upwards, optional

_LEVELS = 6
"""So many directories above the migrations: ``src/main/resources/db/migration`` has five."""
_VERSION = re.compile(r"\d+(?:[._]\d+)*", re.ASCII)


class FlywaySettings(Value, frozen=True, kw_only=True):
    """Flyway's settings under their own names and with their own defaults."""

    prefix: str = "V"
    undo_prefix: str = "U"
    separator: str = "__"
    suffixes: tuple[str, ...] = (".sql",)
    encoding: str = "UTF-8"
    placeholders: bool = True
    placeholder_prefix: str = "${"
    in_transaction: bool = True
    should_execute: str = "true"
    """Of one script: a condition of Flyway's own, or ``true``."""

    def parse(self, name: str) -> tuple[str, str, str] | None:
        """Return ``V`` or ``U``, the version as the table has it, and the description, of a file
        called ``name``; None for any other file. The longest prefix that fits counts."""
        suffix = next((s for s in self.suffixes if name.upper().endswith(s.upper())), None)
        if suffix is None:
            return None
        stem = name[: len(name) - len(suffix)]
        prefixes = sorted((("V", self.prefix), ("U", self.undo_prefix)), key=lambda p: -len(p[1]))
        found = next(((kind, p) for kind, p in prefixes if p and stem.startswith(p)), None)
        if found is None:
            return None
        version, _, title = stem[len(found[1]) :].partition(self.separator)
        if not _VERSION.fullmatch(version):
            return None
        return found[0], version.replace("_", "."), title.replace("_", " ")

    def for_script(self, data: bytes | None) -> FlywaySettings:
        """Return the settings for one script, whose ``.conf`` has ``data`` (None: it has none)."""
        said = {} if data is None else _properties(data.decode(errors="replace"))
        return self.changed_by({key.lower(): value for key, value in said.items()})

    def changed_by(self, said: Mapping[str, str]) -> FlywaySettings:
        """Return the settings with what ``said`` (lower-case keys without ``flyway.``) changes."""
        suffixes = tuple(s for s in said.get("sqlmigrationsuffixes", "").split(",") if s.strip())
        return msgspec.structs.replace(
            self,
            prefix=said.get("sqlmigrationprefix", self.prefix),
            undo_prefix=said.get("undosqlmigrationprefix", self.undo_prefix),
            separator=said.get("sqlmigrationseparator") or self.separator,
            suffixes=tuple(s.strip() for s in suffixes) or self.suffixes,
            encoding=said.get("encoding", self.encoding),
            placeholders=_boolean(said, "placeholderreplacement", self.placeholders),
            placeholder_prefix=said.get("placeholderprefix") or self.placeholder_prefix,
            in_transaction=_boolean(said, "executeintransaction", self.in_transaction),
            should_execute=said.get("shouldexecute", self.should_execute).lower(),
        )


def settings_for(directory: Path) -> FlywaySettings:
    """Return what the nearest ``flyway.toml`` or ``flyway.conf`` says, or Flyway's defaults.

    Raises FrameworkError when that file cannot be read.
    """
    return FlywaySettings().changed_by(_said(directory, _LEVELS))


def locations(project: Path) -> tuple[str, ...]:
    """Return the directories that ``locations`` in the project's own configuration names, relative
    to ``project``; without those that are patterns, or in a cloud.

    Raises FrameworkError when that file cannot be read.
    """
    found = []
    for location in _said(project, 0).get("locations", "").split(","):
        kind, colon, path = location.strip().rpartition(":")
        if not colon or kind == "classpath":
            path = f"src/main/resources/{path.lstrip('/')}" if path else ""
        elif kind != "filesystem":
            continue
        if path and not set(path) & set("*?$"):
            found.append(path)
    return tuple(found)


def _said(directory: Path, levels: int) -> dict[str, str]:
    """Return what the nearest configuration says: lower-case keys without ``flyway.``."""
    path = first_upwards(directory, ("flyway.toml", "flyway.conf"), levels)
    data = optional(path.parent, path.name) if path else None
    if path is None or data is None:
        return {}
    text = data.decode(errors="replace")
    if path.suffix == ".conf":
        found = _properties(text)
        return {k.lower().removeprefix("flyway."): v for k, v in found.items()}
    try:
        table = tomllib.loads(text).get("flyway", {})
    except tomllib.TOMLDecodeError as error:
        raise FrameworkError(
            f"{printable(str(path))}: {error}", "Flyway cannot read it either: correct it."
        ) from None
    return {str(k).lower(): _text(v) for k, v in table.items()} if isinstance(table, dict) else {}


def number(version: str) -> tuple[int, ...] | None:
    """Return the version as Flyway compares it: part by part as numbers, zeros at the end left
    out; None for what is no version."""
    if not _VERSION.fullmatch(version):
        return None
    parts = [int(part) for part in re.split(r"[._]", version)]
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def _properties(text: str) -> dict[str, str]:
    """Return the ``key=value`` lines of a Java properties file; comments begin with # or !."""
    found = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith(("#", "!")):
            found[key.strip()] = value.strip()
    return found


def _boolean(said: Mapping[str, str], key: str, default: bool) -> bool:
    value = said.get(key, "").lower()
    return value == "true" if value in ("true", "false") else default


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
