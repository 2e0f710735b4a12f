"""Secrets of handlers, fetched anew now and then: a command that tells one may be slow, or cost a touch of a key."""

from collections import defaultdict
from dataclasses import dataclass
from threading import Lock
from time import monotonic

from watcher.config.secret import Secret, SecretSource
from watcher.errors import SecretUnavailable
from watcher.jobs.program import CannotStart

__all__ = ["FRESH", "Vault"]

FRESH = 60.0  #: seconds for which a secret is taken to be the same


@dataclass(frozen=True, slots=True)
class Kept:
    """A secret as it was when it was fetched."""

    secret: Secret
    at: float  #: monotonic


class Vault:
    """Keeps secrets for a moment. Safe to use from many threads."""

    def __init__(self) -> None:
        self._kept: dict[SecretSource, Kept] = {}
        self._asking: defaultdict[SecretSource, Lock] = defaultdict(Lock)
        self._lock = Lock()

    def fetch(self, source: SecretSource) -> Secret:
        """The secret of a source. Raises CannotStart."""
        with self._lock:
            asking = self._asking[source]
        with asking:  # a command that hangs keeps those waiting who want this secret, nobody else
            kept = self._kept.get(source)
            if kept is None or monotonic() - kept.at >= FRESH:
                try:
                    kept = Kept(source.fetch(), monotonic())
                except SecretUnavailable as error:
                    raise CannotStart(str(error)) from error
                self._kept[source] = kept
            return kept.secret
