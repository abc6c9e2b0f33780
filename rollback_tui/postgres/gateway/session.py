"""The conversation with one session of the program, from the first ReadyForQuery on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from rollback_tui.postgres.gateway import results, wire
from rollback_tui.postgres.gateway.recorded import Parameter, Recorded, Recording
from rollback_tui.postgres.gateway.results import FAILED
from rollback_tui.postgres.gateway.upstream import Bound, Refused, Upstream
from rollback_tui.postgres.gateway.wire import Body, Malformed, Wire

_TEXT_TYPES = frozenset((18, 19, 25, 114, 705, 1042, 1043))
"""Their binary format is their text: "char", name, text, json, unknown, bpchar, varchar."""


@dataclass
class _Statement:
    """A prepared statement of the program."""

    text: bytes
    controls: bool
    described: PGresult | None = None


@dataclass
class _Portal:
    """A statement with its values; what it returned, once it was executed."""

    name: bytes
    statement: _Statement
    bound: Bound
    formats: Sequence[int]
    """As the program gave them: none, one for all columns, or one a column."""
    result: PGresult | None = None
    rows: list[list[bytes | None]] = field(default_factory=list)
    sent: int = 0


class Session:
    """One session of the program and one with the server."""

    def __init__(
        self,
        program: Wire,
        upstream: Upstream,
        recording: Recording,
        settings: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        """``settings`` are those that the session began with: recorded as if they were sent."""
        self._wire, self._upstream, self._recording = program, upstream, recording
        self._number = recording.came_in()
        self._statements: dict[bytes, _Statement] = {}
        self._portals: dict[bytes, _Portal] = {}
        self._skipping = False
        self._batch = 0
        self._status = "I"
        for name, value in settings:
            place = self._record(_setting(name, value), simple=True)
            recording.answered(place, "SELECT 1", 1)
        upstream.pgconn.notice_handler = self._notice

    def run(self) -> None:
        """Answer until the program says goodbye. Raises Gone, Malformed, Refused, and
        psycopg.OperationalError when the server is gone."""
        self._ready()
        while True:
            kind, body = self._wire.message()
            if kind == b"X":
                return
            if kind == b"S":
                self._sync()
            elif self._skipping or kind in b"dcf":
                continue  # after an error, up to Sync; or what is left of a COPY that failed
            elif kind == b"Q":
                self._simple(body.text())
            else:
                self._extended(kind, body)

    def _notice(self, result: PGresult) -> None:
        self._wire.write(results.diagnostics(b"N", result))

    def _ready(self) -> None:
        """Say what changed, and that the next one may come."""
        for name, value in self._upstream.changed_settings():
            self._wire.write(wire.parameter_status(name, value))
        self._status = self._upstream.status
        if self._status == "I":
            self._portals.clear()  # they end with their transaction
        self._batch += 1
        self._wire.write(wire.ready(self._status))
        self._wire.flush()

    def _failed(self, result: PGresult) -> bool:
        if result.status not in FAILED:
            return False
        self._wire.write(results.diagnostics(b"E", result))
        return True

    # --- recording -------------------------------------------------------------------------------

    def _record(self, text: bytes, simple: bool, given: Sequence[Parameter] = ()) -> int:
        try:
            return self._recording.take(
                Recorded(
                    session=self._number,
                    batch=self._batch,
                    simple=simple,
                    text=text.decode(self._upstream.encoding, "surrogateescape"),
                    status=self._status,
                    parameters=tuple(given),
                )
            )
        except OverflowError:
            raise Refused("more was sent than is recorded") from None

    def _answered(self, place: int, result: PGresult) -> None:
        if result.status in FAILED:
            sqlstate, words = results.words_of(result)
            self._recording.answered(place, None, 0, sqlstate, words)
        elif result.status != ExecStatus.EMPTY_QUERY:
            tag = (result.command_status or b"").decode("ascii", "replace")
            self._recording.answered(place, tag, result.ntuples)

    # --- simple queries --------------------------------------------------------------------------

    def _simple(self, text: bytes) -> None:
        self._statements.pop(b"", None)
        self._portals.pop(b"", None)
        place = self._record(text, simple=True)
        for result in self._upstream.simple(text):
            if result.status == ExecStatus.COPY_IN:
                self._copy_in(result)
            elif result.status == ExecStatus.COPY_OUT:
                self._copy_out(result)
            else:
                self._answered(place, result)
                self._tell(result)
        self._ready()

    def _tell(self, result: PGresult) -> None:
        """Pass on what one statement returned."""
        if self._failed(result):
            return
        if result.status == ExecStatus.EMPTY_QUERY:
            self._wire.write(wire.EMPTY)
            return
        if result.status == ExecStatus.TUPLES_OK:
            formats = [result.fformat(column) for column in range(result.nfields)]
            self._wire.write(results.row_description(result, formats))
            for row in results.data_rows(result):
                self._wire.write(row)
        elif result.status != ExecStatus.COMMAND_OK:
            raise Refused("an answer of the server that is not known here")
        self._wire.write(results.complete(result))

    def _copy_in(self, result: PGresult) -> None:
        self._wire.write(results.copy_response(b"G", result))
        self._wire.flush()
        while True:
            kind, body = self._wire.message()
            if kind == b"d":
                self._upstream.put(body.rest())
            elif kind == b"c":
                return self._upstream.finish(None)
            elif kind == b"f":
                return self._upstream.finish(body.text() or b"failed")
            elif kind not in b"HS":
                raise Malformed("something else than rows in a COPY")

    def _copy_out(self, result: PGresult) -> None:
        self._wire.write(results.copy_response(b"H", result))
        for data in self._upstream.copied():
            self._wire.write(wire.message(b"d", data))
        self._wire.write(wire.message(b"c"))

    # --- extended protocol -----------------------------------------------------------------------

    def _sync(self) -> None:
        self._skipping = False
        self._upstream.sync()
        self._ready()

    def _extended(self, kind: bytes, body: Body) -> None:
        steps: dict[bytes, Callable[[Body], None]] = {
            b"P": self._parse,
            b"B": self._bind,
            b"D": self._describe,
            b"E": self._execute,
            b"C": self._close,
            b"H": lambda _: self._wire.flush(),
        }
        if kind == b"F":
            raise Refused("a function call by the protocol; SQL can call functions")
        if kind not in steps:
            raise Malformed(f"a message of the unknown type {kind!r}")
        steps[kind](body)

    def _error(self, result: PGresult) -> bool:
        self._skipping = self._failed(result)
        return self._skipping

    def _parse(self, body: Body) -> None:
        name, text = body.text(), body.text()
        types = [body.oid() for _ in range(body.short())]
        statement = _Statement(text, self._upstream.controls(text))
        if not statement.controls and self._error(self._upstream.prepare(name, text, types)):
            return
        self._statements[name] = statement
        self._wire.write(wire.PARSED)

    def _bind(self, body: Body) -> None:
        portal, name = body.text(), body.text()
        formats = [body.short() for _ in range(body.short())]
        values = [body.value() for _ in range(body.short())]
        wanted = [body.short() for _ in range(body.short())]
        statement = self._statements.get(name)
        if statement is None:
            self._not_ours(self._upstream.describe(name))
            return
        if len(formats) == 1:
            formats *= len(values)
        formats = formats or [0] * len(values)
        if len(formats) != len(values) or not set(formats) | set(wanted) <= {0, 1}:
            raise Malformed("formats that do not belong to the values")
        bound = Bound(values, formats)
        self._portals[portal] = _Portal(name, statement, bound, wanted)
        self._wire.write(wire.BOUND)

    def _describe(self, body: Body) -> None:
        what, name = body.byte(), body.text()
        formats: Sequence[int] = ()
        if what == b"S":
            described = self._described(name, self._statements.get(name))
        elif (portal := self._portals.get(name)) is None:
            described = self._upstream.describe_cursor(name)
        elif portal.result is None:
            described = self._described(portal.name, self._current(portal))
            formats = portal.formats
        else:
            described, formats = portal.result, portal.formats
        if self._error(described):
            return
        if what == b"S":
            self._wire.write(results.parameter_description(_types(described)))
        if described.nfields:
            self._wire.write(results.row_description(described, _each(formats, described)))
        else:
            self._wire.write(wire.NO_DATA)

    def _described(self, name: bytes, statement: _Statement | None) -> PGresult:
        """Describe a statement as it is now."""
        if statement is not None and statement.controls:
            return self._upstream.pgconn.make_empty_result(ExecStatus.COMMAND_OK)
        result = self._upstream.describe(name)
        if statement is not None and result.status not in FAILED:
            statement.described = result
        return result

    def _current(self, portal: _Portal) -> _Statement:
        if self._statements.get(portal.name) is not portal.statement:
            raise Refused("a portal whose statement was replaced before it was executed")
        return portal.statement

    def _not_ours(self, described: PGresult) -> None:
        """Say that the server does not know it either; what SQL made under that name is not
        executed by the protocol."""
        if not self._error(described):
            raise Refused("a statement or cursor that SQL has made, executed by the protocol")

    def _execute(self, body: Body) -> None:
        name, most = body.text(), body.number()
        portal = self._portals.get(name)
        if portal is None:
            self._not_ours(self._upstream.describe_cursor(name))
            return
        result = portal.result or self._executed(portal)
        if result is None:
            return
        if result.status == ExecStatus.EMPTY_QUERY:
            self._wire.write(wire.EMPTY)
            return
        end = len(portal.rows) if most <= 0 else min(len(portal.rows), portal.sent + most)
        for row in portal.rows[portal.sent : end]:
            self._wire.write(wire.data_row(row))
        portal.sent = end
        done = end == len(portal.rows)
        self._wire.write(results.complete(result) if done else wire.SUSPENDED)

    def _executed(self, portal: _Portal) -> PGresult | None:
        """Execute a portal to its end and keep what it returned; None when that failed."""
        statement, bound = self._current(portal), portal.bound
        if statement.controls:
            place = self._record(statement.text, simple=False)
            result = self._upstream.control(statement.text)
        else:
            types: Sequence[int] = ()
            if bound.values:
                described = statement.described or self._described(portal.name, statement)
                if self._error(described):
                    return None
                types = _types(described)
            place = self._record(statement.text, simple=False, given=_parameters(bound, types))
            whole = 1 if portal.formats and set(portal.formats) == {1} else 0
            result = self._upstream.execute(portal.name, bound, whole)
        self._answered(place, result)
        if self._error(result):
            return None
        portal.result = result
        portal.rows = self._in_formats(result, portal.formats)
        return result

    def _in_formats(self, result: PGresult, formats: Sequence[int]) -> list[list[bytes | None]]:
        """Return the rows, those columns in binary that were wanted so. libpq asks for one format
        for all columns: where they differ it was text."""
        rows = list(results.rows(result))
        if set(formats) != {0, 1}:
            return rows
        for column, wanted in enumerate(_each(formats, result)):
            kind = result.ftype(column)
            if wanted and kind not in _TEXT_TYPES:
                for row in rows:
                    value = row[column]
                    row[column] = None if value is None else self._upstream.convert(value, kind)
        return rows

    def _close(self, body: Body) -> None:
        what, name = body.byte(), body.text()
        if what == b"S":
            statement = self._statements.pop(name, None)
            if (
                statement is not None
                and not statement.controls
                and self._error(self._upstream.deallocate(name))
            ):
                return
        else:
            self._portals.pop(name, None)
        self._wire.write(wire.CLOSED)


def _setting(name: bytes, value: bytes) -> bytes:
    quoted = [b"E'" + b.replace(b"\\", b"\\\\").replace(b"'", b"''") + b"'" for b in (name, value)]
    return b"SELECT pg_catalog.set_config(" + b", ".join(quoted) + b", false)"


def _types(described: PGresult) -> list[int]:
    return [described.param_type(place) for place in range(described.nparams)]


def _parameters(bound: Bound, types: Sequence[int]) -> list[Parameter]:
    return [
        Parameter(value=value, binary=bool(form), type=types[at] if at < len(types) else 0)
        for at, (value, form) in enumerate(zip(bound.values, bound.formats, strict=True))
    ]


def _each(formats: Sequence[int], result: PGresult) -> list[int]:
    """Return the format of each column: none given means text, one is for all."""
    if len(formats) == 1:
        return [formats[0]] * result.nfields
    if not formats:
        return [0] * result.nfields
    if len(formats) != result.nfields:
        raise Malformed("formats that do not belong to the columns")
    return list(formats)
