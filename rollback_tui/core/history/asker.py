"""Who asks for something, and from where: in one line that can be kept in a journal."""

from __future__ import annotations

from rollback_tui.core.model import Operator
from rollback_tui.core.text import shorten
from rollback_tui.core.value import Value

_UID = "uid "
_LONGEST = 60
"""Terminal cells of each part: whoever sets USER to a novel does not fill the journal with it."""


class Asker(Value, frozen=True, kw_only=True):
    """What a console says of who sits before it. It is only *stated*: whoever has the account may
    state anything. The user id beside it is the kernel's own word."""

    user: str = ""
    sudo_user: str = ""
    """``SUDO_USER``: who became ``user`` by sudo."""
    ssh: str = ""
    """The client's address in ``SSH_CONNECTION``."""
    host: str = ""
    """The machine that the console runs on."""


def stated(operator: Operator) -> Asker:
    """Return what is stated of ``operator``, each part bounded and printable."""
    address = operator.ssh_connection.split()
    return Asker(
        user=_part(operator.user),
        sudo_user=_part(operator.sudo_user),
        ssh=_part(address[0] if address else ""),
        host=_part(operator.host),
    )


def line(asker: Asker | None, uid: int | None) -> str:
    """Return who asks, and from where. ``uid``: of the process at the other end, as the kernel says
    it; None where it does not (SO_PEERCRED is of Linux).

    >>> line(Asker(user="deploy", sudo_user="ada", ssh="10.0.0.7", host="ops-1"), 1000)
    'deploy (sudo by ada), uid 1000, ssh 10.0.0.7, host ops-1'
    >>> line(None, 1000)
    'uid 1000'
    """
    asker = asker or Asker()
    who = _part(asker.user)
    if asker.sudo_user:
        who += f" (sudo by {_part(asker.sudo_user)})"
    if who.startswith(_UID):
        # No name passes for the kernel's word.
        who = f"user {who}"
    parts = [
        who.strip(),
        f"{_UID}not known" if uid is None else f"{_UID}{uid}",
        f"ssh {_part(asker.ssh)}" if asker.ssh else "",
        f"host {_part(asker.host)}" if asker.host else "",
    ]
    return ", ".join(part for part in parts if part)


def parted(said: str) -> tuple[str, str]:
    """Return such a line as (who, from where).

    >>> parted("deploy (sudo by ada), uid 1000, ssh 10.0.0.7")
    ('deploy (sudo by ada)', 'uid 1000, ssh 10.0.0.7')
    >>> parted("uid 1000")
    ('', 'uid 1000')
    """
    if said.startswith(_UID):
        return "", said
    who, _, where = said.partition(", ")
    return who, where


def who(operator: Operator) -> str:
    """Return the operator of a run as :func:`line` does; the id is that of the process that the run
    was started by."""
    return line(stated(operator), operator.uid)


def _part(text: str) -> str:
    # A comma parts what is stated from what is known: nobody may state one.
    return shorten(text.replace(",", ";"), _LONGEST)
