"""Make the pictures in screenshots/: ``python -m tests.screenshots``.

They are drawn from recorded facts of the real demo, in seconds, and are the same on every machine;
tests/pictures/test_pictures.py draws them once more and compares. ``python -m tests.screenshots
record [DRIVE …]`` records these facts anew, in some minutes. PNGs need rsvg-convert (librsvg).
"""

from __future__ import annotations

import sys

from tests.pictures.gallery import draw_all
from tests.pictures.recording import record

if __name__ == "__main__":
    if sys.argv[1:2] == ["record"]:
        record(sys.argv[2:])
    else:
        draw_all(sys.argv[1:])
