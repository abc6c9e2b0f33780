"""What must be said beside the work, and cannot be while the screens are open: then it is said when
they are gone."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

_waiting: list[str] | None = None
"""None: it is said at once."""


def tell(text: str) -> None:
    """Say ``text``, which is printable, on standard error; of the screens, behind them."""
    if _waiting is not None:
        _waiting.append(text)
        return
    # Nobody may be there any more.
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"warning: {text}\n")


@contextlib.contextmanager
def behind_the_screens() -> Iterator[None]:
    """While the screens are open nothing is printed; it is when they are gone."""
    global _waiting
    _waiting = []
    try:
        yield
    finally:
        texts, _waiting = _waiting, None
        for text in texts:
            tell(text)
