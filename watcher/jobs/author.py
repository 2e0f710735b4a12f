"""
What authors of Python handlers import: `from watcher import Message, Later, Stop, Reject`.

It is loaded in each warm process, so it takes nothing from the rest of the package.
"""

import json
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Address", "Attachment", "Later", "Message", "Reject", "Stop", "Trust"]


class Later(Exception):
    """Return or raise it: it did not work now, try again after `delay` seconds, or when the handler's backoff says."""

    def __init__(self, delay: float | None = None, reason: str = "") -> None:
        super().__init__(reason)
        self.delay = None if delay is None else float(delay)
        self.reason = reason


class Stop(Exception):
    """Return or raise it: done, and the handlers after this one in the rule are not to run."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


class Reject(Exception):
    """Return or raise it: this will never work; keep the mail as a dead letter with the reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Address(NamedTuple):
    """One address of a header."""

    name: str  #: decoded, "" if there is none
    address: str


class Attachment(NamedTuple):
    """One attached file."""

    name: str | None  #: as the sender wrote it: show it, but never use it as a path
    path: Path  #: where it lies, under a safe name
    type: str  #: "application/pdf", in lower case
    size: int  #: bytes
    sha256: str  #: of its bytes, hex
    inline: bool  #: part of the HTML text, such as a logo
    content_id: str | None  #: without brackets


class Trust(NamedTuple):
    """Whether the sender may be believed: treat all but "verified" as forged."""

    verdict: str  #: verified, unverified or failed
    domain: str | None  #: of the From address; what the verdict is about
    spf: str | None  #: "pass", "fail", ...; this and the next two are null if nobody looked
    dkim: str | None
    dmarc: str | None
    by: str | None  #: who looked
    reason: str  #: in words


class Message:
    """
    One mail, taken apart. Reading it changes nothing; the verbs below ask for something once you have succeeded.

    The daemon hands it to `handle`. For a test make it of any mail folder: `Message("folder")`, where the command
    `imap-watcher unpack` makes folders of saved mails; what its verbs asked for stands in `asked`.
    """

    def __init__(self, path: str | Path, environment: Mapping[str, str] = os.environ) -> None:
        """`path`: the mail folder; `environment`: the variables of the run, if there is one."""
        path = Path(path)
        facts: dict[str, Any] = json.loads((path / "message.json").read_bytes())
        self.path = path  #: its folder
        #: The same in each attempt of this handler on this mail.
        self.key: str = environment.get("WATCHER_KEY") or facts["key"] or ""
        self.attempt = int(environment.get("WATCHER_ATTEMPT", 1))  #: counts from 1
        self.asked: list[dict[str, object]] = []  #: the actions asked for so far, as they are written down
        self.account: str | None = facts["account"]
        self.folder: str | None = facts["folder"]
        self.uidvalidity: int | None = facts["uidvalidity"]
        self.uid: int | None = facts["uid"]
        self.received = _time(facts["received"])  #: by the server
        self.size: int = facts["size"]  #: bytes of the raw mail
        self.message_id: str | None = facts["message_id"]
        self.in_reply_to: str | None = facts["in_reply_to"]
        self.references: tuple[str, ...] = tuple(facts["references"])
        self.date = _time(facts["date"])  #: as the sender wrote it; without zone if he named none
        self.subject: str = facts["subject"]
        self.from_ = _addresses(facts["from"])
        self.to = _addresses(facts["to"])
        self.cc = _addresses(facts["cc"])
        self.reply_to = _addresses(facts["reply_to"])
        self.headers: tuple[tuple[str, str], ...] = tuple((name, value) for name, value in facts["headers"])
        self.attachments = tuple(Attachment(**{**part, "path": path / part["path"]}) for part in facts["attachments"])
        self.defects: tuple[str, ...] = tuple(facts["defects"])  #: what was wrong with the mail, in words
        self.reply: str | None = facts["reply"]  #: the newest part of the text, without quotes and signature
        self.kind: str = facts["kind"]  #: normal, bounce, report, auto-reply, calendar, encrypted, list or signed
        self.trust = Trust(**facts["trust"])  #: treat everything but "verified" as forged
        self.facts = facts  #: all that message.json says
        self._text: str | None = facts["text"]
        self._html: str | None = facts["html"]
        self._actions = environment.get("WATCHER_ACTIONS")

    def __repr__(self) -> str:
        return f"<Message {self.account}/{self.folder} {self.uid}: {self.subject!r}>"

    @property
    def verdict(self) -> str:
        """Whether the sender may be believed, in one word: verified, unverified or failed."""
        return self.trust.verdict

    @property
    def sender(self) -> str:
        """Address of the first author, "" if there is none. Anyone can write anything there."""
        return self.from_[0].address if self.from_ else ""

    @property
    def text(self) -> str | None:
        """The plain text, read when asked for; None if the mail has none."""
        return self._read(self._text)

    @property
    def html(self) -> str | None:
        """The HTML text, read when asked for; None if the mail has none."""
        return self._read(self._html)

    @property
    def raw(self) -> bytes:
        """The mail as it came, read when asked for."""
        return (self.path / "message.eml").read_bytes()

    def header(self, name: str) -> str | None:
        """Value of the first header of that name, in any case; None if there is none."""
        return next((value for known, value in self.headers if known.lower() == name.lower()), None)

    # --- what is to be sent, once this run has succeeded --------------------------------------------------------------

    def answer(self, text: str, *, html: str = "", subject: str = "", attachments: Iterable[str | Path] = ()) -> None:
        """Answer its sender (the action `reply`). Files are named from the mail folder on, or by their whole path."""
        self._send("reply", text=text, html=html, subject=subject, attachments=_list(attachments))

    def forward(
        self,
        to: str | Iterable[str],
        text: str = "",
        *,
        cc: str | Iterable[str] = (),
        subject: str = "",
        inline: bool = False,
    ) -> None:
        """Send it on to these addresses, with `text` before it: as an attachment, or `inline` as text."""
        self._send("forward", to=_list(to), cc=_list(cc), text=text, subject=subject, inline=inline)

    def send(
        self,
        to: str | Iterable[str],
        subject: str,
        text: str,
        *,
        cc: str | Iterable[str] = (),
        bcc: str | Iterable[str] = (),
        html: str = "",
        attachments: Iterable[str | Path] = (),
    ) -> None:
        """Send a new mail. Files are named from the mail folder on, or by their whole path."""
        copies = {"cc": _list(cc), "bcc": _list(bcc)}
        self._send(
            "send", to=_list(to), **copies, subject=subject, text=text, html=html, attachments=_list(attachments)
        )

    # --- what is to happen on the server when all handlers of the mail have succeeded --------------------------------

    def seen(self) -> None:
        """Mark it as read."""
        self._ask(action="seen")

    def flag(self, flag: str) -> None:
        r"""Set a flag (`\Flagged`) or a keyword of your own (`$Booked`)."""
        self._ask(action="flag", flag=flag)

    def move(self, folder: str) -> None:
        """Move it to another folder of the account."""
        self._ask(action="move", folder=folder)

    def delete(self) -> None:
        """Delete it from the server."""
        self._ask(action="delete")

    def note(self, text: str) -> None:
        """Leave a line in the record of this run."""
        self._ask(action="note", text=text)

    def _send(self, action: str, **fields: object) -> None:
        """What is empty is left out."""
        self._ask(action=action, **{name: value for name, value in fields.items() if value})

    def _ask(self, **action: object) -> None:
        self.asked.append(action)
        if self._actions:
            with Path(self._actions).open("a", encoding="utf-8") as file:
                file.write(json.dumps(action) + "\n")

    def _read(self, name: str | None) -> str | None:
        return None if name is None else (self.path / name).read_text("utf-8", "replace")


def _addresses(found: Iterable[Mapping[str, str]]) -> tuple[Address, ...]:
    return tuple(Address(one["name"], one["address"]) for one in found)


def _list(given: str | Path | Iterable[str | Path]) -> list[str]:
    return [str(one) for one in ([given] if isinstance(given, (str, Path)) else given)]


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
