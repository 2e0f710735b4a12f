"""A mail that doctor puts into a folder of its own, to see it arrive."""

import select
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime

from watcher.imap.link import Summary
from watcher.imap.probe import Trial

__all__ = ["TestMail", "ahead", "test_folder", "wait"]


class TestMail:
    """A mail that says what it is, and is known again."""

    def __init__(self, address: str) -> None:
        self._id = f"<{uuid.uuid4()}@imap-watcher.invalid>"
        lines = (
            f"From: imap-watcher doctor <{address}>",
            f"To: <{address}>",
            f"Date: {format_datetime(datetime.now(UTC))}",
            f"Message-ID: {self._id}",
            "Subject: imap-watcher doctor looks whether IDLE works",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "",
            "This mail can be deleted.",
        )
        self.lines = [line.encode() + b"\r\n" for line in lines]

    def among(self, link: Trial) -> list[Summary]:
        """What the server says of it, among the last mails of the open folder."""
        return [summary for summary in link.summaries(link.search(1)[-20:]) if summary.message_id == self._id]


@contextmanager
def test_folder(link: Trial, folder: str, mail: TestMail) -> Iterator[list[str]]:
    """`folder`, made if it is not there, and then removed in the end; one that was there loses our mail only."""
    there = folder in link.list_folders(folder)
    if not there:
        link.create(folder)
    try:
        yield [folder] if there else []
    finally:
        if there or link.status(folder).exists > 1:  # somebody else's mail came into it
            link.select(folder)
            link.delete([summary.uid for summary in mail.among(link)])
        else:
            link.remove(folder)


def wait(link: Trial, done: Callable[[], bool], seconds: float) -> bool:
    """Whether `done` comes true in time; it is asked whenever the server says something."""
    end = time.monotonic() + seconds
    while not done():
        left = end - time.monotonic()
        if left <= 0 or not select.select([link], [], [], left)[0]:
            return False
    return True


def ahead(received: float, sent: float, now: float) -> float:
    """Seconds by which the server's clock is ahead; 0 if its whole second may lie between `sent` and `now`."""
    if received + 1 < sent:
        return received + 1 - sent
    return max(0.0, received - now)
