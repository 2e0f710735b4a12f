import tomllib
from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter

from watcher.config import Condition
from watcher.model import Address, Attachment, Message

CONDITION = TypeAdapter(Condition)


@pytest.fixture
def when():
    """A condition as it is written in the file."""

    def read(written):
        return CONDITION.validate_python(tomllib.loads(f"when = {{ {written} }}")["when"], by_alias=True, by_name=False)

    return read


#: Two hours after the mail came in.
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()

MAIL = Message(
    contract=1,
    key="k",
    account="support",
    folder="INBOX",
    uidvalidity=7,
    uid=42,
    received=datetime(2026, 11, 21, 10, tzinfo=UTC),
    size=20_000,
    message_id="<1@supplier.example>",
    in_reply_to=None,
    references=(),
    date=None,
    subject="Your Invoice 66",
    from_=(Address("Ann Supplier", "Billing@Supplier.example"),),
    to=(Address("", "support@example.com"), Address("Bob", "bob@example.com")),
    cc=(Address("Boss", "boss@example.com"),),
    reply_to=(),
    headers=(
        ("Received", "from a"),
        ("Received", "from b"),
        ("Subject", "Your Invoice 66"),
        ("X-Empty", ""),
        ("Delivered-To", "support+orders@example.com"),
    ),
    text="body.txt",
    html=None,
    attachments=(
        Attachment("Invoice 66.PDF", "attachments/Invoice 66.PDF", "application/pdf", 5, "", False, None),
        Attachment(None, "attachments/part-2.png", "image/png", 5, "", True, "logo"),
        Attachment("list.doc", "attachments/list.doc", "application/octet-stream", 5, "", False, None),
    ),
    defects=(),
)
