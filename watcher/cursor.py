"""From the server to the ledger: how far a folder has been read, and what was found in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from watcher.model import Place, identity

__all__ = ["Anchor", "Arrival", "Blank", "Cursor", "Likeness"]


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a folder has been read, as one link sees it. See `inbox/catchup.py` for what the UIDs mean."""

    id: int  #: row of the folder in the ledger
    account: str
    folder: str
    generation: int  #: of the link; a commit of an older one is refused
    epoch: int  #: life of the folder; 0 before its first one
    uidvalidity: int  #: of this epoch; 0 if the server gives none
    floor_uid: int  #: below: before the start point, never looked at
    reset_uid: int  #: below: may be a mail of an earlier epoch
    low_uid: int  #: below: every UID is handled or proven absent
    next_uid: int  #: from here on nothing has been handled
    started_at: float | None  #: seconds since 1970
    resets: int  #: new epochs in a row


@dataclass(frozen=True, slots=True)
class Anchor:
    """The beginning of an epoch: what the UIDs that are there already mean."""

    uidvalidity: int
    floor_uid: int
    reset_uid: int = 1
    same: Mapping[int, int] = field(default_factory=dict)  #: UID -> row of the mail that it is
    old: tuple[int, ...] = ()  #: UIDs of mails from before the start point


@dataclass(frozen=True, slots=True)
class Likeness:
    """What tells one mail of a folder from the others without fetching it (RFC 4549 4.2.2.1)."""

    mail: int  #: row in the ledger
    message_id: str
    received: float  #: INTERNALDATE, seconds since 1970
    size: int


@dataclass(frozen=True, slots=True)
class Blank:
    """A UID that was listed but brought no mail."""

    uid: int
    note: str  #: why, in words
    due: float | None  #: when to fetch it again; None: never


@dataclass(frozen=True, slots=True)
class Arrival:
    """One mail whose raw bytes lie durably in the spool, ready to be entered in the ledger."""

    place: Place
    key: str  #: name of its spool folder
    received: datetime  #: INTERNALDATE, aware
    size: int  #: bytes of the raw mail as fetched
    message_id: str  #: with brackets, as sent; "" if there is none
    digest: str  #: sha256 of the raw mail, hex
    body_digest: str  #: sha256 of what follows the header, hex

    @property
    def content(self) -> str:
        """Identity that survives moves, re-uploads and a new UIDVALIDITY; without a Message-ID the time must agree."""
        return identity(self.message_id or self.received.isoformat(), self.digest)

    @property
    def body(self) -> str:
        """Weaker identity that also survives a second delivery, which adds trace fields to the header."""
        return identity(self.message_id, self.body_digest)
