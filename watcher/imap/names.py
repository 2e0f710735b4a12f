"""Looking up the addresses of a host, in a limited time: the system's own question can last for minutes."""

import queue
import socket
import threading
import time
from itertools import chain, zip_longest
from typing import Any, NamedTuple

from watcher.errors import Loss, MailboxLost

__all__ = ["AddressInfo", "addresses", "alternating"]

#: Seconds for which an answer is good for all who ask: a thousand links begin at one moment.
FRESH = 5.0


class AddressInfo(NamedTuple):
    """One line of getaddrinfo."""

    family: int
    kind: int
    protocol: int
    canonical_name: str
    address: tuple[Any, ...]


_known: dict[tuple[str, int], tuple[float, list[AddressInfo]]] = {}  # monotonic time of an answer, and what it was


def addresses(host: str, port: int, deadline: float) -> list[AddressInfo]:
    """Where `host` can be reached, in the order to try. Raises MailboxLost, at `deadline` (monotonic) at the latest."""
    try:
        return _ask(host, port, socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        pass  # no address but a name
    at, found = _known.get((host, port), (-FRESH, []))
    return found if time.monotonic() - at < FRESH else _asked_anew(host, port, deadline)


def _asked_anew(host: str, port: int, deadline: float) -> list[AddressInfo]:
    answer: queue.SimpleQueue[list[AddressInfo] | Exception] = queue.SimpleQueue()
    # Nothing ends a question to the system before its time; the thread is left to it and ends with it.
    threading.Thread(target=_look_up, args=(host, port, answer), name=f"names {host}", daemon=True).start()
    try:
        told = answer.get(timeout=max(0.0, deadline - time.monotonic()))
    except queue.Empty as error:
        raise MailboxLost(f"the name {host} is not resolved in time: no answer from DNS", Loss.SILENT) from error
    if isinstance(told, Exception):
        raise MailboxLost(f"the name {host} can't be resolved ({told}): offline, or misspelt") from told
    found = alternating(told)
    _known[host, port] = time.monotonic(), found
    return found


def alternating(found: list[AddressInfo]) -> list[AddressInfo]:
    """The families in turn, that of the first address first (RFC 8305 4): a dead one costs one try, not all of its."""
    first = [one for one in found if one.family == found[0].family]
    others = [one for one in found if one.family != found[0].family]
    return [one for one in chain.from_iterable(zip_longest(first, others)) if one is not None]


def _look_up(host: str, port: int, answer: "queue.SimpleQueue[list[AddressInfo] | Exception]") -> None:
    try:
        answer.put(_ask(host, port))
    except (OSError, UnicodeError) as error:
        answer.put(error)


def _ask(host: str, port: int, flags: int = 0) -> list[AddressInfo]:
    return [AddressInfo(*found) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)]
