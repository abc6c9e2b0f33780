"""The base of everything the program speaks in."""

from __future__ import annotations

import msgspec


class Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the values: immutable, compared by content, written as JSON."""
