from __future__ import annotations

import hashlib
import os
import re
import resource
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from rollback_tui.checkpoint.make import make
from rollback_tui.checkpoint.manifest import read
from rollback_tui.config import CheckpointSettings
from rollback_tui.core.errors import CheckpointError
from rollback_tui.core.model import TableCount
from rollback_tui.postgres import server_tools
from rollback_tui.postgres.server_tools import find_tool
from tests.checkpoint.conftest import HOSTILE, ROWS, Made, left_in, make_checkpoint, target_of
from tests.conftest import Database


def test_the_manifest_names_every_file_with_its_real_hash(made: Made) -> None:
    manifest, _ = read(made.path)
    files = {entry.path: entry for entry in manifest.files}
    present = {p.relative_to(made.path).as_posix() for p in made.path.rglob("*") if p.is_file()}
    assert set(files) == present - {"manifest.json", "SHA256SUMS"}
    assert {"dump/toc.dat", "restore.sh", "git_commit.txt", "create.sql"} <= set(files)
    for name, entry in files.items():
        content = (made.path / name).read_bytes()
        assert entry.sha256 == hashlib.sha256(content).hexdigest()
        assert entry.bytes == len(content)
    content = (made.path / "manifest.json").read_bytes()
    assert made.checkpoint.manifest_sha256 == hashlib.sha256(content).hexdigest()
    checked = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=made.path, capture_output=True)
    assert checked.returncode == 0


def test_the_manifest_says_what_it_is_of(made: Made) -> None:
    manifest, _ = read(made.path)
    target = target_of(made.database.dsn)
    assert manifest.fingerprint == target.fingerprint == made.checkpoint.fingerprint
    assert manifest.target.system_identifier == target.system_identifier
    assert manifest.server_version.startswith("18")
    assert manifest.pg_dump_major == 18
    assert manifest.database.owner == made.database.owner
    assert manifest.unpopulated_views == ("public.stale",)
    rows = {table.table: table.rows for table in manifest.tables}
    assert {name: rows[name] for name in ROWS} == ROWS
    assert {name: rows[name] for name in HOSTILE} == {n: i for i, n in enumerate(HOSTILE)}
    assert [table.table for table in manifest.tables if table.unlogged] == ["empty"]


def test_everything_is_private(made: Made) -> None:
    for path in [made.path, *made.path.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        expected = 0o700 if path.is_dir() or path.name == "restore.sh" else 0o600
        assert mode == expected, path
    assert stat.S_IMODE(made.path.parent.stat().st_mode) == 0o700


def test_latest_and_the_name(made: Made) -> None:
    assert re.fullmatch(r"\d{8}_\d{6}", made.path.name)
    assert (made.path.parent / "latest").readlink() == Path(made.path.name)
    assert sorted(p.name for p in made.path.parent.iterdir()) == [made.path.name, "latest"]


def test_two_in_one_second_are_two(database: Database, project: Path) -> None:
    moment = datetime(2024, 1, 15, 10, 30, 0, tzinfo=UTC)
    first = make_checkpoint(database.dsn, project, clock=lambda: moment)
    second = make_checkpoint(database.dsn, project, clock=lambda: moment)
    assert Path(first.path).name == "20240115_103000"
    assert Path(second.path).name == "20240115_103000_2"
    assert (Path(first.path).parent / "latest").readlink() == Path("20240115_103000_2")


def test_surroundings(database: Database, project: Path) -> None:
    (project / "config").mkdir()
    (project / "config" / ".env").write_text("another\n")
    (project / ".env.local").write_text("local\n")
    settings = CheckpointSettings(env_files=(".env", "config/.env", ".env.local", "absent"))
    path = Path(make_checkpoint(database.dsn, project, settings=settings).path)
    assert (path / ".env.backup").read_text() == "API_KEY=only in the env file\n"
    assert (path / "config_.env.backup").read_text() == "another\n"
    assert (path / ".env.local.backup").read_text() == "local\n"
    head = subprocess.run(
        ["git", "-C", str(project), "rev-parse", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    commit = (path / "git_commit.txt").read_text()
    assert f"commit: {head}\nbranch: main\n" in commit
    assert "uncommitted changes: yes" in commit


def test_without_git(made: Made) -> None:
    assert (made.path / "git_commit.txt").read_text() == "not a git repository\n"


def test_an_env_file_that_cannot_be_copied_is_an_error(database: Database, project: Path) -> None:
    os.mkfifo(project / "pipe")
    with pytest.raises(CheckpointError, match="pipe cannot be copied"):
        make_checkpoint(database.dsn, project, settings=CheckpointSettings(env_files=("pipe",)))
    assert left_in(project) == []


def test_progress_by_table_survives_hostile_names(shop: Database, project: Path) -> None:
    heard: list[tuple[str, int, int]] = []
    make_checkpoint(shop.dsn, project, progress=lambda *said: heard.append(said))
    dumped = [one for one in heard if one[0].startswith("dumping ")]
    total = len(ROWS) + len(HOSTILE)
    assert [done for _, done, _ in dumped] == list(range(1, total + 1))
    assert {size for *_, size in dumped} == {total}
    names = {summary.removeprefix("dumping public.") for summary, *_ in dumped}
    assert {"users", "[/red]", 'say "hi"', "two␊lines", "größe 表", "<U+202E>"} <= names
    assert not any("\n" in summary for summary, *_ in heard)


def test_counts_are_those_of_the_dump_though_the_application_writes(
    shop: Database, project: Path
) -> None:
    writer = shop.connect()
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            writer.execute("INSERT INTO orders VALUES (0, 1, 'new')")

    thread = threading.Thread(target=write)
    thread.start()
    try:
        time.sleep(0.1)
        checkpoint = make_checkpoint(shop.dsn, project)
    finally:
        stop.set()
        thread.join()
    manifest, _ = read(Path(checkpoint.path))
    counted = next(table.rows for table in manifest.tables if table.table == "orders")
    data = _dumped_rows(Path(checkpoint.path), "orders")
    assert counted is not None
    assert counted == data
    assert counted > ROWS["orders"]


def _dumped_rows(checkpoint: Path, table: str) -> int:
    """Rows in the archive itself, as pg_restore writes them out."""
    tool = find_tool("pg_restore", 18)
    assert tool is not None
    text = subprocess.run(
        [tool.path, "--data-only", f"--table={table}", "-f", "-", checkpoint / "dump"],
        capture_output=True,
        check=True,
    ).stdout
    body = text.partition(b"FROM stdin;\n")[2].partition(b"\\.\n")[0]
    return body.count(b"\n")


def test_estimates_are_kept_beside(shop: Database, project: Path) -> None:
    known = TableCount(name="public.users", kind="table", estimate=4321, exact=None, bytes=1)
    manifest, _ = read(Path(make_checkpoint(shop.dsn, project, tables=[known]).path))
    users = next(table for table in manifest.tables if table.table == "users")
    assert (users.rows, users.estimate) == (5000, 4321)


def test_another_database_is_refused(database: Database, made: Made, project: Path) -> None:
    with pytest.raises(CheckpointError, match="The connection leads to"):
        make(
            database.dsn,
            CheckpointSettings(),
            target=target_of(made.database.dsn),
            plan=None,
            project=project,
        )
    assert left_in(project) == []


# --- what goes wrong ----------------------------------------------------------------------------


def children(name: str, word: str) -> list[int]:
    """Pids of programs ``name`` with ``word`` in their arguments."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                arguments = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if name.encode() in arguments and word.encode() in arguments:
                found.append(int(entry.name))
    return found


@pytest.fixture
def slow(shop: Database) -> Iterator[Callable[[], None]]:
    """Hold a lock that makes pg_dump wait at the beginning; yields what lets it go on."""
    holder = shop.connect(autocommit=False, superuser=True, application_name="the holder")
    holder.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
    yield holder.rollback
    holder.close()


def in_background(
    shop: Database, project: Path, **changes: object
) -> tuple[threading.Thread, list[BaseException]]:
    errors: list[BaseException] = []

    def work() -> None:
        try:
            make_checkpoint(shop.dsn, project, **changes)
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    return thread, errors


def wait_for_dump(project: Path) -> list[int]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = children("pg_dump", str(project))
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("pg_dump was not started")


def test_a_killed_pg_dump_leaves_nothing(
    shop: Database, project: Path, slow: Callable[[], None]
) -> None:
    thread, errors = in_background(shop, project)
    for pid in wait_for_dump(project):
        os.kill(pid, signal.SIGKILL)
    thread.join(60)
    assert isinstance(errors[0], CheckpointError)
    assert "killed by signal SIGKILL" in errors[0].summary
    assert left_in(project) == []
    assert children("pg_dump", str(project)) == []


def test_abort_ends_pg_dump_and_leaves_nothing(
    shop: Database, project: Path, slow: Callable[[], None]
) -> None:
    abort = threading.Event()
    thread, errors = in_background(shop, project, aborted=abort.is_set)
    wait_for_dump(project)
    abort.set()
    # It waits for a lock that is held until the test ends.
    thread.join(60)
    assert not thread.is_alive()
    assert isinstance(errors[0], CheckpointError)
    assert "aborted" in errors[0].summary
    assert left_in(project) == []
    assert children("pg_dump", str(project)) == []
    with psycopg.connect(shop.superuser_dsn) as look:
        ours = look.execute(
            "SELECT application_name FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE 'rollback_tui%'"
        ).fetchall()
    assert ours == []


def test_the_deadline_ends_it(shop: Database, project: Path, slow: Callable[[], None]) -> None:
    with pytest.raises(CheckpointError, match=r"took longer than 0\.5 s") as caught:
        make_checkpoint(shop.dsn, project, settings=CheckpointSettings(timeout_seconds=0.5))
    assert "timeout_seconds" in caught.value.remedy
    assert left_in(project) == []


def test_a_lock_in_the_way_is_named(
    shop: Database, project: Path, slow: Callable[[], None]
) -> None:
    with pytest.raises(CheckpointError, match="A lock is in the way") as caught:
        make_checkpoint(shop.dsn, project, settings=CheckpointSettings(lock_wait_seconds=0.5))
    assert "the holder" in caught.value.remedy
    assert "orders" in caught.value.remedy
    assert left_in(project) == []


def test_a_lock_that_goes_away_in_time_is_no_error(
    shop: Database, project: Path, slow: Callable[[], None]
) -> None:
    thread, errors = in_background(shop, project)
    wait_for_dump(project)
    slow()
    thread.join(30)
    assert errors == []
    assert len(left_in(project)) == 2


def test_row_level_security_is_refused(shop: Database, project: Path) -> None:
    owner = shop.connect()
    owner.execute("ALTER TABLE users ENABLE ROW LEVEL SECURITY")
    owner.execute("ALTER TABLE users FORCE ROW LEVEL SECURITY")
    with pytest.raises(CheckpointError, match="row-level security") as caught:
        make_checkpoint(shop.dsn, project)
    assert "BYPASSRLS" in caught.value.remedy
    assert left_in(project) == []


def test_a_table_we_may_not_read_is_refused(shop: Database, project: Path) -> None:
    shop.connect(superuser=True).execute("CREATE TABLE secret AS SELECT 1")
    with pytest.raises(CheckpointError, match="permission denied for table secret") as caught:
        make_checkpoint(shop.dsn, project)
    assert "SELECT" in caught.value.remedy
    assert left_in(project) == []


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 kB, where the machine lets us mount one."""
    mount = tmp_path / "tiny"
    mount.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", mount], capture_output=True
    )
    if done.returncode != 0:
        pytest.skip("no file system can be mounted here; the file size limit is tested instead")
    yield mount
    subprocess.run(["umount", mount], check=True)


def test_a_full_disk_leaves_nothing(shop: Database, project: Path, tiny: Path) -> None:
    settings = CheckpointSettings(directory=str(tiny / "checkpoints"))
    with pytest.raises(CheckpointError, match="No space left") as caught:
        make_checkpoint(shop.dsn, project, settings=settings)
    assert str(tiny) in caught.value.remedy
    assert list((tiny / "checkpoints").iterdir()) == []


@pytest.mark.parametrize(("jobs", "words"), [(1, "SIGXFSZ"), (2, "died unexpectedly")])
def test_a_file_size_limit_leaves_nothing(
    shop: Database, project: Path, jobs: int, words: str
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(CheckpointError, match=words) as caught:
            make_checkpoint(shop.dsn, project, settings=CheckpointSettings(jobs=jobs))
        assert "ulimit -f" in caught.value.remedy
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert left_in(project) == []


def test_a_place_that_takes_no_directory(database: Database, project: Path) -> None:
    (project / "rollback_checkpoints").write_text("I am a file")
    with pytest.raises(CheckpointError, match="cannot be written") as caught:
        make_checkpoint(database.dsn, project)
    assert "checkpoint.directory" in caught.value.remedy


def test_no_pg_dump(
    database: Database, project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(server_tools, "_directories", lambda: iter([tmp_path]))
    with pytest.raises(CheckpointError, match="no pg_dump was found") as caught:
        make_checkpoint(database.dsn, project)
    assert "postgresql-client-18" in caught.value.remedy
    assert left_in(project) == []
