"""
A mail as rules see it before it is fetched. Pure.

Our own parser reads the octets of its header fields, as later those of the whole mail; so names in any charset, groups
and repeated fields mean the same both times, unlike in the server's ENVELOPE. Wherever the whole mail might still say
something else, nothing is known.
"""

from datetime import datetime

from watcher.imap.outlines import OUTLINE, Leaf, Outline
from watcher.limits import KIB, USUAL
from watcher.mail.defects import Defects
from watcher.mail.header import read_header
from watcher.mail.parse import Letterhead, letterhead
from watcher.mail.raw import Raw
from watcher.mail.tnef import TNEF_TYPES
from watcher.rules.sight import Enclosure, Sight

__all__ = ["foreseen"]

#: By which the real size may differ, either way: Exchange only estimates it.
ESTIMATE = 2

#: Bytes of a mail beyond those of its parts. With more, the server may have missed a part.
FRAME = 64 * KIB


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
    """
    The fields of a header, if they can be read in but one way.

    Octets beyond ASCII are read by the charset of the text, which is not known. And every mail has one From: where it
    is missing, the header is broken in a way that server and parser may see differently.
    """
    if not block or not block.isascii() or len(block) > OUTLINE:
        return None
    defects = Defects(1)
    header, _ = read_header(Raw(block), 0, len(block), USUAL, defects)
    if defects.listed() or len(list(header.all("from"))) != 1:
        return None
    return letterhead(header, None, USUAL, defects)


def _enclosures(outline: Outline) -> tuple[Enclosure, ...] | None:
    """What may be an attachment, at least."""
    leaves = outline.leaves
    if leaves is None or outline.size is None or outline.size - sum(leaf.size for leaf in leaves) > FRAME:
        return None
    return tuple(each for leaf in leaves for each in _of_leaf(leaf))


def _of_leaf(leaf: Leaf) -> tuple[Enclosure, ...]:
    """What becomes of a part: see `mail.unpack`."""
    if leaf.type in TNEF_TYPES or (leaf.name or "").lower() == "winmail.dat":
        return (Enclosure(None, None),)
    itself = Enclosure(leaf.name or None, leaf.type)  # without a name it gets one
    if leaf.type == "text/html" and leaf.name == "" and leaf.attached is False:
        return ()
    if leaf.type == "text/plain" and leaf.attached is not True:
        within = Enclosure(None, "application/octet-stream")  # a file may stand in it uuencoded
        return (within,) if leaf.name == "" else (within, itself)
    return (itself,)
