"""What taking a mail apart finds out about it: what kind of mail it is, and whether its sender is who it says."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "NOT_JUDGED",
    "PLAIN",
    "Bounce",
    "Bounced",
    "MailKind",
    "Nature",
    "Protection",
    "ReportKind",
    "SenderVerdict",
    "Trust",
]


class MailKind(StrEnum):
    """The one word for a mail; the order here is the precedence, see `Nature.kind`."""

    BOUNCE = "bounce"  #: a mail of ours could not be delivered, or not yet
    REPORT = "report"  #: written by a machine about mail: DMARC, feedback loop, TLS, delivery that succeeded
    AUTO_REPLY = "auto-reply"  #: out of office, read receipt: an answer that no person wrote
    CALENDAR = "calendar"  #: an invitation, or an answer to one
    ENCRYPTED = "encrypted"  #: what it says can't be read here
    LIST = "list"  #: came over a mailing list
    SIGNED = "signed"  #: a person signed it (S/MIME, PGP); not DKIM
    NORMAL = "normal"


class ReportKind(StrEnum):
    """What a report is about."""

    DMARC = "dmarc"  #: aggregate (RFC 7489 7.2)
    FEEDBACK = "feedback"  #: one complaint or failure (ARF, RFC 5965, RFC 6591)
    TLS = "tls"  #: SMTP TLS reporting (RFC 8460)
    DELIVERY = "delivery"  #: delivery succeeded (RFC 3464)


class Protection(StrEnum):
    """How a mail is encrypted or signed."""

    PGP = "pgp"
    SMIME = "smime"


@dataclass(frozen=True, slots=True)
class Bounced:
    """One recipient that a mail did not reach."""

    address: str  #: as the reporting server knows it, "" if it doesn't say
    action: str | None  #: failed, delayed, delivered, relayed or expanded (RFC 3464 2.3.3)
    status: str | None  #: "5.1.1" (RFC 3463)
    diagnostic: str | None  #: what the other server said, one printable line, cut off


@dataclass(frozen=True, slots=True)
class Bounce:
    """What a bounce says."""

    message_id: str | None  #: of the mail that bounced, with brackets
    recipients: tuple[Bounced, ...]  #: may be empty: not every server tells
    standard: bool  #: the report has the form of RFC 3464; else it was found by its look


@dataclass(frozen=True, slots=True)
class Nature:
    """What a mail is, in facts. Several may hold at once: a signed mail over a list."""

    bounce: Bounce | None = None
    report: ReportKind | None = None
    auto_reply: bool = False  #: an answer that no person wrote
    automatic: bool = False  #: sent by a machine, or not to be answered by one (RFC 3834 2)
    calendar: str | None = None  #: method of the invitation in capitals (RFC 5546), "" if it names none
    encrypted: Protection | None = None
    list_id: str | None = None  #: name of the list (RFC 2919) without brackets, "" if it has none
    signed: Protection | None = None

    @property
    def kind(self) -> MailKind:
        """The one word: first what must not be answered, then what can't be read as usual, then where it came from."""
        found = {
            MailKind.BOUNCE: self.bounce,
            MailKind.REPORT: self.report,
            MailKind.AUTO_REPLY: self.auto_reply or None,
            MailKind.CALENDAR: self.calendar,
            MailKind.ENCRYPTED: self.encrypted,
            MailKind.LIST: self.list_id,
            MailKind.SIGNED: self.signed,
            MailKind.NORMAL: True,
        }
        return next(kind for kind in MailKind if found[kind] is not None)


#: Of a mail about which nothing special was found.
PLAIN = Nature()


class SenderVerdict(StrEnum):
    """Whether the address in From may be believed."""

    VERIFIED = "verified"  #: the domain of From sent or signed this mail
    UNVERIFIED = "unverified"  #: nobody we trust says so
    FAILED = "failed"  #: somebody we trust says it did not, or From is not one plain address


@dataclass(frozen=True, slots=True)
class Trust:
    """How far the sender can be believed. Anything but `verified` is to be treated as forged."""

    verdict: SenderVerdict
    domain: str | None  #: of the From address, in lower case; what `verified` is about
    spf: str | None  #: result (RFC 8601 2.7), "unaligned" if it passed for another domain, null if not looked at
    dkim: str | None  #: same
    dmarc: str | None  #: same
    by: str | None  #: who looked: the authserv-id, or "own check"
    reason: str  #: one line, in words


#: Of a mail of which nobody has looked at the sender.
NOT_JUDGED = Trust(SenderVerdict.UNVERIFIED, None, None, None, None, None, "nobody has looked at the sender")
