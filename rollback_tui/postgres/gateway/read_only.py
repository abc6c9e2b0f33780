"""The session with the real server where nothing may be written, whatever the program sends.

``default_transaction_read_only`` would not do: whoever may write may switch it off. So every
statement of the program is executed inside a transaction that *we* began as READ ONLY, and in which
a query has been made already. From then on the server itself refuses to make it READ WRITE
("transaction read-write mode must be set before any query", variable.c). All that is left is that
the program must not end that transaction without our knowing:

- A text is taken apart, and each statement sent by the extended protocol, which takes one command
  only: a wrong boundary makes an error and never hides a second statement.
- BEGIN, COMMIT and the like are never sent as they came: ours are.
- A procedure cannot commit inside a transaction block ("invalid transaction termination").
- After every statement the server is asked whether the transaction is still open (by the status
  that comes with each answer); where it is not, the session ends there.

COPY, COMMIT … AND CHAIN, and prepared transactions end the session as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGresult

from rollback_tui.core.script.lexer import significant
from rollback_tui.core.script.split import boundaries
from rollback_tui.postgres.gateway.results import FAILED
from rollback_tui.postgres.gateway.upstream import Refused, Upstream

_BEGIN = ("BEGIN", "START")
_END = {"COMMIT": "COMMIT", "END": "COMMIT", "ROLLBACK": "ROLLBACK", "ABORT": "ROLLBACK"}
_NEVER = ("PREPARED", "CHAIN")


def _kind(text: bytes) -> str:
    """Return what the statement does to the transaction: ``begin``, ``COMMIT``, ``ROLLBACK``,
    ``set`` (its characteristics), or nothing. Raises Refused for what is not taken here."""
    latin = text.decode("latin-1")
    words = [word for word in significant(latin, 0, len(latin)) if word != ";"]
    first = words[0] if words else ""
    if first == "COPY" or words[:2] == ["PREPARE", "TRANSACTION"]:
        raise Refused(f"{' '.join(words[:2])} is not possible where nothing may be written")
    if first in _BEGIN:
        return "begin"
    if first in _END:
        if any(word in words for word in _NEVER):
            raise Refused(f"{' '.join(words)} is not possible where nothing may be written")
        return "" if "TO" in words else _END[first]
    return "set" if words[:2] == ["SET", "TRANSACTION"] else ""


class ReadOnly(Upstream):
    """Everything inside a transaction of ours that can only read."""

    _explicit = False
    """The program has begun a transaction, as far as it knows."""

    def simple(self, text: bytes) -> Iterator[PGresult]:
        """Execute one after the other; the first error ends it."""
        any_sent = False
        for statement in boundaries(text):
            any_sent = True
            result = self._execute_text(statement)
            yield result
            if result.status in FAILED:
                break
        if not any_sent:
            self._enter()
            yield self._guarded(lambda: self.pgconn.send_query_params(b"", None))
        self.sync()

    def controls(self, text: bytes) -> bool:
        """What begins or ends a transaction: prepared, it could be executed by its name. Several
        statements at once are the server's to refuse."""
        return bool(_kind(text)) and len(boundaries(text)) == 1

    def control(self, text: bytes) -> PGresult:
        """Do ourselves what the program asks for."""
        return self._control(_kind(text))

    def sync(self) -> None:
        """End our transaction, unless the program takes it for its own."""
        if not self._explicit:
            self._leave()

    @property
    def status(self) -> str:
        """What the program may think."""
        letter = super().status
        return letter if self._explicit else "I"

    # --- ours ------------------------------------------------------------------------------------

    def _execute_text(self, text: bytes) -> PGresult:
        wanted = _kind(text)
        if wanted:
            return self._control(wanted)
        self._enter()
        return self._guarded(lambda: self.pgconn.send_query_params(text, None))

    def _control(self, wanted: str) -> PGresult:
        if wanted == "set":
            # Isolation makes no difference here; to say READ ONLY again is always allowed.
            self._enter()
            return self._guarded(lambda: self.pgconn.send_query(b"SET TRANSACTION READ ONLY"))
        if wanted == "begin" and self._explicit:
            return self._guarded(lambda: self.pgconn.send_query(b"BEGIN"))  # a warning
        self._explicit = wanted == "begin"
        if self._explicit:
            self._leave()
            return self._begin()
        return self.ask(wanted)

    def _enter(self) -> None:
        """Begin our transaction, unless it is open."""
        if self.pgconn.transaction_status == TransactionStatus.IDLE:
            self._begin()

    def _begin(self) -> PGresult:
        begun = self.ask("BEGIN READ ONLY")
        if begun.status in FAILED or self.ask("SELECT 1").status in FAILED:
            raise psycopg.OperationalError("no transaction can be begun")
        return begun

    def _leave(self) -> None:
        """End our transaction; settings that the program made stay when nothing failed."""
        status = self.pgconn.transaction_status
        if status == TransactionStatus.INTRANS:
            self.ask("COMMIT")
        elif status == TransactionStatus.INERROR:
            self.ask("ROLLBACK")

    def _guarded(self, send: Callable[[], None]) -> PGresult:
        """Execute one command of the program and make sure that our transaction is still open."""
        send()
        result = self._last()
        if self.pgconn.transaction_status not in (
            TransactionStatus.INTRANS,
            TransactionStatus.INERROR,
        ):
            raise Refused("the transaction in which nothing can be written was ended")
        return result

    def _step(self, send: Callable[[], None]) -> PGresult:
        """No pipeline is needed: the transaction is ours, and each step may have its own Sync."""
        self._enter()
        return self._guarded(send)
