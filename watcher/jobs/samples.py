"""Mails that a handler must bear, however odd they are. Pure data."""

import base64
from dataclasses import dataclass

from watcher.model import Verdict

__all__ = ["CANARY", "CASES", "Case"]

#: Stands in a mail for the path of a file that is made if a shell reads the mail's text.
CANARY = b"@CANARY@"

SUCCESS = frozenset({Verdict.DONE, Verdict.STOP})
SENSIBLE = SUCCESS | {Verdict.NEVER}

TOUCH = f"touch {CANARY.decode()}"


@dataclass(frozen=True, slots=True)
class Case:
    """One mail that a handler must bear."""

    name: str  #: one or two words
    about: str  #: what is special about it, as a sentence without its end
    mail: bytes  #: raw; `CANARY` in it is replaced
    accepted: frozenset[Verdict] = SENSIBLE  #: how a run may end
    attempts: int = 1  #: runs with the same key


def _mail(subject: str = "Invoice 7", *parts: bytes, **fields: str) -> bytes:
    """A mail of these parts, one text if none are given; `fields` are header fields, `_` stands for `-` in a name."""
    head = {
        "From": "Ann <ann@example.org>",
        "To": "support@example.com",
        "Subject": subject,
        "Date": "Sat, 21 Nov 2026 10:00:00 +0000",
        "Message-ID": "<conform@example.org>",
        "MIME-Version": "1.0",
        **{name.replace("_", "-"): value for name, value in fields.items()},
    }
    if not parts:
        parts = (_text("Please pay.\r\n"),)
    if len(parts) == 1:
        body = parts[0]
    else:
        head["Content-Type"] = 'multipart/mixed; boundary="=_b"'
        body = b"\r\n" + b"".join(b"--=_b\r\n" + part + b"\r\n" for part in parts) + b"--=_b--\r\n"
    return "".join(f"{name}: {value}\r\n" for name, value in head.items() if value).encode() + body


def _text(text: str, kind: str = "plain") -> bytes:
    return f"Content-Type: text/{kind}; charset=utf-8\r\n\r\n{text}".encode()


def _file(name: str, content: bytes = b"%PDF-1.4 small", kind: str = "application/pdf") -> bytes:
    head = f'Content-Type: {kind}\r\nContent-Disposition: attachment; filename="{name}"\r\n'
    return head.encode() + b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(content)


def _word(text: str) -> str:
    """An encoded word (RFC 2047): how a control character comes into a header."""
    return f"=?utf-8?b?{base64.b64encode(text.encode()).decode()}?="


CASES: tuple[Case, ...] = (
    Case("ordinary", "a text and a PDF", _mail("Invoice 7", _text("Please pay."), _file("bill.pdf")), SUCCESS),
    Case("repeated", "the run before was done, but killed before that was recorded", _mail(), SUCCESS, attempts=2),
    Case("empty", "neither header nor body", b"\r\n"),
    Case("bare", "no subject, no sender, no date", _mail("", From="", Date="", Message_ID="")),
    Case("no text", "an attachment alone", _mail("Scan", _file("scan.pdf"))),
    Case("HTML alone", "no plain text was sent", _mail("News", _text("<p>Please <b>pay</b>.</p>", "html"))),
    Case("foreign", "no ASCII anywhere", _mail(_word("Größe 大小 🎉"), _text("Bitte zählen: 发票"), _file("发票.pdf"))),
    Case("nameless", "an attachment without a name", _mail("x", _text("x"), _file("").replace(b'; filename=""', b""))),
    Case("many files", "40 attachments of the same name", _mail("x", *(_file("same.pdf") for _ in range(40)))),
    Case("long text", "3 MB of text", _mail("long", _text("All work and no play.\r\n" * 140_000))),
    Case("a crowd", "500 recipients", _mail(To=",\r\n ".join(f"p{n}@example.com" for n in range(500)))),
    Case("two senders", "more than one From", _mail(From="Ann <ann@example.org>, Eve <eve@example.net>")),
    Case("cut off", "it ends in the middle of an attachment", _mail("x", _text("x"), _file("a.pdf"))[:-40]),
    Case("broken words", "bytes that are no UTF-8, whatever it says", _mail() + b"\xff\xfe\x00\x80 \xc3\r\n"),
    Case(
        "automatic", "it must not be answered", _mail("Out of office", Auto_Submitted="auto-replied", Return_Path="<>")
    ),
    Case("list", "it came over a mailing list", _mail(List_Id="Talk <talk.example.org>", Precedence="list")),
    Case("dollar", "a subject for a shell: $( )", _mail(f"Re: $({TOUCH})")),
    Case("backquote", "a subject for a shell: ` `", _mail(f"Re: `{TOUCH}`")),
    Case("semicolon", "a subject for a shell: ;", _mail(f"x; {TOUCH}; #")),
    Case("quotes", "a subject that ends quotes", _mail(f"x'; {TOUCH}; '\"; {TOUCH}; \"")),
    Case("newline", "a subject of two lines", _mail(_word("x\nSubject: y\r\n\nid"))),
    Case("function", "a subject for an old shell's environment", _mail(f"() {{ :;}}; {TOUCH}")),
    Case("option", "a subject that looks like an option", _mail("-rf --help")),
    Case("pattern", "a subject of wildcards", _mail("* ?[a-z]* ~ !! %s %n {0} \\0")),
    Case("terminal", "a subject that steers a terminal", _mail(_word("\x1b[2J\x1b]0;x\x07\x9bA\u202e\u2028\x00"))),
    Case("endless subject", "10 kB of it", _mail("x" * 10_000)),
    Case("sender", "an address for a shell", _mail(From=f'"$({TOUCH})" <"`{TOUCH}`"@example.org>')),
    Case("name", "a file name for a shell", _mail("x", _text("x"), _file(f"$({TOUCH}); {TOUCH};.pdf"))),
    Case("way out", "file names that lead elsewhere", _mail("x", _file("../../../etc/cron.d/x"), _file("/etc/passwd"))),
    Case("dashes", "file names that look like options", _mail("x", _file("-rf"), _file("--output=x"), _file("."))),
    Case("text", "a body for a shell", _mail("x", _text(f"$({TOUCH})\r\n`{TOUCH}`\r\n'; {TOUCH}; '\r\n.\r\nEOF\r\n"))),
)
