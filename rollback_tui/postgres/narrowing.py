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
_SIZED = ("varchar", "bpchar")
_TIMES = ("date", "timestamp", "timestamptz")
_PRECISE = ("timestamp", "timestamptz", "time", "timetz", "interval")
_ORDER = {"float4": 4, "float8": 5, **{name: at for at, name in enumerate(_WHOLE)}}
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
    known = _known(value, old, new, written, explicit)
    if known is None or isinstance(known, Change):
        return known
    attempt = f"CAST({value} AS {written})"
    if old.name in _STRINGS and new.name not in _STRINGS:
        if not explicit:
            return Unclear(_no_cast(old, new))
        if major >= 16 and new.kind in "be":
            fits = f"pg_catalog.pg_input_is_valid(({value})::text, {_literal(written)})"
            return Change(fits, _rounded(value, new, written))
        return Unclear(f"whether text is a valid {new.spelled} is told from version 16 on", attempt)
    why = f"conversion from {old.spelled} to {new.spelled}"
    # A cast that is written out would cut what an assignment refuses.
    return Unclear(why, attempt if explicit or new.typmod == -1 else "")


def to_labels(value: str, labels: Sequence[str]) -> Change:
    """The same for an enumeration that an earlier statement makes with these labels."""
    listed = ", ".join(_literal(label) for label in labels)
    return Change(f"({value})::text IN ({listed})" if labels else "false", "")


def _known(value: str, old: Type, new: Type, written: str, explicit: bool) -> Change | str | None:
    """Return a conversion that is told by its types; a string: it is not."""
    if new.oid == old.oid and new.typmod in (-1, old.typmod):
        return None
    if new.name in ("text", *_SIZED) and new.kind == "b":
        return _string(value, old, new, written, explicit)
    there_and_back = f"CAST(CAST({value} AS {written}) AS {old.spelled}) <> {value}"
    if new.name in _WHOLE:
        return _whole(value, old, new, there_and_back)
    if new.name == "numeric":
        return _numeric(value, old, new, there_and_back)
    if new.name in _FLOATS and old.name in _WHOLE:
        exact = (new.name == "float8" and old.name != "int8") or old.name == "int2"
        return None if exact else Change("", there_and_back)
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


def _whole(value: str, old: Type, new: Type, there_and_back: str) -> Change | str | None:
    bits = _WHOLE[new.name]
    if old.name in _WHOLE:
        if _ORDER[old.name] <= _ORDER[new.name]:
            return None
        return Change(f"{value} BETWEEN {-(2**bits)} AND {2**bits - 1}", "")
    if old.name == "numeric":
        fits = f"pg_catalog.round({value}) BETWEEN {-(2**bits)} AND {2**bits - 1}"
        return Change(fits, there_and_back)
    if old.name in _FLOATS:
        # rint() of the float, compared with bounds that a float8 has exactly; NaN is above all.
        rounded = f"pg_catalog.round({value}::float8)"
        fits = f"{rounded} >= -{2**bits}::float8 AND {rounded} < {2**bits}::float8"
        return Change(fits, there_and_back)
    return "not known"


def _numeric(value: str, old: Type, new: Type, there_and_back: str) -> Change | str | None:
    if old.name not in (*_WHOLE, *_FLOATS, "numeric"):
        return "not known"
    finite = ""
    if old.name in _FLOATS:
        finite = f"{value} NOT IN ('Infinity', '-Infinity')"
    if new.typmod == -1:
        return None if not finite else Change(finite, there_and_back)
    precision = ((new.typmod - 4) >> 16) & 0xFFFF
    scale = (((new.typmod - 4) & 0x7FF) ^ 1024) - 1024
    if old.name == "numeric" and old.typmod != -1:
        old_precision = ((old.typmod - 4) >> 16) & 0xFFFF
        old_scale = (((old.typmod - 4) & 0x7FF) ^ 1024) - 1024
        if scale >= old_scale and precision - scale >= old_precision - old_scale:
            return None
    # Guarded: a float that is infinite is no numeric before version 14.
    inside = f"pg_catalog.abs(pg_catalog.round({value}::numeric, {scale})) < 1e{precision - scale}"
    if old.name in _FLOATS:
        inside = f"CASE WHEN {finite} THEN {value} = 'NaN' OR {inside} ELSE false END"
    elif old.name == "numeric":
        inside = f"{value} = 'NaN' OR {inside}"
    return Change(inside, there_and_back)


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


def _no_cast(old: Type, new: Type) -> str:
    return (
        f"PostgreSQL converts {old.spelled} to {new.spelled} only with USING: the statement fails"
        " whatever is stored"
    )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
