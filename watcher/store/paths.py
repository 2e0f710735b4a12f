"""What was learnt about each path, kept over restarts."""

import sqlite3
import threading

from watcher.renewal import Renewal
from watcher.store.database import Database

__all__ = ["Paths"]


class Paths:
    """Renewals by the name of the path: host and port, and the proxy if there is one. Safe in many threads."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.lock = threading.Lock()
        self.known = {
            row["name"]: Renewal(row["interval"], tuple(map(float, row["deaths"].split())), row["since"])
            for row in database.read("SELECT name, interval, deaths, since FROM path")
        }

    def renewal(self, path: str) -> Renewal:
        with self.lock:
            return self.known.get(path, Renewal())

    def learn(self, path: str, renewal: Renewal) -> None:
        """Keep it, if it is something new."""
        with self.lock:
            if self.known.get(path, Renewal()) == renewal:
                return
            self.known[path] = renewal

        def change(db: sqlite3.Connection) -> None:
            deaths = " ".join(f"{silence:.1f}" for silence in renewal.deaths)
            row = (path, renewal.interval, deaths, renewal.since)
            db.execute("INSERT OR REPLACE INTO path (name, interval, deaths, since) VALUES (?, ?, ?, ?)", row)

        self.database.write(change)
