"""A web hook and a mailbox that fail in every way that a network knows, and are mended: what was
queued meanwhile waits on disk, says why, and arrives in the end."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rollback_tui.aftercare.outbox import Outbox, read_post
from rollback_tui.config_aftercare import Notify, Place
from rollback_tui.core.notices import Notice
from tests.aftercare.sinks import (
    LOOPBACK,
    MailSink,
    WebSink,
    mail_sink,
    refused_port,
    soon,
    web_sink,
)

STRANGER = Path(__file__).parents[1] / "run" / "self_signed.pem"
"""A certificate that is not of this machine."""

WHY = {
    "refused": "the connection was refused",
    "slow": "no answer within 3 s",
    "500": "HTTP 500 Internal Server Error",
    "451": "SMTP 451: 4.3.0 try again later",
    "wrong TLS": "TLS: the certificate is not accepted: ",
}
FAULTS = {
    "web": ("refused", "slow", "500", "wrong TLS"),
    "mail": ("refused", "slow", "451", "wrong TLS"),
}


def failing(kind: str, fault: str, opened: ExitStack) -> str:
    """Return the URL of a place that is wrong in this way."""
    if fault == "refused":
        port = refused_port()
        return f"json://127.0.0.1:{port}" if kind == "web" else MailSink.at(port)
    tls = STRANGER if fault == "wrong TLS" else None
    if kind == "web":
        script = {"slow": "hang", "500": "500"}.get(fault)
        return opened.enter_context(web_sink(*[script] * 99 if script else (), tls=tls)).url()
    script = {"slow": "hang", "451": "451 4.3.0 try again later"}.get(fault)
    return opened.enter_context(mail_sink(*[script] * 99 if script else (), tls=tls)).url()


def test_however_a_place_fails_nothing_is_lost_and_it_is_told_when_it_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(LOOPBACK))
    names = {f"{kind}, {fault}": (kind, fault) for kind in FAULTS for fault in FAULTS[kind]}
    told = Notice(
        id="one",
        occasion="alert",
        level="critical",
        at=datetime.now(UTC),
        title="Alert",
        body="what somebody must know",
        places=tuple(names),
    )

    def outbox(urls: dict[str, str]) -> Outbox:
        places = tuple(Place(name=name, url=url) for name, url in urls.items())
        return Outbox(tmp_path, Notify(to=places, retry_seconds=0.5, timeout_seconds=3))

    with ExitStack() as opened:
        bad = outbox({name: failing(*what, opened) for name, what in names.items()})
        bad.add([told])
        stop = threading.Event()
        working = threading.Thread(target=bad.work, args=(stop,))
        working.start()
        try:
            soon(lambda: {one.place for one in read_post(tmp_path).attempts} == set(names))
        finally:
            stop.set()
            working.join()
    first = {one.place: one for one in reversed(read_post(tmp_path).attempts)}
    for name, (_, fault) in names.items():
        assert not first[name].ok
        assert first[name].why.startswith(WHY[fault]), (name, first[name].why)
    assert [place for _, place in read_post(tmp_path).pending] == list(names)

    with ExitStack() as opened:
        sinks: dict[str, WebSink | MailSink] = {}
        for name, (kind, fault) in names.items():
            tls = LOOPBACK if fault == "wrong TLS" else None
            made = web_sink(tls=tls) if kind == "web" else mail_sink(tls=tls)
            sinks[name] = opened.enter_context(made)
        mended = outbox({name: sink.url() for name, sink in sinks.items()})
        mended.work(threading.Event(), until=datetime.now(UTC) + timedelta(hours=1))
        assert read_post(tmp_path).pending == ()
        assert {name: len(sink.arrived) for name, sink in sinks.items()} == dict.fromkeys(names, 1)
