"""
What a handler asks for: JSON lines in the file `$WATCHER_ACTIONS`. Actions come out, or a refusal.

An action is never silently dropped: one line that can't be followed refuses the whole file, in words.
"""

import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from watcher.jobs.sending import ActionsRefused, request
from watcher.model import Action, Verb
from watcher.printing import one_line
from watcher.wishes import Request, Sending

__all__ = ["MOST", "SIZE_LIMIT", "ActionsRefused", "Wishes", "parse", "read"]

SIZE_LIMIT = 256 * 1024  #: bytes of the whole file
MOST = 100  #: actions of one run

#: For each action that changes the server: the field that names its target, or "" if it has none.
TARGETS: Mapping[Verb, str] = {Verb.SEEN: "", Verb.FLAG: "flag", Verb.MOVE: "folder", Verb.DELETE: ""}

#: A keyword is an atom; of the system flags these can be set (RFC 3501 2.3.2); deleting has its own action.
FLAG = re.compile(r'\\(Seen|Answered|Flagged|Draft)|[^\x00-\x20\x7f-\U0010ffff(){%*"\\\]]+')
CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What one run asks for."""

    actions: tuple[Action, ...] = ()  #: in the order written
    requests: tuple[Request, ...] = ()  #: mails to send, in the order written
    notes: tuple[str, ...] = ()  #: words for the record, one line each


def read(file: Path) -> Wishes:
    """What stands in an actions file, if there is one. Raises ActionsRefused."""
    try:
        fd = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return Wishes()
    except OSError as error:
        raise ActionsRefused(f"the actions file can't be read: {error.strerror}") from error
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ActionsRefused("the actions file is not a plain file any more")
        return parse(os.read(fd, SIZE_LIMIT + 1))
    finally:
        os.close(fd)


def parse(data: bytes) -> Wishes:
    """The content of an actions file, at most one byte longer than `SIZE_LIMIT`. Pure. Raises ActionsRefused."""
    if len(data) > SIZE_LIMIT:
        raise ActionsRefused(f"the actions file is larger than {SIZE_LIMIT // 1024} kB")
    wishes: list[Action | Request | str] = []
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            wishes.append(_wish(_fields(line)))
        except ActionsRefused as refusal:
            raise ActionsRefused(f"actions file, line {number}: {refusal}") from refusal
        if len(wishes) > MOST:
            raise ActionsRefused(f"actions file, line {number}: more than {MOST} actions")
    return Wishes(
        tuple(wish for wish in wishes if isinstance(wish, Action)),
        tuple(wish for wish in wishes if isinstance(wish, Request)),
        tuple(wish for wish in wishes if isinstance(wish, str)),
    )


def _fields(line: bytes) -> dict[str, object]:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ActionsRefused(f"not JSON: {one_line(line, 80)}") from error
    if not isinstance(fields, dict):
        raise ActionsRefused("not a JSON object")
    return fields


def _wish(fields: dict[str, object]) -> Action | Request | str:
    """One line as an action, a mail to send, or the text of a note."""
    name = fields.pop("action", None)
    if name == "note":
        return one_line(_text(fields, "text"))
    if name in tuple(Sending):
        return request(Sending(str(name)), fields)
    verb = next((verb for verb in TARGETS if verb == name), None)
    if verb is None:
        known = ", ".join([*TARGETS, *Sending, "note"])
        raise ActionsRefused(f"unknown action {one_line(json.dumps(name), 80)}; known are {known}")
    action = Action(verb, _text(fields, TARGETS[verb]) if TARGETS[verb] else "")
    if fields:
        raise ActionsRefused(f'"{verb}" has no field {one_line(json.dumps(next(iter(fields))), 80)}')
    if verb is Verb.FLAG and not FLAG.fullmatch(action.target):
        raise ActionsRefused(f'"{one_line(action.target, 80)}" can\'t be a flag')
    if CONTROL.search(action.target):
        raise ActionsRefused(f'"{one_line(action.target, 80)}" can\'t be a folder: it has control characters')
    return action


def _text(fields: dict[str, object], field: str) -> str:
    text = fields.pop(field, None)
    if not isinstance(text, str) or not text:
        raise ActionsRefused(f'the field "{field}" must be a text')
    return text
