"""Every screen, good and bad, looks as it is committed; what each picture must show is its
scene's own sentence."""

from __future__ import annotations

import re

import pytest

from tests.pictures import facts, png
from tests.pictures.drawing import Look, Piece, differences, rows, svg
from tests.pictures.gallery import COMMAND, DIRECTORY, INDEX, Gallery, files, has_png, index
from tests.pictures.scene import NARROW, SCENES, WIDE, Scene

PICTURES = [(scene, size) for scene in SCENES.values() for size in scene.sizes]
NAMES = [scene.file(size).removesuffix(".svg") for scene, size in PICTURES]
AGAIN = f"If it is meant to look so, draw all pictures again and look at them: {COMMAND}"


@pytest.mark.parametrize(("scene", "size"), PICTURES, ids=NAMES)
def test_the_screen_looks_as_in_its_picture(
    gallery: Gallery, scene: Scene, size: tuple[int, int]
) -> None:
    path = DIRECTORY / scene.file(size)
    assert path.exists(), f"there is no picture {path.name}. {AGAIN}"
    kept, drawn = path.read_text(encoding="utf-8"), gallery.draw(scene, size)
    if drawn != kept:
        said = (
            "\n".join(differences(drawn, kept)) or "only its title, its size or its ground differ"
        )
        pytest.fail(f"{path.name} must show: {scene.sentence}\n{said}\n{AGAIN}", pytrace=False)


@pytest.mark.parametrize(("scene", "size"), PICTURES, ids=NAMES)
def test_the_png_is_made_of_the_drawing(scene: Scene, size: tuple[int, int]) -> None:
    path = DIRECTORY / scene.file(size)
    if has_png(scene, size):
        made_of = png.made_of(path.with_suffix(".png"))
        assert made_of == png.fingerprint(path.read_bytes()), (
            f"{path.stem}.png shows something older. With rsvg-convert (librsvg): {COMMAND}"
        )


def test_there_is_no_picture_of_what_is_not_there_any_more() -> None:
    assert {path.name for path in DIRECTORY.iterdir()} == files()


def test_the_page_of_pictures_lists_them_as_they_are() -> None:
    assert INDEX.read_text(encoding="utf-8") == index(), AGAIN


def test_every_usual_picture_is_narrow_and_wide() -> None:
    for scene in SCENES.values():
        assert scene.terminal or scene.name.endswith("any-size") or scene.sizes == (NARROW, WIDE)


def test_nothing_names_the_machine_it_was_recorded_on() -> None:
    for path in (*DIRECTORY.glob("*.svg"), *facts.DIRECTORY.glob("*.json")):
        found = re.search(r".*(?:/tmp/|127\.0\.0\.1|/root\b).*", path.read_text(encoding="utf-8"))
        assert found is None, f"{path.name}: {found[0][:200]}"


# --- the drawing itself -----------------------------------------------------------------------

RED, PLAIN = Look("#ff0000", "#000000", bold=True), Look("#dddddd", "#000000")


def _drawn(*drawn: Piece) -> str:
    return svg(list(drawn), (20, 3), "three lines")


def test_a_drawing_is_read_back_as_it_was_drawn() -> None:
    drawn = _drawn(
        Piece(0, 2, "a <b> & 表  c", PLAIN), Piece(2, 0, "ends", RED._replace(paper="#00ff00"))
    )
    assert [text for text, _ in rows(drawn)] == ["  a <b> & 表  c", "", "ends"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (Piece(0, 2, "shop stays", PLAIN), "line  1 was  |  shop goes|"),
        (Piece(0, 3, "shop goes", PLAIN), "line  1 was  |  shop goes|"),
        (Piece(0, 2, "shop goes", RED), "is   'shop goes': fill:#ff0000;font-weight:bold"),
        (Piece(0, 2, "shop goes", PLAIN._replace(paper="#00ff00")), "columns 2 to 10 on #00ff00"),
    ],
    ids=["other words", "another column", "another ink", "another ground"],
)
def test_what_differs_is_said_in_words(changed: Piece, said: str) -> None:
    below = Piece(1, 0, "the same below, longer", PLAIN)
    found = differences(_drawn(changed, below), _drawn(Piece(0, 2, "shop goes", PLAIN), below))
    assert any(said in line for line in found), found
    assert not any("below" in line for line in found)
