"""Where the statements of a script begin and end, in byte offsets of its file.

A statement ends at ``;`` outside parentheses and outside a ``BEGIN ATOMIC`` body, as in psql's
scanner. A slice holds neither the ``;`` nor white space or comments around the statement: that
is what the extended protocol takes as one command. Comments inside a statement stay in it.
"""

from __future__ import annotations

from rollback_tui.core.model import Problem, Value
from rollback_tui.core.script.encoding import fatal_encoding, odd_characters
from rollback_tui.core.script.lexer import Token, tokens, words
from rollback_tui.core.script.rules import copies_from_stdin, judge, skip_copy_data
from rollback_tui.core.script.slices import Lines, Slice

MAX_BYTES = 16 * 1024 * 1024
"""The largest down section that is read."""
MAX_STATEMENTS = 20_000
"""The most statements a script may have."""
MAX_TOKENS = 4_000_000
"""The most quoted things, marks and stretches between them: a few seconds' work."""
MAX_DEPTH = 2_000
"""The deepest parentheses. PostgreSQL itself gives up somewhere above, by its ``max_stack_depth``
(2 MB by default), and a library that reads so deep a statement may crash."""
MAX_PROBLEMS = 100
"""The most problems that are listed: one is enough to refuse the script."""

_NEVER_CLOSED = {
    "'": ("a string", "Close it with a single quote."),
    '"': ("a quoted identifier", "Close it with a double quote."),
    "$": ("a dollar-quoted string", "Close it with the very tag it was opened with."),
    "/": ("a comment", "Close it with */; comments nest in PostgreSQL."),
}


class SplitResult(Value, frozen=True, kw_only=True):
    """The statements that may be executed, and what stands against it."""

    statements: tuple[Slice, ...]
    problems: tuple[Problem, ...]
    """In the order of the file. Any of them means: do not execute."""
    wrapper_removed: bool = False
    """An own-line BEGIN … COMMIT around the whole was taken off."""


def split(data: bytes, start: int = 0, end: int | None = None) -> SplitResult:
    """Split ``data[start:end]``; offsets and lines are those of the whole file.

    Never raises on any bytes. What cannot be read (another encoding, NUL, too large) gives no
    statements and says why.
    """
    end = len(data) if end is None else min(end, len(data))
    if end - start > MAX_BYTES:
        return _refused(_too_large(start, f"the script has {end - start:,} bytes"))
    unreadable = fatal_encoding(data, start, end)
    if unreadable:
        return _refused(unreadable)
    text = data[:end].decode("latin-1")
    odd = odd_characters(data, text, start, end)
    if start == 0 and data.startswith(b"\xef\xbb\xbf"):
        start = 3
    scan = _Scan(text, start, end)
    scan.run()
    if len(scan.slices) > MAX_STATEMENTS:
        return _refused(
            _too_large(start, f"the script has more than {MAX_STATEMENTS:,} statements")
        )
    if scan.seen > MAX_TOKENS:
        return _refused(_too_large(start, "the script has too many parts to be read"))
    if scan.too_deep is not None:
        return _refused(_too_deep(text, scan.too_deep))
    kept, removed, broken = judge(text, scan.slices)
    problems = sorted([*odd, *scan.problems, *broken], key=lambda problem: problem.offset)
    return SplitResult(
        statements=tuple(kept), problems=tuple(problems[:MAX_PROBLEMS]), wrapper_removed=removed
    )


def boundaries(data: bytes) -> tuple[bytes, ...]:
    """Return the statements of a text that a program sent, each without ``;`` and the comments
    around it. Nothing is judged: what is wrong in it, the server says."""
    text = data.decode("latin-1")
    scan = _Scan(text, 0, len(text))
    scan.run()
    return tuple(data[piece.start : piece.end] for piece in scan.slices)


def _refused(problem: Problem) -> SplitResult:
    return SplitResult(statements=(), problems=(problem,))


def _too_large(offset: int, summary: str) -> Problem:
    remedy = f"Split it; {MAX_BYTES // 2**20} MB and {MAX_STATEMENTS:,} statements are the limit."
    return Problem(line=1, offset=offset, summary=summary, remedy=remedy, rule="too_large")


def _too_deep(text: str, offset: int) -> Problem:
    return Problem(
        line=text.count("\n", 0, offset) + 1,
        offset=offset,
        summary=f"parentheses are nested deeper than {MAX_DEPTH:,}",
        remedy="Write it with fewer parentheses: no server is sure to take it.",
        rule="too_large",
    )


class _Scan:
    """One pass over the text, gathering slices and lexical problems."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self.text, self.end, self.position = text, end, start
        self.slices: list[Slice] = []
        self.problems: list[Problem] = []
        self.seen = 0
        self.too_deep: int | None = None
        self._lines = Lines(text)
        self._reset()

    def _reset(self) -> None:
        self.first = -1
        self.last = -1
        self.depth = 0
        self.opened = -1
        self.function: _FunctionBody | None = None

    def run(self) -> None:
        """Scan to the end. COPY data, which is no SQL, is jumped over."""
        more = True
        while more and len(self.slices) <= MAX_STATEMENTS:
            more = False
            for token in tokens(self.text, self.position, self.end):
                self.position = token.end
                self.seen += 1
                if self.seen > MAX_TOKENS:
                    return
                if self._take(token):
                    more = True
                    break
        self._finish()

    def _take(self, token: Token) -> bool:
        """Take one token; return True when the scan must begin anew at ``position``."""
        kind = token.kind
        if kind == "comment":
            return False
        if kind == "command":
            self._psql_command(token)
            return False
        if kind == "open":
            what, remedy = _NEVER_CLOSED[self.text[token.start].replace("e", "'").replace("E", "'")]
            self._problem(token.start, f"{what} is never closed", remedy, "unterminated")
            if self.text[token.start] == "/":
                return False
        if self.first < 0 and self.text[token.start] != ";":
            self.first = token.start
            if self.text[token.start : token.start + 6].upper() == "CREATE":
                self.function = _FunctionBody()
        if kind == "mark":
            return self._mark(token)
        self.last = token.end
        if self.function:
            seen = words(self.text, token.start, token.end) if kind == "run" else [""]
            if not self.function.follow(seen, self.depth):
                self.function = None
        return False

    def _mark(self, token: Token) -> bool:
        mark = self.text[token.start]
        if mark == ";" and self.depth == 0 and not (self.function and self.function.inside):
            return self._end_statement()
        if mark == "(":
            if self.depth == 0:
                self.opened = token.start
            self.depth += 1
            if self.depth == MAX_DEPTH + 1:
                self.too_deep = self.too_deep or token.start
        elif mark == ")" and self.depth:
            self.depth -= 1
        if self.function:
            self.function.follow([mark], self.depth)
        self.last = token.end
        return False

    def _end_statement(self) -> bool:
        if self.first < 0:
            return False
        line = self._lines.at(self.first)
        piece = Slice(start=self.first, end=self.last, line=line)
        self.slices.append(piece)
        self._reset()
        if copies_from_stdin(self.text, piece):
            self.position = skip_copy_data(self.text, self.position, self.end)
            return True
        return len(self.slices) > MAX_STATEMENTS

    def _finish(self) -> None:
        if self.depth:
            remedy = "Close it, or remove it: semicolons inside parentheses end no statement."
            self._problem(self.opened, "a parenthesis is never closed", remedy, "unterminated")
        if self.function and self.function.inside:
            remedy = "Close the body with END; after its last statement."
            self._problem(self.first, "a BEGIN ATOMIC body has no END", remedy, "unterminated")
        self._end_statement()

    def _psql_command(self, token: Token) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            command = self.text[token.start : token.end].split()[0]
            shown = command if command.isascii() and command.isprintable() else "\\"
            self._problem(
                token.start,
                f"{shown[:20]} is a command of psql, which no server understands",
                "Remove it, or run this script with psql by hand.",
                "psql_command",
            )

    def _problem(self, offset: int, summary: str, remedy: str, rule: str) -> None:
        line = self.text.count("\n", 0, offset) + 1
        self.problems.append(
            Problem(line=line, offset=offset, summary=summary, remedy=remedy, rule=rule)
        )


class _FunctionBody:
    """Whether we are between BEGIN ATOMIC and END of a CREATE FUNCTION or PROCEDURE.

    ``END`` closes the body only after ``;`` or ``ATOMIC``: the END of a CASE, or a column called
    ``end``, always follows something else.
    """

    def __init__(self) -> None:
        self.inside = False
        self._head: list[str] = []
        self._previous = ""

    def follow(self, seen: list[str], depth: int) -> bool:
        """Take the next words; return False when this statement makes no function."""
        for word in seen:
            if len(self._head) < 4:
                self._head.append(word)
            if self.inside:
                if word == "END" and self._previous in (";", "ATOMIC"):
                    self.inside = False
            elif word == "ATOMIC" and self._previous == "BEGIN" and depth == 0:
                self.inside = self._makes_function()
            self._previous = word
        return len(self._head) < 4 or self._makes_function()

    def _makes_function(self) -> bool:
        head = self._head[1:]
        if head[:2] == ["OR", "REPLACE"]:
            head = head[2:]
        return head[:1] in (["FUNCTION"], ["PROCEDURE"])
