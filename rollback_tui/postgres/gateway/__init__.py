"""A gateway on loopback: through it a program that is not ours reaches one database and no other.

It speaks the server's side of the PostgreSQL protocol 3.0 to the program and lets libpq speak to
the real server: TLS, SCRAM, services and passfiles are libpq's business, and the program never
sees our credentials. It hears a password that is made for this one call. Everything that it sends
is recorded (:mod:`~rollback_tui.postgres.gateway.recorded`).

- :mod:`~rollback_tui.postgres.gateway.listener`: who may come in.
- :mod:`~rollback_tui.postgres.gateway.session`: the conversation with one session of the program.
- :mod:`~rollback_tui.postgres.gateway.upstream`: the session with the real server.
- :mod:`~rollback_tui.postgres.gateway.read_only`: the same where nothing may be written.
- :mod:`~rollback_tui.postgres.gateway.wire`, ``results``: the messages.
"""

from __future__ import annotations

from rollback_tui.postgres.gateway.listener import Gateway as Gateway
from rollback_tui.postgres.gateway.recorded import Parameter as Parameter
from rollback_tui.postgres.gateway.recorded import Recorded as Recorded
from rollback_tui.postgres.gateway.recorded import Recording as Recording
