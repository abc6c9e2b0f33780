r"""Scripts that their tool runs with psql, turned into what a server understands.

psql fills in variables (``:name``, ``:'name'``, ``:"name"``) and has commands of its own, which
begin with a backslash. What such a command means for the SQL is done here; what only prints is
left out; all else is refused with its line. Whatever is left out leaves blanks, so that the lines
keep their numbers; only included text (``\i``) moves the lines below it.

The rules are those of psql's scanner (``src/fe_utils/psqlscan.l``) and of ``src/bin/psql``: nothing
is filled in inside of quotes, dollar quotes and comments, ``::`` and ``:=`` are operators, and the
name of a variable that is not set stays as it is, as in the slice ``a[1:n]``. The text that comes
out is split like any other script, and where psql's own mark was misread the server's grammar
refuses it before anything is touched.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import Problem, Value
from rollback_tui.core.script.lexer import Token, tokens
from rollback_tui.core.script.source import Source
from rollback_tui.core.text import printable, shorten
from rollback_tui.frameworks import files as migration_files
from rollback_tui.frameworks.psql import arguments as psql
from rollback_tui.frameworks.psql import commands
from rollback_tui.frameworks.psql.arguments import NAME, Arguments, latin, text_of

MAX_INCLUDED = 8
"""How deep files may include each other."""
MAX_BYTES = 16 * 1024 * 1024
"""Of the text that comes out: files that include each other can grow without end."""
MAX_PROBLEMS = 20

_COLON = re.compile(
    rf"""(?P<operator> ::|:=)
      | :(?P<plain> {NAME})
      | :'(?P<literal> {NAME})'
      | :"(?P<delimited> {NAME})"
      | :\{{\?(?P<is_set> {NAME})\}}
      | :
    """,
    re.VERBOSE,
)
_COPY_DATA = re.compile(r"\bfrom\s+stdin\b", re.IGNORECASE)
_COMMAND = re.compile(r"\\([^\s\\]*)")
_CONDITIONS = ("if", "elif", "else", "endif")
_NOT_LINES = re.compile(r"[^\n\r]")

_BY_HAND = "Run this script with psql by hand, or write that part of it as SQL."


class Setting(Value, frozen=True, kw_only=True):
    """What psql knows when the tool starts it."""

    directory: Path
    """Where the tool is called: ``\\i`` begins there, and must stay below it."""
    variables: Mapping[str, str]
    """Set by the tool (``--set``)."""
    unsure: Mapping[str, str]
    """Variables whose value is not known, and why."""


def as_psql_reads(source: Source, setting: Setting) -> Source:
    """Return the script as psql would send it; ``source`` itself where psql changes nothing.

    What cannot be done is among the ``problems`` of what is returned. Raises FrameworkError when a
    file that is included cannot be read safely.
    """
    text = source.data[source.start : source.end].decode("latin-1")
    if ":" not in text and "\\" not in text:
        return source
    reading = _Reading(source, setting)
    if not reading.whole(text):
        return source
    made = reading.made().encode("latin-1")
    if made == source.data[source.start : source.end] and not reading.problems:
        return source
    return Source(
        path=source.path,
        data=source.data[: source.start] + made + source.data[source.end :],
        start=source.start,
        end=source.start + len(made),
        transactional=source.transactional,
        origin=reading.origin(),
        file_sha256=hashlib.sha256(source.data).hexdigest(),
        problems=tuple(reading.problems),
    )


class _CopyData(Exception):
    """The script has rows for COPY in it, which are no SQL: it is refused as it is."""


class _Branch:
    """One ``\\if`` that is still open."""

    def __init__(self, outer: bool, condition: bool, line: int) -> None:
        self.outer, self.line = outer, line
        self.active = outer and condition
        self.taken = condition
        self.final = False


class _Reading:
    """One script and what it includes, being read."""

    def __init__(self, source: Source, setting: Setting) -> None:
        self._setting = setting
        self._file = Path(source.path)
        self._variables = {latin(k): latin(v) for k, v in setting.variables.items()}
        self._out: list[str] = []
        self._length = source.start
        self._lines = source.data.count(b"\n", 0, source.start) + 1
        self._between_statements = True
        self._filled_in: dict[str, None] = {}
        self._left_out: dict[str, None] = {}
        self._included: dict[str, None] = {}
        self.problems: list[Problem] = []

    def whole(self, text: str) -> bool:
        """Read ``text``; return whether it can be read at all."""
        try:
            self._read(text, self._file, ())
        except _CopyData:
            return False
        return True

    def made(self) -> str:
        """Return the text that came out."""
        return "".join(self._out)

    def origin(self) -> str:
        """Return what was done, for people."""
        done = [
            f"{words} {', '.join(list(names)[:6])}{' …' if len(names) > 6 else ''}"
            for words, names in (
                ("with the variables", self._filled_in),
                ("without", self._left_out),
                ("including", self._included),
            )
            if names
        ]
        return printable("the file as psql reads it" + (": " if done else "") + "; ".join(done))

    # --- reading ----------------------------------------------------------------------------------

    def _read(self, text: str, path: Path, above: tuple[Path, ...]) -> None:
        """Read one file to its end."""
        branches: list[_Branch] = []
        position = 0
        while position < len(text):
            active = not branches or branches[-1].active
            position = self._up_to_psql(text, position, active=active)
            if position >= len(text):
                break
            if text[position] == ":":
                position = self._colon(text, position)
                continue
            position = self._command(text, position, branches, path, above)
        for branch in branches:
            self._problem(f"the \\if of line {branch.line} has no \\endif", "Close it.")

    def _up_to_psql(self, text: str, position: int, *, active: bool) -> int:
        """Emit what is plain SQL from ``position`` on; return where psql's next mark is."""
        began = position
        for token in tokens(text, position, len(text)):
            at = self._mark_in(text, token, active)
            if at is not None:
                self._emit(text[began:at], active)
                return at
            if active and token.kind != "comment":
                self._between_statements = text[token.start : token.end] == ";"
        self._emit(text[began:], active)
        return len(text)

    def _mark_in(self, text: str, token: Token, active: bool) -> int | None:
        if token.kind == "command":
            return token.start
        if token.kind != "run" or not active:
            return None
        if _COPY_DATA.search(text, token.start, token.end):
            raise _CopyData
        position = token.start
        while True:
            position = text.find(":", position, token.end)
            if position < 0:
                return None
            match = _COLON.match(text, position)
            if match is None or match["operator"] or match.lastgroup is None:
                position = match.end() if match else position + 1
                continue
            return position

    def _colon(self, text: str, position: int) -> int:
        """Fill in the variable whose mark stands at ``position``; return where the mark ends."""
        match = _COLON.match(text, position)
        assert match is not None and match.lastgroup is not None  # noqa: S101 - _mark_in saw it
        name = match[match.lastgroup]
        self._between_statements = False
        if match["is_set"]:
            self._emit("TRUE" if name in self._variables else "FALSE")
        elif name not in self._variables:
            self._emit(match.group())
            self._unknown(name)
        else:
            value = self._variables[name]
            self._filled_in[f":{text_of(name)}"] = None
            if match["literal"]:
                self._emit(psql.quoted_literal(value))
            elif match["delimited"]:
                self._emit(psql.quoted_identifier(value))
            else:
                self._raw(name, value)
        return match.end()

    def _raw(self, name: str, value: str) -> None:
        """Emit the value of ``:name``. psql would read on in it; what that could change is refused:
        quotes that the script closes, commands, further variables."""
        for token in tokens(value, 0, len(value)):
            odd = token.kind in ("open", "command")
            if token.kind == "run":
                marks = _COLON.finditer(value, token.start, token.end)
                odd = any(m[str(m.lastgroup)] in self._variables for m in marks if m.lastgroup)
            if odd:
                self._problem(
                    f"the value of :{text_of(name)} has an open quote, a backslash or another"
                    " variable in it",
                    "Write the value itself into the script.",
                )
        self._between_statements = value.rstrip().endswith(";")
        self._emit(value)

    def _unknown(self, name: str) -> None:
        """Say why a variable that is not set here is one that psql would fill in."""
        why = self._setting.unsure.get(text_of(name))
        if why:
            self._problem(f"the value of :{text_of(name)} is not known: {why}", _BY_HAND)
        elif name in commands.SET_BY_PSQL:
            self._problem(
                f"psql itself would fill in :{name}, which is known only once it is connected",
                "Write the value into the script, or a function such as current_database().",
            )

    # --- commands ---------------------------------------------------------------------------------

    def _command(
        self, text: str, position: int, branches: list[_Branch], path: Path, above: tuple[Path, ...]
    ) -> int:
        """Do what the command at ``position`` says; return where it ends."""
        active = not branches or branches[-1].active
        if text[position + 1 : position + 2] in (";", ":"):
            self._emit(text[position + 1], active)
            return position + 2
        match = _COMMAND.match(text, position)
        assert match is not None  # noqa: S101 - a backslash stands there
        name = match[1]
        given = psql.arguments(text, match.end(), self._variables)
        end = given.end
        shown = "\\" + shorten(text_of(name), 20)
        if name in _CONDITIONS:
            self._condition(name, given, branches)
        elif active and given.unreadable and name not in commands.PRINTING:
            self._problem(f"{shown} cannot be read: {given.unreadable}", _BY_HAND)
        elif not active:
            pass
        elif name in ("i", "ir", "include", "include_relative"):
            self._include(shown, given, path, above)
        elif name in ("set", "unset"):
            self._set(name, given)
        elif name == "q":
            end = len(text)
            branches.clear()
        elif not commands.only_prints(name):
            self._problem(f"{shown} is a command of psql that is not done here", _BY_HAND)
        if active or name in _CONDITIONS:
            self._left_out[shown] = None
        self._emit(text[position:end], active=False)
        if text.startswith("\\\\", end):  # ends a command, and SQL goes on behind it
            self._emit("  ")
            end += 2
        return end

    def _condition(self, name: str, given: Arguments, branches: list[_Branch]) -> None:
        outer = not branches or branches[-1].active
        if name == "if":
            condition = self._truth(name, given) if outer else False
            branches.append(_Branch(outer, condition, self._lines))
            return
        if not branches or (name != "endif" and branches[-1].final):
            self._problem(f"\\{name} has no \\if", "Correct the script.")
            return
        branch = branches[-1]
        if name == "endif":
            branches.pop()
        elif branch.taken or not branch.outer:
            branch.active, branch.final = False, name == "else"
        else:
            condition = name == "else" or self._truth(name, given)
            branch.active = branch.taken = condition
            branch.final = name == "else"

    def _truth(self, name: str, given: Arguments) -> bool:
        value = psql.truth(" ".join(given.values))
        if value is None:
            self._problem(
                f"the condition of \\{name} cannot be decided here: "
                f"{shorten(text_of(' '.join(given.values)), 40) or 'it is empty'}",
                "Only a variable that is set, or true and false, can be decided. " + _BY_HAND,
            )
        self._note(given)
        return bool(value)

    def _note(self, given: Arguments) -> None:
        self._filled_in.update({f":{text_of(used)}": None for used in given.used})

    def _set(self, command: str, given: Arguments) -> None:
        if not given.values:
            return
        name, value = given.values[0], "".join(given.values[1:])
        if not re.fullmatch(NAME, name):
            self._problem(f"{text_of(name)} is no name of a variable", "Correct the script.")
            return
        self._note(given)
        for unset in given.unset:
            self._unknown(unset)
        # To take away a switch of psql's own is to switch it off.
        why = commands.refused_setting(name, value if command == "set" else "off")
        if why:
            self._problem(
                f"\\{command} {text_of(name)} {text_of(value)}".rstrip() + f": {why}", _BY_HAND
            )
        if command == "unset":
            self._variables.pop(name, None)
        else:
            self._variables[name] = value

    def _include(self, shown: str, given: Arguments, path: Path, above: tuple[Path, ...]) -> None:
        if len(given.values) != 1 or given.unset:
            self._problem(f"{shown} does not name one file", "Correct the script.")
            return
        wanted = Path(text_of(given.values[0]))
        relative = shown in ("\\ir", "\\include_relative")
        found = ((path.parent if relative else self._setting.directory) / wanted).resolve()
        name = printable(str(wanted))
        if not found.is_relative_to(self._setting.directory.resolve()):
            self._problem(f"{shown} {name} is outside the project", "Write its text in its place.")
        elif len(above) >= MAX_INCLUDED or found in above or self._length > MAX_BYTES:
            self._problem(f"{shown} {name} includes itself, or too much", "Correct the script.")
        elif not self._between_statements:
            self._problem(f"{shown} {name} is inside a statement", "Close that with a semicolon.")
        else:
            self._text_of(found, shown, name, above)

    def _text_of(self, found: Path, shown: str, name: str, above: tuple[Path, ...]) -> None:
        try:
            data = migration_files.read(found.parent, found.name)
        except FileNotFoundError:
            self._problem(f"{shown} {name}: there is no such file", "Correct the script.")
            return
        except FrameworkError as error:
            self._problem(error.summary, error.remedy)
            return
        self._included[name] = None
        self._read(data.removeprefix(b"\xef\xbb\xbf").decode("latin-1"), found, (*above, found))
        # psql sends what is left at the end of a file, with or without a semicolon.
        self._emit("\n" if self._between_statements else "\n;\n")
        self._between_statements = True

    # --- what comes out ---------------------------------------------------------------------------

    def _emit(self, text: str, active: bool = True) -> None:
        kept = text if active else _NOT_LINES.sub(" ", text)
        self._out.append(kept)
        self._length += len(kept)
        self._lines += kept.count("\n")

    def _problem(self, summary: str, remedy: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(
                Problem(
                    line=self._lines,
                    offset=self._length,
                    summary=printable(summary),
                    remedy=remedy,
                    rule="psql_command",
                )
            )
