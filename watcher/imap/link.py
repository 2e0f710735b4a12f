"""The verbs on a mailbox: one command of IMAP each, no policy."""

import re
import time
from collections.abc import Callable, Sequence
from datetime import date
from functools import reduce
from typing import Any, TypeVar

from imapclient.datetime_util import format_criteria_date

from watcher.config.providers.catalogue import generic
from watcher.config.providers.profile import Profile
from watcher.errors import ActionRefused
from watcher.imap import answers
from watcher.imap.answers import LAST_UID, Head, Summary
from watcher.imap.dial import Endpoint
from watcher.imap.faults import FOREIGN, lost
from watcher.imap.folders import FolderVerbs, Mailbox, folder_name
from watcher.imap.greeting import greeted
from watcher.imap.login import introduce, login
from watcher.imap.outlines import OUTLINE, USUAL, Outline, Question, closely, looked, outlines
from watcher.imap.refusals import Phase
from watcher.imap.sasl import Credential, Proof
from watcher.imap.wire import Client
from watcher.printing import printable, prints

__all__ = ["Credential", "Endpoint", "Head", "Link", "Mailbox", "Proof", "Summary", "connect"]

_T = TypeVar("_T")

#: RFC 3501 9, flag: an atom, perhaps one of the system.
_FLAG = re.compile(r"\\?[!#$&'+\-.0-9:;<=>?@A-Z^_`a-z|~]+", re.ASCII)


def connect(
    endpoint: Endpoint, credential: Credential, profile: Profile | None = None, *, timeout: float = 30
) -> "Link":
    """
    A verified connection, logged in.

    `profile`: what is known of the provider. `timeout`: seconds until the greeting, for each way to log in, for each
    later command. Raises MailboxLost, ServerUntrusted or LoginRefused, SecretUnavailable if a certificate of ours can't
    be used.
    """
    profile, where, phase = profile or generic(), str(endpoint), Phase.GREETING
    try:
        wire = greeted(endpoint, time.monotonic() + timeout)
        try:
            phase = Phase.COMMAND
            mechanism = login(wire, credential, profile, timeout)
            client = Client(wire)
            link = Link(client, wire, timeout, profile, mechanism)
            introduce(client)
            if endpoint.compress and "COMPRESS=DEFLATE" in link.capabilities:
                link.compress()
        except BaseException:
            wire.shutdown()
            raise
    except FOREIGN as error:
        raise lost(where, error, profile=profile, phase=phase) from error
    return link


class Link(FolderVerbs):
    """An authenticated connection. See `Talk` for what holds for every verb."""

    __slots__ = ()

    # --- looking ---

    def search(self, low: int, high: int | None = None) -> list[int]:
        """UIDs from `low` to `high` (default: the last) in the open folder, sorted."""
        if high is not None and high < low:
            return []  # descending ranges mean the opposite (RFC 3501 9), and some servers refuse them
        span = f"{_uid_set([low])}:{'*' if high is None else _uid_set([high])}"
        return self._search(f"UID {span}", low, LAST_UID if high is None else high)

    def search_since(self, day: date) -> list[int]:
        """UIDs of mails received on `day` or later, as the server's calendar has it, sorted."""
        return self._search(f"SINCE {format_criteria_date(day).decode('ascii')}", 1, LAST_UID)

    def search_for(self, keys: str) -> list[int]:
        """UIDs that fit these search keys (RFC 3501 6.4.4), sorted. ActionRefused if the server does not take them."""
        if not (keys.isascii() and prints(keys)):
            raise ActionRefused(f"{printable(keys)!r} can't be searched for: only printable ASCII")
        return self._search(keys, 1, LAST_UID, ActionRefused)

    def present(self, uids: Sequence[int]) -> set[int]:
        """Which of `uids` are in the open folder."""
        return set(self._search(f"UID {_uid_set(uids)}", min(uids), max(uids))) & set(uids) if uids else set()

    def _search(self, criteria: str, low: int, high: int, refused: type[ActionRefused] | None = None) -> list[int]:
        with self._asking(refused):
            plain = self._ok(*self._wire.uid("SEARCH", criteria))
            _, extended = self._wire.response("ESEARCH")
            return answers.found(plain, extended, low, high)

    def summaries(self, uids: Sequence[int]) -> list[Summary]:
        """What tells each of `uids` from other mails. A UID is missing if the server does not describe it wholly."""
        items = "RFC822.SIZE INTERNALDATE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"
        return self._fetch(uids, items, 0, lambda lines: answers.summaries(lines, frozenset(uids)))

    def outlines(self, uids: Sequence[int], question: Question) -> list[Outline]:
        """What tells whether it is worth fetching them. A UID is missing if nothing can be made out about it."""
        items = "RFC822.SIZE INTERNALDATE" + " BODYSTRUCTURE" * question.parts
        if question.header:
            items += f" BODY.PEEK[HEADER]<0.{OUTLINE}>"
        return self._fetch(uids, items, len(uids) * USUAL, lambda lines: outlines(lines, frozenset(uids)))

    def look_closer(self, outline: Outline) -> Outline:
        """The same with the headers of its parts, and the beginnings of its texts."""
        items = reduce(closely, outline.leaves or (), "RFC822.SIZE")
        return self._fetch([outline.uid], items, OUTLINE, lambda lines: looked(lines, outline))

    def heads(self, uids: Sequence[int], length: int) -> list[Head]:
        """The first `length` bytes of each of `uids`, in one question. A UID is missing if the server leaves it out."""
        items = f"RFC822.SIZE INTERNALDATE BODY.PEEK[]<0.{length:d}>"
        return self._fetch(uids, items, len(uids) * length, lambda lines: answers.heads(lines, frozenset(uids), length))

    def slice(self, uid: int, offset: int, length: int) -> bytes | None:
        """`length` bytes of a mail from `offset` on, fewer at its end, b"" after it; None if the server has no text."""
        items = f"BODY.PEEK[]<{offset:d}.{length:d}>"
        return self._fetch([uid], items, length, lambda lines: answers.piece(lines, uid, offset, length))

    def whole(self, uid: int, limit: int = 64 << 20) -> bytes | None:
        """A mail in one piece, for servers that answer `heads` badly; MailboxLost if it has more than `limit` bytes."""
        return self._fetch([uid], "BODY.PEEK[]", limit, lambda lines: answers.piece(lines, uid, 0, None))

    def _fetch(self, uids: Sequence[int], items: str, size: int, read: Callable[[list[Any]], _T]) -> _T:
        """One FETCH with `size` bytes of text at most; `read` takes its lines apart."""
        wanted = _uid_set(uids)
        with self._asking(size=size):
            status, lines = self._wire.uid("FETCH", wanted, f"(UID {items})")
            if status != "OK":
                refusal = self._wire.tidings.reply
                if refusal is None or self._meaning(refusal).passes:
                    raise self._wire.error(status)
                _, lines = self._wire.response("FETCH")  # RFC 2180 4.1.2: some are gone, the others are told
            return read(lines)

    # --- changing ---

    def seen(self, uids: Sequence[int]) -> None:
        """Marks as read."""
        self.flag(uids, "\\Seen")

    def flag(self, uids: Sequence[int], name: str) -> None:
        """Sets a flag or keyword. UIDs that are gone are passed over. ActionRefused if the server does not want to."""
        if not _FLAG.fullmatch(name):
            raise ActionRefused(f"{printable(name)!r} is no name for a flag")
        wanted = _uid_set(uids)
        with self._asking(ActionRefused):
            self._client.add_flags(wanted, [name], silent=True)

    def move(self, uids: Sequence[int], folder: str) -> None:
        """Moves to `folder`. ActionRefused with code TRYCREATE if that is missing.

        Without MOVE (RFC 6851) they are copied and deleted. What is marked deleted already is left alone: an attempt
        that was cut off after it did that has the copy made. One cut off before that leaves a second copy.
        """
        folder_name(folder, ActionRefused)
        wanted = _uid_set(uids)
        if "MOVE" in self.capabilities:
            with self._asking(ActionRefused):
                self._client.move(wanted, folder)
            return
        if there := self._search(f"UID {wanted} NOT DELETED", min(uids), max(uids)):
            with self._asking(ActionRefused):
                self._client.copy(_uid_set(there), folder)
            self.delete(there)

    def delete(self, uids: Sequence[int]) -> None:
        r"""Deletes. Without UIDPLUS (RFC 4315) they only get \Deleted: a plain EXPUNGE would take others' mails too."""
        self.flag(uids, "\\Deleted")
        if "UIDPLUS" in self.capabilities:
            with self._asking(ActionRefused):
                self._client.uid_expunge(_uid_set(uids))

    def noop(self, within: float | None = None) -> None:
        """Asks for nothing, so that the server tells its news and proves that it lives; in `within` seconds."""
        with self._asking(within=within):
            self._ok(*self._wire.noop())


def _uid_set(uids: Sequence[int]) -> str:
    if not uids or not all(1 <= uid <= LAST_UID for uid in uids):
        raise ValueError(f"no UIDs: {uids!r}")
    return ",".join(f"{uid:d}" for uid in uids)
