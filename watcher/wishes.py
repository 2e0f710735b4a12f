"""What a handler wants sent, as it wrote it down: checked for its form alone, nothing of it is true yet."""

from dataclasses import dataclass
from enum import StrEnum

from watcher.posting import Posting

__all__ = ["Correspondence", "Request", "Sending"]


class Sending(StrEnum):
    """The actions that make a mail."""

    REPLY = "reply"  #: to who wrote the mail
    FORWARD = "forward"  #: the mail itself to others
    SEND = "send"  #: a new mail


@dataclass(frozen=True, slots=True)
class Request:
    """One mail that is wanted. Texts may hold anything; addresses are not checked."""

    action: Sending
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    subject: str = ""  #: "" of a reply: that of the mail
    text: str = ""
    html: str = ""
    attachments: tuple[str, ...] = ()  #: files, from the mail folder on or by their whole path
    sender: str = ""  #: From; "" for the usual one
    inline: bool = False  #: a forward as text and not as an attachment


@dataclass(frozen=True, slots=True)
class Correspondence:
    """What came of the requests of one run."""

    postings: tuple[Posting, ...] = ()  #: durable, to be entered when the end of the run is
    notes: tuple[str, ...] = ()  #: why a mail is not sent although nobody has done wrong
