"""What the incident report says where somebody did not measure, was not asked, or was stopped."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from rollback_tui.core.incident import incident_markdown
from rollback_tui.core.monitoring import fold as monitoring
from rollback_tui.core.monitoring.values import Ended, ImpactCounted
from rollback_tui.core.report import words
from tests.core.example import rolled_back
from tests.core.incident_example import AFTER, BEGUN, incident, sampled, watched


def test_what_prometheus_was_not_asked_it_does_not_say() -> None:
    """Each figure has its own reason, and none where nobody asked for it."""

    def figures(why: str) -> list[list[str]]:
        counted = ImpactCounted(at=AFTER, failed_requests=None, affected_users=None, why=why)
        view = msgspec.structs.replace(watched(), impact=counted)
        impact = incident(*rolled_back(), monitoring=view).impact
        return [[f.why for f in each] for each in (impact.failed_requests, impact.affected_users)]

    assert figures("failed_requests: HTTP 404: no") == [["HTTP 404: no"], []]
    assert figures("affected_users: NaN; really") == [[], ["NaN; really"]]
    assert figures("failed_requests: a; b; affected_users: c") == [["a; b"], ["c"]]
    assert figures("the server is away") == [["the server is away"]] * 2


def test_a_monitoring_that_was_stopped_before_it_began_says_who_did_it() -> None:
    end = Ended(at=AFTER, why="stopped", by="ada", reason="all is well")
    found = incident(*rolled_back(), monitoring=monitoring.fold((end,))).monitoring
    assert (found.begun_at, found.why) == (None, "it was stopped by ada: all is well")


def test_a_monitoring_that_nobody_went_on_with_says_until_when_it_is_known() -> None:
    """Killed with everything else: after its newest sample nobody measured, and no gap says so."""
    view = monitoring.fold((BEGUN, sampled(15, error_rate=0.01)))
    text = incident_markdown(incident(*rolled_back(), monitoring=view))
    newest = words.moment(AFTER + timedelta(seconds=15))
    assert f"not ended; newest sample {newest}; planned until" in text
    none = incident_markdown(incident(*rolled_back(), monitoring=monitoring.fold((BEGUN,))))
    assert "not ended; nothing was measured; planned until" in none
