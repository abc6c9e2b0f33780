"""One statement form: what is executed, and what cannot be compared."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """A statement whose forecast is compared with what the server does."""

    sql: str
    alone: bool = False
    """It cannot run in a transaction: the forecast must say so, and the server refuses it."""
    opaque: bool = False
    """Nobody can tell from its text: the forecast must say that it is unknown."""
    unsure: bool = False
    """The catalog does not tell what it does: it must not be called resolved."""
    least: int = 13
    """The first major version that has this form."""
    no_op: bool = False
    """It does nothing as things are, and the forecast must say so."""

    @property
    def name(self) -> str:
        """The statement on one line, for the test's name."""
        return " ".join(self.sql.split())[:90]
