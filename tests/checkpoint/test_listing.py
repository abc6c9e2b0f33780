from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

from rollback_tui.checkpoint.listing import latest, list_checkpoints
from rollback_tui.checkpoint.storage import now
from tests.checkpoint.conftest import Made


def test_newest_first_with_their_states(made: Made, tmp_path: Path) -> None:
    good = tmp_path / made.path.name
    shutil.copytree(made.path, good)
    broken = tmp_path / "20200101_000000"
    shutil.copytree(made.path, broken)
    (broken / "manifest.json").write_text('{"format": 1')
    (tmp_path / ".partial-20210101_000000").mkdir()
    (tmp_path / "something else").mkdir()
    (tmp_path / "latest").symlink_to(made.path.name)
    later = made.checkpoint.created_at + timedelta(hours=1)

    listed = {one.name: one for one in list_checkpoints(tmp_path, clock=lambda: later)}

    assert {name: one.state for name, one in listed.items()} == {
        made.path.name: "complete",
        "20200101_000000": "damaged manifest",
        ".partial-20210101_000000": "partial",
    }
    one = listed[made.path.name]
    assert one.age == 3600
    assert one.latest and not listed["20200101_000000"].latest
    assert one.database == made.database.name
    assert one.server_version is not None and one.server_version.startswith("18")
    assert one.bytes == sum(p.stat().st_size for p in good.rglob("*") if p.is_file())
    assert "damaged" in listed["20200101_000000"].problem
    ages = [one.age for one in list_checkpoints(tmp_path)]
    assert ages == sorted(ages)


def test_latest_is_complete_and_of_this_target(made: Made, tmp_path: Path) -> None:
    good = tmp_path / made.path.name
    shutil.copytree(made.path, good)
    (tmp_path / f".partial-{now():%Y%m%d_%H%M%S}").mkdir()
    assert latest(tmp_path) == good
    assert latest(tmp_path, fingerprint=made.checkpoint.fingerprint) == good
    assert latest(tmp_path, fingerprint="000000000000") is None


def test_no_directory_holds_none(tmp_path: Path) -> None:
    assert list_checkpoints(tmp_path / "absent") == ()
    assert latest(tmp_path / "absent") is None
