"""``checkpoint prune``: it lists, and removes only with --yes, only what is ours and not needed."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from rollback_tui.postgres import target_lock
from rollback_tui.postgres.connect import connect
from rollback_tui.postgres.naming import marked
from tests.cli.conftest import Project

RUN = "1a2b3c4d"


def create(project: Project, end: str, comment: str = "") -> str:
    """Make a database beside the target, as its owner."""
    name = project.database.name + end
    with connect(project.database.server.dsn("postgres", project.database.owner)) as owner:
        owner.execute(f'CREATE DATABASE "{name}"'.encode())
        owner.execute(f"COMMENT ON DATABASE \"{name}\" IS '{comment}'".encode())
    return name


def ours(project: Project, kind: Any) -> str:
    return create(project, f"__{kind}_{RUN}", marked(kind, project.database.name, RUN))


def there(project: Project) -> set[str]:
    with psycopg.connect(project.database.server.dsn()) as admin:
        rows = admin.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)",
            [project.database.name],
        ).fetchall()
    return {name.removeprefix(project.database.name) for (name,) in rows}


def prune(project: Project, *options: str, code: int = 0) -> dict[str, dict[str, Any]]:
    """Call it with --json; return the items by the end of their name."""
    done = project.here("checkpoint", "prune", "--json", *options)
    assert done.returncode == code, done.stderr
    return {
        Path(item["name"]).name.removeprefix(project.database.name): item
        for item in json.loads(done.stdout)
    }


def test_nothing_is_left(project: Project) -> None:
    done = project.here("checkpoint", "prune", "--yes")
    assert (done.returncode, done.stdout) == (0, "Nothing is left behind.\n")


def test_it_lists_and_removes_nothing_without_yes(project: Project) -> None:
    ours(project, "failed")
    done = project.here("checkpoint", "prune")
    assert done.returncode == 0
    first, last = done.stdout.splitlines()
    assert f"__failed_{RUN}  (failed, run {RUN}, " in first
    assert first.endswith("  removable")
    assert last.startswith("Nothing was removed. With --yes: 1 of these, about 7.")
    assert there(project) == {"", f"__failed_{RUN}"}


def test_yes_removes_what_is_ours_and_only_that(project: Project) -> None:
    for kind in ("failed", "clone", "restored"):
        ours(project, kind)
    create(project, "__clone_00000000")  # By its name only: perhaps somebody's own.
    create(project, "__rollback_00000001")
    create(project, "_reports")
    items = prune(project, "--yes")
    assert {end for end, item in items.items() if item["removed"]} == {
        f"__failed_{RUN}",
        f"__clone_{RUN}",
        f"__restored_{RUN}",
    }
    assert "does not say that a run made it" in items["__clone_00000000"]["kept_because"]
    assert "settle 00000001" in items["__rollback_00000001"]["kept_because"]
    assert there(project) == {"", "__clone_00000000", "__rollback_00000001", "_reports"}


def test_a_half_dropped_one_goes(project: Project) -> None:
    name = ours(project, "clone")
    with psycopg.connect(project.database.server.dsn(), autocommit=True) as admin:
        admin.execute("UPDATE pg_database SET datconnlimit = -2 WHERE datname = %s", [name])
    items = prune(project, "--yes")
    assert items[f"__clone_{RUN}"]["what"] == "half made"
    assert there(project) == {""}


def test_one_in_use_stays(project: Project) -> None:
    name = ours(project, "failed")
    with psycopg.connect(project.database.server.dsn(name)):
        items = prune(project, "--yes")
    assert items[f"__failed_{RUN}"]["kept_because"] == "in use by 1 session"
    assert there(project) == {"", f"__failed_{RUN}"}


def test_a_copy_that_was_put_in_place_by_hand_stays(project: Project) -> None:
    """Its comment goes with it: the database that serves now still says that it is a clone."""
    clone, name = ours(project, "clone"), project.database.name
    with psycopg.connect(project.database.server.dsn(), autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{name}" RENAME TO "{name}_broken"'.encode())
        admin.execute(f'ALTER DATABASE "{clone}" RENAME TO "{name}"'.encode())
    items = prune(project, "--yes")
    assert "given another name" in items[""]["kept_because"]
    assert there(project) == {"", "_broken"}


def test_while_a_run_has_the_target_everything_stays(project: Project) -> None:
    """The clone is its safety net; perhaps the run is on another machine."""
    ours(project, "clone")
    with connect(project.database.server.dsn("postgres", project.database.owner)) as holder:
        assert target_lock.take(holder, project.database.name)
        items = prune(project, "--yes")
    assert "a run has the target" in items[f"__clone_{RUN}"]["kept_because"]
    assert there(project) == {"", f"__clone_{RUN}"}
    assert prune(project, "--yes")[f"__clone_{RUN}"]["removed"]


def test_what_cannot_be_dropped_is_said(project: Project) -> None:
    name = ours(project, "failed")
    with psycopg.connect(project.database.server.dsn(), autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{name}" OWNER TO postgres')
    items = prune(project, "--yes", code=1)
    assert "must be owner" in items[f"__failed_{RUN}"]["problem"]
    assert not items[f"__failed_{RUN}"]["removed"]


@pytest.fixture
def dumps(project: Project) -> Path:
    """A project with three complete dumps, the two older ones of long ago."""
    for _ in range(3):
        assert project.here("checkpoint", "create", "--json").returncode == 0
    directory = project.directory / "rollback_checkpoints"
    names = sorted(path for path in directory.iterdir() if not path.is_symlink())
    assert len(names) == 3
    for path in names[:2]:
        manifest = json.loads((path / "manifest.json").read_text())
        manifest["created_at"] = f"2024-0{1 + names.index(path)}-01T00:00:00Z"
        (path / "manifest.json").write_text(json.dumps(manifest))
    return directory


def test_complete_dumps_by_age_but_never_the_newest(project: Project, dumps: Path) -> None:
    names = sorted(path.name for path in dumps.iterdir() if not path.is_symlink())
    assert prune(project, "--yes") == {}
    assert set(prune(project, "--older-than", "30")) == set(names[:2])
    items = prune(project, "--older-than", "0", "--yes")
    assert [items[name]["removed"] for name in names] == [True, True, False]
    assert items[names[2]]["kept_because"] == "the newest of its target"
    assert sorted(path.name for path in dumps.iterdir()) == [names[2], "latest"]
    assert (dumps / "latest" / "manifest.json").exists()


def test_a_dump_that_was_never_finished(project: Project) -> None:
    directory = project.directory / "rollback_checkpoints"
    for name in ("20240101_000000", "20240101_000001"):
        (directory / f".partial-{name}" / "dump").mkdir(parents=True)
    old = directory / ".partial-20240101_000000"
    for path in (old / "dump", old):
        os.utime(path, (time.time() - 7200,) * 2)
    items = prune(project, "--yes")
    assert items[".partial-20240101_000000"]["removed"]
    assert "still be being made" in items[".partial-20240101_000001"]["kept_because"]
    assert [path.name for path in directory.iterdir()] == [".partial-20240101_000001"]
