"""What a person has paused, kept over restarts."""

import json
import sqlite3
import threading

from watcher.store.database import Database

__all__ = ["Pauses"]

ROW = "paused"  #: in the table `meta`


class Pauses:
    """Names of paused accounts and handlers. Safe in many threads."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.lock = threading.Lock()
        rows = database.read("SELECT value FROM meta WHERE name = ?", (ROW,))
        known: dict[str, list[str]] = json.loads(rows[0]["value"]) if rows else {}
        self.names = {kind: frozenset(known.get(kind, ())) for kind in ("account", "handler")}

    def account(self, name: str) -> bool:
        """Whether the account of this name is paused."""
        return name in self.names["account"]

    def handler(self, name: str) -> bool:
        """Whether the handler of this name is paused."""
        return name in self.names["handler"]

    def pause(self, kind: str, name: str) -> None:
        with self.lock:
            self._keep(kind, self.names[kind] | {name})

    def resume(self, kind: str, name: str) -> None:
        with self.lock:
            self._keep(kind, self.names[kind] - {name})

    def _keep(self, kind: str, names: frozenset[str]) -> None:
        known = {**self.names, kind: names}
        value = json.dumps({each: sorted(paused) for each, paused in known.items()})

        def change(db: sqlite3.Connection) -> None:
            db.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (ROW, value))

        self.database.write(change)
        self.names = known
