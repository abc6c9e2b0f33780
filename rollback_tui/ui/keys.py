"""The keys: what each is called, which one it is now, and the operator's own.

Every binding has an id, ``state.sort``, and that is what the configuration names
(``[screen] keys``, and the person's own ``screen.toml``). A text that names a key asks ``key``,
so that it never says one that was changed.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import string
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from rollback_tui.core.errors import ConfigurationError
from rollback_tui.core.text import printable

if TYPE_CHECKING:
    from textual.binding import Binding

_UI = "rollback_tui.ui"


class Place(NamedTuple):
    """A class that has bindings."""

    name: str
    """For people: what the operator sees then."""
    module: str
    cls: str
    prefixes: tuple[str, ...]
    """What the ids of its own bindings begin with."""


PLACES = (
    Place("Everywhere", "app", "RollbackApp", ("app",)),
    Place("Every step", "screens.step", "StepScreen", ("step",)),
    Place("1 State", "screens.state", "StateScreen", ("state",)),
    Place("2 Safety", "screens.safety", "SafetyScreen", ("safety",)),
    Place("3 Preview", "screens.preview", "PreviewScreen", ("preview",)),
    Place("4 Run", "screens.run", "RunScreen", ("run",)),
    Place("5 Verify", "screens.verify", "VerifyScreen", ("verify",)),
    Place("6 Report", "screens.report", "ReportScreen", ("report",)),
    Place("Beside an unfinished run", "screens.beside", "BesideScreen", ("beside",)),
    Place("Recovery console", "screens.ladder", "RecoveryConsole", ("ladder",)),
    Place("Application logs", "screens.log_pane", "LogPane", ("logs",)),
    Place("Monitoring after a run", "screens.monitoring", "MonitoringPane", ("monitoring",)),
    Place("Follow-ups", "screens.follow_ups", "FollowUps", ("report",)),
    Place("By hand", "screens.by_hand", "ManualGuide", ("by_hand",)),
    Place("SQL log", "screens.sql_log", "SqlLog", ("sql",)),
    Place("Every question and pane", "widgets.pane", "Pane", ("pane",)),
    Place("A question", "widgets.dialogs", "Ask", ("dialog",)),
    Place("A question with a text", "widgets.dialogs", "AskText", ("dialog",)),
    Place("A rung of recovery", "widgets.take_rung", "TakeRung", ("dialog",)),
    Place("How to rehearse", "widgets.rehearse_dialog", "RehearseDialog", ("dialog",)),
    Place("A text to read", "widgets.dialogs", "Read", ("read",)),
    Place("A list", "widgets.row_list", "RowList", ("list",)),
    Place("A list whose rows can be taken", "widgets.live_table", "LiveTable", ("list",)),
    Place("A field", "widgets.dialogs", "QuietInput", ("field",)),
)
"""Every class with bindings of ours. A test looks for others."""

_MOVING = ("tab", "shift+tab", "up", "down", "left", "right", "home", "end", "pageup", "pagedown")
_EDITING = ("backspace", "delete", "ctrl+h", "ctrl+i", "ctrl+j", "ctrl+m", "ctrl+@")
FIXED = frozenset(("enter", "escape", "ctrl+c", "ctrl+z", *_MOVING, *_EDITING, *string.digits))
"""Keys with one meaning in every terminal, or on every screen: they stay what they are."""

SHIFTED = frozenset(("state.cancel_query", "state.terminate"))
"""What a key that is pressed by the way must not begin."""

SWALLOWED: dict[str, str] = {
    "ctrl+b": "tmux keeps it for itself: press it twice there",
    "ctrl+a": "screen keeps it for itself: press ctrl+a, then a there",
    "ctrl+s": "many terminals stop their output with it (stty -ixon frees it)",
}
"""Keys that may not arrive, and why. The screens use none of them."""

_NAMED = {
    "question_mark": "?",
    "slash": "/",
    "plus": "+",
    "minus": "-",
    "escape": "esc",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "delete": "del",
    "left": "←",
    "right": "→",
    "up": "↑",
    "down": "↓",
}

_keymap: dict[str, str] = {}


def binder(prefix: str) -> Callable[..., Binding]:
    """Return what makes the bindings of one place: ``bind(keys, action, description, tooltip)``.

    The id is the prefix and the action; ``name`` instead of the action where one action has
    several keys with several meanings.
    """
    from textual.binding import Binding

    def bind(
        keys: str, action: str, description: str, tooltip: str, *, name: str = "", show: bool = True
    ) -> Binding:
        binding_id = f"{prefix}.{name or action}"
        return Binding(keys, action, description, show=show, tooltip=tooltip, id=binding_id)

    return bind


def use(keymap: Mapping[str, str]) -> None:
    """Take the operator's own keys for this process; ``keymap`` was made by ``checked``."""
    _keymap.clear()
    _keymap.update(keymap)


def key(binding_id: str) -> str:
    """Return the key of a binding as it is now, as people write it: ``s``, ``?``, ``esc``.

    Of several the first. Raises KeyError for an id that no binding has.
    """
    keys = _keymap.get(binding_id) or _default_keys(binding_id)
    return shown(keys.split(",")[0])


def names(binding_id: str) -> list[str]:
    """Return Textual's names of all keys of a binding, as they are now."""
    return _names(_keymap.get(binding_id) or _default_keys(binding_id))


def shown(name: str) -> str:
    """Return a key as people write it: ``question_mark`` is ``?``."""
    name = name.strip()
    modifiers, _, last = name.rpartition("+")
    if name in _NAMED or len(name) == 1:
        return _NAMED.get(name, name)
    if modifiers:
        return f"{modifiers}+{shown(last)}"
    from textual.keys import format_key

    return name if name in ("enter", "space", "tab") else format_key(name)


@functools.cache
def _default_keys(binding_id: str) -> str:
    prefix = binding_id.partition(".")[0]
    for place in PLACES:
        if prefix in place.prefixes:
            for binding in own_bindings(place):
                if binding.id == binding_id:
                    return binding.key
    raise KeyError(binding_id)


def class_of(place: Place) -> type:
    """Return the class. Imports its module, which a screen that is not open may not have been."""
    found = getattr(importlib.import_module(f"{_UI}.{place.module}"), place.cls)
    if not isinstance(found, type):
        raise TypeError(f"{place.cls} is not a class")
    return found


def own_bindings(place: Place) -> Iterator[Binding]:
    """Yield the bindings that the class itself declares."""
    yield from _declared(class_of(place))


def _declared(cls: type) -> Iterator[Binding]:
    from textual.binding import Binding

    for one in vars(cls).get("BINDINGS", ()):
        if isinstance(one, Binding):
            yield one


def together(place: Place) -> Iterator[Binding]:
    """Yield every binding of ours that works while the place is up: its own, those of the classes
    that it is made of, and the application's. A list and a field have their own alone: what has
    the focus is asked before its screen."""
    from textual.screen import ModalScreen, Screen

    cls = class_of(place)
    # What opened a pane closes it: there the key no longer does what it does elsewhere.
    closing: set[str] = set()
    for one in cls.__mro__:
        for binding in _declared(one) if one.__module__.startswith(_UI) else ():
            left = [name for name in _names(binding.key) if name not in closing]
            if left:
                yield replace(binding, key=",".join(left))
            if binding.action == "close":
                closing |= set(_names(binding.key))
    if issubclass(cls, Screen):
        # Under a question the application's own keys rest, except those of the first order.
        rests = issubclass(cls, ModalScreen)
        yield from (b for b in own_bindings(PLACES[0]) if b.priority or not rests)


def checked(wanted: Mapping[str, str], where: str = "[screen] keys") -> dict[str, str]:
    """Return the keymap for Textual: ids and the names of keys, several with commas between.

    Raises ConfigurationError, with ``where`` it stands, for an id that no binding has, for what is
    no key, for a key that must stay what it is, and for two actions on one key of one screen.
    """
    if not wanted:
        # To look at all screens takes their import, which the first one does not need.
        return {}
    defaults = {b.id: b.key for place in PLACES for b in own_bindings(place) if b.id}
    keymap: dict[str, str] = {}
    for binding_id, keys in wanted.items():
        if binding_id not in defaults:
            near = difflib.get_close_matches(binding_id, defaults, n=1)
            meant = f"Did you mean {near[0]}? " if near else ""
            raise ConfigurationError(
                f"{where}: there is no action {printable(binding_id)}",
                f"{meant}docs/keys.md lists every action.",
            )
        if FIXED & set(_names(defaults[binding_id])):
            raise ConfigurationError(
                f"{where}: {binding_id} keeps its key ({shown(defaults[binding_id])})",
                "Take it out: enter, escape, tab, the arrows and the digits mean the same on every"
                " screen.",
            )
        found = [_key(one, binding_id, where) for one in _split(keys)]
        _refuse_careless(binding_id, found, where)
        keymap[binding_id] = ",".join(found)
    _refuse_clashes(keymap, where)
    return keymap


def _split(keys: str) -> list[str]:
    # A comma between keys, and a comma as a key.
    return [","] if keys.strip() == "," else [one.strip() for one in keys.split(",")]


def _names(keys: str) -> list[str]:
    return [one.strip() for one in keys.split(",")]


def _key(given: str, binding_id: str, where: str) -> str:
    """Return Textual's name of one key. Raises ConfigurationError."""
    from textual.keys import Keys, _character_to_key

    name = given
    if len(given) == 1 and given.isascii() and given.isprintable():
        name = "space" if given == " " else _character_to_key(given)
    elif given not in {one.value for one in Keys if one.value[:1] != "<"} | {"space"}:
        raise ConfigurationError(
            f"{where}: {binding_id} = {printable(given)!r} is not a key",
            'One character ("o", "?"), or a name: "space", "f5", "ctrl+o". docs/keys.md has more.',
        )
    if name in FIXED:
        raise ConfigurationError(
            f"{where}: {binding_id} cannot be on {given}",
            f"{given} means the same on every screen, or to every terminal. Choose another key.",
        )
    return name


def _refuse_careless(binding_id: str, found: list[str], where: str) -> None:
    """Refuse a character for what works inside fields too, where it would be typed; and a key
    that is pressed by the way for what ends somebody's work."""
    first = {b.id for b in own_bindings(PLACES[0]) if b.priority}
    for one in found:
        if binding_id in first and (len(shown(one)) == 1 or one == "space"):
            why = (
                "Inside a field it would act instead of being typed: take ctrl and a letter, or f5."
            )
        elif binding_id in SHIFTED and (one == "space" or shown(one) in string.ascii_lowercase):
            why = "It ends what somebody does: take a capital letter, ctrl and a letter, or f5."
        else:
            continue
        raise ConfigurationError(f"{where}: {binding_id} cannot be on {shown(one)}", why)


def _refuse_clashes(keymap: Mapping[str, str], where: str) -> None:
    for place in PLACES:
        taken: dict[str, str] = {}
        for binding in together(place):
            for one in _names(keymap.get(binding.id or "", binding.key)):
                other = taken.setdefault(one, binding.id or "")
                if other != binding.id:
                    raise ConfigurationError(
                        f"{where}: {shown(one)} would be {other} and {binding.id} ({place.name})",
                        "Give one of them another key as well.",
                    )


def doubts(keymap: Mapping[str, str]) -> list[str]:
    """Return what is to be said of keys that may never arrive: one sentence for each."""
    return [
        f"{binding_id} is on {one}: {SWALLOWED[one]}"
        for binding_id, keys in keymap.items()
        for one in _names(keys)
        if one in SWALLOWED
    ]
