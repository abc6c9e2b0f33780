from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from rollback_tui.core.script.read import effective, read_script
from rollback_tui.core.script.source import Source
from rollback_tui.parser import Parser

FILE = (
    "-- migrate:up\nCREATE TABLE ü (a int);\n\n-- migrate:down\nBEGIN;\n"
    "ALTER TABLE ü\n  DROP COLUMN a; -- gone\nNONSENSE;\nCOMMIT;\n"
).encode()


def source(data: bytes = FILE, marker: bytes = b"-- migrate:down", **changes: bool) -> Source:
    return Source(path="db/1_x.sql", data=data, start=data.index(marker), end=len(data), **changes)


def test_a_script_is_the_bytes_of_its_file(parser: Parser) -> None:
    script = read_script(source(), first_index=7, trees=parser.trees)
    assert script.problems == () and script.wrapper_removed and effective(script)
    assert (script.sha256, script.size) == (hashlib.sha256(FILE).hexdigest(), len(FILE))
    first, second = script.statements
    assert (first.index, first.line, first.sql) == (7, 6, "ALTER TABLE ü\n  DROP COLUMN a")
    assert FILE[first.start : first.end].decode() == first.sql
    assert first.effect.kind == "ALTER TABLE … DROP COLUMN" and first.dangerous
    assert (second.index, second.sql, second.effect.kind) == (8, "NONSENSE", "unknown")
    assert second.dangerous


def test_a_parser_that_answers_too_little_leaves_the_rest_unknown() -> None:
    def short(statements: Sequence[str]) -> Sequence[Mapping[str, object] | None]:
        return ()

    script = read_script(source(), first_index=1, trees=short)
    assert [s.effect.basis for s in script.statements] == ["unknown", "unknown"]


def test_a_marker_without_transaction_counts_unless_the_script_wraps_itself(parser: Parser) -> None:
    plain = source(b"-- d\nDROP INDEX CONCURRENTLY i;", b"-- d", transactional=False)
    script = read_script(plain, first_index=1, trees=parser.trees)
    assert not script.transactional and script.statements[0].effect.transactional is False
    wrapped = source(transactional=False)
    assert read_script(wrapped, first_index=1, trees=parser.trees).transactional


def test_only_comments_are_not_effective(parser: Parser) -> None:
    empty = source(b"-- d\n-- irreversible\nBEGIN;\nCOMMIT;\n", b"-- d")
    assert not effective(read_script(empty, first_index=1, trees=parser.trees))


def test_what_cannot_be_decoded_tells_why(parser: Parser) -> None:
    script = read_script(
        source(b"-- d\nDROP TABLE \xfc;", b"-- d"), first_index=1, trees=parser.trees
    )
    assert script.statements == ()
    assert [(p.rule, p.line, p.offset) for p in script.problems] == [("encoding", 2, 16)]
