"""What the daemon and a child that takes mails apart say to each other: one packet there, one packet back."""

import json
import pickle
from dataclasses import asdict, dataclass
from pathlib import Path

from watcher.mail.trust import TrustPolicy
from watcher.model import Envelope

__all__ = ["PACKET", "Answer", "Order"]

PACKET = 100 * 1024  #: bytes at most, which the kernel lets through a socket by default


@dataclass(frozen=True, slots=True)
class Order:
    """One mail to be taken apart."""

    path: Path  #: of the mail folder
    envelope: Envelope
    policy: TrustPolicy

    def packed(self) -> bytes:
        return pickle.dumps(self)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it; the Message lies in the mail folder then."""

    trouble: str = ""  #: why it could not be taken apart, in words
    crashed: bool = False  #: another try may help
    full: bool = False  #: there is no room on the disk: the mail is not to blame
    trace: str = ""  #: of a bug of ours

    def packed(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def unpacked(cls, packet: bytes) -> "Answer":
        """No pickle here: what a hostile mail makes of a child has no other words. Raises ValueError, TypeError."""
        return cls(**json.loads(packet))
