"""Compressed RTF (MS-OXRTFCP), the form of a body that Outlook puts into winmail.dat."""

__all__ = ["decompressed_rtf"]

#: What the dictionary begins with (MS-OXRTFCP 2.1.2.1).
_DICTIONARY = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans Serif"
    rb"SymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0" + b"\r\n" + rb"\par "
    rb"\pard\plain\f0\fs20\b\i\u\tab\tx"
)
_SIZE = 4096

_COMPRESSED = 0x75465A4C
_PLAIN = 0x414C454D


def decompressed_rtf(packed: bytes, most: int) -> bytes:
    """The RTF text, `most` bytes of it at most. What is damaged is cut off; what is in no form we know stays packed."""
    size = min(most, int.from_bytes(packed[4:8], "little"))
    form = int.from_bytes(packed[8:12], "little")
    if form == _PLAIN:
        return packed[16 : 16 + size]
    return _unpacked(packed, size) if form == _COMPRESSED else packed


def _unpacked(packed: bytes, size: int) -> bytes:
    """
    A control byte tells of the next eight runs: a byte as it is, or a reference to what was written within the last
    4096 bytes. A reference to where writing goes on is the end (MS-OXRTFCP 2.2.2).
    """
    ring = bytearray(_DICTIONARY.ljust(_SIZE, b"\0"))
    at_ring = len(_DICTIONARY)
    text = bytearray()
    at = 16
    while at < len(packed) and len(text) < size:
        control = packed[at]
        at += 1
        for bit in range(8):
            if control >> bit & 1:
                reference = int.from_bytes(packed[at : at + 2], "big")
                source, length = reference >> 4, (reference & 15) + 2
                at += 2
                if source == at_ring:
                    return bytes(text[:size])
            else:
                source, length = at_ring, 1
                ring[at_ring] = packed[at] if at < len(packed) else 0
                at += 1
            if at > len(packed):
                break
            for step in range(length):
                letter = ring[(source + step) % _SIZE]
                ring[at_ring] = letter
                at_ring = (at_ring + 1) % _SIZE
                text.append(letter)
    return bytes(text[:size])
