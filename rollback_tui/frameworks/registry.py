"""All frameworks that are known, by name."""

from __future__ import annotations

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.text import printable
from rollback_tui.frameworks.dbmate import Dbmate
from rollback_tui.frameworks.golang_migrate import GolangMigrate
from rollback_tui.frameworks.protocol import Framework

FRAMEWORKS: dict[str, Framework] = {
    framework.name: framework
    for framework in (
        Dbmate(),
        GolangMigrate(),
    )
}
"""By their names, as in ``--framework``."""


def framework_named(name: str) -> Framework:
    """Return the framework of that name. Raises FrameworkError, naming the known ones."""
    if name in FRAMEWORKS:
        return FRAMEWORKS[name]
    raise FrameworkError(
        f"unknown framework: {printable(name)}",
        f"The known ones are: {', '.join(FRAMEWORKS)}.",
    )
