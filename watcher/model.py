"""The frozen things that travel between the rooms, and the one life that all work shares."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

from watcher.findings import NOT_JUDGED, PLAIN, Nature, Trust
from watcher.posting import Posting

__all__ = [
    "IDENTITY",
    "MOVES",
    "OPEN",
    "Action",
    "Address",
    "Attachment",
    "Decision",
    "Envelope",
    "Kind",
    "MailFolder",
    "Message",
    "Outcome",
    "Place",
    "Plan",
    "Status",
    "Step",
    "Verb",
    "Verdict",
    "Work",
    "identity",
]


# --- the life of a piece of work ------------------------------------------------------------------------------------


class Kind(StrEnum):
    """What a piece of work is; each kind has one stage that does it."""

    UNPACK = "unpack"  #: take a stored mail apart and find its handlers
    JOB = "job"  #: run one handler on one mail
    AFTER = "after"  #: change something on the server, once the handlers are through
    SEND = "send"  #: send one mail


class Status(StrEnum):
    """Where a piece of work is in its life."""

    WAITING = "waiting"  #: for its due time, or (due is empty) for its turn
    RUNNING = "running"  #: claimed by a stage; the attempt is counted
    DONE = "done"  #: succeeded; never runs again
    DEAD = "dead"  #: given up, with the reason; only a person brings it back
    SKIPPED = "skipped"  #: not needed any more, with the reason


#: The moves a piece of work may make. What is not here can't happen; `store/moves.py` refuses it.
MOVES: Mapping[Status, frozenset[Status]] = {
    Status.WAITING: frozenset({Status.RUNNING, Status.SKIPPED}),
    Status.RUNNING: frozenset({Status.DONE, Status.WAITING, Status.DEAD, Status.SKIPPED}),
    Status.DEAD: frozenset({Status.WAITING, Status.SKIPPED}),
    Status.DONE: frozenset(),
    Status.SKIPPED: frozenset(),
}
OPEN = frozenset({Status.WAITING, Status.RUNNING})  #: there is something left to do


class Verdict(StrEnum):
    """How one attempt ended, in the doer's own view."""

    DONE = "done"  #: succeeded
    STOP = "stop"  #: succeeded, and the later handlers of the chain are not to run
    LATER = "later"  #: failed in a way that may pass
    NEVER = "never"  #: failed for good
    CRASHED = "crashed"  #: killed by a signal, a limit or the clock; three of these are poison
    HOLD = "hold"  #: could not even start (not executable, bad owner): no attempt is used
    GONE = "gone"  #: what it was about no longer exists


# --- where a mail lies ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Where a mail lies on the server: these four name one immutable message for ever (RFC 3501 2.3.1.1)."""

    account: str
    folder: str
    uidvalidity: int  #: 0 if the server gives none
    uid: int

    def __str__(self) -> str:
        return f"{self.account}/{self.folder} UID {self.uid}"

    @property
    def log_fields(self) -> Mapping[str, object]:
        """What a log line about it can be searched by."""
        return {"account": self.account, "folder": self.folder, "uid": self.uid}


IDENTITY = re.compile("[a-z2-7]{32}")  #: what `identity` returns


def identity(*parts: object) -> str:
    """A short name for a row of values, the same for ever: 32 characters of base32."""
    joined = "\0".join(str(part) for part in parts)
    return base64.b32encode(sha256(joined.encode("utf-8", "surrogateescape")).digest()[:20]).decode("ascii").lower()


# --- from the mail to its handlers ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is known of a mail without reading it. All empty for a mail that comes from a file."""

    key: str | None = None  #: stable name of this mail
    account: str | None = None
    folder: str | None = None
    uidvalidity: int | None = None
    uid: int | None = None
    received: datetime | None = None  #: INTERNALDATE, aware


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox of an address header; a group has lost its name here, its members stand alone."""

    name: str  #: decoded, printable, "" if there is none
    address: str  #: "" if there is none; not checked


@dataclass(frozen=True, slots=True)
class Attachment:
    """One leaf of the mail that is no body text."""

    name: str | None  #: as sent, decoded; null if none was sent
    path: str  #: of the file, relative to the mail folder: "attachments/" and a safe name
    type: str  #: "application/pdf", in lower case
    size: int  #: decoded bytes
    sha256: str  #: of the decoded bytes, hex
    inline: bool  #: shown within the text: the HTML refers to it, or it is marked so
    content_id: str | None  #: without brackets


@dataclass(frozen=True, slots=True)
class Message:
    """A mail taken apart: the content of `message.json`, contract 1. Its files lie beside that file."""

    contract: int  #: version of this form
    key: str | None  #: of the mail, the same for ever; this and the next five are null for a mail from a file
    account: str | None  #: as the configuration calls it
    folder: str | None  #: where it lay when it came in
    uidvalidity: int | None  #: of that folder (RFC 3501 2.3.1.1)
    uid: int | None  #: in that folder
    received: datetime | None  #: when the server took it in (INTERNALDATE)
    size: int  #: bytes of the raw mail
    message_id: str | None  #: as sent, with brackets; anybody can choose it
    in_reply_to: str | None  #: Message-ID of the mail it answers, with brackets
    references: tuple[str, ...]  #: Message-IDs of the thread before it, the oldest first
    date: datetime | None  #: of the Date header; without zone if it names none
    subject: str  #: "" if there is none
    from_: tuple[Address, ...]  #: who it claims to be from; see trust before you believe it
    to: tuple[Address, ...]  #: of the header; not always who it was delivered to
    cc: tuple[Address, ...]  #: same
    reply_to: tuple[Address, ...]  #: where answers are wanted
    headers: tuple[tuple[str, str], ...]  #: name and value of each field in order, decoded, printable
    text: str | None  #: "body.txt" if there is one
    html: str | None  #: "body.html" if there is one
    attachments: tuple[Attachment, ...]  #: all that is no body text, in the order of the mail
    defects: tuple[str, ...]  #: what was wrong with the mail, in words
    reply: str | None = None  #: the newest part of the text, without quotes and signature
    nature: Nature = PLAIN  #: what kind of mail it is
    trust: Trust = NOT_JUDGED  #: whether its sender may be believed


class Verb(StrEnum):
    """What an after-action does on the server."""

    SEEN = "seen"
    FLAG = "flag"  #: sets a flag or keyword, named by the target
    MOVE = "move"  #: to the folder named by the target
    DELETE = "delete"

    @property
    def rank(self) -> int:
        """The order in which they are done. What takes a mail away ranks above 0, and who moves it wants it kept."""
        return {Verb.MOVE: 1, Verb.DELETE: 2}.get(self, 0)


@dataclass(frozen=True, slots=True)
class Action:
    """One change on the server, wanted by a rule or a handler."""

    verb: Verb
    target: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.target}".rstrip()


@dataclass(frozen=True, slots=True)
class Step:
    """One handler run that a rule wants. Steps of one chain start in order."""

    handler: str
    chain: str  #: name of the rule
    line: str | None = None  #: the handler's jobs of one line run one at a time, by age of mail; None: beside all


@dataclass(frozen=True, slots=True)
class Plan:
    """All that the rules want done with one mail."""

    steps: tuple[Step, ...] = ()
    then: tuple[Action, ...] = ()  #: when every handler has succeeded, in this order
    on_dead: tuple[tuple[str, Action], ...] = ()  #: (chain, action): when a handler of this chain is dead


# --- from the ledger to a stage and back ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Work:
    """One claimed piece of work. `attempt` fences it: an outcome of an older attempt is not accepted."""

    id: int
    kind: Kind
    name: str  #: the handler, or the action's verb, or "" for unpack
    target: str  #: the action's target
    mail: int  #: row of the mail in the ledger
    key: str  #: of the mail: name of its spool folder
    place: Place
    received: datetime
    digest: str  #: sha256 of the raw mail, hex
    attempt: int  #: counts from 1, this one included
    tries: int  #: the attempts among them that count against the limit
    crashes: int  #: earlier attempts that crashed
    first_at: float  #: when the first attempt was claimed, seconds since 1970
    unpacked: bool = True  #: the parts of the mail were written since the machine started; else they may be lost
    replay: bool = False  #: the handler has had this mail and succeeded; a person wants it done again

    def __str__(self) -> str:
        what = " ".join(part for part in (self.kind, self.name, self.target) if part)
        return f"{self.place}: {what} (job {self.id}, attempt {self.attempt})"

    @property
    def log_fields(self) -> Mapping[str, object]:
        """What a log line about it can be searched by."""
        handler = {"handler": self.name} if self.kind is Kind.JOB else {}
        return {**self.place.log_fields, "key": self.key, **handler, "attempt": self.attempt}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt."""

    verdict: Verdict
    reason: str = ""  #: one line, in words
    output: str = ""  #: last part of what it printed, printable
    delay: float | None = None  #: seconds it asks to wait before the next attempt
    actions: tuple[Action, ...] = ()  #: what a handler wants done on the server
    plan: Plan = field(default_factory=Plan)  #: what unpacking found to do
    postings: tuple[Posting, ...] = ()  #: mails that a handler wants sent
    foreseen: bool = False  #: a hold by a limit that we keep by ourselves: no trouble, nobody is told


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a piece of work after an attempt."""

    status: Status
    due: float | None = None  #: seconds since 1970, for `waiting`
    reason: str = ""
    crashed: bool = False
    free: bool = False  #: the attempt does not count


@dataclass(frozen=True, slots=True)
class MailFolder:
    """A mail in the spool: the directory and the names in it."""

    path: Path

    @property
    def raw(self) -> Path:
        return self.path / "message.eml"

    @property
    def facts(self) -> Path:
        return self.path / "message.json"

    @property
    def attachments(self) -> Path:
        return self.path / "attachments"
