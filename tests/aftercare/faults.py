"""What goes wrong in a database after a run, made to by a test: each is real, and can be mended."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator

import psycopg

from tests.conftest import Database

TABLES = "CREATE TABLE stock (id int PRIMARY KEY, left_over int); CREATE TABLE orders (stock int)"
"""Of the application; who waits for one of them does not wait for the other."""


@contextlib.contextmanager
def connected(database: Database, number: int) -> Iterator[None]:
    """So many connections more than there were."""
    with contextlib.ExitStack() as opened:
        for _ in range(number):
            opened.enter_context(psycopg.connect(database.dsn, application_name="shop"))
        yield


@contextlib.contextmanager
def closed(database: Database) -> Iterator[None]:
    """Nobody is let in."""
    _allow(database, "false")
    try:
        yield
    finally:
        _allow(database, "true")


def _allow(database: Database, said: str) -> None:
    with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{database.name}" ALLOW_CONNECTIONS {said}')


@contextlib.contextmanager
def queue(database: Database, waiting: int) -> Iterator[None]:
    """A session that has locked the table and does nothing, and so many who wait for it."""
    with (
        contextlib.ExitStack() as parts,
        psycopg.connect(database.dsn, application_name="migrate") as first,
    ):
        first.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        for _ in range(waiting):
            parts.enter_context(_asking(database, "SELECT count(*) FROM orders"))
        yield
        first.rollback()


@contextlib.contextmanager
def long_query(database: Database) -> Iterator[None]:
    """A query that does not end."""
    with _asking(database, "SELECT pg_sleep(600)"):
        yield


@contextlib.contextmanager
def _asking(database: Database, query: str) -> Iterator[None]:
    connection = psycopg.connect(database.dsn, application_name="shop", autocommit=True)

    def ask() -> None:
        with contextlib.suppress(psycopg.errors.QueryCanceled):
            connection.execute(query)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        connection.cancel_safe()
        thread.join()
        connection.close()


@contextlib.contextmanager
def again_and_again(*works: Callable[[], None], seconds: float = 0.1) -> Iterator[None]:
    """Do each of them every so often, each in a thread."""
    stop = threading.Event()

    def repeat(work: Callable[[], None]) -> None:
        while not stop.wait(seconds):
            work()

    threads = [threading.Thread(target=repeat, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@contextlib.contextmanager
def deadlocks(database: Database) -> Iterator[None]:
    """Two sessions that take two locks each, in the other order."""
    barrier = threading.Barrier(2, timeout=30)

    def locks(first: int, second: int) -> Callable[[], None]:
        connection = database.connect(superuser=True, application_name="shop")
        connection.execute("SET deadlock_timeout = '10ms'")
        connection.execute("SET lock_timeout = '5s'")

        def work() -> None:
            with (
                contextlib.suppress(psycopg.errors.DeadlockDetected, threading.BrokenBarrierError),
                connection.transaction(),
            ):
                connection.execute("SELECT pg_advisory_xact_lock(%s)", [first])
                barrier.wait()
                connection.execute("SELECT pg_advisory_xact_lock(%s)", [second])

        return work

    with again_and_again(locks(1, 2), locks(2, 1)):
        try:
            yield
        finally:
            barrier.abort()


@contextlib.contextmanager
def rolled_back(database: Database) -> Iterator[None]:
    """An application half of whose transactions are rolled back."""
    connection = database.connect(application_name="shop")

    def work() -> None:
        for wrong in (False, True) * 10:
            with contextlib.suppress(psycopg.errors.UniqueViolation), connection.transaction():
                connection.execute("INSERT INTO stock VALUES (1, 1) ON CONFLICT DO NOTHING")
                if wrong:
                    connection.execute("INSERT INTO stock VALUES (1, 1)")

    with again_and_again(work):
        yield


@contextlib.contextmanager
def lost_clients(database: Database) -> Iterator[None]:
    """Clients that go away without a word."""

    def work() -> None:
        connection = psycopg.connect(database.dsn, application_name="shop")
        with socket.socket(fileno=os.dup(connection.fileno())) as wire:
            wire.shutdown(socket.SHUT_RDWR)
        connection.close()

    with again_and_again(work, seconds=0.3):
        yield


@contextlib.contextmanager
def well(database: Database) -> Iterator[None]:
    """An application that works: about 100 transactions a second."""
    connection = database.connect(application_name="shop")

    def work() -> None:
        for number in range(10):
            connection.execute("SELECT left_over FROM stock WHERE id = %s", [number])

    with again_and_again(work):
        yield
