"""Snapshots as values: fingerprint, differences, and how they read."""

from __future__ import annotations

from rollback_tui.core.schema import Difference, SchemaSnapshot, condensed, diff, moved_columns


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
