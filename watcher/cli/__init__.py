"""The commands, one file per group. Exit codes are named in `watcher/cli/exits.py`."""

from watcher.cli.main import main

__all__ = ["main"]
