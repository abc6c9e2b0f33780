"""rollback.toml: what is refused, and that the line is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollback_tui.config import Settings, load, parse
from rollback_tui.core.errors import ConfigurationError

GOOD = """\
environment = "production"

[migrations]
directory = "db/migrations"

[run]
lock_attempts = 3

[maintenance.on]
command = ["touch", "/tmp/down"]

[[caches.clear]]
command = ["redis-cli", "flushdb"]
"""


def test_an_empty_file_is_the_defaults() -> None:
    assert parse("") == Settings()


def test_what_is_given_is_taken() -> None:
    settings = parse(GOOD)
    assert settings.environment == "production"
    assert settings.migrations.directory == "db/migrations"
    assert settings.run.lock_attempts == 3
    assert settings.run.lock_timeout_seconds == 3
    assert settings.maintenance.on.command == ("touch", "/tmp/down")
    assert settings.maintenance.on.configured
    assert not settings.maintenance.off.configured
    assert settings.caches.clear[0].command == ("redis-cli", "flushdb")


@pytest.mark.parametrize(
    ("addition", "line", "word"),
    [
        ("[health]\nurll = 'x'", 15, "urll"),
        ("[health]\n\n# why\nurl = 5", 17, "url"),
        ("[verify]\nrow_count_tolerance = 1.5", 15, "row_count_tolerance"),
        ("[healthy]\nurl = 'x'", 14, "healthy"),
        ("[door]\nmode = 'ajar'", 15, "mode"),
        ("[checkpoint]\njobs = 0", 15, "jobs"),
    ],
)
def test_a_wrong_key_is_refused_with_its_line(addition: str, line: int, word: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(GOOD + addition + "\n", "my.toml")
    assert f"my.toml, line {line}:" in caught.value.summary
    assert word in caught.value.summary
    assert caught.value.remedy


def test_an_unknown_key_at_the_top() -> None:
    with pytest.raises(ConfigurationError, match=r"line 1: .*unknown key 'colour'"):
        parse("colour = 1\n" + GOOD)


def test_broken_toml_names_the_line() -> None:
    with pytest.raises(ConfigurationError, match=r"line 2"):
        parse('a = "x"\nb = = 1\n')


def test_a_hook_is_one_thing() -> None:
    with pytest.raises(ConfigurationError, match="not several"):
        parse('[notify.started]\nurl = "http://x"\nflag_file = "/tmp/x"\n')


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None) == Settings()
    (tmp_path / "rollback.toml").write_text(GOOD)
    assert load(None).environment == "production"
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(tmp_path / "missing.toml")
    (tmp_path / "latin.toml").write_bytes(b'environment = "\xe9"\n')
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        load(tmp_path / "latin.toml")
