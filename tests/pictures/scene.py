"""What a picture shows: a recorded moment, a screen, the keys that were pressed, one sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from textual.screen import Screen

from tests.pictures.still import Play

NARROW, WIDE = (80, 24), (120, 40)
SIZES = (NARROW, WIDE)


class Scene(NamedTuple):
    """One picture, in one or more sizes."""

    name: str
    of: str
    """Drive and moment that it was recorded in: ``good/state``."""
    screen: Callable[[], Screen[Any]]
    sentence: str
    """What the picture must show."""
    play: Play
    sizes: tuple[tuple[int, int], ...]
    derived: str
    """What was put there because the demo does not come to it; empty: all of it was recorded."""
    terminal: str
    """What kind of terminal it is shown in; empty: a usual one."""
    later: float
    """So many seconds after the recorded moment it is looked at."""

    def file(self, size: tuple[int, int]) -> str:
        """Return the name of the drawing's file."""
        return f"{self.name}-{size[0]}x{size[1]}.svg"


SCENES: dict[str, Scene] = {}
"""All of them, in the order in which a person meets the screens."""


def scene(
    of: str,
    screen: Callable[[], Screen[Any]],
    *,
    derived: str = "",
    sizes: tuple[tuple[int, int], ...] = SIZES,
    terminal: str = "",
    later: float = 0.0,
) -> Callable[[Play], Play]:
    """Take a function for a scene: its name names the picture, its docstring is the sentence that
    says what must be seen, its body does what somebody does on the screen."""

    def taken(play: Play) -> Play:
        name = play.__name__.replace("_", "-")
        sentence = " ".join((play.__doc__ or "").split())
        assert sentence, f"{name} does not say what must be seen"
        assert name not in SCENES, f"there are two pictures called {name}"
        SCENES[name] = Scene(name, of, screen, sentence, play, sizes, derived, terminal, later)
        return play

    return taken
