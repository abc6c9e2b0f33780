"""``plan --script FILE --offline``: exact places, and a clear word about what is no script."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rollback_tui.cli.offline import split_file
from rollback_tui.core.errors import ConfigurationError


def _plan(script: Path) -> subprocess.CompletedProcess[str]:
    # Nothing leads to a server: offline means that none is asked.
    environment = {"PATH": os.environ["PATH"], "HOME": str(script.parent), "PGPORT": "1"}
    command = [sys.executable, "-m", "rollback_tui", "plan", "--script", str(script)]
    return subprocess.run(
        [*command, "--offline", "--json"],
        capture_output=True,
        text=True,
        timeout=30,
        env=environment,
        cwd=script.parent,
    )


def test_the_places_are_bytes_of_the_file(tmp_path: Path) -> None:
    data = "-- größe\nDROP TABLE é;;\n\n  UPDATE a SET b = 'ü;' -- x\n;".encode()
    (tmp_path / "down.sql").write_bytes(data)
    done = _plan(tmp_path / "down.sql")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["problems"] == [] and found["doubts"] == []
    assert [(s["index"], s["line"], s["kind"]) for s in found["statements"]] == [
        (1, 2, "DROP TABLE"),
        (2, 4, "UPDATE"),
    ]
    assert [data[s["start"] : s["end"]].decode() for s in found["statements"]] == [
        "DROP TABLE é",
        "UPDATE a SET b = 'ü;'",
    ]


def test_a_problem_is_printed_and_is_the_exit_code(tmp_path: Path) -> None:
    (tmp_path / "down.sql").write_text("SELECT 1;\nDROP TABLE {{ name }};\n")
    done = _plan(tmp_path / "down.sql")
    assert done.returncode == 1
    (problem,) = json.loads(done.stdout)["problems"]
    assert (problem["rule"], problem["line"], problem["offset"]) == ("template", 2, 21)


def test_what_is_no_file_is_said_on_two_lines(tmp_path: Path) -> None:
    done = _plan(tmp_path / "none.sql")
    assert done.returncode == 2 and done.stdout == ""
    assert "No such file" in done.stderr and len(done.stderr.splitlines()) == 2


def test_a_second_reading_that_differs_is_told(tmp_path: Path) -> None:
    (tmp_path / "down.sql").write_text("DROP TABLE GO CASCADE;\n")
    found = split_file(tmp_path / "down.sql")
    assert not found["problems"]
    (doubt,) = found["doubts"]  # type: ignore[misc]
    assert (doubt["line"], doubt["offset"]) == (1, 14)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["directory", "fifo", "sparse", "device", "loop", "locked"])
def test_hostile_files_are_refused_at_once(tmp_path: Path, kind: str) -> None:
    script = tmp_path / "down.sql"
    words = "not a regular file"
    if kind == "directory":
        script.mkdir()
    elif kind == "fifo":
        os.mkfifo(script)
    elif kind == "sparse":
        with script.open("wb") as file:
            file.truncate(1024**3)
        words = "larger than 16 MB"
    elif kind == "device":
        script.symlink_to("/dev/zero")
    elif kind == "loop":
        script.symlink_to(script)
        words = "link"
    else:
        script.write_text("SELECT 1")
        script.chmod(0)
        words = "Permission denied"
        if os.geteuid() == 0:
            pytest.skip("root may read everything")
    with pytest.raises(ConfigurationError) as caught:
        split_file(script)
    assert words in caught.value.summary and caught.value.remedy


def test_offline_needs_a_file() -> None:
    with pytest.raises(ConfigurationError):
        split_file(None)
