"""The errors the operator can meet, each with a remedy.

::

    RollbackTuiError
     ├── ConfigurationError      rollback.toml, options, directories (exit 2)
     ├── ConnectionFailed        the server could not be reached or refused us (exit 2)
     ├── FrameworkError          the migrations cannot be understood (exit 2)
     ├── ScriptRefused           a script that must not be executed
     ├── ToolFailed              pg_dump, pg_restore or a hook ended badly
     ├── CheckpointError         a checkpoint cannot be made, read or trusted
     ├── RunRefused              the run stopped before anything was touched (exit 1)
     └── RunUnfinished           a run has no outcome, and nobody works on it (exit 5)
"""

from __future__ import annotations


class RollbackTuiError(Exception):
    """One clear line of what is wrong, and one of what to do about it."""

    def __init__(self, summary: str, remedy: str) -> None:
        super().__init__(summary)
        self.summary = summary
        self.remedy = remedy


class ConfigurationError(RollbackTuiError):
    """The configuration, an option or a directory is not usable."""


class ConnectionFailed(RollbackTuiError):
    """No connection to the server could be made."""


class FrameworkError(RollbackTuiError):
    """The framework, its files or its version table cannot be understood."""


class ScriptRefused(RollbackTuiError):
    """The script holds something that must not be executed."""


class ToolFailed(RollbackTuiError):
    """A program that we started ended with an error."""


class CheckpointError(RollbackTuiError):
    """A checkpoint cannot be made, read or trusted."""


class RunRefused(RollbackTuiError):
    """The run was refused; nothing was touched."""


class RunUnfinished(RollbackTuiError):
    """A run without an outcome that nobody works on: the door may be closed."""
