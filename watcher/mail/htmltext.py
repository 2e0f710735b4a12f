"""A plain text made of HTML, for mails that have no other."""

import html
import re
from collections.abc import Iterator

from inscriptis import get_text
from inscriptis.css_profiles import CSS_PROFILES
from inscriptis.model.config import ParserConfig
from lxml.etree import LxmlError

from watcher.mail.defects import Defects

__all__ = ["text_of_html"]

_CONFIG = ParserConfig(css=CSS_PROFILES["strict"])

#: Tags of a page that is laid out; each cell of a table takes 30 microseconds, and large newsletters have 20,000 tags.
_MOST_TAGS = 60_000

_UNSEEN = re.compile(r"(script|style|title)\b", re.IGNORECASE)
_BLANK_LINES = re.compile(r"\n\s*\n\s*")


def text_of_html(page: str, defects: Defects) -> str:
    """What a reader sees of `page`. HTML too deep, long or broken for a renderer gives its words without layout."""
    try:
        text = get_text(page, _CONFIG) if page.count("<") <= _MOST_TAGS else ""
    except (LxmlError, RecursionError, ValueError):
        text = ""
    if not text.strip() and page.strip():
        text = html.unescape(" ".join(_between_tags(page)))
        if text.strip():
            defects.add("HTML too broken, deep or long to be laid out: its text was made by leaving out the tags")
    return _BLANK_LINES.sub("\n\n", text).strip() + "\n"


def _between_tags(page: str) -> Iterator[str]:
    """The text outside of tags, comments, scripts and styles. Takes linear time, whatever is left unclosed."""
    first, *pieces = page.split("<")
    yield first
    end = ""  # what ends the part that nobody sees
    for piece in pieces:
        if end and end not in piece.lower():
            continue
        unseen = _UNSEEN.match(piece)
        if piece.startswith("!--") and "-->" not in piece:
            end = "-->"
        elif unseen and not end:
            end = "/" + unseen[1].lower()
        else:
            yield piece.rpartition("-->")[2] if "-->" in piece else piece.partition(">")[2]
            end = ""
