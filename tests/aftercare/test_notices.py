"""What people are told of a run: which notices there are, how serious they are, and what they
say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rollback_tui.aftercare.notices import derive
from rollback_tui.config import Settings, parse
from rollback_tui.core import events as ev
from rollback_tui.core import notice_words
from rollback_tui.core.errors import ConfigurationError
from rollback_tui.core.model import Operator, Outcome
from rollback_tui.core.monitoring.judge import Judge
from rollback_tui.core.monitoring.levels import Levels
from rollback_tui.core.monitoring.rules import rules
from rollback_tui.core.monitoring.values import Raised, Reading, Sampled, Usual
from rollback_tui.core.notices import Notice
from rollback_tui.core.run_view import fold
from tests.core import example
from tests.core.example import BEGAN, finished, records

CHAT = '[[notify.to]]\nname = "chat"\nurl = "json://127.0.0.1"\n'
RAISED = Raised(
    at=BEGAN + timedelta(hours=1),
    metric="error_rate",
    value=0.12,
    threshold=0.04,
    summary="error_rate 12 % > 4 % (0.8 of 5 %; before the run 0.1 %)",
    evidence=("3 of 25 probes failed", "HTTP 500"),
)


def told(
    *events: ev.AnyEvent, settings: str = CHAT, alerts: Sequence[Raised] = ()
) -> tuple[Notice, ...]:
    found = records(*events)
    return derive(found, fold(found), parse(settings), alerts=alerts)


def phase(name: Any) -> ev.PhaseStarted:
    return ev.PhaseStarted(phase=name)


BEGUN = (example.started(), phase("preflight"), phase("checkpoint"), phase("announce"))


def question(**changes: Any) -> ev.Question:
    given: dict[str, Any] = {
        "name": "gate",
        "text": "2 verifications failed.",
        "choices": ("commit", "roll back"),
        "default": "roll back",
        "seconds": 300.0,
    }
    return ev.Question(**(given | changes))


def test_a_run_that_went_well_is_told_at_its_beginning_and_its_end() -> None:
    events = example.rolled_back()
    begun = (events[0], phase("preflight"), phase("announce"), *events[1:])
    first, last = told(*begun)
    assert (first.occasion, first.level, first.id) == ("started", "info", "5d0c6a1e-started")
    assert (last.occasion, last.level, last.id) == ("finished", "warning", "5d0c6a1e-finished")
    assert first.title == "Rollback started – shop on db1:5432, production"
    assert last.title == "Rolled back and verified – shop on db1:5432, production"
    for words in (
        "Rollback: 3 verify",
        "Reason: signups fail",
        "Operator: ana on jump1",
        "rollback-tui attach 5d0c6a1e",
        "Run 5d0c6a1e, 2024-01-15 03:00:02 UTC, notice 5d0c6a1e-started",
    ):
        assert words in first.body
    view = fold(records(*begun))
    for words in (
        "It ended rolled_back.",
        "Took: 25.0 s",
        f"Applications kept out: {view.downtime:.1f} s",
        "1,204 values of public.users.verified_at (counted in the run)",
        "7 rows of public.settings (reported by the server)",
        "Report: /srv/runs/x/report.md",
        "\nrollback-tui state\nrollback-tui report 5d0c6a1e",
    ):
        assert words in last.body
    # A field without a value takes its line with it.
    assert "Trigger" not in last.body
    assert "Finished by" not in last.body


def test_the_same_fact_has_the_same_id_however_far_the_journal_has_come() -> None:
    events = (*BEGUN, question(), ev.Answered(name="gate", choice="commit", by="operator"))
    whole = told(*events, finished("rolled_back"), alerts=[RAISED])
    ids = [one.id for one in whole]
    assert len(set(ids)) == len(ids) == 4
    for length in range(len(events) + 1):
        so_far = [one.id for one in told(*events[:length])]
        assert so_far == ids[: len(so_far)]


@pytest.mark.parametrize(
    ("outcome", "task", "level"),
    [
        ("rolled_back", "rollback", "warning"),
        ("rolled_back", "reapply", "warning"),
        ("recovered", "recover", "warning"),
        ("recovered", "rollback", "critical"),
        ("unchanged", "rollback", "critical"),
        ("unchanged", "recover", "critical"),
        ("needs_operator", "rollback", "critical"),
        ("refused", "rollback", "info"),
    ],
)
def test_how_serious_an_end_is(outcome: Outcome, task: Any, level: str) -> None:
    begun = example.started(task=task, recovers="/runs/20240115_030000_8c3038d4")
    (last,) = told(begun, phase("preflight"), finished(outcome))
    assert (last.occasion, last.level) == ("finished", level)


def test_a_run_that_is_refused_before_it_began_tells_that_it_did_not() -> None:
    (only,) = told(
        example.started(),
        phase("preflight"),
        phase("open_door"),
        phase("aftercare"),
        finished("refused"),
    )
    assert only.title == "Refused: nothing was touched – shop on db1:5432, production"
    assert "Data lost: none" in only.body


def test_an_interrupted_run_is_told_as_settled() -> None:
    first, last = told(*BEGUN, ev.SettleStarted(by="guardian"), finished("unchanged"))
    assert (first.occasion, last.occasion, last.level) == ("started", "settled", "critical")
    assert last.id == "5d0c6a1e-finished"
    assert last.title.startswith("Interrupted run finished: Failed; that the database is as before")
    assert "Finished by: the guardian, after the worker was gone" in last.body
    assert "Data lost: not known" in last.body


def test_a_question_is_told_with_all_that_it_takes_to_answer() -> None:
    _, asked = told(*BEGUN, question())
    assert (asked.occasion, asked.level, asked.id) == ("gate", "warning", "5d0c6a1e-gate-5")
    assert asked.title == "A decision is needed – shop on db1:5432, production"
    for words in (
        "2 verifications failed.",
        "Choices: commit, roll back",
        "Deadline: 03:05:04 UTC, after 5 minutes (300.0 s)",
        "If nobody answers: roll back",
        "Answer with: rollback-tui attach 5d0c6a1e",
    ):
        assert words in asked.body
    assert "Answered" not in asked.body
    answered = ev.Answered(name="gate", choice="roll back", by="deadline")
    _, late = told(*BEGUN, question(), answered)
    assert late.id == asked.id
    assert "Answered: roll back (by the deadline)" in late.body
    # Nobody is called for what nobody is asked.
    assert len(told(*BEGUN, question(seconds=0.0))) == 1
    given = ev.Answered(name="gate", choice="roll back", by="configuration")
    assert len(told(*BEGUN, question(), given)) == 1
    # Each question is one of its own.
    assert len(told(*BEGUN, question(), answered, question(name="health"))) == 3


def test_an_alert_says_what_is_past_what_and_what_was_usual() -> None:
    usual = ev.UsualMeasured(usual=(Usual(metric="error_rate", value=0.001),), seconds=5.0)
    *_, alert = told(*BEGUN, usual, finished("rolled_back"), alerts=[RAISED])
    assert (alert.occasion, alert.level) == ("alert", "critical")
    assert alert.title == "Alert: error_rate 12 % – shop on db1:5432, production"
    for words in (
        RAISED.summary,
        "Value: 12 %, threshold: 4 %",
        "Before the run: 0.1 %",
        "\n3 of 25 probes failed\nHTTP 500\n",
        "Outcome of the run: Rolled back",
        "rollback-tui monitor 5d0c6a1e",
    ):
        assert words in alert.body
    *_, other = told(*BEGUN, finished("rolled_back"), alerts=[RAISED])
    assert "Before the run: not measured" in other.body
    again = msgspec.structs.replace(RAISED, at=RAISED.at + timedelta(minutes=5))
    assert len({one.id for one in told(*BEGUN, alerts=[RAISED, again])}) == 3


def test_a_database_that_gives_no_answer_is_not_told_as_a_slow_one() -> None:
    judge = Judge(rules(Levels(), 0.8, ()), 15)
    refused = Reading(metric="database", value=None, why="connection refused")
    (raised,) = judge.judge(Sampled(at=RAISED.at, readings=(refused,)))
    assert isinstance(raised, Raised)
    *_, alert = told(*BEGUN, finished("rolled_back"), alerts=[raised])
    assert alert.title == "Alert: database no answer – shop on db1:5432, production"
    assert "Value: no answer, threshold: 4 s" in alert.body
    slow = msgspec.structs.replace(raised, value=4.5, summary="database 4.5 s > 4 s")
    *_, alert = told(*BEGUN, finished("rolled_back"), alerts=[slow])
    assert alert.title.startswith("Alert: database 4.5 s – ")


def test_each_place_is_told_what_it_wants_and_nobody_what_no_place_wants() -> None:
    pager = (
        '[[notify.to]]\nname = "pager"\nurl = "json://127.0.0.2"\nlevel = "critical"\n'
        '[[notify.to]]\nname = "board"\nurl = "json://127.0.0.3"\noccasions = ["finished"]\n'
    )
    events = (*BEGUN, question(), finished("unchanged"))
    places = {one.occasion: one.places for one in told(*events, settings=CHAT + pager)}
    assert places == {
        "started": ("chat",),
        "gate": ("chat",),
        "finished": ("chat", "pager", "board"),
    }
    assert [one.occasion for one in told(*events, settings=pager)] == ["finished"]
    assert told(*events, settings="") == ()
    assert told() == ()


@pytest.mark.parametrize(
    ("host", "where"),
    [
        ("/var/run/postgresql", "shop on jump1:5432, production"),
        ("localhost", "shop on localhost:5432 as seen from jump1, production"),
        ("10.0.0.8", "shop on 10.0.0.8:5432, production"),
    ],
)
def test_a_database_is_named_so_that_others_know_which(host: str, where: str) -> None:
    begun = example.started(target=msgspec.structs.replace(example.TARGET, host=host))
    assert told(begun, phase("announce"))[0].title == f"Rollback started – {where}"


HOSTILE = "a\x1b[31m\u202eb\nForged: line\r\n{report}"


def test_text_that_is_not_ours_stays_on_its_line_and_is_no_template() -> None:
    begun = example.started(
        reason=HOSTILE, environment=HOSTILE, operator=Operator(user=HOSTILE, uid=0)
    )
    last = told(begun, phase("announce"), finished("rolled_back", summary=HOSTILE))[-1]
    alert = msgspec.structs.replace(RAISED, summary=HOSTILE, evidence=(HOSTILE,))
    other = told(begun, alerts=[alert])[-1]
    for one in (last, other):
        assert "\n" not in one.title
        assert not {"\x1b", "\u202e", "\r"} & set(one.title + one.body)
        assert "\nForged" not in one.body
        assert "{report}" in one.body


def test_own_texts_take_fields_and_nothing_else() -> None:
    own = CHAT + (
        "[notify.titles]\nfinished = '{{{database}}} {outcome}\\ud{reason}\\n2'\n"
        "[notify.bodies]\n"
        "finished = '''\nEnd: {summary}\n{trigger}\nTrigger: {trigger} {level}\n'''\n"
    )
    *_, last = told(*BEGUN, finished("rolled_back"), settings=own)
    assert last.title == "{shop} Rolled back; nothing was verified\\udsignups fail\\n2"
    assert last.body == "End: It ended rolled_back.\nTrigger:  warning"


@pytest.mark.parametrize(
    "text", ["{nope}", "{reason.__class__}", "{reason!r}", "{reason:>9}", "{0}", "{}", "{", "a } b"]
)
def test_what_is_no_field_is_refused_when_the_configuration_is_read(text: str) -> None:
    for table in ("titles", "bodies"):
        with pytest.raises(ConfigurationError) as refused:
            parse(f"[notify.{table}]\ngate = '{text}'\n")
        assert f"notify.{table}.gate" in refused.value.summary
        if text.startswith("{n"):
            assert ", ".join(sorted(notice_words.FIELDS)) in refused.value.summary


def test_every_field_has_a_value_somewhere_and_every_template_has_only_fields() -> None:
    for templates in (notice_words.TITLES, notice_words.BODIES):
        for occasion, template in templates.items():
            notice_words.check(template, occasion)
    every = "".join(f"<{name}={{{name}}}>" for name in notice_words.FIELDS)
    own = (
        CHAT
        + "[notify.bodies]\n"
        + "".join(f"{occasion} = '{every}'\n" for occasion in notice_words.BODIES)
    )
    begun = (example.started(trigger="an alert"), *BEGUN[1:])
    answered = ev.Answered(name="gate", choice="commit", by="operator")
    bodies = [
        one.body
        for one in (
            *told(*begun, question(), answered, settings=own, alerts=[RAISED]),
            *told(*begun, ev.SettleStarted(by="operator"), finished("unchanged"), settings=own),
        )
    ]
    assert len(bodies) == 5
    empty = {name for name in notice_words.FIELDS if all(f"<{name}=>" in body for body in bodies)}
    assert empty == set()
    assert "{" not in "".join(bodies)


def test_what_is_too_long_for_a_chat_is_cut_and_says_so() -> None:
    own = CHAT + "[notify.bodies]\nstarted = '''" + "line {reason}\n" * 1000 + "'''\n"
    (first,) = told(*BEGUN, settings=own)
    assert len(first.body) < 3600
    assert first.body.endswith("\n… (cut: the report has all of it)")


def test_settings_that_are_shown_hold_no_url() -> None:
    assert "127.0.0.1" not in repr(parse(CHAT))
    assert isinstance(parse(CHAT), Settings)


def test_the_page_lists_every_field_with_what_it_says() -> None:
    page = Path(__file__).parents[2] / "docs" / "notifications.md"
    table = [
        f"| `{name}` | {words.replace('``', '`')} |" for name, words in notice_words.FIELDS.items()
    ]
    assert "\n".join(table) in page.read_text()
