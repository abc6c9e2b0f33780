"""The passwords and URLs that this process was given: no message of a fault may repeat them."""

from __future__ import annotations

import os

from rollback_tui.aftercare.places import resolved, secrets
from rollback_tui.config_aftercare import Notify
from rollback_tui.ui.crash import hide

_SHORTEST = 4
"""Characters of a piece of a URL that is hidden: shorter ones stand in every text."""


def hide_passwords(dsn: str | None) -> None:
    """Hide the passwords of ``dsn`` and of the environment from everything that tells of faults.
    What libpq reads by itself, from a passfile or a service file, is hidden when it is used."""
    import psycopg  # only commands that connect load it; it takes longer than all that is here
    from psycopg import conninfo

    for text in (dsn, os.environ.get("DATABASE_URL")):
        try:
            given = conninfo.conninfo_to_dict(text or "")
        except psycopg.Error:
            # Nobody can say which part of it is the password: all of it is one.
            hide(text)
            continue
        # The environment's variables are in it as well (PGPASSWORD).
        hide(*(str(given[name]) for name in ("password", "sslpassword") if given.get(name)))
    hide(os.environ.get("PGPASSWORD"), os.environ.get("PGSSLPASSWORD"))


def hide_places(settings: Notify) -> None:
    """Hide the URLs of the places where people are told, and every piece of them that may be
    secret, likewise."""
    for place in settings.to:
        url = resolved(place, os.environ).url
        hide(*(piece for piece in secrets(url) if len(piece) >= _SHORTEST))
