"""The three mails that the demo sends itself: a plain one, one with HTML and a PDF, and one that forwards another."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

__all__ = ["Sample", "samples"]

LETTER = """Hello,

shall we have lunch on Friday? The place by the river has opened again.

Ada
"""

INVOICE = """<html><body><p>您好!</p><p>附件是<b>十一月</b>的发票, 请查收。</p><p>张伟</p></body></html>
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """One mail to send."""

    title: str  #: what it shows
    raw: bytes


def samples() -> Iterator[Sample]:
    """The three mails, in the order in which they are sent."""
    yield Sample("a plain mail", bytes(_letter()))
    yield Sample("a mail with HTML and a PDF whose name is Chinese", bytes(_invoice()))
    yield Sample("a mail that forwards another", bytes(_forward(_invoice())))


def _mail(sender: str, subject: str, text: str) -> EmailMessage:
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = "You <you@localhost.example>"
    mail["Subject"] = subject
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = make_msgid(domain="demo.example")
    mail.set_content(text)
    return mail


def _letter() -> EmailMessage:
    return _mail("Ada Lovelace <ada@demo.example>", "Lunch on Friday?", LETTER)


def _invoice() -> EmailMessage:
    mail = _mail("张伟 <zhang.wei@demo.example>", "十一月的发票", "您好!\n\n附件是十一月的发票, 请查收。\n\n张伟\n")
    mail.add_alternative(INVOICE, subtype="html")
    mail.add_attachment(_pdf("Invoice 2026-11"), maintype="application", subtype="pdf", filename="发票 2026-11.pdf")
    return mail


def _forward(inner: EmailMessage) -> EmailMessage:
    mail = _mail("Grace Hopper <grace@demo.example>", "Fwd: 十一月的发票", "Can you pay this one?\n\nGrace\n")
    mail.add_attachment(inner)
    return mail


def _pdf(line: str) -> bytes:
    """One page with one line of text (PDF 1.4)."""
    drawing = f"BT /F1 24 Tf 72 770 Td ({line}) Tj ET"
    bodies = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources 6 0 R >>",
        f"<< /Length {len(drawing)} >>\nstream\n{drawing}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        "<< /Font << /F1 5 0 R >> >>",
    ]
    text, places = "%PDF-1.4\n", []
    for number, body in enumerate(bodies, 1):
        places.append(len(text))
        text += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"xref\n0 7\n0000000000 65535 f \n{table}trailer\n<< /Size 7 /Root 1 0 R >>\nstartxref\n{len(text)}\n%%EOF\n"
    return (text + end).encode("ascii")
