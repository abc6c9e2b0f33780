"""The safety check on backups outside: what is known, what is not, and how much it matters."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from rollback_tui.core.checks import judge, storage
from rollback_tui.core.checks.external import external_backup
from rollback_tui.core.facts import ExternalFacts
from rollback_tui.core.model import CheckResult
from tests.core.example import facts

FRESH = ExternalFacts(
    wanted=True,
    stanza="main",
    max_age_hours=25,
    backup="20260301-030000F",
    kind="full",
    age_seconds=3 * 3600.0,
    wal="000000010000000000000007",
)


def judged(**changes: Any) -> CheckResult:
    found = external_backup(facts(external=msgspec.structs.replace(FRESH, **changes)))
    assert found is not None
    return found


def test_nobody_is_asked_who_has_none() -> None:
    assert external_backup(facts()) is None
    assert "external_backup" not in {result.name for result in judge(facts())}
    assert "external_backup" in {result.name for result in judge(facts(external=FRESH))}


def test_fresh() -> None:
    result = judged()
    assert result.status == "pass"
    assert result.summary == "fresh: 3 hours old; a restore point will be made before the run"
    assert "WAL in the archive up to 000000010000000000000007" in result.evidence


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"age_seconds": 26 * 3600.0}, "stale: the newest backup is a day old"),
        ({"backup": "", "age_seconds": None}, "there is no backup"),
        ({"problem": "it is of another cluster"}, "another cluster"),
        ({"point_problem": "archive_mode is off"}, "no restore point can be made: archive_mode"),
    ],
)
def test_what_is_wrong_warns_and_fails_where_it_is_required(
    changes: dict[str, Any], words: str
) -> None:
    result = judged(**changes)
    assert result.status == "warn" and words in result.summary
    required = judged(**changes, required=True)
    assert (required.status, required.summary) == ("fail", result.summary)


def test_what_could_not_be_asked_never_passes() -> None:
    assert judged(unreadable="pgbackrest cannot be started").status == "warn"
    required = judged(unreadable="pgbackrest cannot be started", required=True)
    assert required.status == "unknown" and required.overridable
    unknown = external_backup(facts(external=None, unreadable=("external: no answer",)))
    assert unknown is not None and unknown.status == "unknown"
    assert unknown.evidence == ("external: no answer",)


def test_whether_the_checkpoint_is_copied_is_said() -> None:
    known = facts().checkpoint
    assert known is not None
    here = storage.checkpoint(facts())
    assert any("only on this host" in line for line in here.evidence) and here.status == "pass"
    copied = storage.checkpoint(facts(checkpoint=msgspec.structs.replace(known, copied=True)))
    assert any("copied off this host" in line for line in copied.evidence)
    needed = storage.checkpoint(
        facts(checkpoint=msgspec.structs.replace(known, copy_required=True))
    )
    assert needed.status == "fail" and "[checkpoint] copy" in needed.remedy
