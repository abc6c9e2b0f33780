"""The session that works the door is lost in mid-rename, and only we notice: to the server its
client is alive. The door opens all the same, and nobody is told of another run."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Project, events, only
from tests.network.conftest import through
from tests.network.proxy import Fault, Proxy
from tests.network.test_lost_answers import door_is_open, untouched


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        # The renames stand, nobody commits them, and their locks are held.
        ("lose", b"COMMIT\0"),
        # They are committed, and we do not know.
        ("withhold", b"COMMIT\0"),
        # It may arrive at any time after we have looked.
        ("lose", b"ALLOW_CONNECTIONS false\0"),
    ],
)
def test_the_lost_session_is_ended_before_anything_is_believed(
    project: Project, proxy: Proxy, fault: Fault, words: bytes
) -> None:
    project.two_migrations()
    proxy.arm(fault, words, after=b"COMMENT ON DATABASE", application="rollback_tui door")
    through(project, proxy.port, "[run]\nstatement_timeout_seconds = 1\n")
    running = project.start(*project.run_arguments)
    output, errors = running.communicate(timeout=90)
    assert proxy.sprung_at, "the door was not worked"
    assert "Traceback" not in errors, errors
    found = events(output)
    assert found[-1]["outcome"] == "refused", found[-1]
    assert only(found, "alarm") == []
    untouched(project)
    door_is_open(project)
