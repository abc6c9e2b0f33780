"""sqitch's configuration: ``sqitch.conf`` of system, user and project, and who commits.

The format is git's, as Perl's Config::GitLike reads it: ``[section "sub.section"]`` and
``key = value``, comments with ``#`` and ``;``, quotes and backslashes in values. Keys are
case-insensitive, later files win.
"""

from __future__ import annotations

import os
import pwd
import re
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.text import printable
from rollback_tui.frameworks import files as migration_files

FILE = "sqitch.conf"
_SYSTEM = "/etc/sqitch/sqitch.conf"

_SECTION = re.compile(r'\[([^\s\[\]"]+)(?:[\t ]*"([^\n]*?)")?\]')
_BARE_KEY = re.compile(r"([^\[=\n][^=\n]*?)[\t ]*(?:[#;].*)?$", re.MULTILINE)
_KEY = re.compile(r"([^\[=\n][^=\n]*?)[\t ]*=[\t ]*")
_BLANK_OR_COMMENT = re.compile(r"(?:\s|[#;].*$)+", re.MULTILINE)
_VALUE_END = re.compile(r"(?:[ \t]*[#;].*)?$", re.MULTILINE)
_VALUE = re.compile(
    r"""(?P<blank> [\t ]+)
      | (?P<continued> \\\r?\n)
      | \\(?P<escaped> [\\'"ntb])
      | "(?P<quoted> [^"\\]*(?:(?:\\\n|\\[tbn"\\])[^"\\]*)*)"
      | (?P<plain> [^\t \\\n"]+)
    """,
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t", "b": "\b"}


class Entry(NamedTuple):
    """One setting, with its key as somebody wrote it: variables of psql keep their case."""

    written: str
    value: str


class Configuration:
    """The settings of all files together."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        """Take the settings, by their whole key: the section, a dot, the name in lower case."""
        self._entries = dict(entries)

    def get(self, key: str) -> str:
        """Return the value of ``core.top_dir``, say; empty when it is not set."""
        entry = self._entries.get(key)
        return entry.value if entry else ""

    def section(self, name: str) -> dict[str, str]:
        """Return what stands in ``[engine "pg.variables"]`` when asked ``engine.pg.variables``."""
        found = {}
        for key, entry in self._entries.items():
            section, _, last = key.rpartition(".")
            if section == name and last:
                found[entry.written] = entry.value
        return found

    def targets(self) -> tuple[str, ...]:
        """Return the names of the targets that have any setting."""
        names = {key.split(".")[1] for key in self._entries if key.startswith("target.")}
        return tuple(sorted(names))

    def fetch(self, target: str, name: str) -> str:
        """Return a setting as sqitch looks for it: the target's, the engine's, then the core's."""
        for section in (f"target.{target}", "engine.pg", "core"):
            value = self.get(f"{section}.{name}")
            if value:
                return value
        return ""


class Committer(NamedTuple):
    """Who is entered for what happens to the database."""

    name: str
    email: str


def configuration(project: Path) -> Configuration:
    """Read the files of the system, of the user and of ``project``, where there are such.

    Raises FrameworkError when one of them cannot be read or understood.
    """
    entries: dict[str, Entry] = {}
    for path in (_system_file(), _user_file(), project / FILE):
        # A link is usual where somebody keeps these files elsewhere; they are no migrations.
        whole = path.resolve()
        try:
            data = migration_files.read(whole.parent, whole.name)
        except FileNotFoundError:
            continue
        entries.update(_parse(data, path))
    return Configuration(entries)


def committer(settings: Configuration) -> Committer:
    """Return who commits, as sqitch finds it: the environment, the configuration, the user's entry
    in the password file, and for the address the name of this machine."""
    environment = os.environ
    name = (
        environment.get("SQITCH_FULLNAME")
        or settings.get("user.name")
        or environment.get("SQITCH_ORIG_FULLNAME")
        or _full_name(_user())
    )
    email = (
        environment.get("SQITCH_EMAIL")
        or settings.get("user.email")
        or environment.get("SQITCH_ORIG_EMAIL")
        or f"{_user()}@{socket.gethostname()}"
    )
    return Committer(name, email)


def _user() -> str:
    given = os.environ.get("SQITCH_ORIG_SYSUSER")
    if given:
        return given
    try:
        return os.getlogin()
    except OSError:  # no terminal of a login session
        pass
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return os.environ.get("LOGNAME") or os.environ.get("USER") or str(os.getuid())


def _full_name(user: str) -> str:
    try:
        return pwd.getpwnam(user).pw_gecos or user
    except KeyError:
        return user


def _system_file() -> Path:
    return Path(os.environ.get("SQITCH_SYSTEM_CONFIG") or _SYSTEM)


def _user_file() -> Path:
    given = os.environ.get("SQITCH_USER_CONFIG")
    return Path(given) if given else Path("~").expanduser() / ".sqitch" / FILE


def _parse(data: bytes, path: Path) -> dict[str, Entry]:
    try:
        text = data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise FrameworkError(
            f"{printable(str(path))} is not UTF-8", "Save that file as UTF-8."
        ) from None
    return dict(_entries(text, path))


def _entries(text: str, path: Path) -> Iterator[tuple[str, Entry]]:
    section = ""
    position = 0
    while True:
        blank = _BLANK_OR_COMMENT.match(text, position)
        if blank:
            position = blank.end()
        if position >= len(text):
            return
        head = _SECTION.match(text, position)
        if head:
            section = head[1].lower()
            if head[2]:
                section += "." + re.sub(r'\\([\\"])', r"\1", head[2])
            position = head.end()
            continue
        bare = _BARE_KEY.match(text, position)
        key = bare or _KEY.match(text, position)
        if not key or not section:
            raise _unreadable(text, position, path)
        position = key.end()
        value = "true"
        if not bare:
            value, position = _value(text, position, path)
        yield f"{section}.{key[1].lower()}", Entry(key[1], value)


def _value(text: str, position: int, path: Path) -> tuple[str, int]:
    found: list[str] = []
    while True:
        end = _VALUE_END.match(text, position)
        if end:
            return "".join(found), end.end()
        part = _VALUE.match(text, position)
        if not part:
            raise _unreadable(text, position, path)
        position = part.end()
        if part["blank"]:
            found.append(" ")
        elif part["escaped"]:
            found.append(_ESCAPES.get(part["escaped"], part["escaped"]))
        elif part["quoted"] is not None:
            whole = part["quoted"].replace("\\\n", "")
            found.append(re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), whole))
        elif part["plain"]:
            found.append(part["plain"])


def _unreadable(text: str, position: int, path: Path) -> FrameworkError:
    line = text.count("\n", 0, position) + 1
    return FrameworkError(
        f"{printable(str(path))}, line {line}: this is no section and no setting",
        "See what sqitch itself says of it with `sqitch config --list`.",
    )
