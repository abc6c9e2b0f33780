"""The shop's load: eight connections that read and write, and visitors of the website.

``python -m rollback_tui.demo.load DSN`` waits for the website's URL on standard input, works until
that closes, and tolerates both versions of the schema as well as a closed door: a client that
is refused or terminated comes back, for ever. Each loop sleeps between two actions; all of them
together take a few hundredths of a processor.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

Connection = psycopg.Connection[tuple[object, ...]]

IDLE_IN_TRANSACTION_SECONDS = 3.0
"""How long the back office keeps a transaction open; far below the 20 s of a drain."""

_PRODUCTS = 2_000
_USERS = 12_000
_FIRST_BACKOFF = 0.1
_LONGEST_BACKOFF = 1.0


def browse(connection: Connection, chance: random.Random) -> None:
    """Show a product, and the user as far as the schema of the day knows him."""
    connection.execute(
        "SELECT name, price, status FROM products WHERE id = %s", [chance.randint(1, _PRODUCTS)]
    )
    connection.execute(
        "SELECT email, to_jsonb(users) ->> 'verified_at' FROM users WHERE id = %s",
        [chance.randint(1, _USERS)],
    )


def check_out(connection: Connection, chance: random.Random) -> None:
    """Place an order of two lines, and remember the visit."""
    user = chance.randint(1, _USERS)
    with connection.transaction():
        order = connection.execute(
            "INSERT INTO orders (user_id) VALUES (%s) RETURNING id", [user]
        ).fetchone()
        for line, product in enumerate(chance.sample(range(1, _PRODUCTS + 1), 2), 1):
            connection.execute(
                "INSERT INTO order_items (order_id, line, product_id, quantity, unit_price)"
                " SELECT %s, %s, id, %s, price FROM products WHERE id = %s",
                [order[0] if order else None, line, chance.randint(1, 4), product],
            )
        connection.execute("INSERT INTO sessions (user_id) VALUES (%s)", [user])
        connection.execute(
            "INSERT INTO page_views (product_id, user_id) VALUES (%s, %s)",
            [chance.randint(1, _PRODUCTS), user],
        )


def take_payment(connection: Connection, _: random.Random) -> None:
    """Take the money for an order that is still open."""
    with connection.transaction():
        paid = connection.execute(
            "UPDATE orders SET status = 'paid' WHERE id = (SELECT id FROM orders"
            " WHERE status = 'open' ORDER BY placed_at DESC LIMIT 1 FOR UPDATE SKIP LOCKED)"
            " RETURNING id"
        ).fetchone()
        if paid:
            connection.execute(
                "INSERT INTO payments (order_id, amount) VALUES (%s, order_total(%s))",
                [paid[0], paid[0]],
            )


def move_stock(connection: Connection, chance: random.Random) -> None:
    """Take one piece out of the shelf of a product that sells well; refill an empty one."""
    connection.execute(
        "UPDATE stock SET quantity = CASE WHEN quantity > 0 THEN quantity - 1 ELSE 500 END"
        " WHERE warehouse_id = %s AND product_id = %s",
        [chance.randint(1, 3), chance.randint(1, 20)],
    )


def correct_stock(connection: Connection, chance: random.Random) -> None:
    """Begin to correct the stock by hand, go for a coffee, and commit: idle in transaction."""
    with connection.transaction():
        connection.execute(
            "UPDATE stock SET quantity = quantity + 1 WHERE warehouse_id = 1 AND product_id = %s",
            [chance.randint(1, 20)],
        )
        connection.execute(
            'INSERT INTO "Order Notes" (order_id, "Text") VALUES (%s, %s)',
            [chance.randint(1, 30_000), "Counted by hand"],
        )
        time.sleep(IDLE_IN_TRANSACTION_SECONDS)


def report(connection: Connection, _: random.Random) -> None:
    """Add up what was sold."""
    connection.execute(
        "SELECT c.name, sum(i.quantity * i.unit_price) FROM order_items i"
        " JOIN products p ON p.id = i.product_id JOIN categories c ON c.id = p.category_id"
        " GROUP BY c.name"
    )
    connection.execute("SELECT count(*) FROM active_users")
    connection.execute("SELECT sum(revenue) FROM reporting.daily_revenue")


@dataclass(frozen=True)
class Job:
    """What one connection does, under which name, and how long it sleeps in between."""

    application_name: str
    action: Callable[[Connection, random.Random], None]
    pause: float
    """Mean seconds between two actions."""


JOBS = (
    Job("shop-web", browse, 0.3),
    Job("shop-web", browse, 0.4),
    Job("shop-web", check_out, 0.5),
    Job("shop-web", check_out, 0.7),
    Job("shop-worker", take_payment, 0.6),
    Job("shop-worker", move_stock, 0.4),
    Job("shop-backoffice", correct_stock, 9.0),
    Job("shop-report", report, 4.0),
)


def work(dsn: str, job: Job, chance: random.Random) -> None:
    """Do ``job`` for ever; whatever the server answers, come back."""
    backoff = _FIRST_BACKOFF
    while True:
        try:
            with psycopg.connect(
                dsn,
                autocommit=True,
                connect_timeout=5,
                application_name=job.application_name,
                # Another schema may be there after a reconnect: no plan is kept.
                prepare_threshold=None,
            ) as connection:
                backoff = _FIRST_BACKOFF
                while True:
                    with contextlib.suppress(psycopg.ProgrammingError, psycopg.IntegrityError):
                        job.action(connection, chance)
                    time.sleep(job.pause * chance.uniform(0.5, 1.5))
        except psycopg.Error:
            time.sleep(backoff * chance.uniform(0.7, 1.3))
            backoff = min(2 * backoff, _LONGEST_BACKOFF)


def visit(url: str, chance: random.Random) -> None:
    """Be the website's visitors, some two a second; the application counts who is turned away."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        with (
            contextlib.suppress(OSError, ValueError),
            opener.open(f"{url}/?user={chance.randint(1, _USERS)}", timeout=5) as answer,
        ):
            answer.read()
        time.sleep(chance.uniform(0.3, 0.7))


def main(arguments: list[str]) -> int:
    """Run the load until standard input closes. Returns the exit code."""
    (dsn,) = arguments
    os.nice(5)
    url = sys.stdin.readline().strip()
    if not url:
        return 0
    for number, job in enumerate(JOBS):
        chance = random.Random(number)  # noqa: S311 - customers, not keys
        threading.Thread(target=work, args=(dsn, job, chance), daemon=True).start()
    visitors = random.Random(99)  # noqa: S311
    threading.Thread(target=visit, args=(url, visitors), daemon=True).start()
    sys.stdin.read()
    # The threads sleep and wait in places that cannot be interrupted: leave without them.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
