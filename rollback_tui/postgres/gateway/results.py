"""What libpq returns, as the messages that the server had sent."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from psycopg.pq import DiagnosticField, ExecStatus
from psycopg.pq.abc import PGresult

from rollback_tui.postgres.gateway.wire import data_row, fields, message

_CODES = [(bytes([field.value]), field) for field in DiagnosticField]
"""The codes of the protocol are the numbers of libpq's fields (postgres_ext.h)."""

FAILED = (ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE, ExecStatus.PIPELINE_ABORTED)


def diagnostics(kind: bytes, result: PGresult) -> bytes:
    """Return the ErrorResponse or NoticeResponse with all fields that the server gave."""
    given = ((code, result.error_field(field)) for code, field in _CODES)
    parts = [(code, text) for code, text in given if text is not None]
    if not parts:
        # The words are libpq's own: the connection was lost.
        text = result.error_message or b"the server does not answer any more"
        parts = [(b"S", b"FATAL"), (b"V", b"FATAL"), (b"C", b"08006"), (b"M", text)]
    return fields(kind, parts)


def row_description(result: PGresult, formats: Sequence[int]) -> bytes:
    """Return the RowDescription of a result; ``formats``: of each column, 0 text, 1 binary."""
    content = struct.pack("!H", result.nfields)
    for column in range(result.nfields):
        content += (result.fname(column) or b"") + b"\0"
        content += struct.pack(
            "!IhIhih",
            result.ftable(column),
            result.ftablecol(column),
            result.ftype(column),
            result.fsize(column),
            result.fmod(column),
            formats[column],
        )
    return message(b"T", content)


def parameter_description(types: Sequence[int]) -> bytes:
    """Return the ParameterDescription of a prepared statement."""
    return message(b"t", struct.pack(f"!H{len(types)}I", len(types), *types))


def rows(result: PGresult) -> Iterator[list[bytes | None]]:
    """Yield the values of each row as the server sent them."""
    for row in range(result.ntuples):
        yield [result.get_value(row, column) for column in range(result.nfields)]


def data_rows(result: PGresult) -> Iterator[bytes]:
    """Yield a DataRow for each row."""
    for values in rows(result):
        yield data_row(values)


def complete(result: PGresult) -> bytes:
    """Return the CommandComplete."""
    return message(b"C", (result.command_status or b"") + b"\0")


def copy_response(kind: bytes, result: PGresult) -> bytes:
    """Return the CopyInResponse (``G``) or CopyOutResponse (``H``)."""
    binary = result.binary_tuples
    formats = [result.fformat(column) for column in range(result.nfields)]
    return message(kind, struct.pack(f"!BH{len(formats)}H", binary, len(formats), *formats))


def words_of(result: PGresult) -> tuple[str, str]:
    """Return SQLSTATE and primary message of a failed result."""
    sqlstate = result.error_field(DiagnosticField.SQLSTATE) or b"08006"
    text = result.error_field(DiagnosticField.MESSAGE_PRIMARY) or result.error_message or b""
    return sqlstate.decode("ascii", "replace"), text.decode("utf-8", "replace").strip()
