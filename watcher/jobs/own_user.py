"""Handlers that run as a user of their own: who that is, what starts them so, and the way to what they are given."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from watcher.jobs.program import CannotStart

__all__ = ["Owner", "open_way", "owner_named"]

SETPRIV = "/usr/bin/setpriv"
STATUS = Path("/proc/self/status")

READ, ENTER = 4, 1  #: of a file, of a directory (inode(7))

#: Capabilities by number (capabilities(7)): chown, dac_override, fowner, kill, setgid, setuid, sys_ptrace.
NEEDED = (0, 1, 3, 5, 6, 7, 19)

_OPENING = Lock()


@dataclass(frozen=True, slots=True)
class Owner:
    """A user that handlers run as."""

    name: str
    uid: int
    gid: int
    groups: frozenset[int]  #: all of them, the first one included

    @property
    def wrapper(self) -> tuple[str, ...]:
        """What is put before a command to run it as this user, without a way back."""
        groups = ",".join(str(group) for group in sorted(self.groups))
        return (
            *(SETPRIV, "--reuid", str(self.uid), "--regid", str(self.gid), "--groups", groups),
            *("--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs", "--"),
        )

    def may(self, right: int, path: Path) -> bool:
        """Whether permissions give this user a right. Raises OSError."""
        found = path.stat()
        if found.st_uid == self.uid:
            return bool(found.st_mode >> 6 & right)
        return bool(found.st_mode >> (3 if found.st_gid in self.groups else 0) & right)


def owner_named(name: str) -> Owner:
    """The user `name`. Raises CannotStart if there is none, or the daemon may not start anything as another user."""
    try:
        found = pwd.getpwnam(name)
    except KeyError as error:
        raise CannotStart(f"there is no user {name} to run it as: useradd --system {name}") from error
    if found.pw_uid in {0, os.geteuid()}:
        raise CannotStart(f"the user {name} that it is to run as is the daemon's own or root; give it one of its own")
    if not _may_change_user():
        raise CannotStart(
            f"only root can run it as user {name}: run the daemon as root, or with "
            "AmbientCapabilities=CAP_SETUID CAP_SETGID CAP_CHOWN CAP_KILL CAP_DAC_OVERRIDE CAP_FOWNER CAP_SYS_PTRACE"
        )
    groups = frozenset(os.getgrouplist(name, found.pw_gid))
    return Owner(name, found.pw_uid, found.pw_gid, groups)


def open_way(path: Path, owner: Owner, state: Path) -> None:
    """
    Let `owner` read `path`. If the way leads through the state directory, what lies there is closed to others, one by
    one, and the way itself opened. Raises CannotStart if something else is shut.
    """
    with _OPENING:  # what one thread has opened, another must not close
        _open_directories(path, owner, state)
    if not owner.may(READ, path):
        raise CannotStart(f"user {owner.name} may not read {path}: chmod o+r it")


def _open_directories(path: Path, owner: Owner, state: Path) -> None:
    for place in reversed(path.parents):
        if owner.may(ENTER, place):
            continue
        if place != state and state not in place.parents:
            raise CannotStart(f"user {owner.name} can't reach {path}: {place} is closed to it")
        for entry in place.iterdir() if place == state else ():
            if not entry.is_symlink():
                entry.chmod(stat.S_IMODE(entry.stat().st_mode) & 0o700)
        place.chmod(0o711)


def _may_change_user() -> bool:
    """Root's rights may be curtailed, as in a container; another user's must outlive the start of a program."""
    which = "CapEff" if os.geteuid() == 0 else "CapAmb"
    line = next(line for line in STATUS.read_text("ascii").splitlines() if line.startswith(which))
    held = int(line.split()[1], 16)
    return all(held >> number & 1 for number in NEEDED)
