"""
Header fields spelt so that every mail program reads them: encoded words (RFC 2047) for text and names, RFC 2231 beside
them for names of files. Whatever the text, a field is ASCII, its lines are short, and it ends where it should.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from email.header import Header
from urllib.parse import quote

from watcher.errors import MailRefused
from watcher.model import Address

__all__ = [
    "AddressRefused",
    "clean",
    "content_type",
    "display",
    "disposition",
    "domain",
    "mailbox",
    "mailboxes",
    "normal",
    "text",
]

#: Characters of a line: RFC 5322 2.1.1 asks for 78, encoded words end at 76 (RFC 2047 2).
LINE = 76
SECTION = 54  #: of a line of RFC 2231, without the name of the parameter and the charset
#: What may stand in a field as it is, without a reader mistaking it for an encoded word.
PLAIN = re.compile(r"(?!.*=\?)[!-~]+(?: [!-~]+)*")
ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"  #: RFC 5322 3.2.3
LOCAL = re.compile(rf"{ATOM}(?:\.{ATOM})*")
LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
#: Embeddings, overrides and isolates: what they enclose reads otherwise than it is written.
TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")


class AddressRefused(MailRefused):
    """No mail can be sent to, or from, what this is."""


def clean(words: str) -> str:
    """One line of text: no control character, no half character, nothing that turns the direction of what follows."""
    kept = TURNING.sub("", words).encode("utf-8", "replace").decode()
    return " ".join(
        "".join(" " if unicodedata.category(c) in {"Cc", "Zl", "Zp"} else c for c in kept).split(" ")
    ).strip()


def display(name: str) -> str:
    """The name of a person; readers make one of several blanks, so that is what is sent."""
    return re.sub(" +", " ", clean(name))


def text(name: str, words: str) -> str:
    """The value of the unstructured field `name`, folded; `words` is clean."""
    return words if PLAIN.fullmatch(words) and len(name) + len(words) < LINE else encoded(words, len(name) + 2)


def encoded(words: str, before: int = 0) -> str:
    """`words` as encoded words on lines of their own, the first of them shorter by `before` characters."""
    return Header(words, "utf-8", maxlinelen=LINE, header_name="x" * max(0, before - 2)).encode(linesep="\r\n")


def normal(address: str) -> str:
    """
    `address` as it goes on the wire: a domain in ASCII (RFC 5891), a local part as it is. Raises AddressRefused.

    Only plain local parts (RFC 5322 dot-atom, or letters of any script, RFC 6531); the quoted form is refused, since no
    mailbox of today needs it and servers disagree about it.
    """
    local, _, given = address.rpartition("@")
    try:
        host = given.encode("idna").decode("ascii") if not given.isascii() else given
    except UnicodeError:
        host = ""
    letters = local if local.isascii() else "".join("a" if ord(c) > 127 and c.isalnum() else c for c in marks(local))
    if not LOCAL.fullmatch(letters) or len(local.encode()) > 64 or len(host) > 253:
        raise AddressRefused(f"{address!a} is not a mail address")
    if not all(LABEL.fullmatch(label) for label in host.split(".")):
        raise AddressRefused(f"{address!a} is not a mail address: its domain can't be")
    return f"{local}@{host}"


def domain(person: Address) -> str:
    """The domain of an address, in ASCII. Raises AddressRefused."""
    return normal(person.address).rpartition("@")[2]


def marks(local: str) -> Iterable[str]:
    """Without the marks that belong to the letters before them (Devanagari, Arabic)."""
    return (c for c in local if not unicodedata.category(c).startswith("M"))


def mailbox(person: Address) -> str:
    """One address with its name. Raises AddressRefused."""
    address, name = normal(person.address), display(person.name)
    if not name:
        return address
    if PLAIN.fullmatch(name) and len(name) < LINE - 10:
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}"\r\n <{address}>' if len(name) + len(address) > LINE - 20 else f'"{quoted}" <{address}>'
    return f"{encoded(name, 14)}\r\n <{address}>"


def mailboxes(people: Iterable[Address]) -> str:
    """The value of From, To, Cc or Reply-To: one a line. Raises AddressRefused."""
    return ",\r\n ".join(mailbox(person) for person in people)


def content_type(kind: str, name: str) -> str:
    """The value of Content-Type with the name of the file as Outlook, Gmail and QQ Mail look for it."""
    return f'{kind};\r\n name="{quotable(name)}"' if name else kind


def quotable(name: str) -> str:
    if is_simple(name, LINE - 8):
        return name
    return encoded(name, 8)  # against RFC 2047 5, and what all of them send and read


def disposition(kind: str, name: str) -> str:
    """The value of Content-Disposition with the name of the file as the standard has it (RFC 2231, RFC 2183)."""
    if not name:
        return kind
    if is_simple(name, LINE - 12):
        return f'{kind};\r\n filename="{name}"'
    first, *others = sections(name)
    if not others:
        return f"{kind};\r\n filename*=utf-8''{first}"
    pieces = (f"utf-8''{first}", *others)
    return kind + "".join(f";\r\n filename*{number}*={piece}" for number, piece in enumerate(pieces))


def is_simple(name: str, most: int) -> bool:
    """Whether a name can stand in quotes as it is; there are readers that end it at a semicolon within them."""
    return bool(PLAIN.fullmatch(name)) and len(name) < most and not re.search(r'["\\;]', name)


def sections(name: str) -> Iterator[str]:
    """A name in percent signs, cut to lines between two characters: many readers decode each line by itself."""
    line = ""
    for character in name:
        # Three of these are in attribute-char of RFC 2231 7 and yet mean something to one reader or another.
        spelt = quote(character, safe="!#$&+-.^_`~", encoding="utf-8")
        if len(line) + len(spelt) > SECTION:
            yield line
            line = ""
        line += spelt
    yield line
