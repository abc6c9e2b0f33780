"""What ``doctor`` says of the migrations: which framework was recognised and why, where its down
migrations come from, and what is needed for that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from rollback_tui.cli.findings import Finding
from rollback_tui.cli.options import Common
from rollback_tui.core.errors import ConfigurationError, FrameworkError, RollbackTuiError
from rollback_tui.frameworks.detect import TABLE_NAMES, Detection, Undecided, Unrecognised
from rollback_tui.frameworks.kinds import CODE_AS_WELL, IN_WORDS, plain
from rollback_tui.frameworks.protocol import Framework, History
from rollback_tui.frameworks.registry import FRAMEWORKS, captures
from rollback_tui.postgres.connect import Connection
from rollback_tui.survey import baseline
from rollback_tui.survey.applied import detected, history
from rollback_tui.survey.scripts import program_of
from rollback_tui.survey.ups import Ups, read_ups


def migration_findings(given: Common, connection: Connection) -> Iterator[Finding]:
    """Return what is found of the framework, its table, its files, its program and the schema
    that is the goal of a rollback."""
    try:
        found = detected(connection, given.settings, given.project)
    except Unrecognised as error:
        yield _unrecognised(error, given)
        return
    except Undecided as error:
        yield Finding("bad", error.summary, error.remedy, error.why)
        return
    except RollbackTuiError as error:
        yield Finding("bad", error.summary, error.remedy)
        return
    framework = FRAMEWORKS[found.framework]
    yield Finding(
        "ok",
        f"framework: {framework.about.title}, version table {found.table.quoted}, migrations in"
        f" {found.directory}",
        details=found.why,
    )
    yield _way_back(given, framework)
    yield from _program(given, framework)
    try:
        past = history(connection, found)
    except RollbackTuiError as error:
        yield Finding("bad", error.summary, error.remedy)
        return
    yield from _past(past)
    if framework.kind != "none":
        yield _baseline(given, connection, found, past)


def _unrecognised(error: Undecided, given: Common) -> Finding:
    wanted = given.settings.migrations
    asked = " and ".join(
        f"{what} {name}"
        for what, name in (("framework", wanted.framework), ("table", wanted.table))
        if name
    )
    if wanted.script and not asked:
        return Finding(
            "note",
            f"{error.summary}: only the script given by hand would be run, and no version changed",
            "",
            (*error.why, f"Given by hand: {wanted.script}"),
        )
    looked = f"Looked in all schemas for tables called {', '.join(TABLE_NAMES)}."
    return Finding(
        "bad",
        error.summary,
        error.remedy,
        (
            *error.why,
            f"Asked for: {asked}." if asked else looked,
            "What works all the same: `rollback-tui state`, and `rollback-tui checkpoint create`"
            " before you roll back in another way; and `--script FILE`, with SQL written by hand.",
        ),
    )


def _way_back(given: Common, framework: Framework) -> Finding:
    about = framework.about
    words, meaning = IN_WORDS[framework.kind]
    details = [meaning]
    if framework.kind == "files" and captures(framework):
        words, details = f"{words}, or code", [meaning, CODE_AS_WELL]
    if framework.kind != "none":
        details.append(f"Where: {plain(about.scripts)}")
    if not about.lock.startswith("none"):
        details.append(f"Lock: {plain(about.lock)}")
    status: Literal["ok", "note"] = "note" if framework.kind in ("none", "captured") else "ok"
    by_hand = given.settings.migrations.script
    if by_hand:
        details.append(f"A script was given by hand: {by_hand}")
    return Finding(status, f"down migrations: {words}", plain(about.instead), tuple(details))


def _program(given: Common, framework: Framework) -> Iterator[Finding]:
    """Whether the program is there that prints or runs the down migrations; it is not called. Where
    most are read from files, it is no fault that it is missing."""
    if framework.kind != "printed" and not captures(framework):
        return
    program = program_of(framework, given.settings, given.project, None)
    called = program.shown() if program.command else "no program"
    try:
        yield Finding("ok", f"its program: {called}, found at {program.where()}")
    except FrameworkError as error:
        if framework.kind == "files":
            words = f"its program, only needed for migrations that are code: {error.summary}"
            yield Finding("note", words, error.remedy)
        else:
            yield Finding("bad", f"its program: {error.summary}", error.remedy)


def _past(past: History) -> Iterator[Finding]:
    if past.problem:
        yield Finding("bad", past.problem, "Repair that with the framework's own command.")
    if not past.applied:
        yield Finding("ok", "no migration is applied")
        return
    many = "" if len(past.applied) == 1 else "s"
    newest = past.applied[0].version
    yield Finding("ok", f"{len(past.applied)} migration{many} applied, newest {newest}")


def _baseline(given: Common, connection: Connection, found: Detection, past: History) -> Finding:
    goal = past.applied[1].version if len(past.applied) > 1 else ""
    ups: Ups = read_ups(found.framework, Path(found.directory), past.applied)
    version = goal or "the empty history"
    try:
        known, why = baseline.find(
            given.project / given.settings.verify.baseline_directory,
            goal,
            server_version=connection.info.server_version,
            made_from=ups.made_from(goal),
        )
    except ConfigurationError as error:
        return Finding("bad", error.summary, error.remedy)
    if known is not None:
        return Finding("ok", f"the schema of {version} is known: {known.origin}")
    return Finding(
        "note",
        f"the schema of {version} is not known ({why})"
        + (f", and cannot be replayed: {ups.why}" if ups.why else ": a rehearsal will replay it"),
        "Call `rollback-tui baseline record` in each deploy, before and after it migrates up.",
    )
