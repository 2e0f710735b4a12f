"""
A mail as rules see it before it is fetched. Pure.

Our own parser reads the octets of its header, as later those of the whole mail; so names in any charset, groups,
repeated fields and lines that are none mean the same both times, unlike in the server's ENVELOPE or in fields that it
picks out. Wherever the whole mail might still say something else, nothing is known.
"""

from datetime import datetime

from watcher.imap.outlines import OUTLINE, TEXT, Closer, Leaf, Outline
from watcher.limits import KIB, USUAL
from watcher.mail.content import described
from watcher.mail.defects import Defects
from watcher.mail.header import Header, read_header
from watcher.mail.parse import Letterhead, letterhead
from watcher.mail.raw import Raw
from watcher.mail.tnef import TNEF_TYPES
from watcher.mail.transfer import decoded
from watcher.mail.uuencode import files_within
from watcher.rules.sight import Enclosure, Sight

__all__ = ["foreseen"]

#: How a header ends.
_BLANK = (b"\n\n", b"\n\r\n")

#: By which the real size may differ, either way: Exchange only estimates it.
ESTIMATE = 2

#: Bytes of a mail beyond its header and its parts, for each of them: headers of parts, boundaries, a preamble. With
#: more, the server may have missed a part.
FRAME = KIB


def foreseen(outline: Outline, account: str, folder: str, now: float) -> Sight:
    """What the server has told of a mail in this folder."""
    head = _head(outline.header)
    return Sight(
        account=account,
        folder=folder,
        size=(outline.size // ESTIMATE, outline.size * ESTIMATE) if outline.size else None,
        age=_age(outline.received, now),
        from_=head.from_ if head else None,
        to=head.to + head.cc if head else None,
        cc=head.cc if head else None,
        subject=head.subject if head else None,
        headers=head.headers if head else None,
        attachments=_enclosures(outline),
        exact=False,
    )


def _age(received: datetime | None, now: float) -> float | None:
    return max(0.0, now - received.timestamp()) if received else None


def _head(block: bytes | None) -> Letterhead | None:
    """The fields of a header. Octets beyond ASCII are read by the charset of the text, which is not known."""
    header = _header(block) if block and block.isascii() else None
    return letterhead(header, None, USUAL, Defects(1)) if header else None


def _header(block: bytes | None) -> Header | None:
    """
    A header that can be read in but one way.

    Every mail has one From: where it is missing, the header is broken in a way that server and parser may see
    differently. Nor is it whole if no blank line ends it, or if that comes before the server's end.
    """
    if not block or len(block) > OUTLINE or not block.endswith(_BLANK):
        return None
    defects = Defects(1)
    header, end = read_header(Raw(block), 0, len(block), USUAL, defects)
    once = len(list(header.all("from"))) == 1
    return header if once and end == len(block) and not defects.listed() else None


def _enclosures(outline: Outline) -> tuple[Enclosure, ...] | None:
    """What may be an attachment, at least."""
    leaves, header = outline.leaves, _header(outline.header)
    if not leaves or header is None or not outline.header or outline.size is None:
        return None
    has_parts = bool(leaves[0].section)
    if described(header, TEXT, Defects(1)).is_multipart != has_parts or len(list(header.all("content-type"))) > 1:
        return None  # the server sees other parts than we do
    total = sum(leaf.size for leaf in leaves)
    if not total or outline.size - len(outline.header) - total > FRAME * (1 + len(leaves)):
        return None  # it has found no boundary, or overlooked a part
    if not has_parts:
        return _by_header(leaves[0], Closer(outline.header, None))
    if outline.closer is None:
        return tuple(each for leaf in leaves for each in _by_type(leaf.type))
    return tuple(each for leaf, closer in zip(leaves, outline.closer, strict=True) for each in _by_header(leaf, closer))


def _by_type(type_: str) -> tuple[Enclosure, ...]:
    """What is called how is not known: so it may be winmail.dat, which holds anything, and a text may hold files."""
    if type_.startswith("application/"):
        return (Enclosure(None, None),)
    within = (Enclosure(None, "application/octet-stream"),) if type_ == TEXT else ()
    return (Enclosure(None, type_), *within)


def _by_header(leaf: Leaf, closer: Closer) -> tuple[Enclosure, ...]:
    """What becomes of the part, as `mail.unpack` has it."""
    if closer.header is None or len(closer.header) > OUTLINE:
        return _by_type(leaf.type)
    header, _ = read_header(Raw(closer.header), 0, len(closer.header), USUAL, Defects(1))
    content = described(header, leaf.type if leaf.type.startswith("message/") else TEXT, Defects(1))
    if content.type in TNEF_TYPES or (content.name or "").lower() == "winmail.dat" or content.type != leaf.type:
        return (Enclosure(None, None),)
    itself = Enclosure(content.name, content.type)  # without a name it gets one
    if content.type not in {TEXT, "text/html"} or content.disposition == "attachment":
        return (itself,)
    within = _within(leaf, closer, content.encoding) if content.type == TEXT else ()
    return (itself, *within) if content.name else within


def _within(leaf: Leaf, closer: Closer, encoding: str) -> tuple[Enclosure, ...]:
    """The files in a text. Of one that may not have come whole nobody knows; some servers count badly, or send less."""
    if closer.start is None or not leaf.size <= len(closer.start) < OUTLINE:
        return (Enclosure(None, "application/octet-stream"),)
    text = Raw(b"".join(decoded([closer.start], encoding)))
    return tuple(Enclosure(span.name, "application/octet-stream") for span in files_within(text, 0, text.size))
