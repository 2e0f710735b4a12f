"""
The wall of a sandbox, built by bubblewrap: a handler sees the programs of the system, its own mail, and no more.

What is not named here is not there: no home, no state of the daemon, no other mail, no socket, no other process, and no
network unless it is allowed. The end of the process that was started is the end of all of them (pid_namespaces(7)).
"""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from watcher.config.handlers import HandlerSettings
from watcher.config.programs import PATH
from watcher.jobs.program import CannotStart, Program

__all__ = ["PYTHON", "View", "real_code", "refusal", "wall"]

ENV = "/usr/bin/env"
NOWHERE_ELSE: Mapping[Path, Path] = {}

#: Programs and libraries of the system.
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store")

#: Of /etc, what programs look for and anybody may know. The rest holds keys, and the passwords of this daemon.
ETC = (
    "alternatives", "ca-certificates", "ca-certificates.conf", "crypto-policies", "fonts", "gai.conf", "group",
    "host.conf", "hosts", "ImageMagick-6", "ImageMagick-7", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "locale.conf",
    "localtime", "magic", "mailcap", "mime.types", "nsswitch.conf", "os-release", "papersize", "passwd", "perl",
    "pki/ca-trust", "pki/tls/cert.pem", "pki/tls/certs", "protocols", "python3", "resolv.conf", "services",
    "ssl/cert.pem", "ssl/certs", "ssl/openssl.cnf", "terminfo", "timezone",
)  # fmt: skip

#: What a warm Python process needs of this program.
PYTHON = tuple(dict.fromkeys(Path(place) for place in (sys.base_prefix, sys.prefix, Path(__file__).parents[1])))

FLAGS = (
    *("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts"),
    *("--die-with-parent", "--cap-drop", "ALL", "--hostname", "handler"),
)


@dataclass(frozen=True, slots=True)
class View:
    """What is seen through the wall besides the system; a directory with all that is in it."""

    readable: tuple[Path, ...]
    writable: tuple[Path, ...]
    directory: Path  #: where the program starts
    shown_at: Mapping[Path, Path] = field(default_factory=dict)  #: where some of it is seen, if not where it lies


def wall(view: View, program: Program, settings: HandlerSettings) -> tuple[str, ...]:
    """What is put before a command to run it in a sandbox. Raises CannotStart if that can't be had.

    The polite signal goes to the whole group: bubblewrap is to outlive it, while the handler clears up.
    """
    bubblewrap = shutil.which("bwrap", path=PATH)
    if bubblewrap is None:
        raise CannotStart("its sandbox needs bubblewrap (bwrap), which is not there: install the package bubblewrap")
    if missing := [path for path in (*settings.readable, *settings.writable) if not path.exists()]:
        raise CannotStart(f"{missing[0]}, which its sandbox is to show, is not there")
    readable = [*view.readable, *_surroundings(program), *settings.readable]
    return (
        *(ENV, "--ignore-signal=TERM", bubblewrap, *FLAGS),
        *(() if settings.network else ("--unshare-net",)),
        *_binds("--ro-bind-try", (Path(path) for path in SYSTEM)),
        *_binds("--ro-bind-try", (Path("/etc", name) for name in ETC)),
        *("--proc", "/proc", "--dev", "/dev"),
        *(part for place in ("/dev/shm", "/tmp", "/var/tmp") for part in _memory(place, settings.memory)),  # noqa: S108 - mount points
        *_binds("--ro-bind", readable, view.shown_at),
        *_binds("--bind", (*view.writable, *settings.writable), view.shown_at),
        *("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", str(view.directory)),
        *("--", ENV, "--default-signal"),
    )


def refusal(code: int, output: str) -> str | None:
    """Why bubblewrap did not come to start the handler; None if it did."""
    line = output.strip()
    if code != 1 or not line.startswith("bwrap: ") or "\n" in line:
        return None
    told = f"its sandbox could not be set up: {line.removeprefix('bwrap: ')}"
    if "namespace" not in line and "uid map" not in line:
        return told
    return f"{told}; allow user namespaces: see sysctl -a | grep userns, and RestrictNamespaces= of the unit"


def real_code(code: int) -> int:
    """The exit status as `subprocess` counts: out of a sandbox a signal comes as a shell tells it, 128 plus it."""
    return 128 - code if 128 < code <= 192 else code


def _surroundings(program: Program) -> Iterator[Path]:
    """Where the handler's file lies and comes from, with its neighbours, and what is linked there from elsewhere."""
    if program.file is None or str(program.file).startswith("/usr/"):
        return
    origin = program.origin or program.file.parent
    yield from (program.file.parent, origin)
    links = (Path(entry.path).resolve() for entry in os.scandir(origin) if entry.is_symlink())
    yield from sorted(target for target in links if target.is_file() and not target.is_relative_to(origin))


def _binds(how: str, paths: Iterable[Path], shown_at: Mapping[Path, Path] = NOWHERE_ELSE) -> Iterator[str]:
    for path in dict.fromkeys(paths):
        yield from (how, str(path), str(shown_at.get(path, path)))


def _memory(place: str, size: int) -> tuple[str, ...]:
    return ("--size", str(size), "--tmpfs", place)
