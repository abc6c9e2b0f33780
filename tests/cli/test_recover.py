"""``recover`` on the command line: what it lists, what it refuses, and its exit codes."""

from __future__ import annotations

import json

from tests.cli.conftest import Project, events, only
from tests.run.undoing import shop


def test_the_ladder_is_listed_and_a_rung_is_taken(project: Project) -> None:
    made = shop(project)
    folder, _ = made.roll_back()
    run, name = folder.name[-8:], project.database.name

    listed = project.command("recover")
    assert listed.returncode == 0, listed.stderr
    for line in (
        f"How run {run} of {name} could be undone:",
        "  not possible: none was made",
        f"  rollback-tui recover {run} --rung dump --confirm {name}",
        "  loses no row that was written since",
    ):
        assert line in listed.stdout.splitlines(), listed.stdout
    project.query("INSERT INTO users VALUES (301, 'new') RETURNING 1")
    shown = project.here("recover", run, "--json")
    options = {one["rung"]: one for one in json.loads(shown.stdout)["options"]}
    assert options["dump"]["lost_rows"] == 1 and options["dump"]["confirm"] == "lose 1 rows"

    for arguments, code, words in (
        (("--rung", "dump", "--confirm", name), 1, "lose 1 rows"),
        (("--rung", "dump", "--confirm", "lose 0 rows"), 1, "lose 1 rows"),
        (("--rung", "dump", "--yes"), 2, '--confirm "lose 1 rows"'),
        (("--rung", "clone", "--confirm", name), 1, "none was made"),
    ):
        refused = project.here("recover", run, *arguments)
        assert refused.returncode == code and words in refused.stderr, refused.stderr
    done = project.here(
        "recover", run, "--rung", "dump", "--confirm", "lose 5 rows", "--reason", "why", "--json"
    )
    assert done.returncode == 4, done.stderr
    found = events(done.stdout)
    assert found[-1]["outcome"] == "recovered"
    (counted,) = only(found, "lost_counted")
    assert counted["agreed"] == 5 and [one["rows"] for one in counted["lost"]] == [1]
    assert project.query("SELECT count(*) FROM tokens") == [(17,)]
