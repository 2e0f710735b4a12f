"""What kind of mail it is, from its header and the types of its parts."""

import re
from collections.abc import Sequence

from watcher.findings import Bounce, Nature, Protection, ReportKind
from watcher.mail.bounce import bounce_of
from watcher.mail.calendar import method_of
from watcher.mail.header import Header
from watcher.mail.reading import beginning, parameter, value
from watcher.mail.tree import Part

__all__ = ["nature"]

#: RFC 3464 2.3.3: what went well.
_WENT_WELL = frozenset({"delivered", "relayed", "expanded"})

#: RFC 7489 7.2.1.1: receiver "!" domain "!" begin "!" end, and how mail names the whole.
_AGGREGATE_FILE = re.compile(
    r"[^!]{1,255}![^!]{1,255}!\d{6,12}!\d{6,12}(?:![^!]{1,255})?\.(?:xml|zip|gz|xml\.gz)", re.IGNORECASE
)
_AGGREGATE_SUBJECT = re.compile(r"report[ -]domain:.{1,255}submitter:.{1,255}report-id:", re.IGNORECASE)

_AWAY = re.compile(
    r"(?:automatic (?:reply|response)|auto(?:matic|mated)?[ -]?(?:reply|response|responder)|out of (?:the )?office"
    r"|automatische antwort|abwesenheit|réponse automatique|absence du bureau|respuesta automática"
    r"|fuera de (?:la )?oficina|risposta automatica|fuori sede|automatisch antwoord|afwezig|resposta automática"
    r"|autosvar|automatiskt svar|automatyczna odpowiedź|автоответ|автоматический ответ"
    r"|自动回复|自動回覆|自動応答|不在通知|자동 ?회신)",
    re.IGNORECASE,
)
_ANSWERERS = ("x-autoreply", "x-autorespond", "x-autoresponse", "x-auto-reply-from", "x-autoreply-from", "x-vacation")
_SUPPRESSED = re.compile(r"\b(?:all|oof|autoreply)\b", re.IGNORECASE)

_SMIME = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_SIGNATURES = {
    "application/pgp-signature": Protection.PGP,
    "application/pkcs7-signature": Protection.SMIME,
    "application/x-pkcs7-signature": Protection.SMIME,
}


def nature(mail: Part, leaves: Sequence[Part]) -> Nature:
    """What the mail is; `leaves` are its parts, as `tree.leaves` gives them. Attached mails don't count."""
    header = mail.header
    bounce = bounce_of(mail, leaves)
    report = _report(mail, leaves)
    if bounce and _succeeded(bounce):
        bounce, report = None, report or ReportKind.DELIVERY
    if report and bounce and not bounce.standard:
        bounce = None
    auto_reply = not bounce and not report and _is_auto_reply(mail)
    text = next((beginning(leaf, 100).lstrip() for leaf in leaves if leaf.content.type == "text/plain"), "")
    return Nature(
        bounce=bounce,
        report=report,
        auto_reply=auto_reply,
        automatic=bool(bounce or report or auto_reply) or _is_automatic(header),
        calendar=next((method for leaf in leaves if (method := method_of(leaf)) is not None), None),
        encrypted=_encrypted(mail, leaves, text),
        list_id=_list(header),
        signed=_signed(leaves, text),
    )


def _succeeded(bounce: Bounce) -> bool:
    return bool(bounce.recipients) and all(bounced.action in _WENT_WELL for bounced in bounce.recipients)


def _report(mail: Part, leaves: Sequence[Part]) -> ReportKind | None:
    types = {leaf.content.type for leaf in leaves}
    about = parameter(mail.header, "content-type", "report-type") if mail.content.type == "multipart/report" else ""
    if about == "feedback-report" or "message/feedback-report" in types:
        return ReportKind.FEEDBACK
    if about == "tlsrpt" or types & {"application/tlsrpt+gzip", "application/tlsrpt+json"}:
        return ReportKind.TLS
    if any(leaf.content.name and _AGGREGATE_FILE.fullmatch(leaf.content.name) for leaf in leaves):
        return ReportKind.DMARC
    return ReportKind.DMARC if _AGGREGATE_SUBJECT.search(value(mail.header, "subject")) else None


def _is_auto_reply(mail: Part) -> bool:
    """RFC 3834 5, and what mailers wrote before it. A subject alone proves nothing: people quote it."""
    header = mail.header
    submitted = _word(header, "auto-submitted")
    if submitted == "auto-replied" or any(header.first(name) is not None for name in _ANSWERERS):
        return True
    if _word(header, "precedence") in ("auto_reply", "auto-reply"):
        return True
    if parameter(mail.header, "content-type", "report-type") == "disposition-notification":  # RFC 8098
        return True
    return bool(_AWAY.match(value(header, "subject"))) and _is_automatic(header)


def _is_automatic(header: Header) -> bool:
    return (
        _word(header, "auto-submitted") not in ("", "no")
        or _word(header, "precedence") in ("bulk", "junk", "list", "auto_reply", "auto-reply")
        or _SUPPRESSED.search(value(header, "x-auto-response-suppress")) is not None
        or (header.first("return-path") or b"").strip() == b"<>"
        or any(field.name.lower().startswith("list-") for field in header.fields)
    )


def _word(header: Header, name: str) -> str:
    """The first word of a field, in lower case: comments and parameters may follow (RFC 3834 5)."""
    found = re.match(r"[\w-]+", value(header, name))
    return found[0].lower() if found else ""


def _encrypted(mail: Part, leaves: Sequence[Part], text: str) -> Protection | None:
    types = {leaf.content.type for leaf in leaves}
    if "application/pgp-encrypted" in types or text.startswith("-----BEGIN PGP MESSAGE-----"):
        return Protection.PGP
    for leaf in leaves:
        if leaf.content.type in _SMIME and parameter(leaf.header, "content-type", "smime-type") in (
            *("", "enveloped-data", "authenveloped-data"),
        ):
            return Protection.SMIME
    return Protection.PGP if mail.content.type == "multipart/encrypted" else None


def _signed(leaves: Sequence[Part], text: str) -> Protection | None:
    if text.startswith("-----BEGIN PGP SIGNED MESSAGE-----"):
        return Protection.PGP
    for leaf in leaves:
        if leaf.content.type in _SMIME and parameter(leaf.header, "content-type", "smime-type") == "signed-data":
            return Protection.SMIME
        if leaf.content.type in _SIGNATURES:
            return _SIGNATURES[leaf.content.type]
    return None


def _list(header: Header) -> str | None:
    """RFC 2919, or what lists without it write. List-Unsubscribe alone is no list: invoices carry it too."""
    identity = value(header, "list-id")
    if identity:
        inner = re.search(r"<([^<>]+)>[^<>]*$", identity)
        return (inner[1] if inner else identity).strip()
    if _word(header, "precedence") == "list" or any(header.first(name) for name in ("list-post", "mailing-list")):
        return ""
    return None
