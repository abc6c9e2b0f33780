"""Errors in the server's own log, where we may read it: from one moment on, of one database.

PostgreSQL's documentation, 20.8 "Error Reporting and Logging": with ``logging_collector`` the log
is in files, whose names ``pg_current_logfile()`` tells a superuser and members of ``pg_monitor``.
Their contents (``pg_read_binary_file``) are for superusers and for whom EXECUTE was granted. Lines
in CSV and JSON (since PostgreSQL 15) have the SQLSTATE and the database; those on ``stderr`` have
what ``log_line_prefix`` puts before them, and their words are of the language ``lc_messages``.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Literal

import psycopg

from rollback_tui.core.query_errors import LoggedError
from rollback_tui.core.text import shorten
from rollback_tui.postgres.connect import Connection

SOURCE = "the server's log"

_JSON = 15
_LIMIT = 4 * 1024 * 1024
_HARMLESS = ("00", "01", "02", "57")
"""Success, warning, no data; and 57, operator intervention: what our own door does to sessions."""
_CSV_FIELDS = 23
"""``application_name`` is the last that every version has."""
_SEVERE = re.compile(r"\b(?:ERROR|FATAL|PANIC):\s+(?:([0-9A-Z]{5}):\s+)?(.*)")

Format = Literal["jsonlog", "csvlog", "stderr"]


class ServerLog:
    """The log from a moment on. Never raises: ``why`` says why nothing can be read."""

    def __init__(self, connection: Connection, database: str) -> None:
        """Remember where the log ends now. ``database``: the name that applications know."""
        self._database = database
        self._format: Format = "stderr"
        self._path = ""
        self._from = 0
        self.why = ""
        """Empty: it can be read."""
        try:
            self._begin(connection)
        except psycopg.Error as error:
            self.why = _reason(error)

    def _begin(self, connection: Connection) -> None:
        language = connection.execute(
            "SELECT /* rollback_tui */ pg_catalog.current_setting('lc_messages')"
        ).fetchone()
        for kind in self._formats(connection):
            path = _current(connection, kind)
            if path:
                self._format, self._path = kind, path
                break
        else:
            self.why = "it is not written to files (logging_collector)"
            return
        plain = str(language[0]) if language else ""
        if self._format == "stderr" and plain[:2].lower() not in ("", "c", "po", "en", "c."):
            self.why = f"its words are in another language (lc_messages {plain})"
            return
        row = connection.execute(
            "SELECT /* rollback_tui */ (pg_catalog.pg_stat_file(%s)).size", [self._path]
        ).fetchone()
        self._from = int(row[0]) if row else 0
        # Whether we may read it is better known now than later.
        connection.execute(
            "SELECT /* rollback_tui */ pg_catalog.pg_read_binary_file(%s, 0, 1)", [self._path]
        )

    @staticmethod
    def _formats(connection: Connection) -> tuple[Format, ...]:
        if connection.info.server_version // 10000 >= _JSON:
            return ("jsonlog", "csvlog", "stderr")
        return ("csvlog", "stderr")

    def errors(self, connection: Connection) -> tuple[LoggedError, ...]:
        """Return the errors since it was begun; none when it cannot be read, which ``why`` says."""
        if self.why:
            return ()
        try:
            text = _text(_read(connection, self._path, self._from))
            now = _current(connection, self._format)
            if now and now != self._path:  # a new file was begun meanwhile
                text += _text(_read(connection, now, 0))
        except psycopg.Error as error:
            self.why = _reason(error)
            return ()
        return self._found(text)

    def new_errors(self, connection: Connection) -> tuple[LoggedError, ...]:
        """Return the errors since it was begun, or since the last call; as :meth:`errors`. What is
        not a whole line yet is left for the next call."""
        if self.why:
            return ()
        try:
            now = _current(connection, self._format)
            data = _read(connection, self._path, self._from)
            whole = len(data) if len(data) == _LIMIT else data.rfind(b"\n") + 1
            self._from += whole
            data = data[:whole]
            if now and now != self._path:  # a new file was begun: nothing comes into the old one
                more = _read(connection, now, 0)
                self._path, self._from = now, more.rfind(b"\n") + 1
                data += more[: self._from]
        except psycopg.Error as error:
            self.why = _reason(error)
            return ()
        return self._found(_text(data))

    def _found(self, text: str) -> tuple[LoggedError, ...]:
        found = {
            "jsonlog": _of_json,
            "csvlog": _of_csv,
            "stderr": _of_stderr,
        }[self._format](text, self._database)
        return tuple(one for one in found if not one.application.startswith("rollback_tui"))


def _current(connection: Connection, kind: Format) -> str:
    row = connection.execute(
        "SELECT /* rollback_tui */ pg_catalog.pg_current_logfile(%s)", [kind]
    ).fetchone()
    return str(row[0]) if row and row[0] else ""


def _read(connection: Connection, path: str, offset: int) -> bytes:
    """Bytes, not text: a log holds what the sessions of all databases sent, in any encoding."""
    row = connection.execute(
        "SELECT /* rollback_tui */ pg_catalog.pg_read_binary_file(%s, %s, %s)",
        [path, offset, _LIMIT],
    ).fetchone()
    return bytes(row[0]) if row and row[0] is not None else b""


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")


def _of_json(text: str, database: str) -> Iterator[LoggedError]:
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if not isinstance(entry, dict) or entry.get("dbname") != database:
            continue
        state = str(entry.get("state_code", ""))
        if state and not state.startswith(_HARMLESS):
            yield LoggedError(
                source=SOURCE,
                sqlstate=state,
                text=str(entry.get("message", "")),
                application=str(entry.get("application_name", "")),
            )


def _of_csv(text: str, database: str) -> Iterator[LoggedError]:
    reader = csv.reader(io.StringIO(text.replace("\0", ""), newline=""))
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            continue
        if len(row) < _CSV_FIELDS or row[2] != database or row[12].startswith(_HARMLESS):
            continue
        yield LoggedError(source=SOURCE, sqlstate=row[12], text=row[13], application=row[22])


def _of_stderr(text: str, _: str) -> Iterator[LoggedError]:
    """Of all databases: the prefix need not name one."""
    for line in text.splitlines():
        match = _SEVERE.search(line)
        if match and not (match[1] or "").startswith("57"):
            yield LoggedError(
                source=f"{SOURCE} (all databases)", sqlstate=match[1] or "", text=match[2]
            )


def _reason(error: psycopg.Error) -> str:
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return "our role may not (pg_monitor, and EXECUTE on pg_read_binary_file and pg_stat_file)"
    return shorten(str(error) or type(error).__name__, 120)
