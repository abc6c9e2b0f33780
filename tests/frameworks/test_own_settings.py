"""The directory that a tool's own configuration names is the one that is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollback_tui.core.errors import FrameworkError
from rollback_tui.frameworks.directories import find_directory, has_files, looked_in
from rollback_tui.frameworks.registry import FRAMEWORKS

CASES = [
    ("diesel", "diesel.toml", '[migrations_directory]\ndir = "a/b"\n', "a/b", "1_x/up.sql"),
    ("sqlx", "sqlx.toml", '[migrate]\nmigrations-dir = "a/b"\n', "a/b", "1_x.up.sql"),
    ("flyway", "flyway.toml", '[flyway]\nlocations = ["filesystem:a/b"]\n', "a/b", "V1__x.sql"),
    ("flyway", "flyway.conf", "flyway.locations=filesystem:a/b, s3:c\n", "a/b", "V1__x.sql"),
    (
        "flyway",
        "flyway.conf",
        "flyway.locations=classpath:/b,filesystem:a/*\n",
        "src/main/resources/b",
        "V1__x.sql",
    ),
    (
        "prisma",
        "package.json",
        '{"prisma": {"schema": "a/b.prisma"}}',
        "a/migrations",
        "1/down.sql",
    ),
    ("prisma", "package.json", '{"prisma": {"schema": "a/b"}}', "a/b/migrations", "1/down.sql"),
    ("db-migrate", ".db-migraterc", '{"migrations-dir": "a"}', "a", "20260101000000-x.js"),
    ("postgrator", ".postgratorrc.json", '{"migrationPattern": "a/b/*"}', "a/b", "1.do.x.sql"),
]


@pytest.mark.parametrize(("name", "file", "text", "directory", "migration"), CASES)
def test_the_directory_of_the_configuration_is_taken(
    name: str, file: str, text: str, directory: str, migration: str, tmp_path: Path
) -> None:
    framework = FRAMEWORKS[name]
    usual = framework.default_directories[0]
    for place in (usual, directory):
        (tmp_path / place / migration).parent.mkdir(parents=True)
        (tmp_path / place / migration).touch()
    assert find_directory(framework, tmp_path, "").path == tmp_path / usual
    (tmp_path / file).write_text(text)
    found = find_directory(framework, tmp_path, "")
    assert found.path == tmp_path / directory
    assert f"{tmp_path / directory} is named by its configuration" in found.why
    assert looked_in(framework, tmp_path) == (str(tmp_path / directory),)
    assert find_directory(framework, tmp_path, usual).path == tmp_path / usual
    (tmp_path / directory / migration).unlink()
    assert not has_files(framework, tmp_path, "")
    with pytest.raises(FrameworkError, match=r"has no .* migrations"):
        find_directory(framework, tmp_path, "")


@pytest.mark.parametrize(
    ("name", "file", "text"),
    [
        ("diesel", "diesel.toml", "[not toml"),
        ("diesel", "diesel.toml", "migrations_directory = 3"),
        ("sqlx", "sqlx.toml", "[migrate]\nmigrations-dir = 3"),
        ("prisma", "package.json", "[1]"),
        ("prisma", "package.json", '{"prisma": "x"}'),
        ("db-migrate", ".db-migraterc", "not json"),
        ("db-migrate", ".db-migraterc", "[" * 100_000),
        ("postgrator", ".postgratorrc", "migrationPattern: a/*"),
        ("postgrator", ".postgratorrc", '{"migrationPattern": "a/**/*"}'),
        ("flyway", "flyway.conf", "flyway.url=jdbc:postgresql:x\nflyway.locations=\n"),
        ("flyway", "flyway.toml", "flyway = 3"),
    ],
)
def test_what_cannot_be_read_says_nothing(name: str, file: str, text: str, tmp_path: Path) -> None:
    (tmp_path / file).write_text(text)
    assert FRAMEWORKS[name].configured_directories(tmp_path) == ()


def test_a_configuration_elsewhere_is_not_followed(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "diesel.toml").write_text('[migrations_directory]\ndir = "a"\n')
    (project / "diesel.toml").symlink_to(tmp_path / "diesel.toml")
    assert FRAMEWORKS["diesel"].configured_directories(project) == ()
