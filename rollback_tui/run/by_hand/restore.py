"""The second half of the guide by hand: the database brought back, verified, and in use again."""

# ruff: noqa: S608 - nothing is sent: it is text for a person, names and strings quoted by pasted
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rollback_tui.core.events import RestorePointMade
from rollback_tui.core.model import Plan
from rollback_tui.core.text import markdown, printable
from rollback_tui.frameworks.registry import FRAMEWORKS
from rollback_tui.run.by_hand import again
from rollback_tui.run.by_hand.pasted import block, identifier, literal, pattern, relation, word
from rollback_tui.run.by_hand.situation import Situation, end_sessions

_COUNTED = 40
"""Tables whose rows are compared, at most: more would be no page for a person."""

# Of the tables that the run touched; who wants all of them leaves the condition out.
_FOREIGN_KEYS = """\
SELECT format('SELECT %L AS "foreign key", count(*) AS "rows without parent" FROM %s c WHERE %s'
       ' AND NOT EXISTS (SELECT FROM %s p WHERE %s)', k.conname, k.conrelid::regclass,
       string_agg(format('c.%I IS NOT NULL', a.attname), ' AND '), k.confrelid::regclass,
       string_agg(format('p.%I = c.%I', b.attname, a.attname), ' AND '))
FROM pg_constraint k
CROSS JOIN LATERAL unnest(k.conkey, k.confkey) u(own, other)
JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.own
JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = u.other
WHERE k.contype = 'f' AND k.conparentid = 0{condition}
GROUP BY k.oid, k.conname, k.conrelid, k.confrelid ORDER BY k.conname
\\gexec"""


def bring_back(here: Situation) -> str:
    """How the database gets back what it held before the run, by each way that there is."""
    view = here.view
    texts = [_whether(here), *_stop_services(here)]
    ways = 0
    clone = view.clone
    if clone is not None:
        ways += 1
        texts.append(_from_clone(here, clone.database))
    if view.checkpoint is not None:
        ways += 1
        texts.append(_from_dump(here, Path(view.checkpoint.path)))
    if view.restore_point is not None:
        ways += 1
        texts.append(_from_outside(view.restore_point))
    if view.swapped is not None:
        texts.append(
            f"### What was replaced\n\n{markdown(view.swapped.kept)} is the database that was"
            " replaced; nothing in it was removed. Drop it when you are sure, not tonight. To have"
            f" it back, swap the two again:\n\n{_swap(here, view.swapped.kept)}"
        )
    if not ways and here.begun.recovers:
        path = f"{here.begun.recovers}/RECOVERY.md"
        texts.append(f"The copies are of the run before: see {markdown(path)}.")
    elif not ways:
        texts.append(
            "This run made **no copy** of the database. What is left is your own backup, or the up"
            " migration (section 10)."
        )
    return "\n\n".join(texts)


def _whether(here: Situation) -> str:
    if here.view.finished and here.view.finished.outcome in ("refused", "unchanged"):
        return "There is **nothing to restore**: the database is as before."
    return (
        "Only when section 3 says that something was committed, and it must not stay. Where the"
        " tool can be started, it does this better, counts what would be lost, and proves the"
        f" result: `rollback-tui recover {here.short}`. By hand: the door must be open (section 4)."
        " What was written since the copy was made is then only in the database that is put aside;"
        " nothing is dropped."
    )


def _stop_services(here: Situation) -> Iterator[str]:
    names = here.settings.recovery.services
    text = "### Stop the services"
    if names:
        units = " ".join(word(name) for name in names)
        yield f"{text}\n\n{block(f'sudo systemctl stop -- {units}')}"
    else:
        yield (
            f"{text}\n\nNone are configured (`[recovery] services`): stop what uses"
            f" {markdown(here.database)} in your own way, so that nobody writes meanwhile."
        )


def _from_clone(here: Situation, clone: str) -> str:
    made = here.view.checkpoint
    texts = [
        "### From the clone",
        f"{markdown(clone)} holds everything as it was when the door closed, also what was written"
        " after the dump.",
    ]
    if made is not None:
        path = Path(made.path) / "database.sql"
        run = f"psql {here.server.options(here.maintenance)} -v new={word(clone)} -f"
        texts += [
            "Owner, privileges, limit and settings belong to a database and are not copied with"
            " it; the checkpoint knows them:",
            block(f"{run} {word(str(path))}"),
        ]
    else:
        show = "\\l+", "\\drds"
        texts += [
            "Owner, privileges, limit and settings belong to a database and are not copied with"
            " it; set them as they are for the other one:",
            block(here.psql(*show)),
        ]
    texts += [
        "Then the two are swapped by renames. Is one of them in use (“is being accessed by other"
        " users”), the same again.",
        _swap(here, clone),
    ]
    return "\n\n".join(texts)


def _from_dump(here: Situation, checkpoint: Path) -> str:
    new = here.beside("__by_hand_")
    server = here.server.environment(here.maintenance)
    return "\n\n".join(
        (
            "### From the dump",
            "It holds what was there when the dump was made, before the door closed. First: are"
            " these the files that were written?",
            block(f"cd -- {word(str(checkpoint))} && sha256sum --quiet --check SHA256SUMS"),
            "Restored into a **new** database beside; should it fail, it removes that again, and"
            " nothing else was touched.",
            block(f"{server} {word(str(checkpoint / 'restore.sh'))} {word(new)}"),
            "Compare its rows with those of the run's beginning, and with `rows` in"
            f" {markdown(str(checkpoint / 'manifest.json'))}, which are those of the dump:",
            block(_counts(here, new)),
            "Then the two are swapped by renames. Is one of them in use (“is being accessed by"
            " other users”), the same again.",
            _swap(here, new),
        )
    )


def _from_outside(point: RestorePointMade) -> str:
    begin = (
        f"from the backup {markdown(point.backup)}" if point.backup else "and there was no backup"
    )
    texts = [
        f"### From {point.provider}",
        "Brings the **whole server** back, every database of it, as it was at the restore point"
        f" {markdown(point.name)} (stanza {markdown(point.stanza)}, {begin}). On the database's"
        " machine, as the server's own user, one after the other:",
    ]
    if not point.archived:
        texts.append("Its WAL was **not seen** in the repository: the point may not be reached.")
    if point.problem:
        texts.append(f"What speaks against it: {markdown(point.problem)}.")
    return "\n\n".join((*texts, block(*(printable(text) for text in point.commands))))


def _swap(here: Situation, new: str) -> str:
    own, kept = identifier(here.database), here.beside("__replaced_")
    done = block(
        here.psql(
            f"ALTER DATABASE {own} ALLOW_CONNECTIONS false;",
            end_sessions(f"datname IN ({literal(here.database)}, {literal(new)})"),
            "BEGIN;",
            f"ALTER DATABASE {identifier(new)} ALLOW_CONNECTIONS true;",
            f"ALTER DATABASE {own} RENAME TO {identifier(kept)};",
            f"ALTER DATABASE {identifier(new)} RENAME TO {own};",
            "COMMIT;",
        )
    )
    give_up = block(f"ALTER DATABASE {own} ALLOW_CONNECTIONS true;", language="sql")
    later = block(f"DROP DATABASE {identifier(kept)};", language="sql")
    return (
        f"{done}\n\nTo give up before it is done:\n\n{give_up}\n\nWhat was replaced is"
        f" {markdown(kept)} now, and lets nobody in. Later, not tonight:\n\n{later}"
    )


def verify(here: Situation) -> str:
    """How to see that what is in place is what should be."""
    plan = here.begun.plan
    condition = ""
    if here.touched:
        names = ", ".join(literal(relation(name)) for name, _ in here.touched[:_COUNTED])
        wanted = f"(SELECT to_regclass(t) FROM unnest(ARRAY[{names}]) t)"
        condition = f"\n  AND (k.conrelid IN {wanted} OR k.confrelid IN {wanted})"
    ask = here.server.psql
    return "\n\n".join(
        (
            "Rows of the tables that the run touches (not there any more: a committed rollback"
            " dropped it):",
            block(_counts(here, here.database)),
            *_version(here, plan),
            "Indexes that are not valid: none should be, and `REINDEX INDEX` makes them again.",
            block(
                ask(
                    here.database,
                    "SELECT indexrelid::regclass FROM pg_index"
                    " WHERE NOT indisvalid OR NOT indisready;",
                )
            ),
            "Foreign keys: every number should be 0.",
            block(ask(here.database, _FOREIGN_KEYS.format(condition=condition))),
        )
    )


def _version(here: Situation, plan: Plan) -> tuple[str, ...]:
    if not plan.version_table:
        return ()
    newest = f"SELECT * FROM {relation(plan.version_table)} ORDER BY 1 DESC LIMIT 5;"
    return (
        f"The version; before the run it was {markdown(plan.current or 'none')}:",
        block(here.server.psql(here.database, newest)),
    )


def _counts(here: Situation, database: str) -> str:
    if not here.touched:
        return here.server.psql(database, "SELECT relname, n_live_tup FROM pg_stat_user_tables;")
    lines = []
    for table, rows in here.touched[:_COUNTED]:
        before = "NULL" if rows is None else str(rows)
        lines.append(
            f'SELECT {literal(table)} AS "table", {before}::bigint AS "when the run began",'
            f" count(*) AS now FROM {relation(table)}"
        )
    return here.server.psql(database, "\nUNION ALL ".join(lines) + ";")


def services(here: Situation) -> str:
    """How the application is started again, and where it writes what goes wrong."""
    names = tuple(word(name) for name in here.settings.recovery.services)
    files = tuple(pattern(path) for path in here.settings.recovery.log_files)
    texts = []
    if names:
        texts.append(block(f"sudo systemctl start -- {' '.join(names)}"))
        texts.append(block(f"systemctl status --no-pager -- {' '.join(names)}"))
        units = " ".join(f"--unit={name}" for name in names)
        texts.append(block(f"journalctl --follow --lines=100 {units}"))
    else:
        texts.append("Start what you stopped.")
    if files:
        texts.append(block(f"tail -n 100 -F -- {' '.join(files)}"))
    url = here.settings.health.url
    if url:
        texts.append("Then ask it for its health (`[health] url` in `rollback.toml`).")
    return "\n\n".join(texts)


def apply_again(here: Situation) -> str:
    """The other way back: the up migrations once more, and what was kept put back."""
    plan = here.begun.plan
    if not plan.migrations or here.begun.task != "rollback" or plan.version_stays:
        return ""
    texts = [
        "When the rollback is committed and the migration is to come back without a restore:"
        " nothing written since is lost; what the rollback removed is not there, except what it"
        " kept.",
        block(again.command(plan)),
    ]
    if not again.names_its_target(plan):
        texts.append("It reads its own configuration: make sure that this leads to the database.")
    known = FRAMEWORKS.get(plan.framework)
    if known is not None and known.kind != "captured":  # of code, only the tool knows the way up
        texts += [
            "With the tool, which enters the versions and proves the result:",
            block(
                f"rollback-tui recover {word(here.short)} --rung reapply"
                f" --confirm {word(here.database)}"
            ),
        ]
    if here.view.kept:
        texts += [
            f"What was kept in {markdown(here.view.kept[0].schema)}, put back:",
            block(
                f"rollback-tui archive restore {word(here.short)} --confirm {word(here.database)}"
            ),
        ]
    return "\n\n".join(texts)
