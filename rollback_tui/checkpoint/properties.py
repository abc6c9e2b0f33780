"""What belongs to a database itself: read from the catalog, written to another database.

pg_dump leaves it out (it is part of ``--create``, which would also fix the name), so owner,
privileges, connection limit, comment and settings are carried by us.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psycopg import sql

from rollback_tui.checkpoint.manifest import DatabaseProperties, DatabaseSetting, Grant
from rollback_tui.core.errors import CheckpointError
from rollback_tui.core.text import printable
from rollback_tui.postgres.connect import Connection

_PROVIDERS = {"c": "libc", "i": "icu", "b": "builtin"}

# These settings are lists of names; each name must be quoted by itself. The list is that of
# variable_is_guc_list_quote() in src/bin/pg_dump/dumputils.c.
_NAME_LISTS = frozenset(
    {
        "local_preload_libraries",
        "search_path",
        "session_preload_libraries",
        "shared_preload_libraries",
        "temp_tablespaces",
        "unix_socket_directories",
    }
)

# to_jsonb takes whichever columns this version has: 13 and 14 have no provider, 15 and 16 call
# the locale daticulocale, 17 datlocale.
_DATABASE = """
SELECT to_jsonb(d) - 'datacl', pg_get_userbyid(d.datdba), pg_encoding_to_char(d.encoding),
       t.spcname, shobj_description(d.oid, 'pg_database'), d.datacl IS NULL
FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace
WHERE d.datname = %s
"""

_GRANTS = """
SELECT CASE WHEN a.grantee = 0 THEN NULL ELSE pg_get_userbyid(a.grantee) END,
       a.privilege_type, bool_or(a.is_grantable)
FROM pg_database d, aclexplode(d.datacl) a
WHERE d.datname = %s
GROUP BY 1, 2 ORDER BY 1 NULLS FIRST, 2
"""

_SETTINGS = """
SELECT r.rolname, c.setting
FROM pg_db_role_setting s
JOIN pg_database d ON d.oid = s.setdatabase
LEFT JOIN pg_roles r ON r.oid = s.setrole
CROSS JOIN LATERAL unnest(s.setconfig) WITH ORDINALITY c(setting, place)
WHERE d.datname = %s
ORDER BY 1 NULLS FIRST, c.place
"""


def read_properties(connection: Connection, database: str) -> DatabaseProperties:
    """Return the properties of ``database``. Raises CheckpointError when there is none."""
    row = connection.execute(_DATABASE, [database]).fetchone()
    if row is None:
        raise CheckpointError(
            f"There is no database {printable(database)}", "Check its name: it may be renamed."
        )
    columns, owner, encoding, tablespace, comment, default_acl = row
    grants: tuple[Grant, ...] | None = None
    if not default_acl:
        grants = tuple(
            Grant(grantee=grantee, privilege=privilege, grantable=grantable)
            for grantee, privilege, grantable in connection.execute(_GRANTS, [database])
        )
    return DatabaseProperties(
        name=database,
        owner=owner,
        encoding=encoding,
        collate=columns["datcollate"],
        ctype=columns["datctype"],
        locale_provider=_PROVIDERS.get(columns.get("datlocprovider", "c"), "libc"),
        locale=columns.get("datlocale") or columns.get("daticulocale"),
        icu_rules=columns.get("daticurules"),
        tablespace=tablespace,
        connection_limit=columns["datconnlimit"],
        comment=comment,
        grants=grants,
        settings=tuple(
            _setting(role, text) for role, text in connection.execute(_SETTINGS, [database])
        ),
    )


def _setting(role: str | None, text: str) -> DatabaseSetting:
    name, _, value = text.partition("=")
    return DatabaseSetting(role=role, name=name, value=value)


def create_statement(
    properties: DatabaseProperties, name: sql.Composable, server_major: int
) -> sql.Composed:
    """Return CREATE DATABASE for an empty database of the same kind.

    ``template0``: the only template that may differ in encoding and locale, and that nobody has
    put anything into.
    """
    words: list[sql.Composable] = [
        sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING {}").format(
            name, sql.Identifier(properties.owner), sql.Literal(properties.encoding)
        ),
        sql.SQL("LC_COLLATE {} LC_CTYPE {}").format(
            sql.Literal(properties.collate), sql.Literal(properties.ctype)
        ),
    ]
    if server_major >= 15:
        words.append(sql.SQL("LOCALE_PROVIDER ") + sql.SQL(properties.locale_provider))
        if properties.locale_provider == "icu" and properties.locale:
            words.append(sql.SQL("ICU_LOCALE {}").format(sql.Literal(properties.locale)))
        if properties.locale_provider == "icu" and properties.icu_rules:
            words.append(sql.SQL("ICU_RULES {}").format(sql.Literal(properties.icu_rules)))
        if properties.locale_provider == "builtin" and properties.locale:
            words.append(sql.SQL("BUILTIN_LOCALE {}").format(sql.Literal(properties.locale)))
    if properties.tablespace != "pg_default":
        words.append(sql.SQL("TABLESPACE {}").format(sql.Identifier(properties.tablespace)))
    return sql.SQL(" ").join(words)


def carry_statements(
    properties: DatabaseProperties, name: sql.Composable
) -> Iterator[sql.Composed]:
    """Yield the statements that give ``properties`` to the database ``name``, owner first."""
    owner = sql.Identifier(properties.owner)
    yield sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, owner)
    if properties.grants is not None:
        yield sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC, {}").format(name, owner)
        for grant in properties.grants:
            yield sql.SQL("GRANT {} ON DATABASE {} TO {}{}").format(
                sql.SQL(_privilege(grant)),
                name,
                sql.SQL("PUBLIC") if grant.grantee is None else sql.Identifier(grant.grantee),
                sql.SQL(" WITH GRANT OPTION" if grant.grantable else ""),
            )
    yield sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(
        name, sql.Literal(properties.connection_limit)
    )
    yield sql.SQL("COMMENT ON DATABASE {} IS {}").format(name, sql.Literal(properties.comment))
    for setting in properties.settings:
        yield set_statement(setting, name)


def _privilege(grant: Grant) -> str:
    if grant.privilege not in ("CONNECT", "CREATE", "TEMPORARY"):
        raise CheckpointError(
            f"The privilege {printable(grant.privilege)} on a database is not known",
            "Use a newer version of rollback-tui for this server.",
        )
    return grant.privilege


def set_statement(setting: DatabaseSetting, name: sql.Composable) -> sql.Composed:
    """Return what sets ``setting`` for sessions in the database ``name``."""
    value: sql.Composable = sql.Literal(setting.value)
    if setting.name.lower() in _NAME_LISTS:
        names = split_names(setting.value)
        value = sql.SQL(", ").join(sql.Literal(one) for one in names) if names else sql.SQL("''")
    variable = sql.SQL(".").join(sql.Identifier(part) for part in setting.name.split("."))
    if setting.role is None:
        return sql.SQL("ALTER DATABASE {} SET {} TO {}").format(name, variable, value)
    return sql.SQL("ALTER ROLE {} IN DATABASE {} SET {} TO {}").format(
        sql.Identifier(setting.role), name, variable, value
    )


def split_names(text: str) -> tuple[str, ...]:
    """Split ``"$user", public`` into its names, as SplitGUCList() of the server does."""
    names: list[str] = []
    rest = text.strip()
    while rest:
        if rest.startswith('"'):
            end = 1
            while end < len(rest) and (rest[end] != '"' or rest[end : end + 2] == '""'):
                end += 2 if rest[end] == '"' else 1
            names.append(rest[1:end].replace('""', '"'))
            rest = rest[end + 1 :].partition(",")[2].strip()
        else:
            name, _, rest = rest.partition(",")
            names.append(name.strip())
            rest = rest.strip()
    return tuple(names)


def differences(old: DatabaseProperties, new: DatabaseProperties) -> tuple[str, ...]:
    """Return what of ``old`` did not arrive in ``new``; the name may differ."""
    compared: dict[str, tuple[Any, Any]] = {
        "owner": (old.owner, new.owner),
        "connection limit": (old.connection_limit, new.connection_limit),
        "comment": (old.comment, new.comment),
        "privileges": (set(old.grants or ()), set(new.grants or ())),
        "settings": (set(old.settings), set(new.settings)),
        "encoding": (old.encoding, new.encoding),
        "collation": (_locale(old), _locale(new)),
    }
    return tuple(
        f"{what}: {printable(str(before))} became {printable(str(after))}"
        for what, (before, after) in compared.items()
        if before != after
    )


def _locale(properties: DatabaseProperties) -> tuple[str | None, ...]:
    return (
        properties.collate,
        properties.ctype,
        properties.locale_provider,
        properties.locale,
        properties.icu_rules,
    )
