"""What several tests of this room need."""

import pytest

from tests.mail.mails import folder_of, lines
from watcher.limits import MIB
from watcher.model import MailFolder


@pytest.fixture
def slow_mail(tmp_path) -> MailFolder:
    """A mail that takes seconds: 200 MB of text, on the disk a hole."""
    folder = folder_of(tmp_path / "slow", lines("Subject: slow", "Content-Type: text/html; charset=gb2312", ""))
    with folder.raw.open("r+b") as file:
        file.truncate(200 * MIB)
    return folder
