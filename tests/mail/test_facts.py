"""message.json and back."""

import json
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from watcher.findings import Bounce, Bounced, Nature, Protection, ReportKind, SenderVerdict, Trust
from watcher.mail.facts import CONTRACT, from_json, to_json
from watcher.model import Address, Attachment, Message

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
MAYBE = st.none() | WORDS
MOMENTS = st.none() | st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5.5)), None]))
PEOPLE = st.lists(st.builds(Address, WORDS, WORDS), max_size=3).map(tuple)
FILES = st.builds(Attachment, MAYBE, WORDS, WORDS, st.integers(0), WORDS, st.booleans(), MAYBE)
MESSAGES = st.builds(
    Message,
    contract=st.just(CONTRACT),
    key=MAYBE,
    account=MAYBE,
    folder=MAYBE,
    uidvalidity=st.none() | st.integers(0),
    uid=st.none() | st.integers(0),
    received=MOMENTS,
    size=st.integers(0),
    message_id=MAYBE,
    in_reply_to=MAYBE,
    references=st.lists(WORDS, max_size=3).map(tuple),
    date=MOMENTS,
    subject=WORDS,
    from_=PEOPLE,
    to=PEOPLE,
    cc=PEOPLE,
    reply_to=PEOPLE,
    headers=st.lists(st.tuples(WORDS, WORDS), max_size=3).map(tuple),
    text=MAYBE,
    html=MAYBE,
    attachments=st.lists(FILES, max_size=3).map(tuple),
    defects=st.lists(WORDS, max_size=3).map(tuple),
    reply=MAYBE,
    nature=st.builds(
        Nature,
        bounce=st.none()
        | st.builds(
            Bounce,
            MAYBE,
            st.lists(st.builds(Bounced, WORDS, MAYBE, MAYBE, MAYBE), max_size=2).map(tuple),
            st.booleans(),
        ),
        report=st.none() | st.sampled_from(ReportKind),
        auto_reply=st.booleans(),
        automatic=st.booleans(),
        calendar=MAYBE,
        encrypted=st.none() | st.sampled_from(Protection),
        list_id=MAYBE,
        signed=st.none() | st.sampled_from(Protection),
    ),
    trust=st.builds(Trust, st.sampled_from(SenderVerdict), MAYBE, MAYBE, MAYBE, MAYBE, MAYBE, WORDS),
)


@given(MESSAGES)
def test_nothing_is_lost(message):
    assert from_json(to_json(message)) == message


@given(MESSAGES)
def test_the_text_is_one_line_of_utf8(message):
    assert len(to_json(message).encode().splitlines()) == 1


def test_the_form_of_contract_1():
    message = Message(
        *(1, "k", "support", "INBOX", 7, 42, datetime(2026, 11, 21, 10, tzinfo=UTC), 18233, "<a@b>", None, (), None),
        *("Grüße", (Address("", "a@b"),), (), (), (), (("Subject", "Grüße"),), "body.txt", None),
        *((Attachment(None, "attachments/x", "application/pdf", 1, "00", False, None),), ("in words",)),
    )
    assert json.loads(to_json(message)) == {
        "contract": 1,
        "key": "k",
        "account": "support",
        "folder": "INBOX",
        "uidvalidity": 7,
        "uid": 42,
        "received": "2026-11-21T10:00:00+00:00",
        "size": 18233,
        "message_id": "<a@b>",
        "in_reply_to": None,
        "references": [],
        "date": None,
        "subject": "Grüße",
        "from": [{"name": "", "address": "a@b"}],
        "to": [],
        "cc": [],
        "reply_to": [],
        "headers": [["Subject", "Grüße"]],
        "text": "body.txt",
        "html": None,
        "attachments": [
            {
                "name": None,
                "path": "attachments/x",
                "type": "application/pdf",
                "size": 1,
                "sha256": "00",
                "inline": False,
                "content_id": None,
            }
        ],
        "reply": None,
        "kind": "normal",
        "bounce": None,
        "report": None,
        "auto_reply": False,
        "automatic": False,
        "calendar": None,
        "encrypted": None,
        "list_id": None,
        "signed": None,
        "trust": {
            "verdict": "unverified",
            **dict.fromkeys(("domain", "spf", "dkim", "dmarc", "by")),
            "reason": "nobody has looked at the sender",
        },
        "defects": ["in words"],
    }
