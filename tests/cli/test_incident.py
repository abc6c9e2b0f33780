"""``incident``: the report at the command line, its checklist, its way out; without a server."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rollback_tui.aftercare import incident_files
from rollback_tui.cli import commands
from rollback_tui.core.errors import ConfigurationError, RollbackTuiError
from rollback_tui.run.request import git_identity, operator
from tests.aftercare.told_runs import run_folder


class Place:
    """A project with one run, and the command line in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.folder = run_folder(directory / "rollback_runs")

    def run(self, *arguments: str) -> Result:
        """Run ``rollback-tui incident ARGUMENTS``."""
        return CliRunner().invoke(commands, ["incident", *arguments])

    def said(self, *arguments: str) -> str:
        """What it prints, when all is well."""
        done = self.run(*arguments)
        assert done.exception is None, done.exception
        return done.stdout

    def refused(self, *arguments: str) -> RollbackTuiError:
        """Why it does not do it."""
        found = self.run(*arguments).exception
        assert isinstance(found, RollbackTuiError)
        return found


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.chdir(tmp_path)
    return Place(tmp_path)


def test_the_report_in_each_form_with_and_without_the_name_of_the_command(place: Place) -> None:
    markdown = place.said()
    assert markdown.startswith("# Rollback of migration 3 in shop\n")
    assert (
        place.said("show") == place.said("5d0c6a1e") == place.said("show", "5d0c6a1e") == markdown
    )
    assert place.said("--format", "html").startswith("<!DOCTYPE html>\n")
    report = json.loads(place.said("--json"))
    assert report == json.loads(place.said("5d0c6a1e", "--format", "json"))
    assert report["run"].startswith("5d0c6a1e")
    assert not (place.folder / "incident.md").exists(), "looking writes nothing"


def test_into_a_file_of_ones_own(place: Place) -> None:
    output = place.directory / "to the boss.html"
    done = place.run("--format", "html", "--output", str(output))
    assert (done.stdout, done.exit_code) == ("", 0)
    assert output.read_text() == place.said("--format", "html")
    assert output.stat().st_mode & 0o777 == 0o600
    nowhere = place.refused("--output", str(place.directory / "no" / "where.md"))
    assert isinstance(nowhere, ConfigurationError)
    assert "say two different things" in place.refused("--json", "--format", "html").summary
    assert "no run nonsense" in place.refused("nonsense").summary


def test_written_into_the_folder(place: Place) -> None:
    paths = json.loads(place.said("write", "--json"))
    assert {name: Path(path).name for name, path in paths.items()} == {
        "markdown": "incident.md",
        "html": "incident.html",
        "json": "incident.json",
    }
    assert all(Path(path).parent == place.folder for path in paths.values())
    assert place.said("write").splitlines() == [paths[n] for n in ("markdown", "html", "json")]


def test_the_checklist_is_ticked_by_who_is_there(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "ada")
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.7 50022 10.0.0.1 22")
    assert "[ ] root_cause: Find the root cause" in place.said("follow-ups")
    said = place.said("tick", "5d0c6a1e", "root_cause", "--note", "the index")
    assert "[x] root_cause" in said
    assert said == place.said("follow-ups")
    (ticked,) = (i for i in json.loads(place.said("follow-ups", "--json")) if i["done"])
    assert ticked["note"] == "the index"
    assert f"(sudo by ada), uid {operator().uid}, ssh 10.0.0.7" in ticked["by"]
    assert "- [x] Find the root cause" in (place.folder / "incident.md").read_text()
    assert "[x]" not in place.said("tick", "5d0c6a1e", "root_cause", "--undo")
    assert "incident follow-ups" in place.refused("tick", "5d0c6a1e", "nonsense").remedy


def test_delivered_by_hand_as_often_as_asked(place: Place) -> None:
    assert "nothing is configured" in place.refused("deliver").summary
    program = [sys.executable, "-c", "import os; print(os.environ['ROLLBACK_INCIDENT_JSON'])"]
    configured = f"[incident.deliver]\ncommand = {json.dumps(program)}\n"
    (place.directory / "rollback.toml").write_text(configured)
    for _ in range(2):
        done = json.loads(place.said("deliver", "--json"))
        assert done["ok"] is True
        assert "incident.json" in done["summary"]
    (place.directory / "rollback.toml").write_text('[incident.deliver]\ncommand = ["false"]\n')
    failed = place.run("deliver")
    assert failed.exit_code == 1
    assert "NOT delivered" in failed.stdout
    assert [d.ok for d in incident_files.deliveries(place.folder)] == [True, True, False]


# --- whom git is configured for -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        ("[user]\nname = Ada\nemail = ada@example.org\n", "Ada <ada@example.org>"),
        ("[user]\nname = Ada\nname = Bob\n", "Bob"),
        ("[user]\nemail = ada@example.org\n", "ada@example.org"),
        ('[user]\nname = "x\\u0000"\n', ""),
        ("[core]\npager = cat\n", ""),
        ("nonsense\n", ""),
    ],
)
def test_whom_git_is_configured_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, identity: str
) -> None:
    (tmp_path / "config").write_text(text)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_identity(tmp_path) == identity
    assert operator(tmp_path).git_identity == identity
    assert operator().git_identity == "", "asked for a run only"


def test_a_git_that_is_slow_hostile_or_not_there_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "git"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_identity(tmp_path) == ""
    program.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    program.chmod(0o755)
    assert git_identity(tmp_path) == ""
    program.write_text(
        "#!/bin/sh\nprintf 'user.name\\nE\\033[2Jvil\\nx\\000user.email\\n\\377@\\000'\n"
    )
    assert git_identity(tmp_path).isprintable()
    assert git_identity(tmp_path / "gone") == ""
