"""The incident report as Markdown and HTML: whole, readable, and nobody's text as markup."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest
from markdown_it import MarkdownIt

from rollback_tui.core import events as ev
from rollback_tui.core.incident import Incident, incident_html, incident_json, incident_markdown
from rollback_tui.core.incident.page import page
from rollback_tui.core.incident.style import STYLE
from rollback_tui.core.incident.values import Probes
from rollback_tui.core.text import inert_json
from tests.core.example import check, failed_at_two, rolled_back, verification
from tests.core.incident_example import incident, told, watched, without_standby
from tests.core.test_follow_ups import RUNS, tick

EVIL = (
    "</td></code></style></script><script>alert(1)</script><img src=http://evil/x onerror=a()>"
    '" \' onload="a()" [x](http://evil) ![y](http://evil/y) **b** [/red] `c` | ~~d~~ &lt; <!-- '
    "\x1b[2J\u202e\u200b\u0085\r\n\n# Big\n```\n- [x] done\n\n    code\n"
)
"""Markup of every kind, what a terminal obeys, and lines that begin something."""

SECTIONS = [
    "Summary",
    "Impact",
    "Timeline",
    "Resolution, as executed",
    "Verification evidence",
    "Overrides and accepted differences",
    "Who did it",
    "Monitoring afterwards",
    "Who was told",
    "Follow-ups",
    "Where everything is",
    "How to read this",
]


def whole() -> Incident:
    """A report with something of everything."""
    events = rolled_back()
    return incident(
        events[0],
        ev.CheckJudged(check=check(title="No writers")),
        ev.CheckOverridden(name="no_writers", reason="the batch job may end"),
        ev.PhaseStarted(phase="execute"),
        ev.SqlSent(connection="target", sql="SELECT 1"),
        ev.PhaseFinished(phase="execute", status="failed", seconds=2.5, summary="x"),
        *events[1:-1],
        ev.VerificationJudged(verification=verification("health", "fail", evidence=("HTTP 500",))),
        ev.HookRan(name="caches clear 1", ok=False, seconds=1.0, summary="exit 1"),
        ev.Alarm(summary="something is left", remedy="look"),
        ev.Question(name="gate", text="Commit?", choices=("a", "b"), default="b", seconds=9),
        ev.Answered(name="gate", choice="a", by="operator", who="ada, uid 7"),
        events[-1],
        monitoring=watched(),
        post=told(),
        ticks=(tick("root_cause", 600, note="an index"),),
        problems=("notifications.jsonl holds a line that is not ours",),
    )


def hostile(value: Any, said: set[str]) -> Any:
    """The same value with every text that is not one of a few words replaced; ``said``: those."""
    if isinstance(value, msgspec.Struct):
        changes = {
            field.name: hostile(getattr(value, field.name), said)
            for field in msgspec.structs.fields(value)
            if not _of_few_words(field.type)
        }
        return msgspec.structs.replace(value, **changes)
    if isinstance(value, tuple):
        return tuple(hostile(one, said) for one in value)
    if isinstance(value, str) and value:
        said.add(value)
        return f"{EVIL}{value}"
    return value


def _of_few_words(kind: Any) -> bool:
    """Whether a field holds one word of a Literal, or none."""
    return "Literal[" in str(kind) and "rollback_tui.core.incident" not in str(kind)


# --- HTML -----------------------------------------------------------------------------------------

VOID = {"meta", "br"}
_WORDS = re.compile(r"[\w-]+")
TAGS = frozenset(
    _WORDS.findall(
        "html head meta title style body header main footer nav section h1 h2 h3 p ul li dl dt dd"
        " div table caption thead tbody tr th td span strong b small br a code pre figure"
        " figcaption svg rect line path text"
    )
)
ATTRIBUTES = frozenset(
    _WORDS.findall(
        "lang charset http-equiv content name id class href role scope data-of tabindex aria-label"
        " aria-labelledby x y x1 x2 y1 y2 d rx width height viewbox preserveaspectratio overflow"
        " text-anchor"
    )
)


class Page(HTMLParser):
    """What a browser would make of it, strictly: every element is one of ours, and is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.headings: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, tag
        assert {name for name, _ in attrs} <= ATTRIBUTES, attrs
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        if tag in ("h1", "h2", "h3"):
            self.headings.append((tag, ""))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data
        if self.open and self.open[-1] in ("h1", "h2", "h3"):
            self.headings[-1] = (self.headings[-1][0], self.headings[-1][1] + data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.mark.parametrize("events", RUNS.values(), ids=RUNS.keys())
def test_every_outcome_is_a_whole_page(events: tuple[ev.AnyEvent, ...]) -> None:
    page = Page(incident_html(incident(*events)))
    assert [text for tag, text in page.headings if tag == "h1"] == [incident(*events).title]
    named = [text for tag, text in page.headings if tag == "h2"]
    assert {"Summary", "Impact", "Follow-ups", "How to read this"} <= set(named)
    markdown = incident_markdown(incident(*events))
    assert re.findall(r"^## (.*)$", markdown, re.MULTILINE) == named


def test_the_page_has_all_parts_in_order_and_leads_to_them() -> None:
    page = Page(incident_html(whole()))
    named = [text for tag, text in page.headings if tag == "h2"]
    assert named == [SECTIONS[0], "What needs attention now", *SECTIONS[1:]]
    ids = [attributes["id"] for _, attributes in page.found if "id" in attributes]
    assert len(set(ids)) == len(ids)
    links = [attributes["href"] for attributes in page.all("a")]
    assert [link.removeprefix("#") for link in links] == [s["id"] for s in page.all("section")]
    assert all(s["aria-labelledby"] in ids for s in page.all("section"))


def test_it_loads_nothing_and_can_be_read_by_everybody() -> None:
    text = incident_html(whole())
    page = Page(text)
    assert "default-src 'none'" in text
    # Whatever would fetch something from anywhere.
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    assert not any("://" in value for _, found in page.found for value in found.values())
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("table")) == len(page.all("caption")) == len(page.all("thead"))
    assert all(head["scope"] == "col" for head in page.all("th"))
    pictures = [svg for svg in page.all("svg") if svg.get("role") == "img"]
    assert len(pictures) == 3  # the run, and two metrics that were measured more than once
    assert all(svg["aria-label"] for svg in pictures)
    boxes = [span["aria-label"] for span in page.all("span") if span.get("role") == "img"]
    assert boxes.count("Done") == 1
    assert len(boxes) == len(whole().follow_ups)


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_words_stand_out_from_what_is_behind_them(scheme: str) -> None:
    blocks = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    colours = dict(
        re.findall(r"--([\w-]+): (#\w{6})", blocks[["light", "dark", "print"].index(scheme)])
    )
    inks = ("ink", "soft", "good", "attention", "bad", "curve")
    pairs = [(ink, ground) for ink in inks for ground in ("paper", "field")]
    pairs += [("ink", ground) for ground in ("good-field", "attention-field", "bad-field", "door")]
    pairs += [(tone, f"{tone}-field") for tone in ("good", "attention", "bad")]
    pairs += [("paper", "good")]
    low = [pair for pair in pairs if contrast(*(colours[name] for name in pair)) < 4.5]
    assert low == []


def contrast(one: str, other: str) -> float:
    """By WCAG 2."""

    def light(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    bright, dark = sorted((light(one), light(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_a_gap_is_a_gap_in_the_picture_and_the_threshold_is_drawn() -> None:
    text = incident_html(whole())
    figure = re.search(r"<figure>\n<figcaption><b>error_rate.*?</figure>", text, re.DOTALL)
    assert figure is not None
    curves = re.findall(r'class="curve" d="([^"]+)"', figure.group())
    assert len(curves) == 2, "before the gap, and after it"
    assert curves[1].endswith("h0.1"), "one measurement is a dot"
    for kind in ("gap", "threshold", "alert"):
        assert figure.group().count(f'class="{kind}"') == 1
    door = re.search(r'<rect class="door" x="([\d.]+)%" y="0" width="([\d.]+)%"', text)
    assert door is not None
    report = whole()
    share = (report.impact.downtime_seconds or 0) / report.seconds
    assert float(door.group(2)) == pytest.approx(62 * share, abs=0.1)


def test_an_open_door_is_drawn_to_the_end_and_said() -> None:
    events = (*rolled_back()[:10], ev.PhaseStarted(phase="execute"))
    text = incident_html(incident(*events))
    assert "The door is still closed" in text
    ended = ev.PhaseFinished(phase="execute", status="failed", seconds=1.0)
    assert "4.0 s to now" in incident_html(incident(*events, ended))


# --- hostile texts --------------------------------------------------------------------------------


def test_no_text_is_markup_in_html() -> None:
    said: set[str] = set()
    evil = hostile(whole(), said)
    assert len(said) > 100
    text = incident_html(evil)
    page = Page(text)
    own = Page(incident_html(whole()))
    assert [tag for tag, _ in page.headings] == [tag for tag, _ in own.headings]
    assert len(page.all("section")) == len(own.all("section"))
    assert all(a["href"].startswith("#") for a in page.all("a"))
    assert "alert(1)" in page.text
    assert text.replace("\n", "").isprintable()


def test_no_text_is_markup_in_markdown() -> None:
    evil = hostile(whole(), set())
    text = incident_markdown(evil)
    assert text.replace("\n", "").isprintable()
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    flat = [*tokens, *(child for token in tokens for child in token.children or ())]
    kinds = {token.type for token in flat}
    assert not kinds & {"html_block", "html_inline", "link_open", "image", "code_block"}
    assert "ordered_list_open" not in kinds
    own = MarkdownIt("commonmark").enable("table").parse(incident_markdown(whole()))
    for kind in ("heading_open", "table_open", "tr_open", "td_open", "fence", "list_item_open"):
        assert sum(t.type == kind for t in tokens) == sum(t.type == kind for t in own), kind
    lines = [token.content for token in tokens if token.type == "inline"]
    assert sum(line.startswith("[x] ") for line in lines) == 1
    assert sum(line.startswith("[ ] ") for line in lines) == len(evil.follow_ups) - 1


@pytest.mark.parametrize("text", ["1. one", "- two", "+ three", "= four", "12) five", "> six"])
def test_a_text_at_the_beginning_of_a_line_begins_nothing(text: str) -> None:
    report = msgspec.structs.replace(
        whole(), cause=msgspec.structs.replace(whole().cause, reason=text), title=text
    )
    items = tuple(msgspec.structs.replace(item, text=text) for item in report.follow_ups)
    report = msgspec.structs.replace(report, follow_ups=items, problems=(text,))
    tokens = MarkdownIt("commonmark").enable("table").parse(incident_markdown(report))
    kinds = {token.type for token in tokens}
    assert not kinds & {"ordered_list_open", "blockquote_open"}
    depth = max(token.level for token in tokens if token.type == "bullet_list_open")
    assert depth == 0


def test_no_text_lies_in_json() -> None:
    encoded = inert_json(msgspec.json.encode(incident_json(hostile(whole(), set()))))
    assert encoded.decode().isprintable()


# --- words ----------------------------------------------------------------------------------------


def test_it_reads_well() -> None:
    text = incident_markdown(whole())
    assert text.startswith(
        "# Rollback of migration 3 in shop\n\n**Rolled back; 1 verification failed**\n"
    )
    lead = text.partition("\n## ")[0]
    assert "Applications were kept out for" in lead
    assert "Failed requests: 7; affected users: not measured." in lead
    assert "Lost for good: 1,204 values, 7 rows." in lead
    assert "raised 1 alert; none stands now." in lead
    assert "| Trigger | not given; how it was started is not known |" in text
    assert "- [x] Find the root cause of the rollback, and write it down (`root_cause`)" in text
    assert "— done 2024-01-15 03:10:00 UTC by ada: an index" in text
    assert "| Git identity | none configured |" in text
    assert "Not monitored: replication\\_lag: no answer" in text
    assert "Could not be read for this report: notifications.jsonl" in text


def test_where_there_is_nothing_to_be_measured_nothing_is_missing() -> None:
    report = incident(*rolled_back(), monitoring=without_standby(watched()))
    (lag,) = (m for m in report.monitoring.metrics if m.metric == "replication_lag")
    assert (lag.measured, lag.missing, lag.nothing) == (0, 0, True)
    text = incident_markdown(report)
    assert "Nothing to monitor: replication\\_lag: no standby" in text
    assert "Not monitored: replication" not in text


ROWS = {
    "Summary": (
        ("Type", "Rollback of a migration in production"),
        ("Reason", "signups fail"),
        ("Database", "shop on db1:5432 as deploy, PostgreSQL 18, primary"),
    ),
    "Impact": (
        (
            "Downtime",
            "17.0 s; closed by connection limit: applications could not enter, superusers could;"
            " measured by the run's own monotonic clock",
        ),
        ("Failed requests", "7 by Prometheus"),
        ("Affected users", "not measured by Prometheus: no query is configured"),
        ("Failed health probes", "2 of 9"),
        ("Sessions ended", "2"),
        (
            "Data lost for good",
            "1,204 values of public.users.verified_at; 7 rows of public.settings",
        ),
    ),
    "Overrides and accepted differences": (
        ("No writers", "check set aside", "the batch job may end"),
        ("No writers", "fail", "two are writing"),
    ),
    "Who did it": (
        ("User", "ana, uid 1000"),
        ("sudo by", "ada"),
        ("SSH connection", "10.0.0.7 50022 10.0.0.1 22"),
        ("Host", "jump1"),
        ("Git identity", "Ada <ada@example.org> (claimed: nobody checked it)"),
        (
            "2024-01-15 03:00:32 UTC",
            "whether to COMMIT: Commit?",
            "a",
            "ada, uid 7",
        ),
    ),
    "Monitoring afterwards": (
        ("State", "ended 2024-01-15 05:01:00 UTC: it was stopped by ada: all is well"),
        ("error_rate", "0 %", "20 % at 03:01:30", "0 %", "> 4 % (r1)", "1"),
    ),
}
"""Of each section, what must stand side by side in it: more than once it would be elsewhere too."""


def test_what_nobody_knows_is_no_figure_and_no_none() -> None:
    """A run that stopped in the middle, a recovery of which not all was counted, no run at all."""

    def read(name: str) -> tuple[str, dict[str, tuple[str, str]]]:
        report = incident(*RUNS[name])
        figures = {title: (value.text, more) for title, value, more in page(report).figures}
        return incident_markdown(report).partition("\n## ")[0], figures

    lead, figures = read("needs operator")
    assert "more is not known: the run went statement by statement and stopped" in lead
    assert figures["Data lost"] == ("at least 1,204 values", "nothing was archived")
    lead, figures = read("a recovery")
    assert "of 1 table nobody knows" in lead
    assert figures["Data lost"] == ("not all counted", "written since the checkpoint")
    lead, figures = read("nothing")
    assert "The journal of this run has no beginning; unfinished: " in lead
    assert figures["Downtime"][0] == "not measured"
    assert figures["Data lost"] == ("not known", "nobody counted it")
    text = incident_markdown(incident())
    assert text.count("| Downtime | not known: nothing of the run is known |") == 2


def test_each_fact_stands_in_its_own_place_with_its_name() -> None:
    report = whole()
    assert report.people.operator is not None
    operator = msgspec.structs.replace(
        report.people.operator,
        sudo_user="ada",
        ssh_connection="10.0.0.7 50022 10.0.0.1 22",
        git_identity="Ada <ada@example.org>",
    )
    report = msgspec.structs.replace(
        report,
        people=msgspec.structs.replace(report.people, operator=operator),
        impact=msgspec.structs.replace(report.impact, probes=Probes(failed=2, asked=9)),
    )
    bare = re.sub(r"\\([\\_<>])|\*\*", r"\1", incident_markdown(report))
    markdown = dict(part.split("\n", 1) for part in bare.split("\n## ")[1:])
    html = {
        re.sub(r".*<h2[^>]*>([^<]*)<.*", r"\1", part, flags=re.DOTALL): part
        for part in re.findall(r"<section .*?</section>", incident_html(report), re.DOTALL)
    }
    for section, rows in ROWS.items():
        cells = [
            re.sub(r"<[^>]*>", "", cell)
            for cell in re.findall(r"<(?:td|dt|dd)[ >].*?</(?:td|dt|dd)>", html[section])
        ]
        shown = "|".join(unescape(cell) for cell in cells)
        for row in rows:
            assert f"| {' | '.join(row)} |" in markdown[section], row
            assert f"|{'|'.join(row)}|" in f"|{shown}|", row


def test_what_is_claimed_is_called_so() -> None:
    report = whole()
    assert report.people.operator is not None
    operator = msgspec.structs.replace(report.people.operator, git_identity="Ada <ada@example.org>")
    people = msgspec.structs.replace(report.people, operator=operator)
    text = incident_html(msgspec.structs.replace(report, people=people))
    assert "Ada &lt;ada@example.org&gt; (claimed: nobody checked it)" in text


def test_what_is_too_much_is_left_out_and_said() -> None:
    report = whole()
    step = next(s for s in report.resolution if s.deeds)
    long = msgspec.structs.replace(step, deeds=step.deeds * 100)
    text = incident_markdown(msgspec.structs.replace(report, resolution=(long,)))
    assert f"… and {100 * len(step.deeds) - 60:,} more in the journal" in text
    assert len(text) < 40_000


def test_the_server_s_words_stand_in_a_block() -> None:
    text = incident_markdown(incident(*failed_at_two()))
    assert "### The server's own words\n\n```\nStatement 2, line 4: SQLSTATE 2BP01\n" in text
