"""Small readings of parts that several findings need."""

import re

from watcher.mail.header import Header
from watcher.mail.tree import Part
from watcher.mail.words import words_decoded

__all__ = ["beginning", "parameter", "value"]


#: Octets of a field that findings look at.
_LOOKED_AT = 2000


def value(header: Header, name: str) -> str:
    """The beginning of the first field called `name`, decoded and printable, "" if there is none."""
    field = header.first(name)
    return words_decoded(field[:_LOOKED_AT]).strip() if field else ""


def parameter(header: Header, name: str, key: str) -> str:
    """A parameter of a Content-* field that is a plain word (RFC 2045 5.1), in lower case; "" if there is none."""
    field = (header.first(name) or b"")[:_LOOKED_AT].decode("latin-1")
    found = re.search(rf';\s*{re.escape(key)}\s*=\s*"?([\w.+/-]{{1,100}})', field, re.IGNORECASE)
    return found[1].lower() if found else ""


def beginning(part: Part, most: int) -> str:
    """The first `most` decoded bytes of a part, each as one character: for patterns of ASCII."""
    kept = b""
    for piece in part.slices():
        kept += piece[: most - len(kept)]
        if len(kept) >= most:
            break
    return kept.decode("latin-1")
