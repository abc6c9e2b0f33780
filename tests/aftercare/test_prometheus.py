"""One number from Prometheus, or why there is none; and what takes its place."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from rollback_tui.aftercare import prometheus
from rollback_tui.config import ConfigurationError, Prometheus, parse
from rollback_tui.core.monitoring.values import Metric, Reading
from tests.aftercare.prometheus_server import Fault, PrometheusServer, prometheus_server

CERTIFICATE = Path(__file__).parent / "loopback.pem"
RATE = 'sum(rate(http_requests_total{code=~"5.."}[1m])) / sum(rate(http_requests_total[1m]))'


def probed(metric: Metric = "error_rate", value: float | None = 0.25) -> Reading:
    return Reading(
        metric=metric,
        value=value,
        why="" if value is not None else "no URL to ask",
        source="health probes",
        counted=4 if value is not None else None,
        evidence=("1 × main: HTTP 500",) if value is not None else (),
    )


def ask(server: PrometheusServer, query: str = RATE, **more: object) -> prometheus.Found:
    return prometheus.ask(Prometheus(url=server.url), query, seconds=2)


def test_a_vector_of_one_and_a_scalar_are_a_number() -> None:
    with prometheus_server() as server:
        server.vectors[RATE] = ["0.0125"]
        server.scalars["scalar(x)"] = "3"
        assert ask(server) == (0.0125, "")
        assert ask(server, "scalar(x)") == (3.0, "")
        below = Prometheus(url=server.url + "/behind/a/proxy/")
        assert prometheus.ask(below, RATE, seconds=2).value == 0.0125
    # The query arrived as it was written, whatever stands in it.
    assert server.asked[0] == {"query": RATE}


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (["0.1", "0.2"], "2 series; the query must give one number"),
        ([], "no series; the query must give one number"),
        (["NaN"], "NaN: nothing was counted, 0 / 0"),
        (["+Inf"], "it is infinite"),
        (["-Inf"], "it is infinite"),
        (["many"], "an answer without a number"),
    ],
)
def test_what_is_not_one_number_is_none(values: list[str], why: str) -> None:
    with prometheus_server() as server:
        server.vectors[RATE] = values
        assert ask(server) == (None, why)


def test_a_query_that_is_wrong_is_said_in_its_own_words() -> None:
    with prometheus_server() as server:
        assert ask(server, "sum(") == (
            None,
            'HTTP 400: invalid parameter "query": 1:5: parse error: unclosed left parenthesis',
        )
        assert ask(server, "x[5m]") == (None, "a matrix; the query must give one number")
        server.vectors["many"] = ["1"] * 5000
        assert "longer than 64 KiB" in ask(server, "many").why
        assert ask(server, "x\x1b[31m)").why.startswith("HTTP 400: invalid")


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("500", "HTTP 500, but no answer of Prometheus: “out of memory”"),
        ("html", "HTTP 200, but no answer of Prometheus: “<html>Please log in</html>”"),
        ("empty body", "HTTP 200, but no answer of Prometheus: it is empty"),
        ("deep", "HTTP 200, but no answer of Prometheus: “[[[["),
        ("redirect", "HTTP 302, redirects to https://login.invalid/?next=x: not followed"),
        ("slow", "no answer within 0.4 s"),
        ("drip", "no answer within 0.4 s"),
        ("reset", "disconnected"),
    ],
)
def test_whatever_fails_the_probes_take_its_place_and_it_is_said(fault: Fault, why: str) -> None:
    with prometheus_server() as server:
        server.fault = fault
        settings = Prometheus(url=server.url, error_rate=RATE)
        (found,) = prometheus.replaced(settings, lambda: [probed()], 0.4)
    assert (found.value, found.counted) == (0.25, 4)
    assert found.source.startswith("health probes, for Prometheus gave no number: ")
    assert why in found.source


def test_nobody_there_and_nobody_who_is_trusted() -> None:
    with prometheus_server() as server:
        gone = Prometheus(url=server.url)
    assert "connect" in prometheus.ask(gone, RATE, seconds=2).why.lower()
    with prometheus_server(tls=CERTIFICATE) as server:
        assert ask(server).why.startswith("TLS: the certificate is not accepted: ")
        plain = Prometheus(url=server.url.replace("https", "http"))
        assert prometheus.ask(plain, RATE, seconds=1).value is None
    with prometheus_server() as server:
        wrong = Prometheus(url=server.url.replace("http", "https"))
        assert prometheus.ask(wrong, RATE, seconds=2).why.startswith("TLS: ")


def test_a_private_authority_is_trusted_where_the_machine_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with prometheus_server(tls=CERTIFICATE) as server:
        server.vectors[RATE] = ["0.5"]
        assert ask(server) == (0.5, "")


def test_a_token_is_sent_and_never_said(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"headers_env": {"Authorization": "PROMETHEUS_TOKEN"}}
    with prometheus_server(token="s3cret") as server:
        server.vectors[RATE] = ["0.5"]
        given = Prometheus(url=server.url, **settings)
        monkeypatch.delenv("PROMETHEUS_TOKEN", raising=False)
        assert prometheus.ask(given, RATE, seconds=2) == (
            None,
            "PROMETHEUS_TOKEN is not in the environment",
        )
        monkeypatch.setenv("PROMETHEUS_TOKEN", "Bearer wr0ng-one")
        refused = prometheus.ask(given, RATE, seconds=2)
        assert refused.value is None
        assert "wr0ng" not in refused.why
        assert "no access with •••" in refused.why
        monkeypatch.setenv("PROMETHEUS_TOKEN", "Bearer s3cret")
        assert prometheus.ask(given, RATE, seconds=2).value == 0.5


def test_each_metric_is_replaced_by_itself() -> None:
    both = [probed(), probed("response_time", None)]
    with prometheus_server() as server:
        server.vectors = {"e": ["0.5"], "t": ["1.5"]}
        one = prometheus.replaced(Prometheus(url=server.url, error_rate="e"), lambda: both, 2)
        assert one[1] == both[1]
        assert (one[0].value, one[0].source, one[0].counted) == (0.5, "Prometheus", None)
        assert one[0].evidence == ("1 × main: HTTP 500",)
        two = prometheus.replaced(
            Prometheus(url=server.url, error_rate="e", response_seconds="t"), lambda: both, 2
        )
        assert [reading.value for reading in two] == [0.5, 1.5]
        assert two[1].evidence == ("health probes: no URL to ask",)
        server.fault = "500"
        failed = prometheus.replaced(
            Prometheus(url=server.url, response_seconds="t"), lambda: both, 2
        )
    assert failed[0] == both[0]
    assert failed[1].value is None
    assert failed[1].why.startswith("Prometheus gave no number: HTTP 500")
    assert failed[1].why.endswith("; no URL to ask")
    assert prometheus.replaced(Prometheus(), lambda: both, 2) == tuple(both)


@pytest.mark.parametrize(
    ("metric", "said", "value", "why"),
    [
        ("error_rate", "12", None, "12 is no share from 0 to 1"),
        ("error_rate", "1.01", 1.0, ""),
        ("error_rate", "-0.5", None, "-0.5 is no share from 0 to 1"),
        ("response_time", "-1", None, "-1 is no time"),
        ("response_time", "0", 0.0, ""),
    ],
)
def test_a_number_that_cannot_be_is_none(
    metric: Metric, said: str, value: float | None, why: str
) -> None:
    settings = {"error_rate": "error_rate", "response_time": "response_seconds"}
    with prometheus_server() as server:
        server.vectors = {"q": [said]}
        given = Prometheus(url=server.url, **{settings[metric]: "q"})
        (found,) = prometheus.replaced(given, lambda: [probed(metric, None)], 2)
    assert found.value == value
    assert why in found.why


def test_what_the_run_did_is_asked_for_its_own_time_whenever_that_is() -> None:
    failed = "sum(increase(errors_total[{seconds}s]))"
    started = datetime(2024, 1, 15, 3, 0, tzinfo=UTC)
    finished = datetime(2024, 1, 15, 3, 1, 30, tzinfo=UTC)
    now = datetime(2024, 1, 15, 5, 0, tzinfo=UTC)
    with prometheus_server() as server:
        server.vectors = {"sum(increase(errors_total[150s]))": ["41.2"], "users": ["7"]}
        given = Prometheus(url=server.url, failed_requests=failed, affected_users="users")
        found = prometheus.impact(given, started, finished, now)
        assert (found.failed_requests, found.affected_users, found.why) == (42, 7, "")
        assert found.at == now
        assert {float(one["time"]) for one in server.asked} == {finished.timestamp() + 60}
        server.vectors["users"] = ["-3"]
        only = Prometheus(url=server.url, affected_users="users")
        found = prometheus.impact(only, started, finished, now)
    assert (found.failed_requests, found.affected_users) == (None, None)
    assert found.why == "affected_users: -3 is no number"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('[prometheus]\nerror_rate = "x"', "url"),
        ('[prometheus]\nurl = "prometheus:9090"', "http"),
        ('[prometheus]\nurl = "http://p"\nheaders_env = { "bad header" = "X" }', "header"),
    ],
)
def test_what_cannot_be_meant_is_refused_when_it_is_loaded(text: str, wrong: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse(text)
    assert wrong in refused.value.summary
