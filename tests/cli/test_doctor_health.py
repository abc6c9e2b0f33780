"""What ``doctor`` says of the health URLs: which can be asked, and what is missing."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Project, here

SETTINGS = """
[health]
url = "http://user:s3cret@127.0.0.1:1/health"

[[health.also]]
label = "checkout"
url = "http://127.0.0.1:1/checkout"
headers_env = { Authorization = "CHECKOUT_TOKEN" }
"""


def test_doctor_says_which_health_url_can_be_asked(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.configure(SETTINGS)

    def said() -> list[tuple[str, str]]:
        output = here(project, monkeypatch, "doctor", "--json").output
        assert "s3cret" not in output
        return [
            (one["status"], one["what"])
            for one in json.loads(output)
            if "application health" in one["what"]
        ]

    monkeypatch.delenv("CHECKOUT_TOKEN", raising=False)
    assert said() == [
        ("ok", "application health: http://127.0.0.1:1/health"),
        (
            "note",
            "application health: checkout: CHECKOUT_TOKEN is not in the environment,"
            " it will stay unknown",
        ),
    ]
    monkeypatch.setenv("CHECKOUT_TOKEN", "t0ken")
    assert said()[1] == ("ok", "application health: checkout: http://127.0.0.1:1/checkout")
