"""A mail of ours that is ready to be sent, and how many there may be."""

from dataclasses import dataclass

__all__ = ["Cap", "Posting"]


@dataclass(frozen=True, slots=True)
class Cap:
    """How many mails there may be within a time that no person wrote: answers, or those that answer nobody."""

    most: int
    within: float  #: seconds
    answers: bool = True  #: counts answers
    peer: bool = False  #: counts only those to the same address
    author: bool = False  #: counts only those of the same handler


@dataclass(frozen=True, slots=True)
class Posting:
    """A mail to be sent, composed and durable in the spool; each recipient becomes a piece of work."""

    key: str  #: name of its spool folder
    relay: str
    author: str  #: the handler that asked for it, or what else did
    sender: str  #: of the envelope, "" for the null one (RFC 5321 4.5.5)
    recipients: tuple[str, ...]
    message_id: str  #: with brackets
    digest: str  #: sha256 of its bytes, hex
    size: int  #: bytes
    answers: str = ""  #: address that it answers by itself, "" if a person or a rule wants it sent
    caps: tuple[Cap, ...] = ()  #: beyond one of these it is not sent
