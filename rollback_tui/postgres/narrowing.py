"""Which stored values a new column type does not take, and which it changes.

Conversions are those of ``ALTER COLUMN … TYPE``: without USING the assignment cast, which refuses
what is too long or too large; with USING a cast that is written out, which cuts strings silently.
A value counts as changed when it differs after it was converted there and back. What a conversion
only spells differently (text read as a date, ``json`` as ``jsonb``) does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rollback_tui.postgres.columns import Type

_WHOLE = {"int2": 15, "int4": 31, "int8": 63}
_FLOATS = ("float4", "float8")
_STRINGS = ("text", "varchar", "bpchar", "name", "citext")
_BITS = ("bit", "varbit")
"""A cast that is written out pads and cuts them, which their input function does not."""
_SIZED = ("varchar", "bpchar")
_TIMES = ("date", "timestamp", "timestamptz")
_PRECISE = ("timestamp", "timestamptz", "time", "timetz", "interval")
# Pairs that always convert and give the same value when converted back.
_SAME = frozenset(
    {
        ("date", "timestamp"),
        ("date", "timestamptz"),
        ("bool", "int4"),
        ("cidr", "inet"),
        ("text", "citext"),
        ("varchar", "citext"),
    }
)


class Change(NamedTuple):
    """Conditions on one value, as SQL; the value is never NULL where they are asked."""

    fits: str
    """Empty: every value converts."""
    changed: str | None
    """Asked only where it fits; empty: no value changes; None: some may be spelled differently."""


class Unclear(NamedTuple):
    """No condition tells; ``attempt`` is the conversion as an expression that may be tried: when
    it raises no error, every value fits. Empty: not even that says it."""

    why: str
    attempt: str = ""


def narrowing(
    value: str, old: Type, new: Type, *, written: str, explicit: bool, major: int
) -> Change | Unclear | None:
    """Return what the conversion of ``value`` from ``old`` to ``new`` does to stored values.

    ``written`` is the new type as SQL, ``explicit`` a cast that the script writes out. None: every
    value converts and stays what it is.
    """
    if new.kind == "d":
        return Unclear(f"the rules of the domain {new.spelled} are not asked beforehand")
    known = _known(value, old, new, written, explicit, major)
    if known is None or isinstance(known, Change):
        return known
    attempt = f"CAST({value} AS {written})"
    if old.name in _STRINGS and new.name not in _STRINGS:
        if not explicit:
            return Unclear(_no_cast(old, new))
        if major >= 16 and new.kind in "be" and new.name not in _BITS:
            fits = f"pg_catalog.pg_input_is_valid({_output(value, old)}, {_literal(written)})"
            return Change(fits, _rounded(value, new, written))
        return Unclear(f"from {old.spelled} to {new.spelled}, told value by value", attempt)
    why = f"conversion from {old.spelled} to {new.spelled}"
    # A cast that is written out would cut what an assignment refuses.
    return Unclear(why, attempt if explicit or new.typmod == -1 else "")


def to_labels(value: str, labels: Sequence[str]) -> Change:
    """The same for an enumeration that an earlier statement makes with these labels."""
    listed = ", ".join(_literal(label) for label in labels)
    return Change(f"({value})::text IN ({listed})" if labels else "false", "")


def _known(
    value: str, old: Type, new: Type, written: str, explicit: bool, major: int
) -> Change | str | None:
    """Return a conversion that is told by its types; a string: it is not."""
    if new.oid == old.oid and new.typmod in (-1, old.typmod):
        return None
    if new.name in ("text", *_SIZED) and new.kind == "b":
        return _string(value, old, new, written, explicit)
    there_and_back = f"CAST(CAST({value} AS {written}) AS {old.name}) <> {value}"
    if new.name in _WHOLE:
        return _whole(value, old, new, written)
    if new.name == "numeric":
        return _numeric(value, old, new, written, major)
    if new.name in _FLOATS and old.name in _WHOLE:
        exact = (new.name == "float8" and old.name != "int8") or old.name == "int2"
        return None if exact else Change("", _inexact(value, new))
    if (old.name, new.name) == ("float4", "float8") or (old.name, new.name) in _SAME:
        return None
    if (old.name, new.name) == ("float8", "float4"):
        return Change(_fits_float4(value), there_and_back)
    if old.name in _TIMES and new.name in _TIMES and old.name != "date":
        return Change("", there_and_back)
    if old.name == new.name and new.name in _PRECISE:
        return Change("", there_and_back)
    if (old.name, new.name) == ("inet", "cidr"):
        return Change("", there_and_back)
    return "not known"


def _string(value: str, old: Type, new: Type, written: str, explicit: bool) -> Change | None:
    """To a string: anything becomes text; a length limit refuses or cuts what is longer."""
    limit = new.typmod - 4
    if new.typmod == -1 or (old.name == new.name and old.typmod != -1 and old.typmod <= new.typmod):
        return None
    text = f"({value})::text"
    changed = f"CAST(CAST({text} AS {written}) AS text) <> {text}"
    if explicit:
        return Change("", changed)
    # Blanks beyond the limit are cut by an assignment too, as the SQL standard wants it.
    fits = (
        f"pg_catalog.length({text}) <= {limit}"
        f" OR pg_catalog.rtrim(pg_catalog.substr({text}, {limit + 1}), ' ') = ''"
    )
    return Change(fits, changed)


def _whole(value: str, old: Type, new: Type, written: str) -> Change | str | None:
    bits = _WHOLE[new.name]
    if old.name in _WHOLE:
        if _WHOLE[old.name] <= bits:
            return None
        return Change(f"{value} BETWEEN {-(2**bits)} AND {2**bits - 1}", "")
    if old.name == "numeric":
        fits = f"pg_catalog.round({value}) BETWEEN {-(2**bits)} AND {2**bits - 1}"
        return Change(fits, f"CAST({value} AS {written})::numeric <> {value}")
    if old.name in _FLOATS:
        # rint() of the float, compared with bounds that a float8 has exactly; NaN is above all.
        rounded = f"pg_catalog.round({value}::float8)"
        fits = f"{rounded} >= -{2**bits}::float8 AND {rounded} < {2**bits}::float8"
        return Change(fits, f"CAST({value} AS {written})::float8 <> {value}::float8")
    return "not known"


def _inexact(value: str, new: Type) -> str:
    """Whether a whole number is none of the float's. Converting it back would overflow near the
    end of int8: there, only multiples of the distance between two floats are exact."""
    step = 2 ** (62 - (52 if new.name == "float8" else 23))
    return (
        f"CASE WHEN {value} BETWEEN {-(2**62)} AND {2**62}"
        f" THEN CAST(CAST({value} AS {new.name}) AS int8) <> {value}"
        f" ELSE {value} % {step} <> 0 END"
    )


def _numeric(value: str, old: Type, new: Type, written: str, major: int) -> Change | str | None:
    """To numeric. Compared as numeric, or as float8 where it was a float: rounding may have carried
    the number beyond what its former type holds."""
    if old.name not in (*_WHOLE, *_FLOATS, "numeric"):
        return "not known"
    floating = old.name in _FLOATS
    common = old.name if floating else "numeric"
    changed = f"CAST({value} AS {written})::{common} <> {value}::{common}"
    finite = f"{value} NOT IN ('Infinity', '-Infinity')"
    if new.typmod == -1:
        # Infinity is a numeric from version 14 on.
        return Change(finite if major < 14 else "", changed) if floating else None
    precision, scale = _precision(new)
    if old.name == "numeric" and old.typmod != -1:
        old_precision, old_scale = _precision(old)
        if scale >= old_scale and precision - scale >= old_precision - old_scale:
            return None
    fits = f"pg_catalog.abs(pg_catalog.round({value}::numeric, {scale})) < 1e{precision - scale}"
    if floating:
        fits = f"CASE WHEN {finite} THEN {value} = 'NaN' OR {fits} ELSE false END"
    elif old.name == "numeric":
        fits = f"{value} = 'NaN' OR {fits}"
    return Change(fits, changed)


def _precision(of: Type) -> tuple[int, int]:
    """Return precision and scale of a numeric (``make_numeric_typmod`` in ``numeric.c``)."""
    packed = of.typmod - 4
    return (packed >> 16) & 0xFFFF, ((packed & 0x7FF) ^ 1024) - 1024


def _fits_float4(value: str) -> str:
    """Overflow and underflow are errors; infinities, NaN and zero convert."""
    largest, smallest = "3.4028235677973362e38", "7.006492321624085e-46"
    return (
        f"{value} IN ('Infinity', '-Infinity', 'NaN', 0)"
        f" OR pg_catalog.abs({value}) BETWEEN {smallest}::float8 AND {largest}::float8"
    )


def _rounded(value: str, new: Type, written: str) -> str | None:
    """Text that is read as a number or a time is rounded only when the type has a precision."""
    if new.typmod == -1 or new.name not in ("numeric", *_PRECISE):
        return None
    return f"CAST({value} AS {written}) <> CAST({value} AS {new.name})"


def _output(value: str, old: Type) -> str:
    """What the new type's input function is given: of char(n) with its blanks, which a cast to text
    would take away."""
    if old.name == "bpchar":
        return f"pg_catalog.textin(pg_catalog.bpcharout({value}))"
    return f"({value})::text"


def _no_cast(old: Type, new: Type) -> str:
    return (
        f"PostgreSQL converts {old.spelled} to {new.spelled} only with USING: the statement fails"
        " whatever is stored"
    )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
