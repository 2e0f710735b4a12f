"""
Where peers come from: the registries of Python and of Node, and the distribution. Each is put into a place of its own
within the project's environment, so that neither the project nor the machine changes.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import distributions
from pathlib import Path
from typing import Protocol

__all__ = ["DEBIAN", "LIBRARIES", "NODE", "PYTHON", "FromDebian", "FromNpm", "FromPyPI", "Source", "Unavailable"]

_HERE = Path(sys.prefix) / "peers"
_PATIENCE = 60.0  #: seconds for one step of an installation
_AGE = timedelta(weeks=10)  #: of what npm gives; a mirror may lack what the newest release names

PYTHON = _HERE / "python" / "bin" / "python"
NODE = _HERE / "node"
DEBIAN = _HERE / "debian"

#: For programs that were only unpacked.
LIBRARIES = {"LD_LIBRARY_PATH": str(DEBIAN / "usr" / "lib" / (sysconfig.get_config_var("MULTIARCH") or ""))}

#: Where imapfilter was built to find its own files, and as long a path to the directory where it is started.
_BUILT_IN, _AT_HOME = b"/usr/share/imapfilter", b".".ljust(21, b"/")


class Unavailable(Exception):
    """It can't be had here; says why in one line."""


class Source(Protocol):
    """One peer's."""

    def install(self) -> None:
        """Have it in place; raises Unavailable."""

    def version(self) -> str:
        """Of what is in place; "" if nothing is."""


@dataclass(frozen=True, slots=True)
class FromPyPI:
    """A Python package, in an environment that it shares with the other peers."""

    package: str

    def install(self) -> None:
        if not PYTHON.exists():
            venv.create(PYTHON.parent.parent, with_pip=True)
        if not self.version():
            _run(
                str(PYTHON),
                "-m",
                "pip",
                "install",
                "--quiet",
                "--retries=1",
                "--disable-pip-version-check",
                self.package,
            )

    def version(self) -> str:
        places = [str(place) for place in PYTHON.parent.parent.glob("lib/python*/site-packages")]
        return next((one.version for one in distributions(name=self.package, path=places)), "")


@dataclass(frozen=True, slots=True)
class FromNpm:
    """A package for Node, which must be there."""

    package: str

    def install(self) -> None:
        if not shutil.which("node"):
            raise Unavailable("node is missing")
        if not self.version():
            NODE.mkdir(parents=True, exist_ok=True)
            then = f"--before={datetime.now(UTC) - _AGE:%Y-%m-%d}"
            _run(
                "npm",
                "install",
                "--prefix",
                str(NODE),
                "--no-audit",
                "--no-fund",
                "--fetch-retries=1",
                then,
                self.package,
            )

    def version(self) -> str:
        return str(json.loads(self._about.read_text())["version"]) if self._about.exists() else ""

    @property
    def _about(self) -> Path:
        return NODE / "node_modules" / self.package / "package.json"


@dataclass(frozen=True, slots=True)
class FromDebian:
    """A program and the libraries that a machine may lack, unpacked and not installed."""

    packages: tuple[str, ...]

    def install(self) -> None:
        program = DEBIAN / "usr" / "bin" / self.packages[0]
        if not program.exists():
            DEBIAN.mkdir(parents=True, exist_ok=True)
            for package in self.packages:
                _run("apt-get", "download", package, cwd=DEBIAN)
                _run("dpkg-deb", "-x", str(next(DEBIAN.glob(f"{package}_*.deb"))), str(DEBIAN))
            program.write_bytes(program.read_bytes().replace(_BUILT_IN, _AT_HOME))
        _run(str(program), "-V", environment=LIBRARIES)

    def version(self) -> str:
        return next((file.name.split("_")[1].split("%3a")[-1] for file in DEBIAN.glob(f"{self.packages[0]}_*.deb")), "")


def _run(*command: str, cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> None:
    try:
        subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            check=True,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_PATIENCE,
        )
    except FileNotFoundError as error:
        raise Unavailable(f"{error.filename} is missing") from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{Path(command[0]).name} took more than {_PATIENCE:g} s") from error
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout or f"{Path(command[0]).name} failed").strip().splitlines()
        raise Unavailable(next((line for line in said if "error" in line.lower()), said[-1])) from error
