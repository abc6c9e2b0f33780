"""The health URLs as the monitoring asks them: error rate, response time, and of how many."""

from __future__ import annotations

import time

import pytest

from rollback_tui.aftercare.probes import Asked, Probes, readings
from rollback_tui.config import Health
from rollback_tui.config_health import Also
from rollback_tui.core.monitoring.slowest import worst
from rollback_tui.core.monitoring.values import Reading
from tests.aftercare.monitored import application
from tests.run.web_server import hangs, says, serving


def asked(health: Health, times: int = 4, deadline: float = 2) -> tuple[Reading, Reading]:
    probes = Probes(health, deadline)
    for _ in range(times):
        probes.ask()
    return probes.gather()


def test_a_healthy_application() -> None:
    with application() as shop:
        errors, took = asked(Health(url=shop.url))
    assert shop.asked == 4
    assert (errors.value, errors.counted, errors.evidence) == (0.0, 4, ())
    assert errors.source == "health probes"
    assert took.counted == 4
    assert took.value is not None
    assert 0 < took.value < 2
    assert took.evidence[0].startswith("the slowest but one of 4; the worst: ")


def test_so_many_fail_and_it_is_said_which_and_how() -> None:
    with application() as shop, serving(says("200 OK", b'{"db": "down"}')) as wrong:
        shop.error_rate = 0.5
        health = Health(
            url=shop.url,
            also=(Also(label="checkout", url=wrong.url, expected_json={"db": "up"}),),
        )
        errors, took = asked(health)
    assert (errors.value, errors.counted) == (0.75, 8)
    assert errors.evidence == (
        '4 × checkout: HTTP 200, but db is "down" ("up" expected)',
        f"2 × {shop.url}: HTTP 500 (200 expected)",
    )
    assert took.counted == 8


def test_a_slow_application_is_slow_and_one_that_hangs_has_failed() -> None:
    with application() as shop:
        shop.seconds = 0.3
        began = time.monotonic()
        errors, took = asked(Health(url=shop.url))
        # All at the same time: none waits for another.
        assert time.monotonic() - began < 4 * 0.3
    assert errors.value == 0.0
    assert took.value is not None
    assert took.value >= 0.3
    with serving(hangs) as server:
        errors, took = asked(Health(url=server.url), deadline=0.3)
    assert errors.value == 1.0
    assert "no answer within 0.3 s" in errors.evidence[0]
    assert took.value is not None
    assert took.value >= 0.3


def test_an_application_that_is_gone_fails_and_takes_no_time() -> None:
    with application() as shop:
        pass
    errors, took = asked(Health(url=shop.url))
    assert (errors.value, errors.counted) == (1.0, 4)
    assert took.value is None
    assert took.why.startswith("no probe was answered: ")


def test_wrong_tls_is_a_failure_in_words() -> None:
    with serving(says("200 OK")) as server:
        errors, _ = asked(Health(url=server.url.replace("http", "https")), times=1)
    assert errors.value == 1.0
    assert "TLS: " in errors.evidence[0]


def test_no_url_and_no_secret_are_unknown_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    errors, took = asked(Health())
    assert (errors.value, took.value) == (None, None)
    assert errors.why == took.why == "no URL to ask: set [health] url in rollback.toml"
    monkeypatch.delenv("SHOP_TOKEN", raising=False)
    with application() as shop:
        named = {"headers_env": {"Authorization": "SHOP_TOKEN"}}
        errors, _ = asked(Health(url=shop.url, **named))
        assert errors.value is None
        assert errors.why == "SHOP_TOKEN is not in the environment"
        also = Also(label="checkout", url=shop.url, **named)
        errors, _ = asked(Health(url=shop.url, also=(also,)))
    assert (errors.value, errors.counted) == (0.0, 4)
    assert errors.evidence == ("not asked: checkout: SHOP_TOKEN is not in the environment",)


def test_a_token_that_is_repeated_is_not_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "s3cret")
    with serving(says("302 Found", b"", "Location: /login?token=s3cret")) as server:
        health = Health(url=server.url, headers_env={"Authorization": "SHOP_TOKEN"})
        errors, _ = asked(health, times=1)
    assert b"s3cret" in server.requests[0]
    assert errors.value == 1.0
    assert "s3cret" not in str(errors)
    assert "•••" in errors.evidence[0]


def test_which_answer_stands_for_all() -> None:
    assert worst(1) == (0, "the slowest of 1")
    assert worst(2) == (0, "the slowest of 2")
    assert worst(3) == (1, "the slowest but one of 3")
    assert worst(20) == (1, "95th percentile of 20")
    assert worst(100) == (5, "95th percentile of 100")
    one_slow = [Asked("main", "", 0.1)] * 4 + [Asked("main", "", 9.0)]
    assert readings(one_slow)[1].value == 0.1
    assert readings([*one_slow, Asked("main", "", 8.0)])[1].value == 8.0


def test_many_different_faults_are_counted_and_not_all_named() -> None:
    faults = [Asked("main", f"fault {number}", 0.1) for number in range(9)]
    errors, _ = readings([*faults, faults[0]])
    assert errors.value == 1.0
    assert errors.evidence[0] == "2 × main: fault 0"
    assert errors.evidence[-1] == "and 4 others"
    assert len(errors.evidence) == 6
