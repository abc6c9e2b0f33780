"""What the shop's users felt of a run: ``python -m rollback_tui.demo.impact URL``.

Asks the application for the requests that failed since RUN_STARTED (until RUN_FINISHED, ISO 8601
times of the environment) and prints ``{"affected_users": N, "failed_requests": N}``, as
``impact.command`` in ``rollback.toml`` is to do.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.parse
import urllib.request

_SECONDS = 5


def ask(url: str, since: str, until: str) -> dict[str, int]:
    """Return affected users and failed requests. Raises OSError or ValueError without them."""
    query = urllib.parse.urlencode({"since": since, "until": until})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{url}/metrics.json?{query}", timeout=_SECONDS) as answer:
        counted = json.load(answer)
    return {name: int(counted[name]) for name in ("affected_users", "failed_requests")}


def main(arguments: list[str]) -> int:
    """Print the impact. Returns 0, or 1 when the application could not be asked."""
    try:
        counted = ask(
            arguments[0], os.environ.get("RUN_STARTED", ""), os.environ.get("RUN_FINISHED", "")
        )
    except (OSError, ValueError, KeyError, IndexError) as error:
        sys.stderr.write(f"the application could not be asked: {error}\n")
        return 1
    sys.stdout.write(json.dumps(counted) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
