"""Who made this version table, and where are the files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from rollback_tui.core.errors import FrameworkError
from rollback_tui.frameworks.dbmate import Dbmate
from rollback_tui.frameworks.detect import TABLE_NAMES, Detection, detect
from rollback_tui.frameworks.golang_migrate import GolangMigrate
from rollback_tui.frameworks.protocol import Framework, TableShape, VersionTable
from rollback_tui.frameworks.registry import FRAMEWORKS

DBMATE = "1_a.sql"
PAIR = ("1_a.up.sql", "1_a.down.sql")


def varchar(schema: str = "public", name: str = "schema_migrations") -> TableShape:
    return TableShape(
        schema=schema,
        name=name,
        columns=(("version", "character varying"),),
        primary_key=("version",),
    )


def bigint(schema: str = "public", name: str = "schema_migrations") -> TableShape:
    return TableShape(
        schema=schema,
        name=name,
        columns=(("version", "bigint"), ("dirty", "boolean")),
        primary_key=("version",),
    )


def other(name: str, *columns: tuple[str, str], schema: str = "public") -> TableShape:
    return TableShape(schema=schema, name=name, columns=columns, primary_key=())


RAILS = other("ar_internal_metadata", ("key", "character varying"), ("value", "character varying"))


def make(project: Path, directory: str, *names: str) -> Path:
    path = project / directory
    path.mkdir(parents=True, exist_ok=True)
    for name in names:
        (path / name).touch()
    return path


def refused(
    shapes: list[TableShape],
    project: Path,
    among: Sequence[Framework] | None = None,
    **options: str,
) -> FrameworkError:
    with pytest.raises(FrameworkError) as caught:
        detect(shapes, project, among=among, **options)
    assert caught.value.remedy
    assert "\n" not in caught.value.summary
    return caught.value


def test_dbmate_by_its_table_and_its_usual_directory(tmp_path: Path) -> None:
    directory = make(tmp_path, "db/migrations", DBMATE)
    assert detect([varchar()], tmp_path, among=(Dbmate(), GolangMigrate())) == Detection(
        framework="dbmate",
        table=VersionTable(schema="public", name="schema_migrations", columns=("version",)),
        directory=str(directory),
        why=(
            "public.schema_migrations has the shape of dbmate's version table "
            "(version character varying).",
            f"{directory} is usual for it; it has 1 dbmate migration.",
        ),
    )


@pytest.mark.parametrize("place", ["migrations", "db/migrations", "db/migration"])
def test_golang_migrate_by_its_table_and_a_usual_directory(place: str, tmp_path: Path) -> None:
    directory = make(tmp_path, place, *PAIR)
    found = detect([bigint()], tmp_path)
    assert (found.framework, found.directory) == ("golang-migrate", str(directory))


def test_the_table_decides_before_the_files(tmp_path: Path) -> None:
    """Names of golang-migrate's files are names of dbmate's files as well."""
    make(tmp_path, "db/migrations", *PAIR)
    assert detect([bigint()], tmp_path).framework == "golang-migrate"
    assert detect([varchar()], tmp_path).framework == "dbmate"


class Rails(Dbmate):
    """Of the same shape as dbmate's, told apart by a table beside."""

    name = "rails-like"
    about = msgspec.structs.replace(Dbmate.about, title="Rails")
    beside = ("ar_internal_metadata",)
    default_directories = ("db/migrate",)


class Twin(Dbmate):
    """Of the same shape and the same name as dbmate's, with other files."""

    name = "twin"
    about = msgspec.structs.replace(Dbmate.about, title="Twin")
    default_directories = ("twin",)


class Fileless(GolangMigrate):
    """Keeps its migrations in the database."""

    name = "fileless"
    about = msgspec.structs.replace(GolangMigrate.about, title="Fileless")
    default_directories = ()


class NoWayBack(Fileless):
    """Has files, and no down migrations."""

    kind = "none"
    default_directories = ("steps",)


class Described(Dbmate):
    """Has no version table of its own."""

    name = "described"
    default_table = ""


AMONG = (Dbmate(), GolangMigrate(), Rails())


def test_what_stands_beside_tells_two_of_the_same_shape_apart(tmp_path: Path) -> None:
    directory = make(tmp_path, "db/migrations", DBMATE)
    rails = make(tmp_path, "db/migrate", DBMATE)
    found = detect([RAILS, varchar()], tmp_path, among=AMONG)
    assert (found.framework, found.directory) == ("rails-like", str(rails))
    assert found.why[:2] == (
        "public.schema_migrations has the shape of dbmate's and of Rails' version table"
        " (version character varying).",
        "ar_internal_metadata is beside public.schema_migrations, so it is Rails' and not"
        " dbmate's.",
    )
    elsewhere = other("ar_internal_metadata", schema="legacy")
    found = detect([elsewhere, varchar()], tmp_path, among=AMONG)
    assert (found.framework, found.directory) == ("dbmate", str(directory))
    assert found.why[1] == (
        "ar_internal_metadata is not beside public.schema_migrations, so it is not Rails'."
    )


def test_who_is_asked_for_is_believed_whatever_stands_beside(tmp_path: Path) -> None:
    make(tmp_path, "db/migrations", DBMATE)
    assert detect([RAILS, varchar()], tmp_path, framework="dbmate").framework == "dbmate"


def test_golang_migrate_beside_the_rest_of_a_rails_database(tmp_path: Path) -> None:
    make(tmp_path, "migrations", *PAIR)
    assert detect([RAILS, bigint()], tmp_path, among=AMONG).framework == "golang-migrate"


def test_of_two_alike_the_one_whose_files_are_here(tmp_path: Path) -> None:
    among = (Dbmate(), Twin())
    error = refused([varchar()], tmp_path, among=among)
    assert error.summary == (
        "it could be the version table of several tools: public.schema_migrations (dbmate),"
        " public.schema_migrations (Twin); files of none of them are here (looked in"
        f" {tmp_path / 'db/migrations'}, {tmp_path / 'twin'})"
    )
    assert "--framework dbmate or --framework twin" in error.remedy
    make(tmp_path, "twin", DBMATE)
    found = detect([varchar()], tmp_path, among=among)
    assert found.framework == "twin"
    assert found.why[1] == "The files here are Twin's; there are none of dbmate's."
    make(tmp_path, "db/migrations", DBMATE)
    assert (
        "files of dbmate and Twin are here" in refused([varchar()], tmp_path, among=among).summary
    )
    # a directory that was asked for has files of both: they are named alike
    assert (
        "files of dbmate and Twin"
        in refused([varchar()], tmp_path, among=among, directory="twin").summary
    )


def test_two_tools_in_one_database(tmp_path: Path) -> None:
    """The table in public is no reason: it may be the one of another service."""
    shapes = [varchar("auth"), bigint()]
    error = refused(shapes, tmp_path, among=AMONG)
    assert "auth.schema_migrations (dbmate), public.schema_migrations (golang-migrate)" in str(
        error
    )
    directory = make(tmp_path, "migrations", *PAIR)
    found = detect(shapes, tmp_path, among=AMONG)
    assert (found.framework, found.directory) == ("golang-migrate", str(directory))
    assert "The files here are golang-migrate's; there are none of dbmate's." in found.why


def test_files_that_contradict_themselves_do_not_decide(tmp_path: Path) -> None:
    make(tmp_path, "migrations", "1_a.up.sql", "1_b.up.sql")
    make(tmp_path, "db/migrations", DBMATE)
    found = detect([varchar("a"), bigint("b")], tmp_path, among=AMONG)
    assert found.framework == "dbmate"


def test_a_framework_without_files_has_the_project_for_its_directory(tmp_path: Path) -> None:
    found = detect([bigint()], tmp_path, among=(Fileless(),))
    assert found.directory == str(tmp_path)
    make(tmp_path, "elsewhere")
    found = detect([bigint()], tmp_path, among=(Fileless(),), directory="elsewhere")
    assert found.directory == str(tmp_path / "elsewhere")


def test_what_has_no_way_back_is_not_refused_for_the_want_of_files(tmp_path: Path) -> None:
    among = (NoWayBack(),)
    found = detect([bigint()], tmp_path, among=among)
    assert found.directory == str(tmp_path)
    assert f"No Fileless migrations were found in {tmp_path / 'steps'}" in found.why[-1]
    steps = make(tmp_path, "steps", *PAIR)
    assert detect([bigint()], tmp_path, among=among).directory == str(steps)


def test_one_without_a_table_of_its_own_is_taken_only_when_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "db/migrations", DBMATE)
    shape = varchar(name="versions")
    refused([shape], tmp_path, table="versions", among=(Described(),))
    monkeypatch.setitem(FRAMEWORKS, "described", Described())
    error = refused([shape], tmp_path, framework="described")
    assert "must be named" in error.summary
    found = detect(
        [shape],
        tmp_path,
        framework="described",
        table="versions",
        version_column="version",
        time_column="at",
    )
    assert (found.table.version_column, found.table.time_column) == ("version", "at")


def test_a_tool_known_by_sight_is_named(tmp_path: Path) -> None:
    ecto = other(
        "schema_migrations",
        ("version", "bigint"),
        ("inserted_at", "timestamp(0) without time zone"),
    )
    error = refused([ecto], tmp_path)
    assert "belongs to Ecto, which is not supported" in error.summary
    assert "mix ecto.rollback" in error.remedy
    laravel = other("migrations", ("id", "integer"), ("migration", "text"), ("batch", "integer"))
    assert "belongs to Laravel" in refused([laravel], tmp_path).summary


def test_a_supported_table_wins_over_one_known_by_sight(tmp_path: Path) -> None:
    make(tmp_path, "db/migrations", DBMATE)
    phinx = other("phinxlog", *((c, "text") for c in ("version", "migration_name", "start_time")))
    assert detect([phinx, varchar()], tmp_path).framework == "dbmate"


def test_no_version_table_at_all(tmp_path: Path) -> None:
    error = refused([], tmp_path)
    assert error.summary == "this database has no version table of a known framework"
    assert "rollback.toml" in error.remedy
    assert "version table of dbmate" in refused([], tmp_path, framework="dbmate").summary


def test_an_unknown_framework_lists_the_known(tmp_path: Path) -> None:
    error = refused([varchar()], tmp_path, framework="flyawy")
    assert error.summary == "unknown framework: flyawy"
    assert error.remedy == f"The known ones are: {', '.join(FRAMEWORKS)}."


def test_a_missing_directory_that_was_named(tmp_path: Path) -> None:
    error = refused([varchar()], tmp_path, directory="nope")
    assert error.summary == f"no such directory: {tmp_path / 'nope'}"
    assert "--migrations" in error.remedy
    # also where there is no version table: the directory is what the operator just typed
    assert "no such directory" in refused([], tmp_path, directory="nope").summary


def test_a_missing_directory_that_is_usual(tmp_path: Path) -> None:
    error = refused([varchar()], tmp_path)
    assert f"no such directory: {tmp_path / 'db/migrations'}" in error.summary
    assert "--migrations" in error.remedy


def test_a_directory_without_its_files(tmp_path: Path) -> None:
    make(tmp_path, "db/migrations", "20240101_a.rb")
    error = refused([varchar()], tmp_path)
    assert "has no dbmate migrations (VERSION_name.sql)" in error.summary
    make(tmp_path, "sql", DBMATE)
    error = refused([bigint()], tmp_path, directory="sql")
    assert "sql has no golang-migrate migrations" in error.summary


def test_the_directory_that_was_named_is_taken(tmp_path: Path) -> None:
    make(tmp_path, "db/migrations", DBMATE)
    directory = make(tmp_path, "elsewhere", DBMATE, "2_b.sql")
    for named in ("elsewhere", str(directory)):
        found = detect([varchar()], tmp_path, directory=named)
        assert found.directory == str(directory)
        assert "was asked for; it has 2 dbmate migrations" in found.why[-1]


def test_two_usual_directories_with_migrations_are_ambiguous(tmp_path: Path) -> None:
    make(tmp_path, "migrations", *PAIR)
    make(tmp_path, "db/migrations", *PAIR)
    error = refused([bigint()], tmp_path)
    assert str(tmp_path / "migrations") in error.summary
    assert str(tmp_path / "db/migrations") in error.summary
    (tmp_path / "migrations" / PAIR[0]).unlink()
    (tmp_path / "migrations" / PAIR[1]).unlink()
    assert detect([bigint()], tmp_path).directory == str(tmp_path / "db/migrations")


def test_the_table_in_public_is_taken_and_the_others_are_said(tmp_path: Path) -> None:
    make(tmp_path, "db/migrations", DBMATE)
    found = detect([varchar("auth"), varchar("public")], tmp_path)
    assert found.table.schema == "public"
    assert any("there is also auth.schema_migrations" in reason for reason in found.why)


def test_tables_in_several_other_schemas_are_ambiguous(tmp_path: Path) -> None:
    make(tmp_path, "db/migrations", DBMATE)
    shapes = [varchar("auth"), varchar("Shop")]
    error = refused(shapes, tmp_path)
    assert 'auth.schema_migrations, "Shop".schema_migrations' in error.summary
    assert "table =" in error.remedy
    for named in ("Shop.schema_migrations", '"Shop"."schema_migrations"'):
        assert detect(shapes, tmp_path, table=named).table.schema == "Shop"
    error = refused(shapes, tmp_path, table="schema_migrations")
    assert "several tables" in error.summary


def test_two_frameworks_in_two_schemas_are_separated_by_name(tmp_path: Path) -> None:
    make(tmp_path, "db/migrations", *PAIR)  # which are called as dbmate's files are, too
    shapes = [varchar("a"), bigint("b")]
    assert "several tools" in refused(shapes, tmp_path).summary
    assert detect(shapes, tmp_path, framework="dbmate").table.schema == "a"


def test_a_table_of_another_name(tmp_path: Path) -> None:
    make(tmp_path, "db/migrations", DBMATE)
    shapes = [varchar("ops", "My Versions")]
    found = detect(shapes, tmp_path, table='ops."My Versions"')
    assert found.table == VersionTable(schema="ops", name="My Versions", columns=("version",))
    assert any("was asked for" in reason for reason in found.why)
    assert "no version table nothing" in refused(shapes, tmp_path, table="nothing").summary


def test_a_table_of_the_wrong_shape_shows_its_columns(tmp_path: Path) -> None:
    error = refused([other("versions", ("id", "integer"))], tmp_path, table="versions")
    assert error.summary == (
        "public.versions is not a version table of any known framework: its columns are id integer"
    )
    error = refused([bigint()], tmp_path, framework="dbmate")
    assert "is not a version table of dbmate: its columns are version bigint" in error.summary


def test_a_hostile_table_name_is_made_visible(tmp_path: Path) -> None:
    make(tmp_path, "db/migrations", DBMATE)
    found = detect([varchar("\x1b[2J")], tmp_path)
    assert found.table.schema == "\x1b[2J"
    assert not any("\x1b" in reason for reason in found.why)


def test_every_framework_is_asked_for_by_its_table_name() -> None:
    tables = {framework.default_table for framework in FRAMEWORKS.values()} - {""}
    beside = {name for framework in FRAMEWORKS.values() for name in framework.beside}
    assert {"schema_migrations", "phinxlog"} | tables | beside <= set(TABLE_NAMES)
    assert "" not in TABLE_NAMES
