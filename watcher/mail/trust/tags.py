"""Lists of tags, as signatures, seals and key records have them (RFC 6376 3.2)."""

import re

from watcher.mail.trust.results import Unclear

__all__ = ["tags_of"]

_TAG = re.compile(r"\s*([A-Za-z]\w{0,30})\s*=(.*)", re.DOTALL)


def tags_of(field: bytes) -> dict[str, str]:
    """The tags by name, all blanks taken out of their values. Raises Unclear if one is given twice or is none."""
    found: dict[str, str] = {}
    for part in field.decode("latin-1").split(";"):
        if not part.strip():
            continue
        tag = _TAG.fullmatch(part)
        if tag is None or tag[1] in found:
            raise Unclear("a list of tags in it can't be read")
        found[tag[1]] = "".join(tag[2].split())
    return found
