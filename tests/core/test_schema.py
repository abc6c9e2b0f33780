"""Snapshots as values: fingerprint, differences, and how they read."""

from __future__ import annotations

import pytest

from rollback_tui.core.schema import (
    FORMAT,
    Difference,
    SchemaSnapshot,
    condensed,
    diff,
    grouped,
    kind_and_name,
    moved_columns,
    parts,
)


def _snapshot(**objects: str) -> SchemaSnapshot:
    return SchemaSnapshot(objects={name.replace("_", " ", 1): d for name, d in objects.items()})


def test_the_fingerprint_depends_on_names_and_definitions_only() -> None:
    first = SchemaSnapshot(objects={"table a": "x", "table b": ""})
    same = SchemaSnapshot(objects={"table b": "", "table a": "x"}, column_order={"a": ("i",)})
    assert first.fingerprint == same.fingerprint
    assert len(first.fingerprint) == 64
    others = [
        SchemaSnapshot(objects={"table a": "x"}),
        SchemaSnapshot(objects={"table a": "y", "table b": ""}),
        SchemaSnapshot(objects={"table a": "x", "table c": ""}),
        SchemaSnapshot(objects={"table a": "", "table b": "x"}),
    ]
    assert len({s.fingerprint for s in (first, *others)}) == 5


def test_differences_name_what_came_went_and_changed() -> None:
    before = _snapshot(table_a="", column_a="int", index_i="CREATE INDEX")
    after = _snapshot(table_a="", column_a="text", view_v="SELECT 1")
    assert [d.describe() for d in diff(before, after)] == [
        "changed: column a: was int, is text",
        "gone: index i (CREATE INDEX)",
        "appeared: view v (SELECT 1)",
    ]
    assert diff(before, before) == ()


def test_a_long_definition_is_cut_around_the_place_where_it_changed() -> None:
    body = "SELECT " + ", ".join(f"column_{n}" for n in range(300))
    line = Difference(object="view v", before=body + " FROM a", after=body + " FROM b").describe()
    assert "FROM a" in line
    assert "FROM b" in line
    assert len(line) < 300


def test_hostile_names_stay_on_one_harmless_line() -> None:
    line = Difference(object='table public."a\x1b[2J\n"', before=None, after="x\u202ey").describe()
    assert line.isprintable()
    assert "␛[2J␊" in line


def test_only_what_hangs_on_a_table_that_went_is_left_out() -> None:
    before = SchemaSnapshot(
        objects={
            "table public.a": "",
            "column public.a.x": "int",
            "grants on table public.a": "owner me",
            "index public.elsewhere": "CREATE INDEX elsewhere ON public.a USING btree (x)",
            "column public.ab.x": "int",
            "index public.other": "CREATE INDEX other ON public.ab USING btree (x)",
        }
    )
    names = [d.object for d in condensed(diff(before, SchemaSnapshot(objects={})))]
    assert names == ["column public.ab.x", "index public.other", "table public.a"]


def test_a_column_that_changed_is_never_left_out() -> None:
    before = SchemaSnapshot(objects={"table public.a": "", "column public.a.x": "int"})
    after = SchemaSnapshot(objects={"table public.a": "unlogged", "column public.a.x": "text"})
    assert len(condensed(diff(before, after))) == 2


def test_moved_columns_are_the_same_ones_in_another_order() -> None:
    def order(*columns: str) -> SchemaSnapshot:
        return SchemaSnapshot(objects={}, column_order={"t": columns})

    assert moved_columns(order("a", "b"), order("b", "a")) == ("t",)
    assert moved_columns(order("a", "b"), order("a", "b")) == ()
    assert moved_columns(order("a", "b"), order("b", "c")) == ()
    assert moved_columns(SchemaSnapshot(objects={}), order("a")) == ()


def test_a_snapshot_can_be_kept_in_a_file() -> None:
    kept = SchemaSnapshot(objects={"table é": "x"}, column_order={"é": ("a", "b")})
    assert SchemaSnapshot.decode(kept.encode()) == kept


# --- reading differences --------------------------------------------------------------------------


def _gone(*objects: str, definition: str = "") -> list[Difference]:
    return [Difference(object=name, before=definition, after=None) for name in objects]


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("column public.users.email", "column", "public.users.email"),
        ("grants on materialised view public.m", "materialised view", "public.m"),
        ("owner of function public.f(integer)", "function", "public.f(integer)"),
        ("comment on table column public.t.a", "table column", "public.t.a"),
        ("comment on trigger g on public.t", "trigger", "g on public.t"),
        ("security label selinux on table public.t", "table", "public.t"),
        ("internal triggers of public.t", "internal triggers", "public.t"),
        ("text search configuration public.cfg", "text search configuration", "public.cfg"),
    ],
)
def test_an_object_is_taken_apart(text: str, kind: str, name: str) -> None:
    assert kind_and_name(text) == (kind, name)


def test_a_name_is_taken_apart_with_its_quotes() -> None:
    assert parts('public."Ord.er"."a""b"') == ("public", '"Ord.er"', '"a""b"')


def test_differences_are_grouped_by_the_table_they_belong_to() -> None:
    on = "CREATE INDEX i ON public.t USING btree (a)"
    owned = "as bigint\nidentity of public.t.id"
    found = [
        Difference(object="table public.t", before="", after="unlogged"),
        *_gone("column public.t.a", "trigger public.t.g", "comment on trigger g on public.t"),
        *_gone("grants on column public.t.b", "owner of table public.t", "policy public.t.p"),
        *_gone("index public.i", definition=on),
        *_gone("sequence public.t_id_seq", definition=owned),
        *_gone("internal triggers of public.t", "constraint public.t.t_pkey"),
        *_gone("column public.v.a", "constraint public.d.small", "type public.mood"),
        *_gone("grants on type public.mood", "comment on schema public"),
    ]
    groups = grouped(found, ["public.moved"], {"view public.v", "type public.d"})
    assert {g.object: len(g.differences) for g in groups} == {
        "schema public": 1,
        "table public.moved": 0,
        "table public.t": 11,
        "type public.d": 1,
        "type public.mood": 2,
        "view public.v": 1,
    }
    assert [g.object for g in groups if g.moved] == ["table public.moved"]
    table = next(g for g in groups if g.object == "table public.t")
    assert table.differences[0].object == "table public.t"
    assert table.lines()[:2] == (
        "changed: table public.t: was nothing, is unlogged",
        "  gone: column public.t.a",
    )
    moved = next(g for g in groups if g.moved)
    assert moved.lines() == ("in table public.moved:", "  the same columns in another order")


def test_an_index_of_a_table_with_a_strange_name_goes_with_it() -> None:
    before = SchemaSnapshot(
        objects={
            'table public."a ON b.c"': "",
            "index public.i": 'CREATE UNIQUE INDEX i ON ONLY public."a ON b.c" USING btree (x)',
            "statistics public.s": 'CREATE STATISTICS public.s ON x, y FROM public."a ON b.c"',
        }
    )
    left = condensed(diff(before, SchemaSnapshot(objects={})))
    assert [d.object for d in left] == ['table public."a ON b.c"']


def test_of_a_function_the_lines_are_shown_in_which_it_differs() -> None:
    lines = [f"  perform step_{n}();" for n in range(50)]
    before = "\n".join(lines)
    after = before.replace("step_30()", "step_30(true)")
    line = Difference(object="function public.f()", before=before, after=after).describe()
    assert line == (
        "changed: function public.f(): was line 31: perform step_30();, is perform step_30(true);"
    )


def test_what_one_side_could_not_read_is_not_compared() -> None:
    full = SchemaSnapshot(objects={"user mapping for a on server s": "options password 12"})
    less = SchemaSnapshot(objects={}, unread=("user mapping for a on server s",))
    assert diff(full, less) == diff(less, full) == ()
    assert len(diff(full, SchemaSnapshot(objects={}))) == 1


def test_a_snapshot_from_before_says_that_it_is_of_an_older_format() -> None:
    assert SchemaSnapshot.decode(b'{"objects":{}}').format == 1 < FORMAT
