"""The method of an invitation (RFC 5546), without reading the calendar."""

import re

from watcher.limits import KIB
from watcher.mail.reading import beginning, parameter
from watcher.mail.tree import Part

__all__ = ["method_of"]

_TYPES = frozenset({"text/calendar", "application/ics", "text/x-vcalendar"})

#: Decoded bytes in which METHOD is looked for; it stands before the events.
_LOOKED_AT = 64 * KIB

_METHOD = re.compile(r"^METHOD[^:\r\n]{0,100}:[ \t]*([A-Za-z-]{1,30})[ \t]*\r?$", re.MULTILINE | re.IGNORECASE)


def method_of(leaf: Part) -> str | None:
    """
    The method of a calendar part in capitals, "" if it is one without method, None if it is none or just a file: an
    attached calendar without a method asks nothing of anybody.
    """
    if leaf.content.type not in _TYPES:
        return None
    named = parameter(leaf.header, "content-type", "method")
    found = named or next((match[1] for match in _METHOD.finditer(beginning(leaf, _LOOKED_AT))), "")
    return None if not found and leaf.content.disposition == "attachment" else found.upper()
