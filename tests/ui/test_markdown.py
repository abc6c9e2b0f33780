"""A report on the screen: every word of it, in lines of the width that there is."""

from __future__ import annotations

import pytest

from rollback_tui.core.text import cells
from rollback_tui.ui.widgets.markdown_lines import lines_of

REPORT = """# Rollback of shop: rolled back

## Summary

| Fact | Value |
|---|---|
| Script | /srv/shop/db/migrations/20240115103000_add_user_verification.sql (sha256 0c2e260f293d) |
| Version | `20231218113000` |

- [ ] find the root cause: [the page](https://example.org/x)

```sh
rollback-tui recover bb361135
```
"""


@pytest.mark.parametrize("width", [38, 58, 118])
def test_no_word_is_left_out_and_nothing_is_wider_than_the_screen(width: int) -> None:
    lines = ["".join(segment.text for segment in line) for line in lines_of(REPORT, width)]
    assert all(cells(line) <= width for line in lines)
    # A folded cell goes on below, between the other column's blanks.
    together = "".join("".join(lines).split())
    for word in (
        "/srv/shop/db/migrations/20240115103000_add_user_verification.sql",
        "0c2e260f293d",
        "20231218113000",
        "[]findtherootcause:",
        "https://example.org/x",
        "rollback-tuirecoverbb361135",
    ):
        assert word in together, lines
    assert not any("…" in line for line in lines)
    assert lines[0].startswith("Rollback of shop")
