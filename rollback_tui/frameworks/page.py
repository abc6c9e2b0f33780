"""``docs/frameworks.md``, made from what each framework says of itself.

Written with ``python -m rollback_tui.frameworks.page > docs/frameworks.md``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from rollback_tui.frameworks.by_sight import STRANGERS
from rollback_tui.frameworks.kinds import IN_WORDS
from rollback_tui.frameworks.protocol import Framework, Kind
from rollback_tui.frameworks.registry import FRAMEWORKS

_HEADINGS: dict[Kind, str] = {
    "files": "Down migrations in files",
    "printed": "Down migrations printed by the tool",
    "captured": "Down migrations only run by the tool",
    "none": "No down migrations",
}

_RECOGNISED = """\
## How a framework is recognised

1. By the **shape of the version table**, in any schema of the target: it is what was really
   deployed. A table with the tool's own name comes before one that is called otherwise.
2. Where several tools have tables of the same shape, by **what stands beside**: `schema_migrations`
   with `ar_internal_metadata` in the same schema is Rails', and not dbmate's.
3. Then by the **files**: the usual directories of the tool, or the one you name. Of two tools in
   one database it is the one whose files are here.
4. Where that leaves several, or none, it is refused, and they are named.

`--framework` or `migrations.framework` names the tool, `migrations.table` the version table,
`--migrations` or `migrations.directory` the directory. Each of these is believed and only
checked. `rollback-tui doctor` prints what was found, what was ruled out and why, and whether the
program that is needed is there.

After our rollback the tool's own command line agrees: the version is pending, and can be applied
again.
"""

_REFUSED = """\
## Refused for all of them

| what | why | what you can do |
|---|---|---|
| no file for the applied version | the code that is checked out is not the code that was \
deployed | check out the right commit |
| a version table with what the tool never writes: one version twice, NULL, a time that is \
`infinity` | what is applied cannot be told from it, and to delete one row would take the other \
along | look at its rows with psql and correct them |
| no down migration, or one without any statement | some tools would drop the version and leave \
the schema; we never do | write the down migration, or give a script with `--script FILE` |
| a script whose statements only select constants or set the session (`SELECT 'down SQL query'`) \
| it takes nothing back: it is a template that nobody filled in, or stands for nothing | write \
the down migration, or give a script with `--script FILE` |
| a name without a schema that is in the schema of the version table, when the connection's \
`search_path` leads elsewhere | of one tenant the version would go, of another one the table | \
connect with `options=-csearch_path=SCHEMA`, or name the schema in the script |
| `BEGIN`, `COMMIT`, `ROLLBACK`, `SAVEPOINT` … | the run owns the transaction | remove it. One \
`BEGIN;` and one `COMMIT;`, each on a line of its own around the whole, are taken off and the \
preview says so |
| psql's commands (`\\i`, `\\set` …), `COPY … FROM STDIN` | only psql understands them; where \
the tool itself runs psql, its section says what is taken | write it as SQL |
| not UTF-8, a byte order mark, NUL, invisible or text-reordering characters | the script would \
not do what it seems to say | save it as plain UTF-8; the message has the line and the byte |
| a placeholder of another tool: `{{ x }}`, `{% x %}`, `${X}`, `$X`, `#{x}`, `%(x)s`, `:x`, `<%= \
x %>`, `@@x@@` | the script runs exactly as it is. Only where PostgreSQL could not mean it: not \
in `'…'`, `$$…$$` and comments, but in `"…"`, where it would be another table | put in, in a \
copy, what the tool would put in; or roll back with that tool |
| more than 20,000 statements, or parentheses deeper than 2,000 | it would not be read in a \
sensible time | split it |
| a file over 16 MB, a pipe or device, a link that leads out of the directory | it is no \
migration | put the file itself there |

None of these can be set aside with a reason.

A script that its framework marks as not transactional, or that has a statement which cannot run
in a transaction (`CREATE INDEX CONCURRENTLY`, `VACUUM` …), goes [statement by
statement](safety.md#statement-by-statement).

Where a statement ends is read by the rules of PostgreSQL's own scanner; in scripts up to 64 KB
also by sqlparse, and a difference is shown. The judge is the target's own parser: each statement
is prepared there, never executed, and must be exactly one command. Until it has judged, a
difference stands in the way (check `boundaries`).
"""

_OTHERS = """\
## Any other tool

{strangers} are known by sight and refused by name, with exit code 2. What works for these, and for
any tool that is not on this page:

- its down migrations are pairs of files, and its table has a row a version: `--framework pairs`;
- only its own program can run them: `--framework other`;
- a script that you write: `--script FILE`;
- a module of your own, in an afternoon: [adding a framework](adding_a_framework.md).

Without any of that there is still `rollback-tui state`, and the checkpoint, which is worth having
before you roll back in another way:

```bash
rollback-tui checkpoint create
rollback-tui checkpoint list
rollback-tui checkpoint restore 20240115_103000 --into app_restored
```
"""


def page() -> str:
    """Return the page."""
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    count = len(FRAMEWORKS)
    yield "# Frameworks"
    yield ""
    yield f"{count} migration tools are understood. Where a tool's down migrations come from"
    yield "decides what happens before the preview; from there on all take the same way."
    yield ""
    yield "| tool | `--framework` | down migrations | version table | tested with |"
    yield "|---|---|---|---|---|"
    for kind in _HEADINGS:
        for framework in _of(kind):
            about = framework.about
            link = f"[{about.title}](#{_anchor(about.title)})"
            table = f"`{framework.default_table}`" if framework.default_table else "yours"
            words = IN_WORDS[kind][0]
            tested = _cell(about.tested.split(". ")[0].rstrip("."))
            yield f"| {link} | `{framework.name}` | {words} | {table} | {tested} |"
    yield ""
    yield from _RECOGNISED.splitlines()
    yield ""
    yield from _REFUSED.splitlines()
    yield ""
    for kind, heading in _HEADINGS.items():
        frameworks = _of(kind)
        if not frameworks:
            continue
        yield f"## {heading}"
        yield ""
        yield IN_WORDS[kind][1]
        yield ""
        for framework in frameworks:
            yield from _section(framework)
    tools = [one.tool for one in STRANGERS]
    named = f"{', '.join(tools[:-1])} and {tools[-1]}"
    yield from _OTHERS.format(strangers=named).splitlines()


def _section(framework: Framework) -> Iterator[str]:
    about = framework.about
    yield f"### {about.title}"
    yield ""
    rows = {
        "home": f"<{about.site}>" if about.site else "",
        "rules of": about.rules,
        "version table": _table(framework),
        "files": _files(framework),
        "down migration": about.scripts,
        "newest": about.newest,
        "outside a transaction": about.outside,
        "written": about.change,
        "lock": about.lock,
        "tested": about.tested,
        "instead": about.instead,
    }
    yield "| | |"
    yield "|---|---|"
    for name, text in rows.items():
        if text:
            yield f"| {name} | {_cell(text)} |"
    yield ""
    if about.refused:
        yield "Refused:"
        yield ""
        yield from (f"- {_line(sentence)}" for sentence in about.refused)
        yield ""


def _table(framework: Framework) -> str:
    if not framework.default_table:
        return 'the one you name: `[migrations] table = "schema.table"`'
    beside = " and ".join(f"`{name}`" for name in framework.beside)
    return f"`{framework.default_table}`" + (f", with {beside} beside it" if beside else "")


def _files(framework: Framework) -> str:
    """Return what its files are called, and where they are looked for."""
    places = ["the project" if d == "." else f"`{d}`" for d in framework.default_directories]
    if not places:
        return ""
    *rest, last = places
    where = f"{', '.join(rest)} or {last}" if rest else last
    # In the words, what is a name has a dot or a slash.
    names = re.sub(r"[\w/.-]*[./][\w/.-]*\w", r"`\g<0>`", framework.file_pattern)
    return f"{names}; in {where}"


def _of(kind: Kind) -> list[Framework]:
    found = (framework for framework in FRAMEWORKS.values() if framework.kind == kind)
    return sorted(found, key=lambda framework: framework.about.title.lower())


def _anchor(title: str) -> str:
    """Return the anchor that a heading gets: small letters, blanks as dashes, no other signs."""
    kept = (c for c in title.lower() if c.isalnum() or c in " -_")
    return "".join(kept).replace(" ", "-")


def _cell(text: str) -> str:
    return _line(text).replace("|", "\\|")


def _line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    sys.stdout.write(page())
