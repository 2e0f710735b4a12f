"""The JSON Schema (draft 2020-12) of `message.json`, made from the dataclasses it is written from."""

import inspect
import re
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from watcher.findings import MailKind
from watcher.mail.facts import CONTRACT
from watcher.model import Message

__all__ = ["message_schema", "schema_of"]

#: A field of a dataclass with the remark that describes it.
_REMARK = re.compile(r"^    (\w+):[^#\n]*#: (.+)$", re.MULTILINE)

_PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    NoneType: {"type": "null"},
    # Not the format "date-time": a Date field may name no zone, and then we don't make one up.
    datetime: {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}"},
}


def message_schema() -> dict[str, Any]:
    """The schema of `message.json`. Keys may be added within one contract, so a reader has to bear unknown ones."""
    schema = schema_of(Message)
    properties = schema["properties"]
    properties["contract"]["const"] = CONTRACT
    # What the mail is stands in the JSON itself, led by the one word for it.
    properties |= {"kind": schema_of(MailKind)} | properties.pop("nature")["properties"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:imap-watcher:message:{CONTRACT}",
        "title": "message.json",
        **schema,
        "required": list(properties),
    }


def schema_of(kind: Any) -> dict[str, Any]:
    """
    The schema of a value of this type in JSON: a dataclass (a name that ends in "_" loses it, each field's `#:` remark
    is its description), a tuple, an optional value, an enumeration of words, or plain. Raises TypeError for others.
    """
    if kind in _PLAIN:
        return dict(_PLAIN[kind])
    if get_origin(kind) in (Union, UnionType):
        return {"anyOf": [schema_of(choice) for choice in get_args(kind)]}
    if get_origin(kind) is tuple:
        return _tuple(get_args(kind))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return {"enum": [str(word) for word in kind]}
    if is_dataclass(kind) and isinstance(kind, type):
        return _record(kind)
    raise TypeError(f"{kind} has no form in JSON")


def _tuple(items: tuple[Any, ...]) -> dict[str, Any]:
    if items[-1] is Ellipsis:
        return {"type": "array", "items": schema_of(items[0])}
    return {
        "type": "array",
        "prefixItems": [schema_of(item) for item in items],
        "items": False,
        "minItems": len(items),
    }


def _record(kind: type) -> dict[str, Any]:
    remarks = dict(_REMARK.findall(inspect.getsource(kind)))
    hints = get_type_hints(kind)
    properties = {}
    for field in fields(kind):
        described = {"description": remarks[field.name]} if field.name in remarks else {}
        properties[field.name.rstrip("_")] = {**schema_of(hints[field.name]), **described}
    return {
        "type": "object",
        "description": inspect.cleandoc(kind.__doc__ or ""),
        "properties": properties,
        "required": list(properties),
    }
