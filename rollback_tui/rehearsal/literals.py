"""Bound values written into a statement as literals, of the types that the server took them for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import psycopg

from rollback_tui.core.script.lexer import tokens
from rollback_tui.frameworks.quoting import literal
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.gateway import Parameter
from rollback_tui.rehearsal.sent import Unclear

# A name takes its dollars with it: a$1 is no parameter.
_PARAMETER = re.compile(r"[A-Za-z_\x80-\xff][A-Za-z0-9_$\x80-\xff]*|\$(?P<number>[0-9]+)")

# With a modifier given, CHARACTER without a length comes out as bpchar: as "character" it would be
# one character long (PostgreSQL: format_type.c).
_NAME = "SELECT pg_catalog.format_type($1, -1)"


class Literals:
    """Makes literals, asking a server that has the same types."""

    def __init__(self, connection: Connection) -> None:
        """``connection`` is to the scratch database; its settings are changed."""
        self._connection = connection
        self._types: dict[int, str] = {}
        connection.execute(
            "SET search_path = pg_catalog; SET DateStyle = 'ISO, YMD';"
            " SET IntervalStyle = postgres; SET extra_float_digits = 1; SET bytea_output = hex"
        )

    def written_into(self, text: str, parameters: Sequence[Parameter]) -> str:
        """Return the statement without parameters. Raises Unclear."""
        if not parameters:
            return text
        values = {at: self._literal(one) for at, one in enumerate(parameters, 1)}
        return substituted(text, values)

    def _literal(self, parameter: Parameter) -> str:
        kind = self._type(parameter.type)
        if parameter.value is None:
            return f"NULL::{kind}" if kind else "NULL"
        try:
            value = self._as_text(parameter)
        except (UnicodeDecodeError, psycopg.Error) as error:
            raise Unclear(f"a bound value cannot be written down: {error}") from None
        return literal(value) + (f"::{kind}" if kind else "")

    def _as_text(self, parameter: Parameter) -> str:
        """Text stays as it was sent; of a binary value the server says how it reads."""
        value = parameter.value or b""
        if not parameter.binary:
            return value.decode()
        return self._asked("SELECT $1", value, parameter.type, 1).decode()

    def _type(self, oid: int) -> str:
        if oid and oid not in self._types:
            try:
                self._types[oid] = self._asked(_NAME, str(oid).encode(), 26, 0).decode()
            except (UnicodeDecodeError, psycopg.Error) as error:
                raise Unclear(f"the type of a bound value is not known: {error}") from None
        return self._types.get(oid, "")

    def _asked(self, query: str, value: bytes, oid: int, form: int) -> bytes:
        result = self._connection.pgconn.exec_params(query.encode(), [value], [oid], [form])
        answer = result.get_value(0, 0) if result.ntuples else None
        if answer is None:
            raise psycopg.DataError(result.get_error_message() or "there is no answer")
        return answer


def substituted(text: str, values: Mapping[int, str]) -> str:
    """Return ``text`` with each ``$n`` replaced, as the server's scanner sees them: none in
    strings, comments and names. Raises Unclear for one that has no value."""
    latin = text.encode().decode("latin-1")
    parts: list[str] = []
    at = 0
    for token in tokens(latin, 0, len(latin)):
        if token.kind != "run":
            continue
        for match in _PARAMETER.finditer(latin, token.start, token.end):
            number = match["number"]
            if number is None:
                continue
            value = values.get(int(number))
            if value is None:
                raise Unclear(f"${number} has no value")
            follows = latin[match.end() : match.end() + 1]
            # A subscript or a field would belong to the type's name.
            value = f"({value})" if follows in ("[", ".") else value
            parts += [latin[at : match.start()], value.encode().decode("latin-1")]
            at = match.end()
    return ("".join(parts) + latin[at:]).encode("latin-1").decode()
