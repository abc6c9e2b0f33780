"""Directories of migrations: nothing in them may mislead us or lead us in circles."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.whole_files import below, first_upwards, subdirectories, whole


def test_directories_are_listed_without_what_is_hidden(tmp_path: Path) -> None:
    for name in ("b", "a", ".git", "10", "9"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert subdirectories(tmp_path) == ("10", "9", "a", "b", "link")
    with pytest.raises(FrameworkError, match="no such directory"):
        subdirectories(tmp_path / "gone")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")).mkdir()
    with pytest.raises(FrameworkError, match="is not UTF-8"):
        subdirectories(tmp_path)


def test_links_to_directories_are_not_followed_down(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "circle").symlink_to(tmp_path)
    for name in ("1.sql", "a/2.sql", "a/b/3.sql"):
        (tmp_path / name).touch()
    assert below(tmp_path) == ("1.sql", "a/2.sql", "a/b/3.sql")


def test_a_tree_that_is_no_migrations_directory_is_not_walked_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rollback_tui.frameworks.whole_files.MOST_DIRECTORIES", 2)
    (tmp_path / "a" / "b").mkdir(parents=True)
    with pytest.raises(FrameworkError, match="has more than 2 directories"):
        below(tmp_path)


def test_a_file_outside_is_not_read(tmp_path: Path) -> None:
    inside = tmp_path / "migrations"
    (inside / "x").mkdir(parents=True)
    (tmp_path / "other.sql").write_text("SELECT 1;")
    (inside / "x" / "down.sql").symlink_to(tmp_path / "other.sql")
    with pytest.raises(FrameworkError, match="is not in the migrations directory"):
        whole(inside, str(tmp_path / "other.sql"))
    with pytest.raises(FrameworkError, match="leads out of the migrations directory"):
        whole(inside, str(inside / "x" / "down.sql"))
    assert not isinstance(whole(inside, str(inside / "x" / "gone.sql")), Source)


def test_a_file_above_is_found_but_not_above_the_repository(tmp_path: Path) -> None:
    directory = tmp_path / "repository" / "a" / "b"
    directory.mkdir(parents=True)
    (tmp_path / "x.toml").touch()
    assert first_upwards(directory, ("x.toml",), 9) == tmp_path / "x.toml"
    assert first_upwards(directory, ("x.toml",), 2) is None
    (tmp_path / "repository" / ".git").mkdir()
    assert first_upwards(directory, ("x.toml",), 9) is None
    (tmp_path / "repository" / "x.toml").touch()
    assert first_upwards(directory, ("y.toml", "x.toml"), 9) == tmp_path / "repository" / "x.toml"
