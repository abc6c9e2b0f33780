"""``checkpoint``: what its commands say, what they keep, and where a copy goes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from rollback_tui.cli import commands
from tests.cli.conftest import Project, events, only

COPY = """
[checkpoint.copy]
command = ["sh", "-c", '''
cp -r "$ROLLBACK_CHECKPOINT_PATH" "elsewhere/$ROLLBACK_CHECKPOINT_NAME" &&
cd "elsewhere/$ROLLBACK_CHECKPOINT_NAME" &&
echo "$ROLLBACK_MANIFEST_SHA256  manifest.json" | sha256sum --check --quiet &&
sha256sum --check --quiet SHA256SUMS''']
"""

FAILING = '[checkpoint.copy]\ncommand = ["sh", "-c", "echo no route; exit 7"]\n'


def command(project: Project, *arguments: str) -> Result:
    """Call ``checkpoint ARGUMENTS`` in this process: a new one costs a second each."""
    with contextlib.chdir(project.directory):
        done = CliRunner(env={"DATABASE_URL": None}).invoke(commands, ["checkpoint", *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def checkpoints(project: Project) -> list[Path]:
    """Their directories, oldest first."""
    directory = project.directory / "rollback_checkpoints"
    return sorted(path for path in directory.iterdir() if not path.is_symlink())


def made(project: Project, number: int) -> list[Path]:
    """Make some; all but the newest are of long ago."""
    for _ in range(number):
        assert command(project, "create", "--json").exit_code == 0
    found = checkpoints(project)
    assert len(found) == number
    for day, path in enumerate(found[:-1], 1):
        manifest = json.loads((path / "manifest.json").read_text())
        manifest["created_at"] = f"2024-01-0{day}T00:00:00Z"
        (path / "manifest.json").write_text(json.dumps(manifest))
    return found


def printed(project: Project, *arguments: str, code: int = 0) -> Any:
    done = command(project, *arguments, "--json")
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def test_prove_says_what_was_compared_and_list_says_when(project: Project) -> None:
    project.two_migrations()
    (path,) = made(project, 1)
    answer = printed(project, "prove")
    assert answer["proven"] and answer["path"] == str(path)
    assert answer["fingerprinted"] == answer["tables"] == 3
    assert answer["schema"] == "identical" and answer["differences"] == []
    assert answer["restore_seconds"] > 0 and answer["left"] == ""
    (one,) = printed(project, "list")
    assert one["proven_at"] and not one["goes"]
    said = command(project, "verify").stdout
    assert "files" in said and "the whole archive reads. Proven 20" in said


def test_verify_all_names_the_damaged_one(project: Project) -> None:
    project.two_migrations()
    first, second = made(project, 2)
    # Its manifest was altered above: its hash is another.
    os.truncate(first / "dump" / "toc.dat", 50)
    answers = {Path(a["path"]): a for a in printed(project, "verify", "--all", code=1)}
    assert answers[second]["verified"] and answers[second]["archive_read"]
    assert not answers[first]["verified"] and answers[first]["problem"]
    assert printed(project, "verify", first.name, code=1)["verified"] is False
    said = command(project, "verify", "--all")
    assert said.exit_code == 1 and "NOT verified" in said.stdout


def test_a_copy_is_made_elsewhere_and_verified_there(project: Project) -> None:
    project.two_migrations()
    (project.directory / "elsewhere").mkdir()
    project.configure(COPY)
    done = command(project, "create")
    assert done.exit_code == 0, done.output
    assert done.stdout.rstrip().endswith("verified; copied off this host")
    (path,) = checkpoints(project)
    assert (project.directory / "elsewhere" / path.name / "restore.sh").exists()


def test_a_copy_that_fails_is_said(project: Project) -> None:
    project.two_migrations()
    project.configure(FAILING)
    done = command(project, "create")
    assert done.exit_code == 1
    assert "only on this host: the copy failed: sh: exit 7: no route" in done.stdout
    assert len(checkpoints(project)) == 1


def test_a_run_whose_copy_fails_is_refused_where_it_is_required(project: Project) -> None:
    project.two_migrations()
    project.configure(f"[checkpoint]\ncopy_required = true\n{FAILING}")
    done = project.here(*project.run_arguments)
    assert done.returncode == 1, done.stderr
    assert not copied(events(done.stdout))["ok"]
    assert len(project.versions()) == 2


def copied(found: list[dict[str, Any]]) -> dict[str, Any]:
    (hook,) = (hook for hook in only(found, "hook_ran") if hook["name"] == "checkpoint copy")
    return hook


def test_required_and_not_configured_is_refused_before(project: Project) -> None:
    project.two_migrations()
    project.configure("[checkpoint]\ncopy_required = true\n")
    checks = json.loads(project.here("check", "--json").stdout)["checks"]
    (check,) = (one for one in checks if one["name"] == "checkpoint")
    assert check["status"] == "fail" and "copy off this host" in check["summary"]


def test_list_and_prune_follow_the_rule_and_a_good_run_tidies_up(project: Project) -> None:
    project.two_migrations()
    old = made(project, 3)
    project.configure(f"[checkpoint]\nkeep = 2\n{FAILING}")
    fates = {Path(one["path"]): one for one in printed(project, "list")}
    assert [fates[path]["goes"] for path in old] == [True, False, False]
    assert "number 3 of its target, 2 are kept" in fates[old[0]]["why"]
    said = command(project, "list").stdout
    assert "goes: number 3" in said and "checkpoint prune --yes" in said
    assert [i["name"] for i in printed(project, "prune", "--yes")] == [str(old[0])]
    assert checkpoints(project) == old[1:]
    others = _of_another_database(old[1])
    done = project.here(*project.run_arguments)
    assert done.returncode == 0, done.stderr
    (own,) = set(checkpoints(project)) - set(old) - set(others)
    assert checkpoints(project) == [*others, old[2], own]
    said = [e["summary"] for e in only(events(done.stdout), "progress")]
    assert any(s.startswith(f"removed checkpoint {old[1]}: number 3") for s in said)
    assert not copied(events(done.stdout))["ok"]
    assert "only on this host" in (project.run_folder() / "report.md").read_text()
    _needed_by_a_run_without_an_outcome(project, own)


def _of_another_database(path: Path) -> list[Path]:
    """Three old dumps of a neighbour who keeps all of them, in the same directory."""
    copies = [path.with_name(f"2020010{day}_000000") for day in (1, 2, 3)]
    for copy in copies:
        shutil.copytree(path, copy)
        manifest = json.loads((copy / "manifest.json").read_text())
        (copy / "manifest.json").write_text(json.dumps(manifest | {"fingerprint": "another"}))
    return copies


def _needed_by_a_run_without_an_outcome(project: Project, path: Path) -> None:
    """Of its journal only the part up to the checkpoint is there: as after a power failure."""
    project.configure()
    folder = project.run_folder()
    lines = (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    here = next(n for n, line in enumerate(lines) if b'"checkpoint_made"' in line)
    # Not in the run's own folder: its guardian may be there yet, and would settle it.
    interrupted = folder.with_name("20200101_000000_deadbeef")
    interrupted.mkdir()
    (interrupted / "journal.jsonl").write_bytes(b"".join(lines[: here + 1]))
    assert command(project, "create").exit_code == 0
    items = printed(project, "prune", "--older-than", "0", "--yes")
    kept = next(item for item in items if item["name"] == str(path))
    assert "has no outcome yet" in kept["kept_because"]
    assert path in checkpoints(project)
