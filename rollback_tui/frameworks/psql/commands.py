r"""Which commands and settings of psql change what a script does, and which only what is shown."""

from __future__ import annotations

import re

from rollback_tui.frameworks.psql.arguments import truth

_PRINTING = """
    ? a C H T copyright conninfo echo errverbose f h help html l list p print pset qecho sf sf+ sv
    sv+ t timing warn x z
"""
PRINTING = frozenset(_PRINTING.split())
"""Commands of psql that print, or say how to."""
_DESCRIBING = re.compile(r"d[A-Za-z]*[S+]*|l\+|list\+|h\+|z[S+]*")

_SET_BY_PSQL = """
    DBNAME ENCODING ERROR HOST LASTOID LAST_ERROR_MESSAGE LAST_ERROR_SQLSTATE PORT ROW_COUNT
    SERVER_VERSION_NAME SERVER_VERSION_NUM SERVICE SHELL_ERROR SHELL_EXIT_CODE SQLSTATE USER VERSION
    VERSION_NAME VERSION_NUM
"""
SET_BY_PSQL = frozenset(_SET_BY_PSQL.split())
"""Variables that psql sets by what it is connected to and by what happened before."""

_MUST_BE = {
    "ON_ERROR_STOP": (True, "psql would go on after an error; here an error ends the run"),
    "AUTOCOMMIT": (True, "psql would open transactions of its own"),
    "SINGLELINE": (False, "each line would be a statement"),
    "SINGLESTEP": (False, "psql would ask before each statement"),
}


def only_prints(command: str) -> bool:
    r"""Whether the command (without its backslash) changes nothing but what psql prints: ``\d`` and
    its kin ask the catalog."""
    return command in PRINTING or _DESCRIBING.fullmatch(command) is not None


def refused_setting(name: str, value: str) -> str:
    r"""Return why ``\set NAME VALUE`` would make psql read the script in another way; empty when it
    would not."""
    if name not in _MUST_BE:
        return ""
    wanted, why = _MUST_BE[name]
    # Without a value it is switched on.
    meant = truth(value) if value else True
    return "" if meant is wanted else why
