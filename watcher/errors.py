"""
One root error, then by what to do about it.

Errors of foreign libraries are turned into these at the one place that uses the library, `from` their cause. Anything
else that is raised is a bug: it keeps its trace and ends the process.
"""

from enum import StrEnum

__all__ = [
    "ActionRefused",
    "ConfigError",
    "DatabaseRefused",
    "FolderRefused",
    "HandlerMissing",
    "IdleRefused",
    "LoginHeld",
    "LoginNeeded",
    "LoginRefused",
    "Loss",
    "MailRefused",
    "MailboxLost",
    "NamesUnavailable",
    "SecretUnavailable",
    "ServerUntrusted",
    "Setback",
    "SpoolFull",
    "StateLocked",
    "StorageFailed",
    "Superseded",
    "Unreadable",
    "WatcherError",
]


class WatcherError(Exception):
    """Root of all errors that an operator can act on. `str()` is one line: what, where, what to do."""

    wait: float | None = None  #: seconds before the next try, as the other side asks or is known to need


class ConfigError(WatcherError):
    """The configuration can't be used: tell all problems at once, exit, don't restart."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class SecretUnavailable(WatcherError):
    """A password or token can't be read now (command failed, file missing): tell, try again slowly."""


class Loss(StrEnum):
    """How a link was lost, as far as it tells something of the path to the server."""

    CUT = "cut"  #: EOF or RST
    SILENT = "silent"  #: no answer in time
    SAID = "said"  #: the server said why


class Setback(WatcherError):
    """
    What a server may have given a reason for.

    `code`: its bracket code, or "". `cause`: what its words are about, one of `config.providers.causes.Cause`, or "" if
    it gave none. `wait`: seconds before the next try, as it asks or is known to need; None if nobody knows.
    """

    def __init__(self, text: str, code: str = "", *, cause: str = "", wait: float | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.cause = cause
        self.wait = wait


class MailboxLost(Setback):
    """The link to the server is gone or can't be trusted any more: drop it, reconnect with backoff."""

    def __init__(
        self, text: str, how: Loss = Loss.CUT, code: str = "", *, cause: str = "", wait: float | None = None
    ) -> None:
        super().__init__(text, code, cause=cause, wait=wait)
        self.how = how


class NamesUnavailable(WatcherError):
    """DNS can't be asked now: offline, or it is out of order. Go on without, or tell."""


class ServerUntrusted(WatcherError):
    """TLS could not be verified, or somebody meddled before it stood: never downgrade, alert, retry slowly."""


class LoginRefused(Setback):
    """The server answered and refused this user: alert, retry once, then wait for a person."""


class LoginHeld(LoginRefused):
    """Not tried: the server has refused just this before, and its next turn has not come."""


class LoginNeeded(LoginRefused):
    """Only a person can get us in again, with `imap-watcher login`: alert, look again slowly whether he has."""


class FolderRefused(Setback):
    """The folder does not exist or may not be opened: tell, look again much later."""


class IdleRefused(Setback):
    """The server lists IDLE, NOTIFY or COMPRESS and refuses it here; the link itself is fine: go on without."""


class ActionRefused(Setback):
    """A change on the server was refused: tell, don't repeat it as it is."""


class MailRefused(WatcherError):
    """A mail can't be built or may not be sent as asked; the text says why."""


class HandlerMissing(WatcherError):
    """A handler is not where it should be, or there are `several` of its name: hold its mail until that is mended."""

    def __init__(self, text: str, *, several: bool = False) -> None:
        super().__init__(text)
        self.several = several


class Unreadable(WatcherError):
    """A mail could not be taken apart. `crashed`: the child died or ran out of time, so another try may help."""

    def __init__(self, reason: str, *, crashed: bool = False) -> None:
        super().__init__(reason)
        self.crashed = crashed


class Superseded(WatcherError):
    """An older link tried to commit after a newer one took over its folder: drop the older one."""


class StateLocked(WatcherError):
    """Another process works on this state directory: exit and leave it alone."""


class DatabaseRefused(WatcherError):
    """The database is foreign, empty, broken or newer than this program: exit, keep the files, don't restart."""


class SpoolFull(WatcherError):
    """There is no room for a mail: receive nothing until there is, and lose nothing."""


class StorageFailed(WatcherError):
    """Writing to the disk failed in a way that leaves the truth on the disk only: end, recover at the next start."""
