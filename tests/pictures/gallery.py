"""All pictures: which there are, how they are drawn, and the page that lists them."""

from __future__ import annotations

import asyncio
import gc
import shutil
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path

import msgspec

from tests.pictures import facts, png
from tests.pictures.facts import Drive, Moment
from tests.pictures.scene import SCENES, WIDE, Scene
from tests.pictures.scenes import CHAPTERS
from tests.pictures.still import Projector, Wanted
from tests.pictures.terminals import TERMINALS

DIRECTORY = Path(__file__).parents[2] / "screenshots"
INDEX = DIRECTORY / "README.md"
COMMAND = "python -m tests.screenshots"
COLLECTED = 25
"""After so many pictures, what is left of their screens is removed."""


@cache
def _drive(name: str) -> Drive:
    return facts.load(facts.DIRECTORY / f"{name}.json")


def moment_of(scene: Scene) -> Moment:
    """Return the recorded moment that a scene begins with."""
    drive, name = scene.of.split("/")
    moment, passed = _drive(drive).moments[name], timedelta(seconds=scene.later)
    return msgspec.structs.replace(
        moment,
        steady=moment.steady + scene.later,
        utc=moment.utc + passed,
        local=moment.local + passed,
    )


class Gallery:
    """Draws. The applications of the sizes stay open from one picture to the next."""

    def __init__(self) -> None:
        self._drawn = 0
        self._loop = asyncio.new_event_loop()
        self._projectors: dict[tuple[tuple[int, int], str], Projector] = {}

    def draw(self, scene: Scene, size: tuple[int, int]) -> str:
        """Return the SVG of a scene."""
        kind = (size, scene.terminal)
        if kind not in self._projectors:
            self._projectors[kind] = Projector(size, TERMINALS[scene.terminal])
        wanted = Wanted(moment_of(scene), scene.screen, scene.play, scene.sentence)
        # Screens come and go in thousands of objects: to look through all that lives each time
        # takes a third of the time.
        gc.disable()
        try:
            return self._loop.run_until_complete(self._projectors[kind].picture(wanted))
        finally:
            gc.enable()
            self._drawn += 1
            if self._drawn % COLLECTED == 0:
                gc.collect()

    def close(self) -> None:
        """End the applications."""
        for projector in self._projectors.values():
            self._loop.run_until_complete(projector.close())
        self._loop.close()


def files() -> set[str]:
    """Return the names of all files that belong into the directory."""
    drawings = {scene.file(size) for scene in SCENES.values() for size in scene.sizes}
    pngs = {
        str(Path(scene.file(size)).with_suffix(".png"))
        for scene in SCENES.values()
        for size in scene.sizes
        if has_png(scene, size)
    }
    return drawings | pngs | {INDEX.name}


def has_png(scene: Scene, size: tuple[int, int]) -> bool:
    """Return whether this picture is made as PNG too: the wide ones, as the guide shows them, and
    those of other terminals."""
    return size == WIDE or bool(scene.terminal)


def draw_all(names: Sequence[str] = ()) -> None:
    """Draw these scenes, or all, and write the page that lists them."""
    gallery = Gallery()
    DIRECTORY.mkdir(exist_ok=True)
    try:
        for scene in [SCENES[name] for name in names] or list(SCENES.values()):
            for size in scene.sizes:
                _write(scene, size, gallery.draw(scene, size))
    finally:
        gallery.close()
    for path in DIRECTORY.iterdir():
        if path.name not in files():
            path.unlink()
    INDEX.write_text(index(), encoding="utf-8")


def _write(scene: Scene, size: tuple[int, int], drawing: str) -> None:
    path = DIRECTORY / scene.file(size)
    path.write_text(drawing, encoding="utf-8")
    if has_png(scene, size) and not png_is_of(path):
        if shutil.which("rsvg-convert"):
            png.make(path)
        else:
            print(f"no PNG of {path.name}: rsvg-convert (librsvg) is not installed")


def png_is_of(drawing: Path) -> bool:
    """Return whether the PNG beside ``drawing`` was made of it."""
    path = drawing.with_suffix(".png")
    return path.exists() and png.made_of(path) == png.fingerprint(drawing.read_bytes())


def index() -> str:
    """Return the page that lists all pictures with what each must show."""
    parts = [
        "# Pictures of every screen",
        "",
        "Each is drawn from facts that were recorded in the real demo, and drawn again by the"
        " tests: they cannot show what the program does not. Where the demo does not come to"
        " something by itself, it says what was put there.",
        "",
        f"`{COMMAND}` draws them (seconds); `{COMMAND} record` records the facts anew (minutes).",
    ]
    for title, names in CHAPTERS.items():
        parts += ["", f"## {title}", "", "| picture | what it shows |", "|---|---|"]
        parts += [_row(SCENES[name]) for name in names]
    return "\n".join([*parts, ""])


def _row(scene: Scene) -> str:
    links = " · ".join(_links(scene))
    put = f" *Not recorded: {scene.derived}.*" if scene.derived else ""
    return f"| **{scene.name}** {links} | {scene.sentence}{put} |".replace("\\|", "|")


def _links(scene: Scene) -> Iterable[str]:
    return (f"[{wide}×{high}]({scene.file((wide, high))})" for wide, high in scene.sizes)
