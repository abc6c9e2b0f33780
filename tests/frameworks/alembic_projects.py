"""Alembic projects, and the real program for them."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, cast
from urllib.parse import quote

from rollback_tui.config import Migrations
from tests.conftest import Database
from tests.frameworks import installed

ENV = """
import os
from alembic import context
from sqlalchemy import create_engine, pool
OPTIONS = {options!r}
url = os.environ["DATABASE_URL"]
if context.is_offline_mode():
    named = {{"paramstyle": "named"}}
    context.configure(url=url, literal_binds=True, dialect_opts=named, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()
else:
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection, **OPTIONS)
        with context.begin_transaction():
            context.run_migrations()
"""

# Alembic's own command line, many times in one process: to start Python and load SQLAlchemy takes
# twenty times as long as most commands.
SERVE = """
import io, json, sys
answers, out = sys.stdout, io.StringIO()
sys.stdout = sys.stderr = out  # before it is loaded: it keeps what it finds
from alembic.config import main
for line in sys.stdin:
    failed = ""
    try:
        main(argv=json.loads(line))
    except (Exception, SystemExit) as error:
        failed = repr(error)
    print(json.dumps([out.getvalue(), failed]), file=answers, flush=True)
    out.seek(0)
    out.truncate()
"""


def project(path: Path, **options: object) -> Path:
    """Make a project without revisions; ``options`` are those of ``context.configure``."""
    (path / "alembic" / "versions").mkdir(parents=True)
    (path / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/alembic\n")
    (path / "alembic" / "env.py").write_text(ENV.format(options=options))
    return path


def revision(
    path: Path,
    name: str,
    down: object,
    up: str = "pass",
    back: str = "pass",
    *,
    more: str = "",
    day: int = 1,
    directory: str = "alembic/versions",
) -> Path:
    """Write the revision ``name``, with these lines in ``upgrade`` and ``downgrade``."""
    file = path / directory / f"{name}_what_it_does.py"
    body = "\n".join(
        f"\n\ndef {function}() -> None:\n" + "\n".join(f"    {line}" for line in text.split("\n"))
        for function, text in (("upgrade", up), ("downgrade", back))
    )
    file.write_text(
        f'"""Do {name}\n\nRevision ID: {name}\nRevises: {down}\n'
        f'Create Date: 2024-03-{day:02} 10:00:00.000000\n\n"""\n'
        "from alembic import op\nimport sqlalchemy as sa\n\n"
        f"revision: str = {name!r}\ndown_revision = {down!r}\n{more}\n{body}\n"
    )
    return file


def table(name: str) -> tuple[str, str]:
    """Return the lines that make a table, and those that take it away."""
    columns = "sa.Column('id', sa.Integer, primary_key=True)"
    return f"op.create_table({name!r}, {columns})", f"op.drop_table({name!r})"


def branches(path: Path) -> Path:
    """One base, two branches from its second revision, a merge, one more; and another base that
    depends on the first one."""
    revision(path, "a1", None, *table("users"), day=1)
    revision(
        path,
        "a2",
        "a1",
        "op.add_column('users', sa.Column('mail', sa.Text, server_default='it''s'))",
        "op.drop_column('users', 'mail')",
        day=2,
    )
    revision(path, "b1", "a2", *table("orders"), day=3)
    revision(path, "c1", "a2", *table("stock"), day=4)
    revision(path, "m1", ("b1", "c1"), day=5)
    revision(
        path,
        "d1",
        "m1",
        "op.create_index('orders_of', 'orders', ['id'])",
        "op.drop_index('orders_of', table_name='orders')",
        day=7,
    )
    revision(path, "z1", None, *table("audit"), more="depends_on = ('a2',)", day=6)
    return path


def migrations(**more: object) -> Migrations:
    """Return how the real program is called."""
    return Migrations(command=(str(installed.python("alembic")),), **more)  # type: ignore[arg-type]


@dataclass
class Real:
    """Alembic's command line for one database and one project: a Tool of the kit."""

    database: Database
    project: Path
    targets: list[str] = field(default_factory=list)
    """What ``downgrade`` is told, one after the other: with branches ``-1`` is ambiguous."""

    def __enter__(self) -> Real:
        server, owner = self.database.server, self.database.owner
        where = f"host={quote(server.host, safe='')}&port={server.port}"
        url = f"postgresql+psycopg://{owner}@/{self.database.name}?{where}"
        self._process = subprocess.Popen(
            [str(installed.python("python")), "-c", SERVE],
            cwd=self.project,
            env=installed.bare_environment(DATABASE_URL=url),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def run(self, *arguments: str) -> str:
        """Run one command and return what it printed; it must succeed."""
        into, out = cast("IO[str]", self._process.stdin), cast("IO[str]", self._process.stdout)
        into.write(json.dumps(arguments) + "\n")
        into.flush()
        text, failed = json.loads(out.readline())
        assert not failed, f"{arguments}: {failed}\n{text}"
        return str(text)

    def up(self) -> str:
        return self.run("upgrade", "heads")

    def down(self) -> str:
        return self.run("downgrade", self.targets.pop(0))

    def status(self) -> list[str]:
        return sorted(self.run("current").splitlines())
