"""What a run kept: schema ``rollback_archive_<run>`` of the target, made in the transaction that
removed the data, so that both are there or neither.

Each thing that was kept is one table, and one row of the table ``manifest``. Nothing in it depends
on a type, a collation or a table of the application, so nothing of the application is kept from
being dropped, and no CASCADE reaches it. It is in no comparison and no count of this tool; a dump
has it. Statements for a migration framework's own tables find nothing there.
"""

from __future__ import annotations

from rollback_tui.postgres.archive.contents import PREFIX as PREFIX
from rollback_tui.postgres.archive.contents import Archive as Archive
from rollback_tui.postgres.archive.contents import ArchiveError as ArchiveError
from rollback_tui.postgres.archive.contents import Item as Item
from rollback_tui.postgres.archive.contents import Origin as Origin
from rollback_tui.postgres.archive.contents import schema_of as schema_of
from rollback_tui.postgres.archive.making import gone as gone
from rollback_tui.postgres.archive.making import make as make
from rollback_tui.postgres.archive.reading import archives as archives
from rollback_tui.postgres.archive.reading import drop as drop
from rollback_tui.postgres.archive.reading import find as find
