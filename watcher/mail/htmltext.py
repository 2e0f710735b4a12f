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
_UNSEEN = re.compile(r"(script|style|title)\b", re.IGNORECASE)
_BLANK_LINES = re.compile(r"\n\s*\n\s*")


def text_of_html(page: str, defects: Defects) -> str:
    """What a reader sees of `page`. HTML too deep or broken for the renderer gives its words without their layout."""
    try:
        text = get_text(page, _CONFIG)
    except (LxmlError, RecursionError, ValueError):
        text = ""
    if not text.strip() and page.strip():
        text = html.unescape(" ".join(_between_tags(page)))
        if text.strip():
            defects.add("HTML that no renderer can read: its text was made by leaving out the tags")
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
