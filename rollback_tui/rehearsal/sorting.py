"""What a tool sent, sorted: the script, the change of the version table, and what is neither.

Everything that is not known to be no part of the migration is part of it, or is refused. Refused
is what may depend on rows that the scratch copy does not have: the tool may do something else on
the real ones.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rollback_tui.core.script.tree import Node, child, children, each, relation, text
from rollback_tui.core.text import shorten
from rollback_tui.rehearsal.belonging import Belonging, called, named
from rollback_tui.rehearsal.sent import LeftOut, Sent, Unclear

_CHANGING = frozenset(("insert_stmt", "update_stmt", "delete_stmt", "merge_stmt"))
# Of the session only, or of no consequence for what statements do.
_OF_THE_SESSION = frozenset(
    """variable_show_stmt discard_stmt deallocate_stmt listen_stmt unlisten_stmt
    close_portal_stmt fetch_stmt""".split()  # noqa: SIM905
)
_HARMLESS = frozenset(
    """client_encoding client_min_messages application_name statement_timeout lock_timeout
    idle_in_transaction_session_timeout idle_session_timeout transaction_timeout
    extra_float_digits bytea_output log_statement log_min_duration_statement
    default_transaction_isolation default_transaction_read_only default_transaction_deferrable
    tcp_keepalives_idle tcp_keepalives_interval tcp_keepalives_count escape_string_warning
    jit plan_cache_mode""".split()  # noqa: SIM905
)
"""Settings that change nothing about what a migration does to the database."""
# Rails sets it: it changes how intervals are printed, not what is understood (only sql_standard
# does, of negative ones).
_AS_GOOD = {("intervalstyle", "set intervalstyle = iso_8601")}
_LEXING = ("standard_conforming_strings", "backslash_quote")
_ADVISORY = re.compile(r"pg_(try_)?advisory_(xact_)?(un)?lock(_shared|_all)?")
_READS = (
    "it may do something else on the real rows, which the scratch copy does not have. Write the"
    " script by hand (--script FILE), or roll back with the tool itself"
)


class Sorted(NamedTuple):
    """What one call of the tool's down migration comes to."""

    statements: tuple[Sent, ...]
    version_change: tuple[Sent, ...]
    left_out: tuple[LeftOut, ...]
    reads: tuple[str, ...]
    """The application's tables whose rows the tool read."""
    refused: str
    """Why this is no script; empty: it is one."""


class Sorter:
    """Sorts what was done, in the order in which it was done."""

    def __init__(self, belonging: Belonging, changes: Callable[[str, str], bool]) -> None:
        """``changes`` says whether a statement that sets (name) would change anything for a session
        of the target."""
        self._belonging = belonging
        self._changes = changes
        self._statements: list[Sent] = []
        self._version_change: list[Sent] = []
        self._left_out: list[LeftOut] = []
        self._reads: dict[str, None] = {}
        self._refused: list[str] = []
        self._paths: dict[int, tuple[str, ...]] = {}
        self._set: dict[int, set[str]] = defaultdict(set)
        """Settings by session that are not those of the target."""
        self._settings: dict[int, list[Sent]] = defaultdict(list)
        """The statements that made them so, until a statement follows that may depend on them."""
        self._with_settings: set[int] = set()

    def sort(self, done: Sequence[Sent]) -> Sorted:
        """Return what it comes to."""
        for one in done:
            self._belonging.under(self._paths.get(one.session, ()))
            try:
                self._take(one)
            except Unclear as error:
                self._refused.append(str(error))
        self._in_one_piece()
        if self._reads:
            tables = ", ".join(self._reads)
            self._refused.append(f"the tool read rows of {tables}: {_READS}")
        return Sorted(
            tuple(self._statements),
            tuple(self._version_change),
            tuple(self._left_out),
            tuple(self._reads),
            "; ".join(dict.fromkeys(self._refused)),
        )

    def _take(self, one: Sent) -> None:
        kind, fields = one.kind, one.fields
        if kind == "variable_set_stmt":
            self._setting(one, text(fields, "name").lower(), text(fields, "kind"))
        elif kind in _OF_THE_SESSION:
            self._leave(one, "it concerns only the tool's own session")
        elif kind in ("prepare_stmt", "execute_stmt"):
            raise Unclear(f"{_shown(one)}: what SQL prepares cannot be followed")
        elif kind == "copy_stmt" and not text(fields, "filename"):
            raise Unclear(f"{_shown(one)}: COPY with the data of a client")
        elif kind == "explain_stmt":
            raise Unclear(f"{_shown(one)}: a plan may decide what the tool does")
        elif kind in ("select_stmt", "declare_cursor_stmt") and not child(fields, "into_clause"):
            self._query(one)
        elif kind in _CHANGING:
            self._change(one)
        else:
            self._command(one)

    def _keep(self, one: Sent) -> None:
        self._depends(one)
        self._statements.append(one)

    def _depends(self, one: Sent) -> None:
        """Settings that the session has made until now belong before it."""
        made = self._settings.pop(one.session, [])
        self._statements += made
        if made:
            self._with_settings.add(one.session)

    def _leave(self, one: Sent, why: str) -> None:
        self._left_out.append(LeftOut(one.place, one.text, why))

    # --- settings --------------------------------------------------------------------------------

    def _setting(self, one: Sent, name: str, kind: str) -> None:
        if kind == "VAR_SET_MULTI":
            self._leave(one, "it describes a transaction; the run has its own")
            return
        if name == "search_path":
            self._paths[one.session] = (*self._paths.get(one.session, ()), one.text)
        if name in _HARMLESS:
            self._leave(one, "it concerns only the tool's own session")
        elif name in _LEXING:
            if self._changes(name, one.text):
                raise Unclear(f"{_shown(one)}: it changes where strings end")
            self._leave(one, "it is set so already")
        elif self._differs(one, name, kind):
            self._set[one.session].add(name)
            self._settings[one.session].append(one)
        else:
            self._leave(one, "it is set so already")

    def _differs(self, one: Sent, name: str, kind: str) -> bool:
        """Whether the session is then not, or was not, as one of the target's begins."""
        known = self._set[one.session]
        if kind == "VAR_RESET_ALL":
            return bool(known)
        if name in known:
            return True
        if kind == "VAR_RESET" or (name, one.text.lower()) in _AS_GOOD:
            return False
        return self._changes(name, one.text)

    def _configured(self, one: Sent, call: Node) -> None:
        """``SELECT set_config('name', …)`` is a SET."""
        arguments = [child(item, "a_const") for item in children(call, "args")]
        values = [text(child(one, "sval"), "sval") for one in arguments]
        if len(arguments) != 3 or not values[0]:
            raise Unclear(f"{_shown(one)}: which setting it is cannot be told")
        self._setting(one, values[0].lower(), "VAR_SET_VALUE")

    # --- queries ---------------------------------------------------------------------------------

    def _query(self, one: Sent) -> None:
        """A query is part of the migration only for what its functions do; where its answer may
        hold what depends on the application's rows, nobody knows what the tool made of it."""
        if any(kind in _CHANGING for kind, _ in each(one.tree)):
            raise Unclear(f"{_shown(one)}: it returns what it changes, and {_READS}")
        owners = self._belonging.owners(one.tree)
        if "application" in owners:
            names = (n for n in named(one.tree) if self._belonging.of(n) == "application")
            self._reads.update(dict.fromkeys(names))
            return
        doing = [f for f in called(one.tree) if not self._belonging.only_asks(f)]
        locks = [f for f in doing if _ADVISORY.fullmatch(f[1])]
        if doing == [f for f in doing if f[1] == "set_config"] and len(doing) == 1:
            calls = [node for kind, node in each(one.tree) if kind == "func_call"]
            self._configured(one, calls[0])
        elif len(locks) == len(doing):
            self._leave(
                one,
                "it takes or gives back a lock of the tool's"
                if locks
                else "it reads only what is the tool's own"
                if owners & {"version", "own"}
                else "it only asks the server",
            )
        elif all(f[1] == "setval" or self._belonging.answers_nothing(f) for f in doing):
            self._keep(one)
        else:
            raise Unclear(f"{_shown(one)}: it calls a function whose answer the tool may use")

    # --- changes ---------------------------------------------------------------------------------

    def _change(self, one: Sent) -> None:
        target = self._belonging.of(relation(child(one.fields, "relation")))
        owners = self._belonging.owners(one.tree)
        if target in ("version", "own"):
            if "application" in owners:
                raise Unclear(f"{_shown(one)}: it mixes the tool's own tables with the others")
            if target == "own":
                self._leave(one, "it concerns a table of the tool's own")
            else:
                self._bookkeeping(one)
            return
        if owners & {"version", "own"}:
            raise Unclear(f"{_shown(one)}: it mixes the tool's own tables with the others")
        if child(one.fields, "returning_clause") or children(one.fields, "returning_list"):
            raise Unclear(f"{_shown(one)}: it returns what it changes, and {_READS}")
        self._keep(one)

    def _bookkeeping(self, one: Sent) -> None:
        """Settings alone are no script: where the migration does nothing, what changes the version
        table must mean the same without them."""
        if any(other.session == one.session for other in self._statements):
            self._depends(one)
        else:
            self._belonging.under(())
            if "version" not in self._belonging.owners(one.tree):
                raise Unclear(f"{_shown(one)}: only the tool's search_path leads to that table")
        self._version_change.append(one)

    def _command(self, one: Sent) -> None:
        owners = self._belonging.owners(one.tree)
        if not owners & {"version", "own"}:
            self._keep(one)
            return
        there = one.kind == "create_stmt" and one.fields.get("if_not_exists") is True
        harmless = owners <= {"version", "own"} and (there or one.kind == "lock_stmt")
        if harmless or owners == {"own"}:
            self._leave(one, "it concerns a table of the tool's own")
        else:
            raise Unclear(f"{_shown(one)}: it changes the version table itself")

    def _in_one_piece(self) -> None:
        """Statements of several sessions have an order only where one session is through before
        the next begins; and in one session, ours, they share their settings."""
        for made in self._settings.values():
            for one in made:
                self._leave(one, "it concerns a session of the tool's that changed nothing")
        sessions = [one.session for one in self._statements]
        changes = [s for s, after in itertools.pairwise(sessions) if s != after]
        if len(changes) + 1 > len(set(sessions)) > 1:
            self._refused.append("several sessions changed the database at the same time")
        several = {one.session for one in (*self._statements, *self._version_change)}
        if self._with_settings and len(several) > 1:
            self._refused.append("several sessions with different settings changed the database")


def _shown(one: Sent) -> str:
    return shorten(one.text, 120)
