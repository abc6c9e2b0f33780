"""How a session begins: what the program says of itself before it has shown a password."""

from __future__ import annotations

import re
from typing import NamedTuple

from rollback_tui.postgres.gateway.wire import Body, Malformed, Wire

_VERSION_3 = 3
_SSL, _GSS, _CANCEL = 80877103, 80877104, 80877102
"""Numbers that stand where a version stands (PostgreSQL: pqcomm.h)."""
_MOST_REQUESTS = 3

_OPTION = re.compile(rb"(?:\\.|[^\s\\])+", re.DOTALL)


class Start(NamedTuple):
    """What a program asks for."""

    user: bytes = b""
    database: bytes = b""
    settings: tuple[tuple[bytes, bytes], ...] = ()
    """That the session is to begin with."""
    newer: bool = False
    """It would speak a newer 3.x, or named ``unknown`` options of one."""
    unknown: tuple[bytes, ...] = ()
    cancels: tuple[int, int] | None = None
    """It is no session: it asks to cancel what the session with this key executes."""


def read_start(wire: Wire) -> Start:
    """Return what the program asks for; TLS and GSSAPI are declined. Raises Gone or Malformed."""
    for _ in range(_MOST_REQUESTS):
        body = Body(wire.startup())
        version = body.number()
        if version in (_SSL, _GSS):
            wire.write(b"N")
            wire.flush()
        elif version == _CANCEL:
            return Start(cancels=(body.number(), body.number()))
        elif version >> 16 == _VERSION_3:
            return _session(body, newer=bool(version & 0xFFFF))
        else:
            break
    raise Malformed("only version 3 of the protocol is spoken here")


def _session(body: Body, *, newer: bool) -> Start:
    given: dict[bytes, bytes] = {}
    while name := body.text():
        given[name] = body.text()
    user = given.pop(b"user", b"")
    database = given.pop(b"database", user)
    if given.pop(b"replication", b"false").lower() not in (b"false", b"off", b"no", b"0"):
        raise Malformed("there is no replication here")
    # Ours stays: sessions of the gateway must be known on the server.
    given.pop(b"application_name", None)
    settings = _options(given.pop(b"options", b""))
    unknown = tuple(name for name in given if name.startswith(b"_pq_."))
    settings += [(name, value) for name, value in given.items() if name not in unknown]
    return Start(user, database, tuple(settings), newer or bool(unknown), unknown)


def _options(text: bytes) -> list[tuple[bytes, bytes]]:
    """Read the ``-c name=value`` of the start's ``options``, in which a backslash protects white
    space (PostgreSQL: pg_split_opts). Raises Malformed for anything else."""
    words = [re.sub(rb"\\(.)", rb"\1", word, flags=re.DOTALL) for word in _OPTION.findall(text)]
    found: list[tuple[bytes, bytes]] = []
    while words:
        word = words.pop(0)
        if word == b"-c" and words:
            word = words.pop(0)
        elif word.startswith((b"-c", b"--")):
            word = word[2:]
        else:
            word = b""
        name, equals, value = word.partition(b"=")
        if not name or not equals:
            raise Malformed("only -c name=value is taken as an option of a session")
        found.append((name.replace(b"-", b"_"), value))
    return found
