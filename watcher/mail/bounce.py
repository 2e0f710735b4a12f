"""Bounces: what the standard form says (RFC 3464), and how those without it are told from other mail."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from watcher.findings import Bounce, Bounced
from watcher.limits import KIB
from watcher.mail.addresses import lenient_addresses
from watcher.mail.header import Header
from watcher.mail.reading import beginning, parameter, value
from watcher.mail.tree import Part
from watcher.mail.words import cleaned

__all__ = ["STATUS_TYPES", "bounce_of"]

#: Parts that hold a delivery status (RFC 3464, RFC 6533).
STATUS_TYPES = frozenset({"message/delivery-status", "message/global-delivery-status"})

#: Parts that hold the mail that came back, or its header.
_RETURNED = frozenset({"message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers"})

#: Decoded bytes of a part that are looked at.
_LOOKED_AT = 64 * KIB

#: Recipients of one report that are handed on.
_MOST = 100

#: Characters of a diagnostic that are handed on.
_LONGEST = 500

_ACTIONS = frozenset({"failed", "delayed", "delivered", "relayed", "expanded"})
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]{0,60})[ \t]*:[ \t]*(.*)")
_MESSAGE_ID = re.compile(
    r"^[> \t]{0,20}(?:original-)?message-id:\s{0,80}(<[^<>\s]{1,900}>)", re.MULTILINE | re.IGNORECASE
)
_BRACKETED = re.compile(r"<[^<>\s]+>")
_DAEMON = re.compile(
    r"(?:mailer[._-]?daemon|mail[._-]?daemon|mdaemon|mail[._-]?delivery.*|double-bounce|microsoftexchange[0-9a-f]+"
    r"|bounce[._-]?daemon|bounce-notification|delivery[._-]?(?:failure|report|status).*)",
    re.IGNORECASE,
)
_DAEMON_NAME = re.compile(r"mail delivery (?:sub)?system|mail administrator|mail delivery service", re.IGNORECASE)
_SUBJECT = re.compile(
    r"undeliver(?:ed|able)|(?:mail|message|email|e-mail) (?:delivery (?:failed|failure|system)|not delivered)"
    r"|delivery (?:status notification|failure|has failed|error|problem)|delivery to .{1,80} (?:failed|delayed)"
    r"|returned (?:mail|to sender|message)|failure notice|mail system error|non[- ]?delivery"
    r"|could ?n[o']t be delivered|mail could not|warning: (?:could not send|message .{1,80} delayed)|delayed mail"
    r"|mail (?:failure|error)|nicht zustellbar|unzustellbar|non remis|no se pudo entregar|mancata consegna"
    r"|退信|投递失败|送信できません|配信不能|не (?:удалось )?доставлено",
    re.IGNORECASE,
)
_DELAY = re.compile(r"delay|warning: could not send|not yet|still being retried|verzögert", re.IGNORECASE)

#: A line that names a recipient: "<a@b>:" or the address alone.
_NAMED = re.compile(r"^[ \t]{0,20}<?([^\s<>@:;,\"()]{1,64}@[^\s<>@:;,\"()]{1,255}?)>?:?[ \t]*\r?$", re.MULTILINE)
_REFUSED = re.compile(
    r"(?<![\d.])[45]\d\d[ -]|user unknown|does not exist|no such user|mailbox (?:full|unavailable)", re.IGNORECASE
)


def bounce_of(mail: Part, leaves: Sequence[Part]) -> Bounce | None:
    """What the mail reports as not delivered; None if it is no such report. `leaves` are its parts."""
    reports = [leaf for leaf in leaves if leaf.content.type in STATUS_TYPES]
    standard = bool(reports) or (
        mail.content.type == "multipart/report"
        and parameter(mail.header, "content-type", "report-type") == "delivery-status"
    )
    if not standard and not _looks_like_one(mail.header, leaves):
        return None
    found = tuple(islice((bounced for leaf in reports for bounced in _reported(leaf)), _MOST))
    return Bounce(_returned(mail.header, leaves), found or tuple(_guessed(mail.header, leaves)), standard)


def _reported(leaf: Part) -> Iterator[Bounced]:
    """The per-recipient groups of a delivery status (RFC 3464 2.3)."""
    for group in re.split(r"\n[ \t]*\n", beginning(leaf, _LOOKED_AT).replace("\r", "")):
        fields: dict[str, str] = {}
        last = ""
        for line in group.split("\n"):
            named = _FIELD.match(line)
            if named:
                last = named[1].lower()
                fields.setdefault(last, named[2])
            elif last and line[:1] in (" ", "\t"):
                fields[last] += " " + line.strip()
        address = _typed(fields.get("final-recipient") or fields.get("original-recipient") or "")
        action = fields.get("action", "").split(" ")[0].strip(";.,").lower()
        if not address and action not in _ACTIONS:
            continue
        status = _STATUS.search(fields.get("status", ""))
        yield Bounced(
            address=address.strip("<>"),
            action=action if action in _ACTIONS else None,
            status=status[1] if status else None,
            diagnostic=_typed(fields.get("diagnostic-code", ""))[:_LONGEST] or None,
        )


def _typed(text: str) -> str:
    """The value behind its type: "rfc822; a@b"."""
    kind, mark, rest = text.partition(";")
    return cleaned(rest if mark and re.fullmatch(r"\s*[\w-]{1,40}\s*", kind) else text).strip()


def _looks_like_one(header: Header, leaves: Sequence[Part]) -> bool:
    """One strong sign, or two that agree: people write "undeliverable" too, and postmasters write of other things."""
    if header.first("x-failed-recipients") is not None:
        return True
    sender = next(lenient_addresses(header.first("from") or b"", None), None)
    local = sender.address.partition("@")[0] if sender else ""
    daemon = sender is not None and bool(_DAEMON.fullmatch(local) or _DAEMON_NAME.search(sender.name))
    nobody = (header.first("return-path") or b"").strip() == b"<>"
    subject = value(header, "subject")
    says_so = bool(_SUBJECT.search(subject)) and not subject.lower().startswith(
        ("automatic reply", "re:", "fwd:", "fw:")
    )
    returned = any(leaf.content.type in _RETURNED for leaf in leaves)
    if says_so and (daemon or nobody or local.lower() == "postmaster"):
        return True
    if daemon or (nobody and local.lower() == "postmaster"):
        return returned or bool(_REFUSED.search(_text(leaves)))
    return False


def _guessed(header: Header, leaves: Sequence[Part]) -> Iterator[Bounced]:
    """Recipients of a report without the standard form: as named by Exim, else on lines of their own."""
    text = _text(leaves)
    status = _STATUS.search(text)
    code = status[1] if status else None
    delayed = (code or "").startswith("4") or bool(_DELAY.search(value(header, "subject")))
    own = {address.address for address in lenient_addresses(header.first("to") or b"", None)}
    named = [address.address for address in lenient_addresses(header.first("x-failed-recipients") or b"", None)]
    found = dict.fromkeys(named or (match[1] for match in _NAMED.finditer(text)))
    for address in islice((address for address in found if address not in own or named), _MOST):
        yield Bounced(cleaned(address), "delayed" if delayed else "failed", code, None)


def _returned(header: Header, leaves: Sequence[Part]) -> str | None:
    """The Message-ID of the mail that came back: in it, in the text, else as the report answers it."""
    for leaf in leaves:
        if leaf.content.type in _RETURNED:
            head = re.split(r"\n\r?\n", beginning(leaf, _LOOKED_AT).lstrip(), maxsplit=1)[0]
            if found := _MESSAGE_ID.search(head):
                return cleaned(found[1])
    if found := _MESSAGE_ID.search(_text(leaves)):
        return cleaned(found[1])
    for name in (
        "x-original-message-id",
        "original-message-id",
        "x-cm-original-message-id",
        "in-reply-to",
        "references",
    ):
        if identities := _BRACKETED.findall(value(header, name)):
            return str(identities[-1])
    return None


def _text(leaves: Sequence[Part]) -> str:
    """What the report says to people."""
    first = next((leaf for leaf in leaves if leaf.content.type == "text/plain"), None)
    return beginning(first, _LOOKED_AT) if first else ""
