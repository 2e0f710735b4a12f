"""
The newest part of a text: what its writer added, without the mails quoted below and without the signature.

mail-parser-reply knows how mail programs of many languages introduce a quote. It takes quadratic time on some texts, so
it gets short lines and not too many; and it cuts at anything that looks like a signature, so we check what it cut.
"""

import re
from collections.abc import Iterable, Iterator

from mailparser_reply.parser import EmailMessage, EmailReply

from watcher.limits import KIB

__all__ = ["REPLY_LIMIT", "newest"]

#: Characters of a text that are looked at; the newest part stands at its top, or is not worth more.
REPLY_LIMIT = 64 * KIB

#: Characters of a line that are looked at together.
_WIDTH = 200

#: Words that quotes and signatures of a language come with. Only languages that show up are looked for: it is faster,
#: and the signature of one language is a plain word of another.
_SIGNS = {
    "cs": ("napsal", "Odesláno", "Předmět:", "S pozdravem", "S úctou", "Děkuj"),
    "da": ("skrev", "Emne:", "emne:", "Sendt fra", "enlig hilsen", "edste hilsner"),
    "de": ("schrieb", "Betreff:", "Gesendet", "freundlichen Gr", "Grüße", "Gruß", "Gruss"),
    "es": ("escribió", "Asunto:", "Enviado", "Saludos", "saludo,", "tentamente"),
    "fr": ("a écrit", "Objet :", "Objet:", "Envoyé", "ordialement", "salutations"),
    "it": ("ha scritto", "Oggetto:", "Inviato", "ordiali saluti"),
    "ja": ("年", "件名"),
    "ko": ("작성하였습니다", "제목:", "에서 보냄", "감사합니다"),
    "nl": ("schreef", "Onderwerp:", "Verzonden", "riendelijke groet", "artelijke groet"),
    "pl": ("napisał", "nadesłał", "Temat:", "Wysłano", "poważaniem", "Pozdrawiam"),
    "sv": ("skrev", "Ämne:", "Skickat", "änliga hälsningar"),
    "zh": ("写道", "主题", "发件人", "此致", "祝好"),
}

#: A signature is short: lines, and characters of a line. Longer ones are the reply going on after "Thanks,".
_SIGNATURE_LINES = 8
_SIGNATURE_WIDTH = 60

#: Characters of the line it begins with, such as "Mit freundlichen Grüßen / Best regards,".
_VALEDICTION_WIDTH = 40

_DELIMITER = re.compile(r"(?:--|__)[ \t]*(?:\n|\Z)")

#: Lines above older mail that mail-parser-reply misses: a date with an address, in any language; rulers with a title.
_OLDER = re.compile(
    r"^(?:(?=[^\n]*\d{4})(?=[^\n]*<[^<>\s]+@[^<>\s]+>)[^\n]*|[^\n]*(?:写道|寫道|escribió|escreveu|작성))[:：]$"  # noqa: RUF001
    r"|^-{3,} ?(?:Original(?: Message)?|Forwarded message|原始邮件|转发邮件|原邮件信息) ?-{3,}$",
    re.MULTILINE,
)


def newest(text: str) -> str | None:
    """
    The newest part of `text`, its lines without blanks around them; None if the text is blank. Where it is in doubt,
    too much is kept: a quote may stay, but nothing new is lost. Takes some tenths of a second on the worst text.
    """
    shortened = _shortened(text[:REPLY_LIMIT])
    if not shortened:
        return None
    mark = next(letter for letter in map(chr, range(0xE000, 0xF8FF)) if letter not in shortened)
    narrow = "\n".join(_narrowed(shortened.split("\n"), mark))
    message = EmailMessage(text=narrow, languages=list(_languages(narrow)), keep_hyphen_lists=True).read()
    parts = (_cleaned(reply) for reply in message.replies)
    return next((part for part in parts if part), narrow).replace(f"{mark}\n{mark}", "")


def _shortened(text: str) -> str:
    """LF ends each line, no blanks at line ends, at most one blank line in a row."""
    lines = (line.rstrip() for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _narrowed(lines: Iterable[str], mark: str) -> Iterator[str]:
    """Lines of bearable width. The mark stands on both sides of a break, so that the pieces find back together."""
    for line in lines:
        yield f"{mark}\n{mark}".join(line[at : at + _WIDTH] for at in range(0, len(line) or 1, _WIDTH))


def _languages(text: str) -> Iterator[str]:
    yield "en"
    for language, signs in _SIGNS.items():
        if any(sign in text for sign in signs):
            yield language


def _cleaned(reply: EmailReply) -> str:
    """One mail of those that are stacked in the text, without its introduction, its signature and quotes in it."""
    body = reply.content.removeprefix(reply.headers or "")
    signature = reply.signatures or ""
    if signature and body.endswith(signature) and _is_signature(signature):
        body = body.removesuffix(signature)
    older = _OLDER.search(body)
    if older and body[: older.start()].strip():
        body = body[: older.start()]
    return "\n".join(line for line in body.split("\n") if not line.startswith(">")).strip()


def _is_signature(text: str) -> bool:
    """A signature behind its delimiter (RFC 3676 4.3), or some short lines none of which is a sentence."""
    if _DELIMITER.match(text):
        return True
    if text.startswith("/"):  # Swedish for "I am", and a path in any language
        return False
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return (
        len(lines) <= _SIGNATURE_LINES
        and len(lines[0]) <= _VALEDICTION_WIDTH
        and all(len(line) <= _SIGNATURE_WIDTH and not line.endswith(("?", ".", "!", ":")) for line in lines)
    )
