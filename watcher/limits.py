"""How much of a mail is looked at, and what looking may cost. Over a limit a mail is handed over all the same."""

from dataclasses import dataclass

__all__ = ["GIB", "KIB", "MIB", "USUAL", "Limits"]

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


@dataclass(frozen=True, slots=True)
class Limits:
    """
    Bounds of taking one mail apart. Sizes in bytes, times in seconds.

    Over one of the first three there is no result but the reason; over any other the mail comes with what lies within
    the limit, its raw bytes, and a defect that says what was left out.
    """

    seconds: float = 30.0  #: time in the child; then the child is killed
    memory: int = 512 * MIB  #: address space of the child, the mapped mail included
    output: int = GIB  #: largest file the child may write

    raw: int = 256 * MIB  #: of a larger mail only the header is read
    header: int = 256 * KIB  #: of one header block; its later fields are not read
    field: int = 64 * KIB  #: of one header field; the rest of it is cut off
    fields: int = 1000  #: of one header block
    people: int = 2000  #: addresses of one header field
    parts: int = 500  #: leaves and multiparts; what comes later stays in the raw mail
    depth: int = 50  #: nested multiparts; a deeper one is handed over as one attachment, unopened
    memory_part: int = MIB  #: larger parts are not held in memory but read again from the mail when needed
    sample: int = 20 * KIB  #: from which an undeclared charset is guessed
    html: int = 512 * KIB  #: from which a text is made where a mail has none
    name: int = 120  #: bytes of the file name of an attachment
    defects: int = 50  #: lines about what was wrong


#: The limits that hold where nobody sets others.
USUAL = Limits()
