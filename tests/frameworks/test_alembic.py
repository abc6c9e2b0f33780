"""Alembic's files, graph and output, without the program. test_real_alembic.py has it."""

from __future__ import annotations

import itertools
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import AppliedMigration
from rollback_tui.frameworks.alembic.files import graph_of
from rollback_tui.frameworks.alembic.framework import Alembic
from rollback_tui.frameworks.alembic.output import cut
from rollback_tui.frameworks.alembic.revisions import Change, Graph, Revision, changed, parsed
from rollback_tui.frameworks.program import Program
from rollback_tui.frameworks.protocol import Made, Missing, TableShape, VersionTable
from tests.frameworks.alembic_projects import branches, project, revision

TABLE = VersionTable(schema="public", name="alembic_version", columns=("version_num",))
ELSEWHERE = VersionTable(schema="Ops", name="Versions", columns=("version_num",))


def node(id_: str, *down: str, depends: tuple[str, ...] = (), created: str = "") -> Revision:
    return Revision(
        id=id_,
        down=down,
        depends_on=depends,
        labels=(f"{id_}_label",),
        message="",
        created=created,
        idle=False,
        path=f"/versions/{id_}.py",
    )


# --- the table ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "key", "recognised"),
    [
        ((("version_num", "character varying(32)"),), ("version_num",), True),
        ((("version_num", "character varying(128)"),), (), True),
        ((("version_num", "text"),), ("version_num",), True),
        ((("version_num", "bigint"),), ("version_num",), False),
        ((("version", "character varying"),), ("version",), False),
        ((("version_num", "text"), ("other", "text")), ("version_num",), False),
    ],
)
def test_the_shape_of_its_table(
    columns: tuple[tuple[str, str], ...], key: tuple[str, ...], recognised: bool
) -> None:
    shape = TableShape(schema="s", name="anything", columns=columns, primary_key=key)
    assert Alembic().recognises(shape) is recognised


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "id_", "down"),
    [
        ("revision = 'x'\ndown_revision = None", "x", ()),
        ('revision: str = "x"\ndown_revision: str | None = "y"', "x", ("y",)),
        ("revision = 'x'\ndown_revision = ('y', 'z')\n", "x", ("y", "z")),
        ("revision = 'x'\ndown_revision = ['y']\n", "x", ("y",)),
        ("\ufeffrevision = 'x'\r\ndown_revision = 'y'\r\n", "x", ("y",)),
        ("revision = 'first'\nrevision = 'x'\ndown_revision = None", "x", ()),
        ("text = '''\nrevision = 'no'\n'''\nrevision = 'x'\ndown_revision = None", "x", ()),
        ("down_revision = 'y'", "ab12", ("y",)),
    ],
)
def test_a_revision_is_what_its_file_says(text: str, id_: str, down: tuple[str, ...]) -> None:
    found = parsed(text.encode(), Path("/v/ab12.py"))
    assert found is not None
    assert (found.id, found.down) == (id_, down)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("revision = 'x", "line 1"),
        ("revision = make()\ndown_revision = None", "revision of x.py is not written down"),
        ("revision = 'x'\ndown_revision = BASE", "down_revision of x.py"),
        ("revision = 'x'\ndepends_on = 5", "depends_on of x.py"),
        ("revision = ''", "no revision identifier"),
        ("revision = " + "(" * 300 + "'x'" + ")" * 300, "x.py cannot be read"),
        ("revision = 'x\x00'", "x.py cannot be read"),
    ],
)
def test_a_file_that_does_not_say_plainly_what_it_is_is_refused(text: str, words: str) -> None:
    with pytest.raises(FrameworkError, match=words):
        parsed(text.encode(), Path("/v/x.py"))


def test_nothing_in_a_file_is_executed_or_told_on_the_screen(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = project(tmp_path)
    file = revision(path, "a1", None)
    trap = tmp_path / "trap"
    file.write_text(f"open({str(trap)!r}, 'w')\nx = '\\d'\n" + file.read_text())
    (file.parent / "__init__.py").write_text("raise SystemExit")
    (file.parent / ".#a1.py").write_text("revision = 'lock'")
    (file.parent / "helper.py").write_text("def helper(): ...")
    found = Alembic().files(file.parent)
    assert [(f.version, f.path) for f in found] == [("a1", str(file))]
    assert not trap.exists()
    assert capfd.readouterr() == ("", "")


def test_what_is_said_of_a_revision(tmp_path: Path) -> None:
    path = project(tmp_path)
    plain = "down_revision = None\n"
    texts = {
        "def upgrade():\n    '''Up.'''\n    pass\n": True,
        "def upgrade():\n    ...\n": True,
        "@every_tenant\ndef upgrade():\n    pass\n": False,
        "def upgrade():\n    op.execute('SELECT 1')\n": False,
        "": False,
    }
    for text, idle in texts.items():
        found = parsed(f"revision = 'x'\n{plain}{text}".encode(), Path("/v/x.py"))
        assert found is not None
        assert found.idle is idle, text
    file = revision(path, "a1", None, day=9)
    found = parsed(file.read_bytes(), file)
    assert found is not None
    assert (found.message, found.created) == ("Do a1", "2024-03-09 10:00:00.000000")


def test_contradictions_between_files_are_refused(tmp_path: Path) -> None:
    for revisions, words in (
        ([node("a"), node("a")], "a.py and a.py are both the revision a"),
        ([node("a", "gone")], "stands on the revision gone, which no file has"),
        ([node("a", depends=("gone",))], "stands on the revision gone"),
        ([node("a", "b"), node("b", "a")], "stands on itself"),
    ):
        with pytest.raises(FrameworkError, match=words):
            Graph(revisions)
    path = project(tmp_path)
    revision(path, "a1", None)
    (path / "alembic/versions/bad.py").write_text("revision = ")
    with pytest.raises(FrameworkError, match=r"bad\.py cannot be read: line 1"):
        Alembic().files(path / "alembic/versions")


@pytest.mark.parametrize(
    "configuration",
    [
        "path_separator = os\nversion_locations = %(here)s/alembic/versions:%(here)s/more",
        "version_path_separator = space\nversion_locations = alembic/versions %(here)s/more",
        "version_locations = alembic/versions, more",
        "path_separator = newline\nversion_locations =\n  alembic/versions\n  more",
    ],
)
def test_versions_in_several_directories_are_one_graph(tmp_path: Path, configuration: str) -> None:
    path = project(tmp_path)
    (path / "alembic.ini").write_text(f"[alembic]\nscript_location = alembic\n{configuration}\n")
    (path / "more").mkdir()
    revision(path, "a1", None, day=1)
    revision(path, "b1", "a1", day=2, directory="more")
    for directory in ("alembic/versions", "more"):
        assert graph_of(path / directory).order == ("b1", "a1")


@pytest.mark.parametrize(
    ("configuration", "directories"),
    [
        ("script_location = %(here)s/db/way", ["db/way/versions"]),
        ("script_location = db", ["db/versions"]),
        (
            "script_location = shop.core:way",
            ["shop/core/way/versions", "src/shop/core/way/versions"],
        ),
        ("script_location = x\nversion_locations = %(here)s/one two", ["one"]),
        ("sqlalchemy.url = driver://", ["from/toml/versions"]),
        ("script_location =", []),
    ],
)
def test_where_the_configuration_says_that_the_versions_are(
    tmp_path: Path, configuration: str, directories: list[str]
) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.alembic]\nscript_location = "from/toml"\n')
    (tmp_path / "alembic.ini").write_text(f"[alembic]\n{configuration}\n")
    assert list(Alembic().configured_directories(tmp_path)) == directories
    (tmp_path / "alembic.ini").write_bytes(b"\xff[")
    assert Alembic().configured_directories(tmp_path) == ("from/toml/versions",)


def test_versions_below_and_a_configuration_in_pyproject(tmp_path: Path) -> None:
    path = project(tmp_path)
    (path / "alembic.ini").unlink()
    (path / "pyproject.toml").write_text(
        '[tool.alembic]\nscript_location = "%(here)s/alembic"\n'
        'recursive_version_locations = true\nversion_locations = ["%(here)s/alembic/versions"]\n'
    )
    for name in ("2023", "2024", "__pycache__"):
        (path / "alembic/versions" / name).mkdir()
    revision(path, "a1", None, directory="alembic/versions/2023")
    revision(path, "a2", "a1", directory="alembic/versions/2024")
    revision(path, "no", "a2", directory="alembic/versions/__pycache__")
    assert graph_of(path / "alembic/versions").order == ("a2", "a1")


# --- the graph ------------------------------------------------------------------------------------


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Any graph: several bases, branches, merges, dependencies."""
    revisions: list[Revision] = []
    for number in range(draw(st.integers(1, 9))):
        names = [r.id for r in revisions]
        down = draw(st.lists(st.sampled_from(names), max_size=2, unique=True)) if names else []
        depends = draw(st.lists(st.sampled_from(names), max_size=1)) if names else []
        created = str(draw(st.integers(0, 3)))
        revisions.append(
            node(f"r{number}", *down, depends=tuple(f"{d}_label" for d in depends), created=created)
        )
    return Graph(revisions)


@settings(max_examples=150, deadline=None)
@given(graphs(), st.data())
def test_the_order_is_one_in_which_all_can_go_and_stays_when_the_newest_are_gone(
    graph: Graph, data: st.DataObject
) -> None:
    heads = data.draw(st.sets(st.sampled_from(sorted(graph.revisions)), min_size=1))
    applied = graph.ancestors(heads)
    order = graph.newest_first(applied)
    assert sorted(order) == sorted(applied)
    for above, below in itertools.combinations(order, 2):
        assert above not in graph.ancestors({below})
    for gone in range(len(order)):
        assert graph.newest_first(order[gone:]) == order[gone:]
        assert graph.ancestors(graph.heads(order[gone:])) == set(order[gone:])


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_down_and_up_lead_to_the_same_rows(graph: Graph) -> None:
    """The table never loses a revision on the way down: what it says is applied is what is left."""
    rows = graph.heads(graph.order)
    for place, id_ in enumerate(graph.order):
        changes, after = graph.down(rows, id_)
        assert changed(rows, changes) == after
        assert graph.ancestors(after) == set(graph.order[place + 1 :])
        rows = after
    for place, id_ in reversed(list(enumerate(graph.order))):
        changes, after = graph.up(rows, id_)
        assert changed(rows, changes) == after
        assert graph.ancestors(after) == set(graph.order[place:])
        rows = after


def test_a_merge_and_a_branch_that_stays_change_other_rows_than_a_line() -> None:
    graph = Graph(
        [node("a"), node("b", "a"), node("c", "a"), node("m", "b", "c"), node("x", depends=("a",))]
    )
    assert graph.down(frozenset("m"), "m")[0] == (Change("insert", "b"), Change("update", "m", "c"))
    assert graph.down(frozenset("bc"), "c") == ((Change("delete", "c"),), frozenset("b"))
    assert graph.down(frozenset("b"), "b")[0] == (Change("update", "b", "a"),)
    assert graph.down(frozenset("bx"), "b")[0] == (Change("delete", "b"),)
    assert graph.down(frozenset("x"), "x")[0] == (Change("update", "x", "a"),)
    assert graph.down(frozenset("a"), "a")[0] == (Change("delete", "a"),)
    assert graph.up(frozenset("bc"), "m")[0] == (Change("delete", "b"), Change("update", "c", "m"))


# --- history --------------------------------------------------------------------------------------


def test_the_history_is_all_that_the_heads_stand_on(tmp_path: Path) -> None:
    directory = branches(project(tmp_path)) / "alembic/versions"
    framework = Alembic()
    files = framework.files(directory)

    def applied(*heads: str) -> list[str]:
        found = framework.history([(head,) for head in heads], files)
        assert not found.problem
        return [m.version for m in found.applied]

    assert [f.version for f in files] == ["a1", "a2", "b1", "c1", "m1", "z1", "d1"]
    assert applied() == []
    assert applied("c1") == ["c1", "a2", "a1"]
    assert applied("b1", "c1") == ["c1", "b1", "a2", "a1"]
    assert applied("z1") == ["z1", "a2", "a1"]
    assert applied("d1", "z1") == ["d1", "z1", "m1", "c1", "b1", "a2", "a1"]


def test_a_branch_that_comes_late_is_where_the_graph_puts_it(tmp_path: Path) -> None:
    """Created before the newest and applied after it: Alembic keeps no order of application, and
    where branches leave a choice the date decides."""
    path = branches(project(tmp_path))
    revision(path, "late", "a2", day=1)
    framework = Alembic()
    files = framework.files(path / "alembic/versions")
    found = framework.history([("d1",), ("late",)], files)
    assert [m.version for m in found.applied] == ["d1", "m1", "c1", "b1", "late", "a2", "a1"]


def test_a_version_that_only_the_database_has_stops_all(tmp_path: Path) -> None:
    framework = Alembic()
    files = framework.files(branches(project(tmp_path)) / "alembic/versions")
    found = framework.history([("c1",), ("f\x1b00",)], files)
    assert "has f␛00, and no file has this revision" in found.problem
    newest = found.applied[0]
    assert (newest.version, newest.path) == ("f\x1b00", None)
    assert "has version f␛00" in framework.down(newest, tmp_path).why


def test_a_row_that_another_row_stands_on_stops_all(tmp_path: Path) -> None:
    framework = Alembic()
    files = framework.files(branches(project(tmp_path)) / "alembic/versions")
    found = framework.history([("a2",), ("c1",)], files)
    assert "has c1 and also a2, on which that stands" in found.problem


def test_the_version_change_for_a_script_by_hand_is_said_only_where_it_is_certain(
    tmp_path: Path,
) -> None:
    framework = Alembic()
    path = branches(project(tmp_path))
    revision(path, "w1", None)
    directory = path / "alembic/versions"
    all_ = {f.version: f for f in framework.files(directory)}

    def change(version: str, previous: str | None) -> list[str]:
        one, other = (
            AppliedMigration(version=v, name="", path=all_[v].path) if v else None
            for v in (version, previous)
        )
        assert one is not None
        return [text.split(" ", 1)[0] for text in framework.version_change(TABLE, one, other)]

    assert change("d1", "m1") == ["UPDATE"]
    assert change("m1", "c1") == ["INSERT", "UPDATE"]
    assert change("c1", "b1") == ["DELETE"]
    assert change("b1", "a2") == ["UPDATE"]
    assert change("a1", None) == ["DELETE"]
    assert change("d1", "z1") == ["UPDATE"]  # nothing else stands on m1
    assert change("c1", "z1") == ["DELETE"]
    assert change("b1", "z1") == ["DELETE"]
    assert change("b1", "w1") == []  # whether c1 is applied, which stands on a2 as well?
    assert change("m1", "w1") == ["INSERT", "UPDATE"]
    assert change("a2", "d1") == []  # which never comes after it
    lost = AppliedMigration(version="gone", name="")
    assert framework.version_change(TABLE, lost, None) == ()


# --- output ---------------------------------------------------------------------------------------

HEAD = "-- Running downgrade b -> a\n\n"
CHANGE = "UPDATE alembic_version SET version_num='a' WHERE alembic_version.version_num = 'b';\n\n"


def down(
    body: str, *, before: str = "", change: str = CHANGE, table: VersionTable = TABLE
) -> bytes:
    found = cut(
        f"BEGIN;\n\n{before}{HEAD}{body}{change}COMMIT;\n\n", "downgrade", table, complete=True
    )
    assert not found.stopped_at
    assert [section.revision for section in found.sections] == ["b"]
    return found.sections[0].text


@pytest.mark.parametrize(
    "body",
    [
        "DROP TABLE t;\n\n",
        "SELECT '-- Running downgrade x -> y';\n\n",
        "SELECT $$\n-- Running downgrade x -> y\nCOMMIT;\n$$;\n\n",
        "/* -- Running downgrade x -> y */ SELECT 1;\n\n",
        "-- Running upgrade x -> y\n\nSELECT 1;\n\n",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END;\n\n",
        "UPDATE t SET version_num='a' WHERE id = 'b';\n\nSELECT 1;\n\n",
        "SELECT 'ünï', E'\\'';\n\n",
        "-- a comment of its own\n\nSELECT 1;\n\n",
        "SELECT 1; -- behind\n\nSELECT 2;\n\n",
    ],
)
def test_a_migration_is_its_own_text(body: str) -> None:
    assert down(body) == (body.strip() + "\n").encode()


def test_the_change_of_the_version_table_is_taken_out_in_every_form() -> None:
    one = '"Ops"."Versions"'
    for before, change, after in (
        ("b", f"UPDATE {one} SET version_num='a' WHERE {one}.version_num = 'b';\n\n", "a"),
        ("b", f"DELETE FROM {one} WHERE {one}.version_num = 'b';\n\n", ""),
        # which were printed at the base before 1.20, and never executed online
        ("b", f"DELETE FROM {one} WHERE {one}.version_num = 'b';\n\nDROP TABLE {one};\n\n", ""),
        (
            "b",
            f"INSERT INTO {one} (version_num) VALUES ('x') RETURNING {one}.version_num;\n\n"
            f"UPDATE {one} SET version_num='a' WHERE {one}.version_num = 'b';\n\n",
            "ax",
        ),
    ):
        text = f"BEGIN;\n\n{HEAD}SELECT 1;\n\n{change}COMMIT;\n\n"
        (section,) = cut(text, "downgrade", ELSEWHERE, complete=True).sections
        assert section.text == b"SELECT 1;\n"
        assert changed(frozenset(before), section.changes) == frozenset(after)


def test_a_migration_that_drops_a_table_last_keeps_it() -> None:
    for name in ("alembic_version", "other"):
        text = f"{HEAD}DROP TABLE {name};\n\n{CHANGE}"
        (section,) = cut(text, "downgrade", TABLE, complete=True).sections
        assert section.text == f"DROP TABLE {name};\n".encode()
        assert not section.transactional  # there is no BEGIN: transactional_ddl=False


def test_another_version_table_than_the_one_found_is_refused() -> None:
    with pytest.raises(FrameworkError, match="another table than") as raised:
        down("SELECT 1;\n\n", table=ELSEWHERE)
    assert '[migrations] table = "schema.table"' in raised.value.remedy


@pytest.mark.parametrize(
    "body",
    [
        "DROP TABLE t -- why;\n\n",
        "CREATE SCHEMA s -- why;\n\nCREATE TABLE x ();\n\n",
        "DROP TABLE t /* why\n\n;\n\n",
        "SELECT 'never closed;\n\n",
    ],
)
def test_a_statement_whose_end_cannot_be_told_is_refused(body: str) -> None:
    text = f"BEGIN;\n\n{HEAD}{body}{CHANGE}-- Running downgrade a -> \n\nSELECT 1;\n\nCOMMIT;\n\n"
    try:
        found = cut(text, "downgrade", TABLE, complete=True)
    except FrameworkError as error:
        assert "Take the comment out" in error.remedy
    else:  # then a migration is missing, which is not what was asked for
        assert [s.revision for s in found.sections] != ["b", "a"]


def test_what_belongs_to_no_migration_is_refused_unless_it_is_a_setting() -> None:
    with pytest.raises(FrameworkError, match="belongs to no migration: hello from env BEGIN"):
        cut(f"hello from env\nBEGIN;\n\n{HEAD}{CHANGE}COMMIT;\n", "downgrade", TABLE, complete=True)
    with pytest.raises(FrameworkError, match="belongs to no migration"):
        down("SELECT 1;\n\n", before="DELETE FROM users;\n\n")
    set_ = "SET search_path TO tenant;\n\n"
    assert down("SELECT 1;\n\n", before=set_) == f"{set_}SELECT 1;\n".encode()
    assert down("", before=set_) == b""


def test_transactions_of_each_migration_and_blocks_outside() -> None:
    text = (
        f"BEGIN;\n\n{HEAD}SELECT 1;\n\n{CHANGE}COMMIT;\n\n"
        "BEGIN;\n\n-- Running downgrade a -> \n\nCOMMIT;\n\nVACUUM;\n\nBEGIN;\n\nSELECT 2;\n\n"
        "DELETE FROM alembic_version WHERE alembic_version.version_num = 'a';\n\nCOMMIT;\n\n"
    )
    inside, outside = cut(text, "downgrade", TABLE, complete=True).sections
    assert (inside.text, inside.transactional) == (b"SELECT 1;\n", True)
    assert (outside.text, outside.transactional) == (b"VACUUM;\n\nSELECT 2;\n", False)
    assert outside.changes == (Change("delete", "a"),)


def test_of_an_output_that_ends_early_the_last_migration_is_the_one_that_failed() -> None:
    text = f"BEGIN;\n\n{HEAD}SELECT 1;\n\n{CHANGE}-- Running downgrade a -> \n\nSELECT 2;\n\n"
    found = cut(text, "downgrade", TABLE, complete=False)
    assert [section.revision for section in found.sections] == ["b"]
    assert found.stopped_at == "a"
    assert cut("", "downgrade", TABLE, complete=False) == ((), "")


# --- a program that is not the project's ----------------------------------------------------------


@pytest.mark.parametrize(
    ("printed", "words"),
    [
        ("", "printed the revisions none, not a2, a1"),
        (HEAD + CHANGE, "printed the revisions b, not a2, a1"),
        ("-- Running downgrade a2 -> a1\n\nSELECT 1;\n\n", "not what the revision files say"),
        (
            "-- Running downgrade a2 -> a1\n\nUPDATE alembic_version SET version_num='zz' WHERE"
            " alembic_version.version_num = 'a2';\n\n",
            "not what the revision files say",
        ),
    ],
)
def test_what_does_not_fit_the_files_is_refused(tmp_path: Path, printed: str, words: str) -> None:
    path = project(tmp_path)
    revision(path, "a1", None)
    revision(path, "a2", "a1")
    rest = "-- Running downgrade a1 -> \n\nDELETE FROM alembic_version WHERE version_num = 'a1';\n"
    (path / "printed.sql").write_text(printed + (rest if "a2 -> a1" in printed else ""))
    tool = path / "tool"
    tool.write_text("#!/bin/sh\ncat printed.sql\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    program = Program(command=("./tool",), project=path, environment={}, seconds=20)
    framework, directory = Alembic(), path / "alembic/versions"
    applied = framework.history([("a2",)], framework.files(directory)).applied
    with pytest.raises(FrameworkError, match=words):
        framework.print_down(applied, (), TABLE, directory, program)
    lost = AppliedMigration(version="gone", name="")
    assert isinstance(framework.print_down([lost], (), TABLE, directory, program)[0], Missing)
    assert not isinstance(framework.print_up([lost], (), TABLE, directory, program)[0], Made)
