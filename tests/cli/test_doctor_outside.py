"""What ``doctor`` says of the application and of Prometheus: each was asked, and said something."""

from __future__ import annotations

import json

import pytest

from tests.aftercare.prometheus_server import prometheus_server
from tests.aftercare.sinks import refused_port
from tests.cli.conftest import Project, here
from tests.run.web_server import says, serving


def said(project: Project, monkeypatch: pytest.MonkeyPatch, about: str) -> list[tuple[str, str]]:
    output = here(project, monkeypatch, "doctor", "--json").output
    assert "s3cret" not in output
    return [
        (one["status"], one["what"]) for one in json.loads(output) if one["what"].startswith(about)
    ]


def test_which_health_url_answers_and_how(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CHECKOUT_TOKEN", raising=False)
    with (
        serving(says("200 OK", b"fine")) as well,
        serving(says("503 Busy", b"no")) as busy,
    ):
        nobody = f"127.0.0.1:{refused_port()}"
        project.configure(
            f'[health]\nurl = "{well.url.replace("//", "//user:s3cret@")}"\n'
            f'[[health.also]]\nlabel = "busy"\nurl = "{busy.url}"\n'
            f'[[health.also]]\nlabel = "gone"\nurl = "http://{nobody}/x"\n'
            f'[[health.also]]\nlabel = "checkout"\nurl = "{well.url}"\n'
            'headers_env = { Authorization = "CHECKOUT_TOKEN" }\n'
        )
        found = said(project, monkeypatch, "application health")
        assert found[0] == ("ok", f"application health: {well.url}: HTTP 200")
        assert found[1] == (
            "note",
            f"application health: busy: {busy.url}: HTTP 503 (200 expected): NOT healthy now",
        )
        assert found[2][0] == "note"
        assert nobody in found[2][1]
        assert found[2][1].endswith(": NOT healthy now")
        assert found[3] == (
            "note",
            "application health: checkout: CHECKOUT_TOKEN is not in the environment,"
            " it will stay unknown",
        )
        assert len(busy.requests) == 1, "once"
        monkeypatch.setenv("CHECKOUT_TOKEN", "t0ken")
        found = said(project, monkeypatch, "application health")
        assert found[3] == ("ok", f"application health: checkout: {well.url}: HTTP 200")


def test_each_query_is_asked_of_prometheus(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with prometheus_server() as server:
        server.vectors = {"errors": ["0.004"], "slow": ["0.09", "0.1"], "failed[3600]": ["1204"]}
        settings = (
            f'[prometheus]\nurl = "{server.url.replace("//", "//user:s3cret@")}"\n'
            'error_rate = "errors"\nresponse_seconds = "slow"\n'
            'failed_requests = "failed[{seconds}]"\naffected_users = "users"\n'
        )
        project.configure(settings)
        assert said(project, monkeypatch, "Prometheus") == [
            ("ok", "Prometheus: error_rate is 0.4 %"),
            (
                "note",
                "Prometheus: response_seconds gives no number: 2 series; the query must give"
                " one number",
            ),
            ("ok", "Prometheus: failed_requests is 1,204 in the last hour"),
            (
                "note",
                "Prometheus: affected_users gives no number: no series; the query must give"
                " one number",
            ),
        ]
        project.configure(f'[prometheus]\nurl = "{server.url}"\n')
        assert said(project, monkeypatch, "Prometheus") == [
            ("note", f"Prometheus: {server.url} is asked nothing")
        ]
    project.configure(settings)
    found = said(project, monkeypatch, "Prometheus")
    assert [status for status, _ in found] == ["note"] * 4
    project.configure()
    assert said(project, monkeypatch, "Prometheus") == []
