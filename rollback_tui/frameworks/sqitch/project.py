"""Where the parts of a sqitch project are: its plan, its scripts and psql's variables for them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, NamedTuple

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.text import printable
from rollback_tui.frameworks import files as migration_files
from rollback_tui.frameworks.psql.script import Setting
from rollback_tui.frameworks.sqitch import conf as sqitch_conf
from rollback_tui.frameworks.sqitch import plan as sqitch_plan
from rollback_tui.frameworks.sqitch.conf import Configuration
from rollback_tui.frameworks.sqitch.plan import Change, Plan

PLAN = "sqitch.plan"
Direction = Literal["deploy", "revert"]
_SECTIONS: dict[Direction, tuple[str, ...]] = {
    "deploy": ("core", "deploy"),
    "revert": ("core", "deploy", "revert"),
}
"""Whose variables psql is given, in the order in which they win over each other."""
_POSTGRES = re.compile(r"db:(?:pg|postgres|postgresql):")


class Project(NamedTuple):
    """A directory in which sqitch is called, as its configuration describes it."""

    root: Path
    settings: Configuration
    target: str
    """Name or address of the target that sqitch takes when it is told none."""
    plan: Plan

    def script(self, change: Change, direction: Direction) -> Path:
        """Return where a script of ``change`` is, whether it exists or not.

        Of a change that was reworked later it is ``NAME@TAG.sql``: of the tags between, the first
        for which there is such a deploy script.
        """
        extension = self._fetch("extension") or "sql"
        if not change.rework_tags:
            return self._directory(direction, reworked=False) / f"{change.name}.{extension}"
        names = [f"{change.name}{tag}.{extension}" for tag in change.rework_tags]
        deploy = self._directory("deploy", reworked=True)
        name = next((one for one in names if (deploy / one).exists()), names[0])
        return self._directory(direction, reworked=True) / name

    def setting(self, direction: Direction) -> Setting:
        """Return what sqitch gives psql for scripts of that direction.

        ``--set`` on sqitch's command line is not known, nor which target was named there: a
        variable that another target sets to another value has none here.
        """
        found: dict[str, str] = {}
        for section in _SECTIONS[direction]:
            found |= self.settings.section(f"{section}.variables")
        # The engine's come after these, and a target's after the engine's.
        found |= self.settings.section("engine.pg.variables")
        common = dict(found)
        found |= self.settings.section(f"target.{self.target}.variables")
        unsure: dict[str, str] = {}
        for target in self.settings.targets():
            uri = self.settings.get(f"target.{target}.uri")
            if target == self.target or (uri and not _POSTGRES.match(uri)):
                continue
            own = self.settings.section(f"target.{target}.variables")
            for name, value in (common | own).items():
                if found.get(name) != value:
                    unsure[name] = f"target {target} has another value for it in sqitch.conf"
        for name in unsure:
            found.pop(name, None)
        found["registry"] = self._fetch("registry") or "sqitch"
        return Setting(directory=self.root, variables=found, unsure=unsure)

    def _fetch(self, name: str) -> str:
        return self.settings.fetch(self.target, name)

    def _directory(self, direction: Direction, *, reworked: bool) -> Path:
        prefix = "reworked_" if reworked else ""
        own = self._fetch(f"{prefix}{direction}_dir")
        if own:
            return self.root / own
        above = (self._fetch("reworked_dir") if reworked else "") or self._fetch("top_dir") or "."
        return self.root / above / direction


def project_in(directory: Path) -> Project | None:
    """Return the project that is worked on from ``directory``; None when there is none.

    That is where ``sqitch.conf`` is, or the plan itself where no configuration above it names it.
    Raises FrameworkError when one of them cannot be read or understood.
    """
    configured = (directory / sqitch_conf.FILE).is_file()
    settings = sqitch_conf.configuration(directory)
    target = settings.get("core.target") or settings.get("engine.pg.target") or "db:pg:"
    plan = _plan_file(directory, settings, target)
    try:
        data = migration_files.read(plan.parent, plan.name)
    except FileNotFoundError:
        return None
    if not configured and _named_from_above(directory):
        return None
    return Project(directory, settings, target, sqitch_plan.parse(data, str(plan)))


def project_of(script: Path) -> tuple[Project, Change]:
    """Return the project and the change that a script belongs to, looking in the directories above
    it. Raises FrameworkError when there is none."""
    for directory in script.parents:
        project = project_in(directory)
        for change in project.plan.changes if project else ():
            # Where a script would be takes some looking: only of those with such a name.
            named = script.name.startswith(change.name.rpartition("/")[2])
            if project and named and script == project.script(change, "deploy"):
                return project, change
    raise FrameworkError(
        f"no {PLAN} above {printable(str(script))} has a change with that script",
        "Call this program with --migrations DIR, the directory that has sqitch.conf.",
    )


def _plan_file(directory: Path, settings: Configuration, target: str) -> Path:
    named = settings.fetch(target, "plan_file")
    return directory / (named or Path(settings.fetch(target, "top_dir") or ".") / PLAN)


def _named_from_above(directory: Path) -> bool:
    """Whether a directory above has a sqitch.conf whose plan is the one in ``directory``."""
    for above in directory.absolute().parents:
        if (above / sqitch_conf.FILE).is_file():
            settings = sqitch_conf.configuration(above)
            target = settings.get("core.target") or settings.get("engine.pg.target") or "db:pg:"
            named = _plan_file(above, settings, target)
            return named.resolve() == (directory / PLAN).resolve()
    return False
