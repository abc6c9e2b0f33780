"""How far a statement reaches: its own database, the whole server, or beyond.

A scratch database keeps to itself what belongs to a database. It does not hold back what belongs
to the server (roles, other databases, tablespaces, its configuration), and even a server of our
own does not hold back what goes to files, programs and other servers.
"""

from __future__ import annotations

import re
from typing import Literal

from rollback_tui.core.model import Value
from rollback_tui.core.script.lexer import tokens
from rollback_tui.core.script.tree import (
    Node,
    child,
    children,
    flag,
    opened,
    option,
    strings,
    text,
)

Far = Literal["server", "beyond"]


class Reach(Value, frozen=True, kw_only=True):
    """One way in which something reaches beyond its database."""

    far: Far
    """``server``: the whole server it runs on. ``beyond``: files, programs, other servers."""
    why: str
    """``it changes a role, which all databases of the server share``."""


_ROLES = "it changes roles, which all databases of the server share"
_DATABASES = "it changes databases as such"
_TABLESPACES = "it changes a tablespace, which all databases of the server share"
_SUBSCRIPTIONS = "it speaks to the publishing server of a subscription"

_BY_KIND: dict[str, tuple[Far, str]] = {
    "create_role_stmt": ("server", _ROLES),
    "alter_role_stmt": ("server", _ROLES),
    "alter_role_set_stmt": ("server", _ROLES),
    "drop_role_stmt": ("server", _ROLES),
    "grant_role_stmt": ("server", _ROLES),
    # Both also act on databases and tablespaces that the role owns or has privileges on.
    "reassign_owned_stmt": ("server", _ROLES),
    "drop_owned_stmt": ("server", _ROLES),
    "alter_system_stmt": ("server", "it changes the server's configuration"),
    "alter_database_stmt": ("server", _DATABASES),
    "alter_database_set_stmt": ("server", _DATABASES),
    "alter_database_refresh_coll_stmt": ("server", _DATABASES),
    "createdb_stmt": ("server", _DATABASES),
    "dropdb_stmt": ("server", _DATABASES),
    "create_table_space_stmt": ("beyond", "it makes a tablespace, a directory of the machine"),
    "drop_table_space_stmt": ("server", _TABLESPACES),
    "alter_table_space_options_stmt": ("server", _TABLESPACES),
    "create_subscription_stmt": ("beyond", _SUBSCRIPTIONS),
    "alter_subscription_stmt": ("beyond", _SUBSCRIPTIONS),
    "drop_subscription_stmt": ("beyond", _SUBSCRIPTIONS),
    "import_foreign_schema_stmt": ("beyond", "it asks another server"),
    "load_stmt": ("beyond", "it loads a library of the machine into the server"),
    "check_point_stmt": ("server", "it makes the whole server write to its disk"),
}

_BY_OBJECT: dict[str, tuple[Far, str]] = {
    "OBJECT_ROLE": ("server", _ROLES),
    "OBJECT_DATABASE": ("server", _DATABASES),
    "OBJECT_TABLESPACE": ("server", _TABLESPACES),
    "OBJECT_PARAMETER_ACL": ("server", "it grants a parameter of the server"),
    "OBJECT_SUBSCRIPTION": ("beyond", _SUBSCRIPTIONS),
}
_OBJECT_FIELDS = ("objtype", "object_type", "rename_type", "remove_type")

_DEFINES = frozenset(
    {
        "alter_default_privileges_stmt",
        "alter_event_trig_stmt",
        "alter_function_stmt",
        "alter_object_schema_stmt",
        "alter_owner_stmt",
        "comment_stmt",
        "composite_type_stmt",
        "constraints_set_stmt",
        "create_enum_stmt",
        "create_event_trig_stmt",
        "create_function_stmt",
        "create_policy_stmt",
        "create_schema_stmt",
        "create_seq_stmt",
        "create_trig_stmt",
        "drop_stmt",
        "grant_stmt",
        "lock_stmt",
        "notify_stmt",
        "rename_stmt",
        "rule_stmt",
        "variable_set_stmt",
        "view_stmt",
    }
)
"""Kinds that name functions without calling them. NOTIFY is heard in its own database only.

TRUNCATE is none of them: it fires triggers, and empties the table of another server, too (14+)."""

_COMPUTE = frozenset(
    {
        "AT_AddColumn",
        "AT_AddConstraint",
        "AT_AlterColumnType",
        "AT_AttachPartition",
        "AT_SetExpression",
        "AT_ValidateConstraint",
    }
)
"""What ALTER TABLE does that reads or writes the rows of a table."""

# Calls and commands inside texts: bodies of functions, DO blocks, EXECUTE of a string.
_BEYOND = re.compile(
    r"\b(dblink\w*|lo_(?:ex|im)port|pg_file_\w+|pg_read_(?:binary_)?file|http(?:_\w+)?"
    r"|net\s*\.\s*http_\w+|aws_\w+\s*\.\s*\w+|pg_background_launch"
    r"|pg_(?:create|drop|copy)_\w*replication_slot|pg_replication_\w+)\s*\(",
    re.IGNORECASE,
)
_COPIES = re.compile(r"\bcopy\b[^;]{1,400}?\b(?:to|from)\s+(?:program\b|e?')", re.IGNORECASE)
_SUBSCRIBES = re.compile(r"\b(?:create|alter|drop)\s+subscription\b", re.IGNORECASE)
_SERVER = re.compile(
    r"\b(pg_terminate_backend|pg_cancel_backend|pg_reload_conf|pg_rotate_logfile|pg_promote"
    r"|pg_switch_wal|pg_create_restore_point|pg_(?:start_backup|backup_start)"
    r"|pg_stat_reset_shared|pg_stat_statements_reset)\s*\("
    r"|\b(?:create|alter|drop)\s+(?:role|user(?!\s+mapping\b)|group|database|tablespace)\b"
    r"|\b((?:reassign|drop)\s+owned|alter\s+system)\b",
    re.IGNORECASE,
)


def reach(sql: str, tree: Node | None) -> Reach | None:
    """Return how a statement reaches beyond its database; None when it does not by itself.

    ``tree`` is its parse tree, None where nobody could read it. What the functions do that it
    calls is for :func:`reach_of_text` and whoever knows their bodies.
    """
    kind, node = opened(tree or {})
    found = _BY_KIND.get(kind) or next(
        (_BY_OBJECT[text(node, f)] for f in _OBJECT_FIELDS if text(node, f) in _BY_OBJECT), None
    )
    if kind == "copy_stmt" and (flag(node, "is_program") or text(node, "filename")):
        what = "a program" if flag(node, "is_program") else "a file"
        found = ("beyond", f"it copies through {what} of the server's machine")
    if found is not None:
        return Reach(far=found[0], why=found[1])
    wild = _unconfined(option(node, "args", "language")) if kind == "do_stmt" else ""
    if wild:
        return Reach(far="beyond", why=wild)
    return None if kind in _DEFINES else reach_of_text(without_comments(sql))


def calls_nothing(tree: Node | None) -> bool:
    """Whether a statement only defines, renames or drops: functions it names are not called."""
    return opened(tree or {})[0] in _DEFINES


def runs_attached(tree: Node | None) -> bool:
    """Whether a statement may run what hangs on tables: triggers, defaults, checks, generated
    columns."""
    kind, node = opened(tree or {})
    if kind == "alter_table_stmt":
        commands = (child(item, "alter_table_cmd") for item in children(node, "cmds"))
        return any(text(command, "subtype") in _COMPUTE for command in commands)
    return kind not in _DEFINES and kind != "index_stmt"


_PLACES = {
    "view_stmt": ("view",),
    "rule_stmt": ("relation",),
    "create_foreign_table_stmt": ("base_stmt", "relation"),
}
"""Where the name stands of what later statements may set off by naming it."""

_CONFINED = frozenset("sql plpgsql plperl pltcl plv8 plcoffee plls pllua c internal".split())  # noqa: SIM905
"""Languages that are trusted; and those in which a script only names what is installed."""


def defined(tree: Node | None) -> tuple[str, str]:
    """Return (name, danger) of what a statement defines that later ones may set off: a function, a
    view, the table of a rule, a table of another server. Empty: it defines none.

    ``danger`` says why it reaches beyond whatever its body says; empty: only the body tells.
    """
    kind, node = opened(tree or {})
    if kind == "create_function_stmt":
        names = strings(children(node, "funcname"))
        return (names[-1] if names else ""), _unconfined(option(node, "options", "language"))
    for field in _PLACES.get(kind, ()):
        node = child(node, field)
    if kind not in _PLACES:
        return "", ""
    far = kind == "create_foreign_table_stmt"
    return text(node, "relname"), "it is a table of another server" if far else ""


def _unconfined(language: Node | None) -> str:
    """Return why code in this language may do anything; empty: it may not."""
    name = text(child(child(language or {}, "arg"), "string"), "sval").lower()
    if not name or name in _CONFINED:
        return ""
    return f"it is written in {name}, which may do anything on the machine"


def reach_of_text(body: str) -> Reach | None:
    """Return how the text of a function or of a statement reaches beyond its database.

    By the names of what does so; rather too often than not.
    """
    match = _BEYOND.search(body)
    if match:
        return Reach(far="beyond", why=f"it calls {match.group(1).lower()}")
    if _COPIES.search(body):
        return Reach(far="beyond", why="it copies through files or programs of the machine")
    if _SUBSCRIBES.search(body):
        return Reach(far="beyond", why=_SUBSCRIPTIONS)
    match = _SERVER.search(body)
    if match:
        words = " ".join(match.group(0).rstrip("(").split()).lower()
        return Reach(far="server", why=f"it says {words}, which is not of one database")
    return None


def without_comments(sql: str) -> str:
    """Return a statement with its comments blanked: what only they mention does nothing."""
    latin = sql.encode().decode("latin-1")
    for token in reversed(list(tokens(latin, 0, len(latin)))):
        if token.kind == "comment":
            latin = f"{latin[: token.start]} {latin[token.end :]}"
    return latin.encode("latin-1").decode(errors="replace")
