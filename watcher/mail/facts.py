"""`message.json`: a Message as the JSON that handlers read, and back. The form is contract 1; see `model.Message`."""

import json
from dataclasses import fields
from datetime import datetime
from typing import Any

from watcher.findings import Bounce, Bounced, Nature, Protection, ReportKind, SenderVerdict, Trust
from watcher.model import Address, Attachment, Message

__all__ = ["CONTRACT", "from_json", "to_json"]

#: Version of the form. Keys may be added within one; a change or loss of a key makes a new one.
CONTRACT = 1


def to_json(message: Message) -> str:
    """The JSON text, one line, all characters as they are."""
    record = {
        "contract": message.contract,
        "key": message.key,
        "account": message.account,
        "folder": message.folder,
        "uidvalidity": message.uidvalidity,
        "uid": message.uid,
        "received": _written(message.received),
        "size": message.size,
        "message_id": message.message_id,
        "in_reply_to": message.in_reply_to,
        "references": message.references,
        "date": _written(message.date),
        "subject": message.subject,
        "from": message.from_,
        "to": message.to,
        "cc": message.cc,
        "reply_to": message.reply_to,
        "headers": message.headers,
        "text": message.text,
        "html": message.html,
        "reply": message.reply,
        "kind": message.nature.kind,
        **_by_name(message.nature),
        "trust": message.trust,
        "attachments": message.attachments,
        "defects": message.defects,
    }
    return json.dumps(record, ensure_ascii=False, default=_by_name)


def from_json(text: str) -> Message:
    """The Message that `to_json` made `text` of. Raises ValueError or KeyError if it did not."""
    record: dict[str, Any] = json.loads(text)
    return Message(
        contract=record["contract"],
        key=record["key"],
        account=record["account"],
        folder=record["folder"],
        uidvalidity=record["uidvalidity"],
        uid=record["uid"],
        received=_read(record["received"]),
        size=record["size"],
        message_id=record["message_id"],
        in_reply_to=record["in_reply_to"],
        references=tuple(record["references"]),
        date=_read(record["date"]),
        subject=record["subject"],
        from_=_addresses(record["from"]),
        to=_addresses(record["to"]),
        cc=_addresses(record["cc"]),
        reply_to=_addresses(record["reply_to"]),
        headers=tuple((name, value) for name, value in record["headers"]),
        text=record["text"],
        html=record["html"],
        attachments=tuple(Attachment(**attachment) for attachment in record["attachments"]),
        defects=tuple(record["defects"]),
        reply=record["reply"],
        nature=_nature(record),
        trust=Trust(**{**record["trust"], "verdict": SenderVerdict(record["trust"]["verdict"])}),
    )


def _by_name(part: Any) -> dict[str, Any]:
    """The fields of a dataclass; json asks for those within by itself. `dataclasses.asdict` copies all of it first."""
    return {field.name: getattr(part, field.name) for field in fields(part)}


def _nature(record: dict[str, Any]) -> Nature:
    bounce = record["bounce"]
    if bounce:
        recipients = tuple(Bounced(**recipient) for recipient in bounce["recipients"])
        bounce = Bounce(**{**bounce, "recipients": recipients})
    return Nature(
        bounce=bounce,
        report=record["report"] and ReportKind(record["report"]),
        auto_reply=record["auto_reply"],
        automatic=record["automatic"],
        calendar=record["calendar"],
        encrypted=record["encrypted"] and Protection(record["encrypted"]),
        list_id=record["list_id"],
        signed=record["signed"] and Protection(record["signed"]),
    )


def _written(when: datetime | None) -> str | None:
    return when.isoformat() if when else None


def _read(when: str | None) -> datetime | None:
    return datetime.fromisoformat(when) if when else None


def _addresses(rows: list[dict[str, str]]) -> tuple[Address, ...]:
    return tuple(Address(row["name"], row["address"]) for row in rows)
