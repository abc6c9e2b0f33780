"""Looks, characters and keys: what is chosen for which terminal, and what is refused."""

from __future__ import annotations

import importlib
import pkgutil
import re
import stat
from pathlib import Path

import msgspec
import pytest
from rich.color import ColorSystem
from textual.binding import Binding
from textual.color import Color
from textual.dom import DOMNode
from textual.theme import Theme

import rollback_tui.ui
from rollback_tui.config import load_screen, parse
from rollback_tui.config_screen import Screen
from rollback_tui.core.claim import Controls
from rollback_tui.core.errors import ConfigurationError
from rollback_tui.ui import glyphs, keys
from rollback_tui.ui.app import RollbackApp
from rollback_tui.ui.looks import Looks, depth, looks
from rollback_tui.ui.theme import cell, line
from rollback_tui.ui.themes import THEMES
from rollback_tui.ui.walk import Underway, Walk, hands_off, may_not_rehearse, not_ready
from tests.ui.fake import World, plan
from tests.ui.steering import Script, Terminal, drive

RGB = [theme for theme in THEMES if not theme.ansi]
TONES = (
    *("foreground", "text-muted", "text-success", "text-warning", "text-error"),
    *("text-accent", "text-primary"),
)
GROUNDS = ("background", "surface", "panel", "block-cursor-blurred-background", "primary-muted")
"""Screens, questions, the header and the keys, a resting row, a field."""


@pytest.fixture(autouse=True)
def _as_before() -> object:
    """Leave the process as it was: it has one terminal."""
    yield
    glyphs.choose("unicode")
    keys.use({})


def _drive(script: Script, here: Looks) -> None:
    world = World()
    drive(world, script, size=(120, 40), app=RollbackApp(world, looks=here))


# --- contrast -----------------------------------------------------------------------------------


def _light(colour: tuple[int, int, int]) -> float:
    """Relative luminance (WCAG 2.2)."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (one / 255 for one in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    light, dark = sorted((_light(one), _light(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _shown(theme: Theme, name: str, *, few: bool) -> tuple[int, int, int]:
    colours = {**theme.to_color_system().generate(), **theme.variables}
    found = Color.parse(colours[name])
    if few:
        # As a terminal of 256 colours is sent it.
        triplet = found.rich_color.downgrade(ColorSystem.EIGHT_BIT).get_truecolor()
        return triplet.red, triplet.green, triplet.blue
    return found.rgb


@pytest.mark.parametrize("few", [False, True], ids=["truecolor", "256"])
@pytest.mark.parametrize("theme", RGB, ids=lambda theme: theme.name)
def test_every_tone_can_be_read_on_every_background(theme: Theme, few: bool) -> None:
    least = 7 if "contrast" in theme.name and not few else 4.5
    pairs = [(tone, ground) for ground in GROUNDS for tone in TONES]
    # Rows under the cursor lose their tones; buttons with the focus are turned over.
    pairs += [("block-cursor-foreground", "block-cursor-background")]
    pairs += [("background", "primary"), ("background", "error")]
    poor = {
        pair: round(found, 2)
        for pair in pairs
        if (found := _contrast(*(_shown(theme, name, few=few) for name in pair))) < least
    }
    assert not poor


def _unreadable(t: Terminal, least: float) -> dict[str, float]:
    """Return the texts on the screen, as they are drawn, with less contrast than ``least``."""
    poor: dict[str, float] = {}
    for strip in t.app.screen._compositor.render_strips():
        for line_filter in t.app.get_line_filters():
            strip = strip.apply_filter(line_filter, Color(0, 0, 0))
        for segment in strip:
            if segment.control or not re.search(r"\w", segment.text):
                continue
            style = segment.style
            assert style is not None and style.color is not None and style.bgcolor is not None
            ink, ground = style.color.get_truecolor(), style.bgcolor.get_truecolor()
            if (found := _contrast(tuple(ink), tuple(ground))) < least:
                poor[segment.text.strip()] = round(found, 2)
    return poor


def test_every_text_that_is_drawn_can_be_read_in_every_theme() -> None:
    world = World()
    world.sessions = tuple(one for one in world.sessions if not one.writing)
    world.the_checks = tuple(one for one in world.the_checks if one.status in ("pass", "warn"))

    async def every_theme(t: Terminal) -> None:
        for _ in THEMES:
            await t.press("ctrl+t")
            t.app.clear_notifications()
            await t.pilot.pause()
            if t.app.current_theme.ansi:
                continue
            contrast = "contrast" in t.app.theme
            assert not _unreadable(t, 7 if contrast else 4.5), t.app.theme

    async def script(t: Terminal) -> None:
        await t.arm()
        await t.press("2", "3", "space", "space")
        await every_theme(t)
        await t.press(*["space"] * 3, "m", "4")
        await t.focus("#field-reason")
        await t.press("w")
        # In a field ctrl+t does the same: it is no text.
        await every_theme(t)

    drive(world, script, size=(120, 40), app=RollbackApp(world, looks=Looks()))


# --- characters ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({}, "ascii"),
        ({"LANG": "C"}, "ascii"),
        ({"LANG": "de_DE.ISO-8859-1"}, "ascii"),
        ({"LANG": "de_DE.UTF-8"}, "unicode"),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, "unicode"),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "POSIX"}, "ascii"),
        ({"LANG": "en_US.utf8", "LC_ALL": ""}, "unicode"),
        ({"LANG": "de_DE.UTF-8", "TERM": "linux"}, "console"),
    ],
)
def test_the_locale_says_which_characters(environment: dict[str, str], shown: str) -> None:
    assert glyphs.recognised(environment, coerced=False) == shown


def test_what_python_put_into_the_locale_says_nothing() -> None:
    assert glyphs.recognised({"LC_CTYPE": "C.UTF-8"}, coerced=True) == "ascii"


def test_our_glyphs_have_forms_and_foreign_letters_escapes() -> None:
    glyphs.choose("ascii")
    assert line(("✓ a → b … ", "good"), "café").plain == r"+ a -> b .. caf\u00e9"
    assert cell("日本 ␛ \x1b 😀").plain == r"\u65e5\u672c \x1b \x1b \U0001f600"
    # In a name our own glyphs are letters: no two names look the same.
    assert glyphs.escaped("a→b") == r"a\u2192b"
    drawn = "╭─┐ │…é ━ █→"
    assert glyphs.one_cell(drawn) == "+-+ |~? = #>" and len(glyphs.one_cell(drawn)) == len(drawn)
    glyphs.choose("console")
    assert glyphs.plain("╭─╮ ✓ é") == r"┌─┐ + \u00e9"


# --- colours ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "colours"),
    [
        ({"TERM": "xterm-256color"}, "256"),
        ({"TERM": "tmux-256color", "COLORTERM": "truecolor"}, "truecolor"),
        ({"TERM": "xterm"}, "16"),
        ({"TERM": "linux", "COLORTERM": "truecolor"}, "16"),
        ({"TERM": "screen"}, "16"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "none"),
        ({}, "16"),
    ],
)
def test_a_terminal_says_how_many_colours_it_has(environment: dict[str, str], colours: str) -> None:
    assert depth(environment) == colours
    few = colours in ("none", "16")
    assert looks(Screen(theme="light"), environment).theme == ("terminal" if few else "light")


def test_the_choice_is_kept_and_comes_back(tmp_path: Path) -> None:
    here = {"TERM": "xterm-256color", "HOME": str(tmp_path), "LANG": "C.UTF-8"}

    async def script(t: Terminal) -> None:
        await t.until("PRODUCTION")
        for name in ("light", "contrast"):
            await t.press("ctrl+t")
            await t.until(f"Colours: {name}")
            assert t.app.current_theme.name == f"rollback-{name}"
            assert "PRODUCTION" in t.text

    _drive(script, looks(Screen(), here))
    assert looks(Screen(), here).theme == "contrast"
    [kept] = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert kept.relative_to(tmp_path) == Path(".local/state/rollback-tui/theme")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    # Whoever changes the configuration means it.
    assert looks(Screen(theme="light"), here).theme == "light"
    kept.write_bytes(b"\xff")
    assert looks(Screen(), here).theme == "dark"


def test_a_home_that_cannot_be_written_to_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "rollback-tui").write_text("a file where the directory would be")
    here = looks(Screen(), {"TERM": "xterm-256color", "XDG_STATE_HOME": str(tmp_path)})
    assert here.next_theme().theme == "light"


def test_a_terminal_of_sixteen_colours_keeps_its_own() -> None:
    async def script(t: Terminal) -> None:
        await t.press("ctrl+t")
        await t.until("No other colours: this terminal has only 16 colours")
        assert t.app.current_theme.ansi

    _drive(script, Looks(theme="terminal", depth="16"))


# --- keys ---------------------------------------------------------------------------------------


def _with_bindings() -> set[type]:
    """Return every class of the screens that declares bindings."""
    found: set[type] = set()
    for module in pkgutil.walk_packages(rollback_tui.ui.__path__, "rollback_tui.ui."):
        for one in vars(importlib.import_module(module.name)).values():
            ours = isinstance(one, type) and one.__module__ == module.name
            if ours and issubclass(one, DOMNode) and vars(one).get("BINDINGS"):
                found.add(one)
    return found


def test_every_class_with_keys_is_known() -> None:
    assert _with_bindings() == {keys.class_of(place) for place in keys.PLACES}


@pytest.mark.parametrize("place", keys.PLACES, ids=lambda place: place.cls)
def test_every_key_has_an_id_says_what_it_does_and_arrives(place: keys.Place) -> None:
    assert keys.class_of(place).__dict__["BINDINGS"]
    for binding in vars(keys.class_of(place))["BINDINGS"]:
        assert isinstance(binding, Binding)
        assert binding.id and binding.id.split(".")[0] in place.prefixes, binding
        assert binding.tooltip, f"{binding.id} does not say what it does"
        names = keys.names(binding.id)
        assert names == [one.strip() for one in binding.key.split(",")]
        assert not set(names) & set(keys.SWALLOWED), f"{binding.id} may not arrive"
        assert not all(re.match(r"alt\+|f\d", name) for name in names)


@pytest.mark.parametrize("place", keys.PLACES, ids=lambda place: place.cls)
def test_no_key_has_two_meanings_in_one_place(place: keys.Place) -> None:
    taken: dict[str, str] = {}
    for binding in keys.together(place):
        for name in binding.key.split(","):
            assert taken.setdefault(name, binding.id or "") == binding.id, name


def test_every_key_that_a_text_asks_for_is_there() -> None:
    asked = set()
    for path in Path(rollback_tui.ui.__path__[0]).rglob("*.py"):
        asked |= set(
            re.findall(r"\bkey\([\"']([a-z0-9_.]+)[\"']\)", path.read_text(encoding="utf-8"))
        )
    assert asked, "no text asks for a key"
    for one in asked:
        assert keys.key(one)


@pytest.mark.parametrize(
    ("wanted", "said", "remedy"),
    [
        ({"state.srot": "x"}, "there is no action state.srot", "Did you mean state.sort?"),
        ({"state.sort": "p"}, "p would be state.sort and state.pause", "Give one of them another"),
        ({"state.sort": "n"}, "n would be state.sort and step.next", "Give one of them another"),
        ({"state.sort": "ctrl+t"}, "would be state.sort and app.theme", "Give one of them another"),
        ({"state.sort": "enter"}, "state.sort cannot be on enter", "Choose another key"),
        ({"state.sort": "3"}, "state.sort cannot be on 3", "Choose another key"),
        ({"state.sort": "hello"}, "'hello' is not a key", "One character"),
        ({"state.sort": ""}, "'' is not a key", "One character"),
        ({"state.sort": "<any>"}, "'<any>' is not a key", "One character"),
        # "payments" could not be typed any more, and its y would leave the screens.
        ({"app.quit": "y"}, "app.quit cannot be on y", "Inside a field"),
        ({"app.palette": "f5,space"}, "app.palette cannot be on space", "Inside a field"),
        ({"state.terminate": "j"}, "state.terminate cannot be on j", "a capital letter"),
        ({"state.cancel_query": "space"}, "cannot be on space", "a capital letter"),
        ({"dialog.decline": "x"}, "dialog.decline keeps its key (esc)", "Take it out"),
    ],
)
def test_keys_that_cannot_be_are_refused(wanted: dict[str, str], said: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        looks(Screen(keys=wanted), {})
    assert said in raised.value.summary
    assert remedy in raised.value.remedy


def test_keys_may_change_places_and_doubts_are_said() -> None:
    swapped = keys.checked({"state.sort": "p", "state.pause": "s,ctrl+a"})
    assert swapped == {"state.sort": "p", "state.pause": "s,ctrl+a"}
    [doubt] = keys.doubts(swapped)
    assert "state.pause is on ctrl+a" in doubt and "screen" in doubt


def test_the_operators_own_keys_work_and_are_named() -> None:
    async def script(t: Terminal) -> None:
        shown = await t.until("o sort", "s pause")
        assert "s sort" not in shown
        await t.press("s")
        await t.until("PAUSED")
        await t.press("o", "question_mark")
        await t.until("Another order")
        assert re.search(r"\bo +Another order", t.text)
        assert keys.key("state.sort") == "o"

    mine = keys.checked({"state.sort": "o", "state.pause": "s"})
    _drive(script, Looks(keymap=mine))
    assert keys.key("state.sort") == "o"


def test_what_stands_in_the_way_names_the_operators_own_keys() -> None:
    keys.use(keys.checked({"step.arm": "f9", "preview.stop": "f8", "run.take_controls": "f7"}))
    try:
        underway = Underway(source="schema", since=0.0, words="", stopping=False)
        there = Walk(plan=plan(), checks=())
        assert may_not_rehearse(there).endswith("f9 arms this terminal")
        going = msgspec.structs.replace(there, rehearsing=underway)
        assert not_ready(going) == "a rehearsal goes on (f8 on step 3 stops it)"
        free = Controls(mine=False)
        assert hands_off(Walk(controls=free)).endswith("f7 takes them")
    finally:
        keys.use({})


# --- the person's own file ----------------------------------------------------------------------


def test_the_persons_file_wins_key_by_key(tmp_path: Path) -> None:
    project = parse(
        """
        [screen]
        theme = "light"
        interval = 5
        keys = { "state.sort" = "o", "state.pause" = "z" }
        """
    ).screen
    mine = tmp_path / "screen.toml"
    mine.write_text('theme = "auto"\nkeys = { "state.sort" = "w" }\n', encoding="utf-8")
    both = load_screen(project, mine)
    assert (both.theme, both.interval) == ("auto", 5)
    assert both.keys == {"state.sort": "w", "state.pause": "z"}
    assert load_screen(project, tmp_path / "none.toml") == project
    mine.write_text("\ncolour = true\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"screen\.toml, line 2: .*unknown key 'colour'"):
        load_screen(project, mine)


# --- a window that is too small -----------------------------------------------------------------


def test_a_window_that_is_too_small_says_so_and_takes_no_keys(tmp_path: Path) -> None:
    world = World()

    async def script(t: Terminal) -> None:
        await t.until("1 State ✓")
        await t.pilot.resize_terminal(40, 10)
        shown = await t.until("needs 60×20, has 40×10", "q leaves")
        assert "shop" not in shown
        await t.press("a", "2", "question_mark")
        await t.pilot.resize_terminal(80, 24)
        shown = await t.until("READ-ONLY", "sessions")
        assert "Arm this" not in shown and "Help" not in shown and "needs 60" not in shown
        await t.pilot.resize_terminal(59, 24)
        await t.until("needs 60×20, has 59×24")
        await t.press("q")

    assert drive(world, script).return_value == 0


# --- little room, and much ----------------------------------------------------------------------


def test_60_by_20_reaches_everything_and_200_by_60_uses_its_room() -> None:
    world = World()

    async def script(t: Terminal) -> None:
        await t.until("sessions 4")
        await t.arm()
        header = t.text.splitlines()[0]
        assert all(word in header for word in ("shop", "PRODUCTION", "ARMED", "no run"))
        await t.press("3")
        await t.until("DROP VIEW")
        await t.press("r")
        await t.until("Rehearse on a scratch database?")
        await t.press("tab", "tab")
        await t.until("esc cancels", "clone")
        await t.press("escape", "down")
        # Three panes: the list, the statement alone, and what it does without the statement.
        await t.pilot.resize_terminal(200, 60)
        shown = await t.until("DROP TABLE public.verification_tokens;", "deletes_data  Removes")
        assert shown.count("DROP TABLE public.verification_tokens;") == 1
        await t.press("1")
        shown = await t.until("sessions 4")
        [row] = [row for row in shown.splitlines() if "─ tables " in row]
        assert "9/100 connections" in row, "the tables stand beside all of it"

    drive(world, script, size=(60, 20))
