"""The one vocabulary of hazards, used by checks, preview, help and report."""

from __future__ import annotations

from types import MappingProxyType

EXPLANATIONS = MappingProxyType(
    {
        "deletes_data": "Removes stored rows or values.\nAfter COMMIT only a checkpoint has them.",
        "derived_data": "Removes or rebuilds data that is computed from other tables.\n"
        "It can be made again, which may take long.",
        "every_row": "Has no WHERE: it touches every row of the table.\n"
        "Check that this is what the author meant.",
        "narrows_values": "Changes a column's type: values may not fit, or be rounded or cut.\n"
        "The statement fails at the first value that cannot be converted.",
        "may_fail_on_data": "Succeeds only when the stored rows allow it.\n"
        "One row that violates the rule makes the whole rollback fail.",
        "access_exclusive_lock": "Locks the relation against everything, even SELECT.\n"
        "Held to the end of the transaction; whoever comes later waits.",
        "blocks_writes": "Locks the relation against INSERT, UPDATE and DELETE; reads go on.\n"
        "Held to the end of the transaction.",
        "rewrites_table": "Writes the whole table anew, or may have to.\n"
        "Takes time and disk space in proportion to the table.",
        "full_scan_under_lock": "Reads every row while the lock is held.\n"
        "Takes time in proportion to the table.",
        "not_transactional": "Cannot run in a transaction: it cannot be rolled back.\n"
        "If a later statement fails, this one stays done.",
        "not_rolled_back": "Changes something that ROLLBACK does not bring back.\n"
        "A sequence moved by setval() stays where it was moved.",
        "changes_session": "Changes a setting of the session that later statements inherit.\n"
        "A role or search_path can make them act on other objects.",
        "collateral_drop": "CASCADE also drops whatever depends on the object.\n"
        "The statement does not name those objects; look at the dependents.",
        "drops_protection": "Removes a constraint, trigger, policy or rule, or turns it off.\n"
        "Rows it would have refused, hidden or completed can then be written.",
        "changes_privileges": "Changes who may do what.\n"
        "Applications may be refused, or may see more than they should.",
        "cannot_forecast": "What it does cannot be read from its text (DO, CALL, functions).\n"
        "Treat it as dangerous until it was rehearsed.",
        "new_value_unusable": "An enum value added here cannot be used before COMMIT.\n"
        "A later statement of the same run that uses it fails.",
        "lost_at_crash": "Makes the table unlogged.\nA server crash empties it, and standbys never"
        " have its rows.",
        "drops_version_table": "Touches the table in which a migration tool keeps its versions.\n"
        "The tool may then no longer know what is applied.",
    }
)
"""Name → what it means and what follows from it, two lines."""

VERSION_TABLES = frozenset(
    {
        "__diesel_schema_migrations",
        "__drizzle_migrations",
        "__efmigrationshistory",
        "_prisma_migrations",
        "_sqlx_migrations",
        "_yoyo_log",
        "_yoyo_migration",
        "alembic_version",
        "ar_internal_metadata",
        "atlas_schema_revisions",
        "databasechangelog",
        "databasechangeloglock",
        "django_migrations",
        "doctrine_migration_versions",
        "flyway_schema_history",
        "goose_db_version",
        "gorp_migrations",
        "knex_migrations",
        "knex_migrations_lock",
        "mikro_orm_migrations",
        "pgmigrations",
        "phinxlog",
        "refinery_schema_history",
        "schema_migrations",
        "schema_version",
        "schemaversion",
        "sequelizemeta",
        "shmig_version",
        "typeorm_migrations",
        "yoyo_lock",
    }
)
"""Well-known names of version tables, in lower case and without schema. Not those that tables of
an application have as well (``migrations``, ``changes``): the one of the plan is known."""


def explain(hazard: str) -> str:
    """Return the explanation on one line; the word itself when it is not in the vocabulary."""
    return EXPLANATIONS.get(hazard, hazard).replace("\n", " ")
