"""The text of a down migration, as a framework found or made it."""

from __future__ import annotations

from rollback_tui.core.model import Problem, Value


class Source(Value, frozen=True, kw_only=True):
    """A text, and the part of it that is the down migration: a whole file, or what a tool made."""

    path: str
    """The file in which the migration is; where ``origin`` is set, its text is not ``data``."""
    data: bytes
    """The whole file, exactly as read; or the whole text that was made."""
    start: int
    end: int
    """The down section is ``data[start:end]``."""
    transactional: bool = True
    """False when the framework's marker says that it must not run in a transaction."""
    origin: str = ""
    """Where the text comes from when it is not the file's own, for people: ``printed by `alembic
    downgrade b:a --sql```, ``captured from `knex migrate:down```. Empty: it is the file."""
    file_sha256: str = ""
    """SHA-256 (hex) of the file at ``path``, where ``origin`` is set: the text was made from it."""
    nothing_to_undo: str = ""
    """Why it may have no statement: its up migration has none either. Empty: it must have one."""
    problems: tuple[Problem, ...] = ()
    """What whoever made the text could not put into it: each stops the script. Lines and offsets
    are those of ``data``."""
