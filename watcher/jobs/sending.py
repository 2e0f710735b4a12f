"""The actions that send mail, read from what a handler wrote. Pure: fields in, a request or a refusal out."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from watcher.errors import WatcherError
from watcher.printing import one_line
from watcher.wishes import Request, Sending

__all__ = ["ActionsRefused", "request"]

MOST = 100  #: recipients, or files, of one mail


class ActionsRefused(WatcherError):
    """The actions file holds something that can't be done as written; the text names the line."""


def request(action: Sending, fields: dict[str, object]) -> Request:
    """The mail that `fields` ask for. Raises ActionsRefused."""
    readers = FIELDS[action]
    values: dict[str, Any] = {}
    for name, value in fields.items():
        if name not in readers:
            known = ", ".join(readers)
            raise ActionsRefused(f'"{action}" has no field {one_line(json.dumps(name), 80)}; known are {known}')
        field = "sender" if name == "from" else name
        values[field] = readers[name](name, value)
    made = Request(action, **values)
    if action is not Sending.REPLY and not made.to:
        raise ActionsRefused(f'"{action}" needs the field "to"')
    if action is not Sending.FORWARD and not (made.text or made.html):
        raise ActionsRefused(f'"{action}" needs the field "text", or "html"')
    return made


def text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ActionsRefused(f'the field "{name}" must be a text')
    return value


def texts(name: str, value: object) -> tuple[str, ...]:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list) or not all(isinstance(one, str) and one for one in given):
        raise ActionsRefused(f'the field "{name}" must be a text or a list of texts')
    if len(given) > MOST:
        raise ActionsRefused(f'the field "{name}" has more than {MOST} entries')
    return tuple(dict.fromkeys(given))


def truth(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ActionsRefused(f'the field "{name}" must be true or false')
    return value


Reader = Callable[[str, object], object]

#: The fields of each action, by the names that handlers write.
BODY: Mapping[str, Reader] = {"text": text, "html": text, "attachments": texts, "from": text, "subject": text}
PEOPLE: Mapping[str, Reader] = {"to": texts, "cc": texts, "bcc": texts}
FIELDS: Mapping[Sending, Mapping[str, Reader]] = {
    Sending.REPLY: BODY,
    Sending.FORWARD: {**PEOPLE, "text": text, "from": text, "subject": text, "inline": truth},
    Sending.SEND: {**PEOPLE, **BODY},
}
