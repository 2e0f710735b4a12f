"""
What runs in a child process: one mail after another, with little of everything.

Standard input is the link to the daemon: the Limits first, then one `Order` for each mail, and one `Answer` back to
each of these. End of file is the order to end.
"""

import os
import pickle
import resource
import select
import socket
import traceback
from contextlib import suppress
from threading import Thread

from watcher.errors import SpoolFull, Unreadable
from watcher.limits import Limits
from watcher.mail.orders import PACKET, Answer, Order
from watcher.mail.unpack import unpack
from watcher.model import MailFolder

__all__ = ["main", "prepare", "take_apart"]

#: Added to the niceness of the daemon: links and handlers go before.
_NICER = 5

#: Characters of a reason or a trace, so that it fits into a packet.
_TOLD = 5000


def main() -> None:
    """Serve until the daemon hangs up."""
    link = socket.socket(fileno=os.dup(0))
    # Not PR_SET_PDEATHSIG: that comes already when the thread ends that made this process.
    Thread(target=_end_with_parent, args=(link,), daemon=True).start()
    limits: Limits = pickle.loads(link.recv(PACKET))  # noqa: S301 - the daemon says it
    prepare(limits)
    link.send(Answer().packed())
    while packet := link.recv(PACKET):
        link.send(take_apart(pickle.loads(packet), limits).packed())  # noqa: S301 - the same


def prepare(limits: Limits) -> None:
    """Set up this process, once, before it sees a mail."""
    os.umask(0o077)
    with suppress(PermissionError):  # a filter of system calls may forbid it: a favour to others, no need of ours
        os.nice(_NICER)
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.output, limits.output))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def take_apart(order: Order, limits: Limits) -> Answer:
    """`unpack`, and what came of it."""
    try:
        unpack(MailFolder(order.path), order.envelope, limits, order.policy)
    except Unreadable as error:
        return Answer(str(error)[:_TOLD], crashed=error.crashed)
    except SpoolFull as error:
        return Answer(str(error)[:_TOLD], full=True)
    except MemoryError:
        return Answer(f"it needs more than {limits.memory} bytes of memory", crashed=True)
    except Exception as error:  # noqa: BLE001 - a bug of ours: this mail shows it, the others must go on
        return Answer(f"a bug in taking it apart: {type(error).__name__}", trace=traceback.format_exc()[-_TOLD:])
    return Answer()


def _end_with_parent(link: socket.socket) -> None:
    poller = select.poll()
    poller.register(link, 0)  # what is told all the same is that the other end was closed
    poller.poll()
    os._exit(1)


if __name__ == "__main__":
    main()
