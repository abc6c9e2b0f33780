"""``python -m rollback_tui``: the same as the ``rollback-tui`` command."""

from rollback_tui.cli import main

if __name__ == "__main__":
    main()
