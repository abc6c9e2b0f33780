"""Boundaries, on scripts that nobody thought of."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rollback_tui.core.script.display import formatted
from rollback_tui.core.script.split import split

NAMES = st.from_regex(r"\A[a-df-z_][a-z0-9_]{0,5}\Z")
ANY = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cf", "Zs", "Zl", "Zp", "Cc", "Lo")),
    max_size=12,
)
SPACE = st.sampled_from([" ", "\n", "\t", "\r\n", "  ", "\f", "\v"])


@st.composite
def comments(draw: st.DrawFn) -> str:
    inner = draw(ANY).replace("*", "").replace("/", "")
    if draw(st.booleans()):
        return f"--{inner};'\"$$\n"
    deeper = draw(st.sampled_from(["", "/* ; */", "/*/* ' */*/", "/**/"]))
    return f"/*{inner}{deeper};'*/"


@st.composite
def quoted(draw: st.DrawFn) -> str:
    inner = draw(ANY).replace("\\", "")
    kind = draw(st.integers(0, 5))
    tag = draw(st.sampled_from(["$$", "$a$", "$ü1$"]))
    # After E'…' and a line break, '…' would go on with it; so an operator comes first.
    return "|| " + _quote(inner, kind, tag)


def _quote(inner: str, kind: int, tag: str) -> str:
    if kind == 0:
        return "'" + inner.replace("'", "''") + ";\\'"
    if kind == 1:
        return "E'" + inner.replace("'", "\\'") + ";\\\\'"
    if kind == 2:
        return "E'a'\n'" + inner.replace("'", "''") + "\\';'"
    if kind == 3:
        return '"' + inner.replace('"', '""') + ";'\""
    return tag + inner.replace("$", "") + ";'$x$\"" + tag if kind == 4 else "(1;2)"


@st.composite
def statements(draw: st.DrawFn) -> str:
    gap = st.one_of(SPACE, comments())
    parts = [draw(NAMES)]
    for _ in range(draw(st.integers(0, 5))):
        operators = st.sampled_from(["+", "-", "/", "*", "#", "::", ",", "1.5", "$1", "<>"])
        parts += [draw(SPACE), draw(st.one_of(NAMES, quoted(), operators, gap))]
    # The last part of a statement is significant: what follows it belongs to nobody.
    return "".join([*parts, " ", draw(st.one_of(NAMES, quoted()))])


@settings(max_examples=400, deadline=None)
@given(st.lists(statements(), max_size=8), st.lists(st.one_of(SPACE, comments()), max_size=10))
def test_a_concatenation_splits_back_exactly(wanted: list[str], filling: list[str]) -> None:
    script = "".join(filling)
    for at, statement in enumerate(wanted):
        script += statement + (filling[at % len(filling)] if filling else "") + ";"
        script += "".join(filling[at % 3 :])
    data = script.encode()
    result = split(data)
    found = [data[piece.start : piece.end].decode() for piece in result.statements]
    assert found == wanted
    for piece in result.statements:
        assert piece.line == data[: piece.start].count(b"\n") + 1


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(data: bytes) -> None:
    split(data)


PARTS = ["'", "E'", '"', "$$", "$a$", "/*", "*/", "--", "\n", "\\", ";", "(", ")", " ", "a", "1",
         "BEGIN", "COMMIT", "COPY a FROM STDIN", "CREATE FUNCTION", "BEGIN ATOMIC", "END",
         "\u00a0", "\u200b", "\u202e", "\r", "standard_conforming_strings"]  # fmt: skip


@settings(max_examples=800, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=25), st.integers(0, 5), st.integers(0, 5))
def test_slices_are_in_order_and_inside(parts: list[str], cut: int, tail: int) -> None:
    data = " ".join(parts).encode() if tail % 2 else "".join(parts).encode()
    start, end = min(cut, len(data)), max(min(cut, len(data)), len(data) - tail)
    result = split(data, start, end)
    position = start
    for piece in result.statements:
        assert position <= piece.start < piece.end <= end
        position = piece.end
        text = data[piece.start : piece.end]
        if any(problem.rule == "unterminated" for problem in result.problems):
            continue
        assert text == text.strip(b" \t\n\r\f\v") and not text.startswith((b";", b"--", b"/*"))
    for problem in result.problems:
        assert start <= problem.offset <= end
        assert problem.line == data[: problem.offset].count(b"\n") + 1


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=25))
def test_the_formatted_view_never_raises(parts: list[str]) -> None:
    formatted(" ".join(parts))
