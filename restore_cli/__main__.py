"""``python -m restore_cli``."""

from __future__ import annotations

from restore_cli.cli.app import main

if __name__ == "__main__":
    main()
