"""A plain text made of HTML, for mails that have no other."""

import html
import re

from inscriptis import get_text
from inscriptis.css_profiles import CSS_PROFILES
from inscriptis.model.config import ParserConfig
from lxml.etree import LxmlError

from watcher.mail.defects import Defects

__all__ = ["text_of_html"]

_CONFIG = ParserConfig(css=CSS_PROFILES["strict"])
_UNSEEN = re.compile(r"<(script|style|head|title)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")
_BLANK_LINES = re.compile(r"\n\s*\n\s*")


def text_of_html(page: str, defects: Defects) -> str:
    """What a reader sees of `page`. HTML too deep or broken for the renderer gives its words without their layout."""
    try:
        text = get_text(page, _CONFIG)
    except (LxmlError, RecursionError, ValueError):
        text = ""
    if not text.strip() and page.strip():
        text = html.unescape(_TAG.sub(" ", _UNSEEN.sub(" ", page)))
        if text.strip():
            defects.add("HTML that no renderer can read: its text was made by leaving out the tags")
    return _BLANK_LINES.sub("\n\n", text).strip() + "\n"
