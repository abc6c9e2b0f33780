"""A framework's own program, called with the explicit target and never the environment's.

``DATABASE_URL`` in the environment silently redirects many of these tools. So of the environment
only what a program needs to start goes on to it; where it may connect is said by an
:class:`rollback_tui.core.address.Address`, and without one all that names a database leads nowhere.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import shlex
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from rollback_tui.core.address import Address
from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import Value
from rollback_tui.core.text import printable, shorten
from rollback_tui.frameworks.leash import Leashed

MAX_BYTES = 32 * 1024 * 1024
"""More than this is not taken from a program: no script of this size is read."""

NOWHERE = Address(
    host="nowhere.invalid",
    port=1,
    user="nobody",
    password="none",  # noqa: S106 - it opens nothing
    database="nowhere",
)
"""What a program is told when it may not connect: RFC 6761 promises that the name never exists."""

# The machine and the person; Python, and where pyenv, poetry, pipenv and uv keep environments;
# Node; Ruby; Java, and what keeps versions of all of them.
_PASSED_TEXT = """
    PATH HOME USER LOGNAME SHELL LANG LANGUAGE TZ TMPDIR TERM LD_LIBRARY_PATH
    XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME
    VIRTUAL_ENV CONDA_PREFIX PYTHONPATH PYTHONHOME PYENV_ROOT PYENV_VERSION
    POETRY_HOME POETRY_CACHE_DIR POETRY_VIRTUALENVS_PATH WORKON_HOME
    UV_CACHE_DIR UV_PROJECT_ENVIRONMENT UV_PYTHON_INSTALL_DIR
    NODE_PATH NVM_DIR VOLTA_HOME FNM_DIR
    GEM_HOME GEM_PATH RUBYLIB RBENV_ROOT RBENV_VERSION
    BUNDLE_PATH BUNDLE_GEMFILE BUNDLE_APP_CONFIG
    JAVA_HOME ASDF_DIR ASDF_DATA_DIR MISE_DATA_DIR
    """
_PASSED = frozenset(_PASSED_TEXT.split())
"""What a program needs to start. None of it names a database."""

_PLACES = (".venv/bin", "venv/bin", "node_modules/.bin")
"""Where a project has its own programs: they come before those of PATH."""

_KEPT_WORDS = 64 * 1024
_LAST_LINES = 4
_WIDTH = 600
_SECRET = re.compile(r"pass|pwd|secret|token|url|dsn", re.IGNORECASE)
_SHORTEST = 4
"""Of a configured secret: to blot out every ``1`` would leave nothing to read."""
_IN_URL = re.compile(r"(://[^\s/:@]*:)[^\s/@]+@")


class ProgramFailed(FrameworkError):
    """The program ended with an error."""

    def __init__(self, summary: str, remedy: str, *, output: str, words: str) -> None:
        super().__init__(summary, remedy)
        self.output = output
        """What it had printed until then."""
        self.words = words
        """The last lines of its standard error, for people: printable, without passwords."""


class Program(Value, frozen=True, kw_only=True):
    """How a framework's program is called."""

    command: tuple[str, ...]
    """What is called, before the arguments: ``("poetry", "run", "alembic")``. A first word with a
    ``/`` is relative to the project; without, it is looked for in the project's own
    ``.venv/bin``, ``venv/bin`` and ``node_modules/.bin``, then on PATH."""
    project: Path
    """Where it is called."""
    environment: Mapping[str, str]
    """``[migrations] environment``: variables besides the few that pass, in which ``{url}``,
    ``{host}``, ``{port}``, ``{user}``, ``{password}`` and ``{database}`` stand for the address."""
    seconds: float
    """Its deadline."""
    address: Address | None = None
    """Where it may connect; None: nowhere (what it is told then leads nowhere)."""

    def run(self, *arguments: str, extra: Mapping[str, str] | None = None) -> str:
        """Call it and return what it printed on its standard output, which must be UTF-8.

        ``extra``: variables that the framework's module wants besides; ``[migrations] environment``
        comes after them. Standard input is empty; it has a process group of its own, and all of
        that group is ended with it, and also when this process dies, be it by ``kill -9``.

        Raises FrameworkError when it cannot be found or started, takes longer than ``seconds``, or
        prints too much; ProgramFailed when it ends with another exit code than 0.
        """
        name = self.command[0] if self.command else ""
        environment = self._environment(extra or {})
        try:
            ended = _ended(
                (str(self._found(environment)), *self.command[1:], *arguments),
                self.project,
                environment,
                self.seconds,
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise FrameworkError(
                f"{printable(name)} cannot be started: {printable(reason or 'unknown error')}",
                _how_called(name),
            ) from None
        shown = shorten(self.shown(*arguments), 200)
        if ended.code is None:
            raise FrameworkError(
                f"`{shown}` took longer than {self.seconds:g} s and was ended",
                "Raise [migrations] seconds in rollback.toml, or find out what it waits for.",
            )
        if len(ended.output) > MAX_BYTES:
            raise FrameworkError(
                f"`{shown}` printed more than {MAX_BYTES // 1024 // 1024} MB and was ended",
                "Call it by hand to see what it prints.",
            )
        words = self._last_words(ended.errors, environment)
        if ended.code != 0:
            how = f"exit code {ended.code}" if ended.code > 0 else f"signal {-ended.code}"
            raise ProgramFailed(
                f"`{shown}` failed: {words or how}",
                "Its own words say what is wrong. Another program or environment is named in"
                f" rollback.toml: [migrations] command = {_called(name)}, and environment.",
                output=ended.output.decode(errors="replace"),
                words=words or how,
            )
        try:
            return ended.output.decode()
        except UnicodeDecodeError as error:
            raise FrameworkError(
                f"what `{shown}` printed is not UTF-8 (byte {error.start + 1:,})",
                "Correct the migration, or have the program print UTF-8: [migrations] environment.",
            ) from None

    def where(self) -> Path:
        """Return the path of the program, without calling it. Raises FrameworkError."""
        return self._found(self._environment({}))

    def shown(self, *arguments: str) -> str:
        """Return the call as a person would type it."""
        return printable(shlex.join((*self.command, *arguments)))

    def _environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name in _PASSED or name.startswith("LC_")
        }
        address = self.address or NOWHERE
        return {
            "LANG": "C.UTF-8",
            **kept,
            # Nothing of us stays in the project, and what is printed is UTF-8 whatever LANG says.
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONIOENCODING": "utf-8",
            **address.environment(),
            "PGPASSFILE": os.devnull,
            "PGSERVICEFILE": os.devnull,
            **extra,
            **{name: _filled(text, address) for name, text in self.environment.items()},
        }

    def _found(self, environment: Mapping[str, str]) -> Path:
        """Return the path of the program. Raises FrameworkError."""
        if not self.command:
            raise FrameworkError("no program is named that has the migrations", _how_called(""))
        name = self.command[0]
        project = self.project.absolute()
        if "/" in name:
            if not (project / name).is_file():
                raise FrameworkError(
                    f"there is no {printable(str(project / name))}", _how_called(name)
                )
            return project / name
        own = (str(project / place) for place in _PLACES)
        found = shutil.which(name, path=os.pathsep.join((*own, environment.get("PATH", ""))))
        if found is None:
            raise FrameworkError(
                f"{printable(name)} is not found: not in {', '.join(_PLACES)} of"
                f" {printable(str(project))}, and not on PATH",
                _how_called(name),
            )
        return Path(found)

    def _last_words(self, errors: bytes, environment: Mapping[str, str]) -> str:
        """Return the last lines of standard error on one line, without passwords."""
        text = errors.decode(errors="replace")
        secrets = {self.address.password} if self.address else set()
        secrets |= {environment[name] for name in self.environment if _SECRET.search(name)}
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, "***") if len(secret) >= _SHORTEST else text
        lines = [line.strip() for line in _IN_URL.sub(r"\1***@", text).splitlines()]
        return shorten(" · ".join([line for line in lines if line][-_LAST_LINES:]), _WIDTH)


_RUN_BY = {
    "alembic": '["poetry", "run", "alembic"]',
    "python3": '[".venv/bin/python", "manage.py"]',
    "rails": '["bundle", "exec", "rails"]',
    "rake": '["bundle", "exec", "rake"]',
    "knex": '["npx", "knex"]',
    "sequelize-cli": '["npx", "sequelize-cli"]',
    "typeorm": '["npx", "typeorm"]',
}
"""How well-known programs are often called where they are not on PATH."""


def _how_called(name: str) -> str:
    """Return what to configure where the program ``name`` is not found."""
    return (
        "Install it, or say how it is called in rollback.toml: [migrations] command ="
        f" {_called(name)}."
    )


def _called(name: str) -> str:
    """Return examples of how the program ``name`` may be called, as rollback.toml has them."""
    program = printable(PurePosixPath(name).name)
    example = _RUN_BY.get(program, "")
    if program == "python3":
        return example  # Another Python by its path alone would not have manage.py.
    path = f'["/full/path/to/{program or "PROGRAM"}"]'
    return f"{example}{', or ' if example else ''}{path}"


class _Ended(NamedTuple):
    code: int | None
    """None: out of time."""
    output: bytes
    errors: bytes
    """Its end."""


def _filled(text: str, address: Address) -> str:
    """Return a configured value with the placeholders filled in; other braces stay."""
    values = {
        "{url}": address.url,
        "{host}": address.host,
        "{port}": str(address.port),
        "{user}": address.user,
        "{password}": address.password,
        "{database}": address.database,
    }
    return re.sub(
        r"\{(?:url|host|port|user|password|database)\}", lambda found: values[found[0]], text
    )


def _ended(
    command: Sequence[str], project: Path, environment: Mapping[str, str], seconds: float
) -> _Ended:
    """Run ``command`` to its end, its deadline, or until it has printed too much."""
    deadline = time.monotonic() + seconds
    leashed = Leashed(command, project, environment)
    child = leashed.process
    try:
        output, errors = _read(child, leashed.pipes, deadline)
        with contextlib.suppress(subprocess.TimeoutExpired):
            if len(output) <= MAX_BYTES:
                child.wait(max(0.0, deadline - time.monotonic()))
        code = child.poll()
    finally:
        # Also after a normal end: what it left in its group would live on.
        leashed.end()
    return _Ended(child.returncode if len(output) > MAX_BYTES else code, output, errors)


def _read(
    child: subprocess.Popen[bytes], pipes: tuple[IO[bytes], IO[bytes]], deadline: float
) -> tuple[bytes, bytes]:
    """Read both pipes to their ends; a process in the background may hold them open for ever, so
    the end of the program itself is an end as well."""
    output, errors = bytearray(), b""
    with selectors.DefaultSelector() as selector:
        for pipe in pipes:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map() and (left := deadline - time.monotonic()) > 0:
            ended = child.poll() is not None
            ready = selector.select(0 if ended else min(left, 0.1))
            if not ready and ended:
                break
            for key, _ in ready:
                part = os.read(key.fd, 65536)
                if not part:
                    selector.unregister(key.fileobj)
                elif key.fileobj is pipes[0]:
                    output += part
                else:
                    errors = (errors + part)[-_KEPT_WORDS:]
            if len(output) > MAX_BYTES:
                break
    return bytes(output), errors
