"""A look at the ledger that changes nothing, whether a daemon runs or not."""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

__all__ = ["learnt_interval"]


def learnt_interval(state: Path, path: str) -> float | None:
    """
    Seconds after which IDLE is renewed on `path` (`Account.path`), as learnt. None if nothing is known of it, or the
    ledger can't be read by us.
    """
    ledger = state / "ledger.db"
    try:
        with closing(sqlite3.connect(f"file:{quote(str(ledger))}?mode=ro", uri=True)) as database:
            row = database.execute("SELECT interval FROM path WHERE name = ?", (path,)).fetchone()
    except sqlite3.Error:
        return None
    return float(row[0]) if row else None
