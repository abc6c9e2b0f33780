"""Pictures of every screen, made from recorded facts of the real demo, and tested against them.

``python -m tests.screenshots record`` drives the demo and keeps what the screens were shown
(:mod:`tests.pictures.recording`, :mod:`tests.pictures.facts`). ``python -m tests.screenshots``
shows these facts again to the real screens (:mod:`tests.pictures.still`), scene by scene
(:mod:`tests.pictures.scenes`), and draws what stands on them (:mod:`tests.pictures.drawing`). The
test draws them once more and compares with what is committed.
"""
