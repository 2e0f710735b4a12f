"""The schema of message.json fits what is really written, in both directions."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator, ValidationError

from tests.mail.mails import lines, multipart, part, taken_apart
from tests.mail.test_facts import MESSAGES
from tests.mail.test_kinds import FAILED, report, status
from watcher.mail.facts import to_json
from watcher.mail.schema import message_schema, schema_of
from watcher.mail.unpack import unpack
from watcher.model import Envelope, MailFolder

SCHEMA = message_schema()


def closed(schema: object) -> object:
    """The schema, but no object may have a key more than it tells of: we must not forget to tell."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    more = {"additionalProperties": False} if schema.get("type") == "object" else {}
    return {key: closed(value) for key, value in schema.items()} | more


STRICT = Draft202012Validator(closed(SCHEMA))

PDF = part("x", "Content-Type: application/pdf", 'Content-Disposition: attachment; filename="a.pdf"')
MAILS = {
    "empty": b"",
    "everyday": lines(
        *("From: =?utf-8?Q?B=C3=B6b?= <b@c.example>", "To: a@b.example, d@e.example", "Cc: f@g.example"),
        *("Reply-To: h@i.example", "Date: Mon, 5 Oct 2026 10:00:00 +0200", "Message-ID: <1@c.example>"),
        *("In-Reply-To: <0@c.example>", "References: <0@c.example> <00@c.example>", "Subject: Grüße"),
    )
    + multipart(part("text", "Content-Type: text/plain"), part("<p>x", "Content-Type: text/html"), PDF),
    "date without a zone": lines("Date: Mon, 5 Oct 2026 10:00:00", "", ""),
    "broken": b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n" + b"\xff\x00" * 100,
    "bounce": report("delivery-status", part("x", "Content-Type: text/plain"), status(FAILED)),
    "invitation": part("METHOD:REQUEST\r\n", "List-Id: <l.example>", "Content-Type: text/calendar"),
    "encrypted": part("x", "Content-Type: application/pkcs7-mime"),
}


@pytest.mark.parametrize("raw", MAILS.values(), ids=MAILS.keys())
def test_what_is_written_fits(tmp_path, raw):
    STRICT.validate(taken_apart(tmp_path, raw).record)


def test_what_is_written_for_a_mail_of_the_daemon_fits(tmp_path):
    mail = taken_apart(tmp_path, MAILS["everyday"])
    unpack(MailFolder(tmp_path), Envelope("key", "acc", "INBOX", 7, 42, datetime(2026, 10, 5, tzinfo=UTC)))
    STRICT.validate(mail.record)
    assert mail.record["uid"] == 42


@given(MESSAGES)
def test_any_message_fits(message):
    STRICT.validate(json.loads(to_json(message)))


def test_it_is_a_schema_and_refuses_what_does_not_fit(tmp_path):
    Draft202012Validator.check_schema(SCHEMA)
    good = taken_apart(tmp_path, MAILS["everyday"]).record
    for key, wrong in {
        "contract": 2,
        "size": "1",
        "headers": [["Subject"]],
        "from": [{"name": "x"}],
        "date": "yesterday",
        "kind": "odd",
        "trust": {"verdict": "sure"},
        "attachments": [None],
        "text": 1,
    }.items():
        with pytest.raises(ValidationError):
            Draft202012Validator(SCHEMA).validate(good | {key: wrong})
    for key in SCHEMA["properties"]:
        with pytest.raises(ValidationError):
            Draft202012Validator(SCHEMA).validate({name: value for name, value in good.items() if name != key})
    Draft202012Validator(SCHEMA).validate(good | {"a key of a later version": 1})


def test_fields_are_described_by_their_remarks():
    assert SCHEMA["properties"]["date"]["description"] == "of the Date header; without zone if it names none"
    assert SCHEMA["properties"]["attachments"]["items"]["properties"]["size"]["description"] == "decoded bytes"


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Thing:
    """A thing."""

    from_: Colour | None  #: where it comes from
    pair: tuple[str, int]
    many: tuple[float, ...]
    true: bool


def test_each_form_of_a_type():
    assert schema_of(Thing) == {
        "type": "object",
        "description": "A thing.",
        "properties": {
            "from": {"anyOf": [{"enum": ["red"]}, {"type": "null"}], "description": "where it comes from"},
            "pair": {
                "type": "array",
                "prefixItems": [{"type": "string"}, {"type": "integer"}],
                "items": False,
                "minItems": 2,
            },
            "many": {"type": "array", "items": {"type": "number"}},
            "true": {"type": "boolean"},
        },
        "required": ["from", "pair", "many", "true"],
    }
    with pytest.raises(TypeError, match="no form in JSON"):
        schema_of(set)
