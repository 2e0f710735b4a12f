"""What runs in a child process: one mail after another, with little of everything."""

import multiprocessing
import os
import resource
from contextlib import suppress
from pathlib import Path
from threading import Thread

from watcher.limits import Limits
from watcher.mail.trust import TrustPolicy
from watcher.mail.unpack import unpack
from watcher.model import Envelope, MailFolder, Message

__all__ = ["prepare", "take_apart"]

#: Added to the niceness of the daemon: links and handlers go before.
_NICER = 5


def prepare(limits: Limits) -> None:
    """Set up this process, once, before it sees a mail."""
    os.umask(0o077)
    with suppress(PermissionError):  # a filter of system calls may forbid it: a favour to others, no need of ours
        os.nice(_NICER)
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.output, limits.output))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Not PR_SET_PDEATHSIG: that comes already when the thread ends that made this process.
    Thread(target=_end_with_parent, daemon=True).start()


def take_apart(path: Path, envelope: Envelope, limits: Limits, policy: TrustPolicy) -> Message:
    """As `unpack`, for the mail folder at `path`."""
    return unpack(MailFolder(path), envelope, limits, policy)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
