"""The bar for every framework, which is the kit that plug-ins are tested with as well."""

from __future__ import annotations

from rollback_tui.kit import Database, Row, Tool, agree, rolled_back, rows, schema

__all__ = ["Database", "Row", "Tool", "agree", "rolled_back", "rows", "schema"]
