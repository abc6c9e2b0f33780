"""What it costs to start each of our processes, in seconds of CPU (user and system), as a table.

::

    python -m tests.benchmarks.start [REPEATS]

Each is started REPEATS (10) times; the median. A run starts three: the command itself, the guardian
and the worker. The last two are measured by what they import, up to the moment when they would
read their request.

``compiled``  with bytecode, as an installed package has it
``source``    without, as where PYTHONDONTWRITEBYTECODE is set and nothing was compiled beforehand:
              each process then compiles our modules anew (not those of other packages)

Beside them what this machine takes for Python alone, for the two libraries that most of it goes to,
for ``psql`` and for ``pg_activity``, where they are installed.
"""

from __future__ import annotations

import compileall
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import rollback_tui

REPEATS = 10

OUR_PYTHON = [sys.executable, "-P"]
"""Not from the working directory, which may be a checkout: the copy is measured."""

OTHERS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import click": [sys.executable, "-c", "import click"],
    "import psycopg": [sys.executable, "-c", "import psycopg"],
    "psql --version": ["psql", "--version"],
    "pg_activity --version": ["pg_activity", "--version"],
}

OURS = {
    f"rollback-tui {line}": [*OUR_PYTHON, "-m", "rollback_tui", *line.split()]
    for line in (
        "--version",
        "--help",
        "state --help",
        "check --help",
        "settle --help",
        "run --help",
        "attach --help",
        "history --help",
    )
} | {
    process: [*OUR_PYTHON, "-c", f"import rollback_tui.cli.worker, rollback_tui.run.{process}"]
    for process in ("guardian", "worker")
}


def seconds(command: list[str], repeats: int, environment: dict[str, str]) -> float:
    """Return the median of the CPU seconds that ``command`` takes."""
    taken: list[float] = []
    for _ in range(repeats):
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
        )
        assert process.stderr is not None
        said = process.stderr.read().decode(errors="replace")
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stderr.close()
        if process.returncode:
            raise SystemExit(f"{command} ended with {process.returncode}: {said}")
        taken.append(used.ru_utime + used.ru_stime)
    return statistics.median(taken)


def copy(directory: Path) -> Path:
    """Copy our package without its bytecode; return where Python finds it."""
    source = Path(rollback_tui.__file__).parent
    shutil.copytree(
        source, directory / source.name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
    )
    return directory


def main() -> None:
    """Measure, print."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else REPEATS
    print(f"{'':<28}{'compiled':>10}{'source':>10}   seconds of CPU, median of {repeats}")
    plain = {n: v for n, v in os.environ.items() if n != "PYTHONDONTWRITEBYTECODE"}
    for name, command in OTHERS.items():
        if shutil.which(command[0]):
            print(f"{name:<28}{seconds(command, repeats, plain):>10.3f}")
        else:
            print(f"{name:<28}{'not here':>10}")
    with tempfile.TemporaryDirectory() as temporary:
        path = str(copy(Path(temporary)))
        here = plain | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        source = {name: seconds(command, repeats, here) for name, command in OURS.items()}
        compileall.compile_dir(path, quiet=1)
        for name, command in OURS.items():
            print(f"{name:<28}{seconds(command, repeats, here):>10.3f}{source[name]:>10.3f}")


if __name__ == "__main__":
    main()
