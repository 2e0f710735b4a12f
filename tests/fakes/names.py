"""
Host names that a test gives out and takes away, for a Python process of its own.

    names = Names(directory)
    names.point("mail.test", "127.0.0.1")
    subprocess.Popen([sys.executable, ...], env={"PYTHONPATH": str(directory)})

`/etc/hosts` is left alone: it is everybody's, and root's. What differs from a real failure of DNS is only who says so.
"""

import shutil
from pathlib import Path
from threading import Lock

from tests.fakes import sitecustomize

__all__ = ["NOWHERE", "Names"]

#: To connect to a broadcast address fails with ENETUNREACH at once, and this one never leaves the machine.
NOWHERE = "127.255.255.255"


class Names:
    """What the process whose PYTHONPATH is `directory` knows of the names under `.test`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._known: dict[str, str] = {}
        self._lock = Lock()
        directory.mkdir()
        shutil.copy(Path(sitecustomize.__file__), directory)
        self._write()

    def point(self, name: str, address: str | None) -> None:
        """From now on `name` has this address; None: it has none, and asking for it fails."""
        with self._lock:
            self._known.pop(name, None)
            if address:
                self._known[name] = address
            self._write()

    def _write(self) -> None:
        fresh = self.directory / "hosts.new"
        fresh.write_text("".join(f"{name} {address}\n" for name, address in self._known.items()))
        fresh.replace(self.directory / "hosts")
