"""The control socket: what it takes, when it is too late, and whom it does not serve."""

from __future__ import annotations

import json
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rollback_tui.core.history.asker import parted
from rollback_tui.run import folder as run_folder
from rollback_tui.run.control import Control, ControlClient, ControlUnavailable, _receive
from rollback_tui.run.feed import RunFeed

RUN = "12345678-1234-4000-8000-000000000000"


@pytest.fixture
def runtime(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    tmp_path_factory.getbasetemp()  # made now, and not in a directory that is removed
    directory = Path(tempfile.mkdtemp(prefix="rbt"))
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def control(runtime: Path, tmp_path: Path) -> Iterator[Control]:
    made = Control(RUN, tmp_path)
    made.status = lambda: "verify"
    yield made
    made.close()


@pytest.fixture
def client(control: Control, tmp_path: Path) -> ControlClient:
    return ControlClient(tmp_path)


def raw(control: Control, data: bytes, *, half_close: bool = False) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(control.path))
        connection.sendall(data)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(4096):
            answer += part
        return answer


class Asking:
    """``wait_for_answer`` in a thread, with what it returned."""

    def __init__(self, control: Control, seconds: float = 600) -> None:
        self.answer: str | None = "(none yet)"
        self._thread = threading.Thread(target=self._ask, args=(control, seconds))
        self._thread.start()
        soon(lambda: bool(control._choices))

    def _ask(self, control: Control, seconds: float) -> None:
        self.answer = control.wait_for_answer(("commit", "roll back"), seconds)

    def end(self) -> str | None:
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.answer


def soon(true: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.005)
    return true()


def test_status_tells_the_phase(client: ControlClient, tmp_path: Path) -> None:
    assert client.ask("status").text == "verify"
    assert RunFeed(tmp_path).alive()


def test_an_answer_reaches_the_question_once(control: Control, client: ControlClient) -> None:
    asking = Asking(control)
    assert client.ask("approve", "commit").ok
    assert asking.end() == "commit"
    assert not client.ask("approve", "commit").ok


def test_an_answer_says_who_gave_it_and_from_where(
    control: Control, client: ControlClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "deploy")
    monkeypatch.setenv("SUDO_USER", "ada")
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.7 5022 10.0.0.1 22")
    monkeypatch.setattr(socket, "gethostname", lambda: "ops-1")
    asking = Asking(control)
    assert client.ask("approve", "commit").ok
    assert asking.end() == "commit"
    uid = os.geteuid()
    assert control.answered_by == f"deploy (sudo by ada), uid {uid}, ssh 10.0.0.7, host ops-1"


def test_the_user_id_is_the_kernels_word_and_nothing_that_is_stated_passes_for_it(
    control: Control, client: ControlClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "root, uid 0\x1b[2K" + "x" * 5000)
    monkeypatch.setenv("SSH_CONNECTION", "")
    monkeypatch.delenv("SUDO_USER", raising=False)
    assert client.ask("abort").ok
    who, where = parted(control.aborted_by)
    assert who.startswith("root; uid 0␛[2Kxxx")
    assert where.startswith(f"uid {os.geteuid()}, host ")
    assert len(control.aborted_by) < 200


def test_a_client_of_an_earlier_version_is_known_by_its_user_id_alone(control: Control) -> None:
    assert b"the abort is taken" in raw(control, b'{"command":"abort"}\n')
    assert control.aborted_by == f"uid {os.geteuid()}"


def test_a_worker_of_an_earlier_version_is_reached_all_the_same(
    runtime: Path, tmp_path: Path
) -> None:
    """It refuses what it does not know; the abort must come through."""
    asked: list[dict[str, str]] = []
    with socket.socket(socket.AF_UNIX) as earlier:
        earlier.bind(str(runtime / "earlier.sock"))
        earlier.listen()
        run_folder.write(tmp_path / run_folder.SOCKET, f"{runtime / 'earlier.sock'}\n")

        def serve() -> None:
            for _ in range(2):
                connection, _ = earlier.accept()
                with connection:
                    asked.append(json.loads(_receive(connection)))
                    known = asked[-1].keys() <= {"command", "choice"}
                    reply = {"ok": known, "text": "taken" if known else "not understood"}
                    connection.sendall(json.dumps(reply).encode() + b"\n")

        thread = threading.Thread(target=serve)
        thread.start()
        assert ControlClient(tmp_path).ask("abort").text == "taken"
        thread.join(60)
    assert [sorted(one) for one in asked] == [["asker", "command"], ["command"]]


def test_a_signal_says_nobody(control: Control) -> None:
    assert control.abort()
    assert control.aborted_by == ""


def test_only_the_first_of_two_answers_counts(control: Control, client: ControlClient) -> None:
    asking = Asking(control)
    replies = [client.ask("approve", "roll back"), client.ask("approve", "commit")]
    assert [r.ok for r in replies] == [True, False]
    assert asking.end() == "roll back"


@pytest.mark.parametrize("choice", ["", "Commit", "yes", "commit "])
def test_a_word_that_is_no_choice_is_refused(
    control: Control, client: ControlClient, choice: str
) -> None:
    asking = Asking(control)
    assert not client.ask("approve", choice).ok
    assert client.ask("approve", "roll back").ok
    assert asking.end() == "roll back"


def test_an_answer_before_there_is_a_question_is_refused(
    control: Control, client: ControlClient
) -> None:
    assert "no such question" in client.ask("approve", "commit").text
    assert control.wait_for_answer(("commit",), 0.1) is None


def test_nobody_answers(control: Control) -> None:
    began = time.monotonic()
    assert control.wait_for_answer(("commit",), 0.3) is None
    assert time.monotonic() - began >= 0.3


def test_an_answer_that_was_confirmed_is_never_lost(control: Control, tmp_path: Path) -> None:
    """In the very last moment as well: what the operator was told is what happens."""
    client = ControlClient(tmp_path)
    for _ in range(60):
        asking = Asking(control, 0.02)
        time.sleep(0.015)
        confirmed = client.ask("approve", "commit").ok
        assert (asking.end() == "commit") == confirmed


def test_an_abort_ends_a_question_and_is_told_once(control: Control, client: ControlClient) -> None:
    told = threading.Semaphore(0)
    control.on_abort = lambda: told.release() and None
    asking = Asking(control)
    assert client.ask("abort").ok
    assert asking.end() is None
    assert control.aborted.is_set()
    assert client.ask("abort").ok
    assert told.acquire(timeout=60)
    assert not told.acquire(timeout=0.3)
    assert control.wait_for_answer(("commit",), 600) is None


def test_no_commit_after_an_abort(control: Control, client: ControlClient) -> None:
    assert client.ask("abort").ok
    assert not control.close_abort()


def test_no_abort_after_the_commit_began(control: Control, client: ControlClient) -> None:
    assert control.close_abort()
    reply = client.ask("abort")
    assert (reply.ok, "too late" in reply.text) == (False, True)
    assert not control.aborted.is_set()


def test_abort_and_commit_at_the_same_moment_never_both_win(runtime: Path, tmp_path: Path) -> None:
    for _ in range(100):
        control = Control(RUN, tmp_path)
        start = threading.Barrier(2)
        taken: list[bool] = []

        def abort(
            control: Control = control,
            start: threading.Barrier = start,
            taken: list[bool] = taken,
        ) -> None:
            start.wait()
            taken.append(control.abort())

        thread = threading.Thread(target=abort)
        thread.start()
        start.wait()
        committed = control.close_abort()
        thread.join()
        control.close()
        assert committed != taken[0]


def test_a_slow_cancel_does_not_hold_the_reply_up(control: Control, client: ControlClient) -> None:
    released = threading.Event()
    control.on_abort = lambda: released.wait(600) and None
    try:
        assert client.ask("abort", seconds=60).ok
        assert client.ask("status", seconds=60).ok
    finally:
        released.set()


@pytest.mark.parametrize(
    "data",
    [
        b"\n",
        b"garbage\n",
        b"\xff\xfe\n",
        b'{"command":"commit"}\n',
        b'{"command":"abort","force":true}\n',
        b'["abort"]\n',
        b'{"command":"approve","choice":7}\n',
        b"x" * 4096,
    ],
)
def test_garbage_is_answered_and_changes_nothing(
    control: Control, client: ControlClient, data: bytes
) -> None:
    assert b"not understood" in raw(control, data)
    assert not control.aborted.is_set()
    assert client.ask("status").ok


def test_half_a_request_is_not_obeyed(control: Control) -> None:
    assert b"not understood" in raw(control, b'{"command":"abo', half_close=True)
    assert not control.aborted.is_set()


def test_many_clients_at_once_and_one_that_says_nothing(
    control: Control, client: ControlClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The silent one stays for longer than the others would wait.
    monkeypatch.setattr(_receive, "__defaults__", (600.0,))
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(control.path))
        replies: list[bool] = []
        threads = [
            threading.Thread(target=lambda: replies.append(client.ask("status", seconds=60).ok))
            for _ in range(12)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert replies == [True] * 12
        assert client.ask("abort", seconds=60).ok
        silent.setblocking(False)
        with pytest.raises(BlockingIOError):
            silent.recv(1)


def test_a_client_that_drips_is_dropped(control: Control) -> None:
    with socket.socket(socket.AF_UNIX) as drip:
        drip.connect(str(control.path))
        # Half of what a request may be long, and so often that no pause is too long.
        with pytest.raises(OSError, match=r"pipe|reset"):
            for _ in range(200):
                drip.sendall(b" " * 10)
                time.sleep(0.5)


def test_another_user_is_not_served(control: Control, client: ControlClient, runtime: Path) -> None:
    """The private directory stops them already; here it is opened, to reach the second bar."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    assert control.path.parent.stat().st_mode & 0o077 == 0
    for path, mode in ((runtime, 0o755), (control.path.parent, 0o755), (control.path, 0o666)):
        path.chmod(mode)
    child = os.fork()
    if child == 0:
        code = 9
        try:
            os.setgid(65534)
            os.setuid(65534)
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(5)
                connection.connect(str(control.path))
                code = 8
                try:
                    connection.sendall(b'{"command":"abort"}\n')
                    code = 1 if connection.recv(100) else 0
                except ConnectionError:
                    code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not control.aborted.is_set()
    assert client.ask("status").ok


def test_a_socket_of_another_user_is_not_believed(runtime: Path, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(runtime, 65534, 65534)
    (runtime / f"rollback_tui-{os.geteuid()}").mkdir(mode=0o755)
    with pytest.raises(ControlUnavailable, match="not private"):
        Control(RUN, tmp_path)


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_is_no_directory_is_not_used(runtime: Path, tmp_path: Path, kind: str) -> None:
    place = runtime / f"rollback_tui-{os.geteuid()}"
    place.touch() if kind == "file" else place.symlink_to(tmp_path)
    with pytest.raises(ControlUnavailable, match="not private"):
        Control(RUN, tmp_path)


def test_a_long_runtime_directory_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    control = Control(RUN, tmp_path)
    try:
        assert len(os.fsencode(control.path)) <= 100
        assert control.path.stat().st_mode & 0o777 == 0o600
        assert ControlClient(tmp_path).ask("status").ok
    finally:
        control.close()


def test_the_socket_outlives_the_login_session(
    runtime: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """systemd removes XDG_RUNTIME_DIR when the last session of the user ends."""
    login = tmp_path / "login"
    login.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(login))
    control = Control(RUN, tmp_path)
    try:
        assert login not in control.path.parents
        assert runtime in control.path.parents
    finally:
        control.close()


def test_after_the_end_nobody_answers_and_nothing_stays(runtime: Path, tmp_path: Path) -> None:
    control = Control(RUN, tmp_path)
    control.close()
    assert not control.path.exists()
    assert (tmp_path / run_folder.SOCKET).exists()
    with pytest.raises(ControlUnavailable):
        ControlClient(tmp_path).ask("status")
    assert soon(lambda: "control" not in [t.name for t in threading.enumerate()])
