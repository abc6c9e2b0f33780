"""Nothing in the migrations directory can hang us or lead us elsewhere."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from rollback_tui.core.errors import FrameworkError
from rollback_tui.frameworks.files import MAX_BYTES, names, read

pytestmark = pytest.mark.timeout(10)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    inside = tmp_path / "migrations"
    inside.mkdir()
    return inside


def refused(directory: Path, name: str) -> FrameworkError:
    with pytest.raises(FrameworkError) as caught:
        read(directory, name)
    assert caught.value.remedy
    return caught.value


def test_every_byte_of_a_file_is_returned(directory: Path) -> None:
    data = bytes(range(256)) * 3 + b"\r\n"
    (directory / "1.sql").write_bytes(data)
    assert read(directory, "1.sql") == data


def test_a_missing_file_is_told_apart_from_an_unreadable_one(directory: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(directory, "1.sql")
    (directory / "2.sql").symlink_to("1.sql")
    with pytest.raises(FileNotFoundError):
        read(directory, "2.sql")


def test_a_link_inside_the_directory_is_followed(directory: Path) -> None:
    (directory / "real.sql").write_bytes(b"SELECT 1")
    (directory / "1.sql").symlink_to("real.sql")
    assert read(directory, "1.sql") == b"SELECT 1"


def test_the_directory_itself_may_be_a_link(directory: Path, tmp_path: Path) -> None:
    (directory / "1.sql").write_bytes(b"SELECT 1")
    (tmp_path / "link").symlink_to(directory)
    assert read(tmp_path / "link", "1.sql") == b"SELECT 1"


@pytest.mark.parametrize("kind", ["link", "linked directory", "dots", "absolute"])
def test_what_leads_out_of_the_directory_is_refused(
    kind: str, directory: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "secret.sql"
    outside.write_bytes(b"SELECT 1")
    (directory / "link").symlink_to(outside)
    (directory / "linked directory").symlink_to(tmp_path)
    name = {
        "link": "link",
        "linked directory": "linked directory/secret.sql",
        "dots": "../secret.sql",
        "absolute": str(outside),
    }[kind]
    assert "leads out of the migrations directory" in refused(directory, name).summary


def test_a_link_to_itself_is_refused(directory: Path) -> None:
    (directory / "1.sql").symlink_to("1.sql")
    assert "cannot be read: it is a symbolic link" in refused(directory, "1.sql").summary


def test_a_fifo_is_refused_without_waiting_for_a_writer(directory: Path) -> None:
    os.mkfifo(directory / "1.sql")
    assert "is not a regular file" in refused(directory, "1.sql").summary


def test_a_socket_and_a_directory_are_refused(directory: Path) -> None:
    (directory / "1.sql").mkdir()
    assert "is not a regular file" in refused(directory, "1.sql").summary
    here = Path.cwd()
    os.chdir(directory)  # a socket's path must be short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("2.sql")
            assert "cannot be read: it is a socket" in refused(directory, "2.sql").summary
    finally:
        os.chdir(here)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_says_so(directory: Path) -> None:
    (directory / "1.sql").write_bytes(b"")
    (directory / "1.sql").chmod(0)
    assert "Permission denied" in refused(directory, "1.sql").summary


def test_the_limit_of_the_size_is_exact(directory: Path) -> None:
    file = directory / "1.sql"
    for size in (MAX_BYTES, MAX_BYTES + 1):
        with file.open("wb") as sparse:
            sparse.truncate(size)
        if size == MAX_BYTES:
            assert len(read(directory, "1.sql")) == size
        else:
            assert "is larger than 16 MB" in refused(directory, "1.sql").summary


def test_names_are_in_the_order_of_their_bytes_and_without_directories(directory: Path) -> None:
    for name in ("10_b.sql", "9_a.sql", "Z.sql", "a.sql", "é.sql"):
        (directory / name).touch()
    (directory / "1_directory.sql").mkdir()
    assert names(directory) == ("10_b.sql", "9_a.sql", "Z.sql", "a.sql", "é.sql")


def test_a_name_that_no_report_could_hold_is_refused(directory: Path) -> None:
    try:
        (Path(os.fsdecode(os.fsencode(directory) + b"/1_\xff.sql"))).touch()
    except OSError:
        pytest.skip("this file system has only UTF-8 names")
    with pytest.raises(FrameworkError, match="is not UTF-8") as caught:
        names(directory)
    assert "1_<U+DCFF>.sql" in caught.value.summary
    assert caught.value.remedy == "Rename that file."


def test_a_missing_directory_has_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(FrameworkError, match=r"no such directory: .*nowhere") as caught:
        names(tmp_path / "nowhere")
    assert "--migrations" in caught.value.remedy
    (tmp_path / "file").touch()
    with pytest.raises(FrameworkError, match="not a directory"):
        names(tmp_path / "file")


def test_control_characters_of_a_name_do_not_reach_the_message(directory: Path) -> None:
    name = "1_\x1b[31m\u202e.sql"
    os.mkfifo(directory / name)
    summary = refused(directory, name).summary
    assert "\x1b" not in summary
    assert "\u202e" not in summary
    assert "␛[31m" in summary
