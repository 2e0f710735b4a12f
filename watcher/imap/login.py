"""Proving who we are: PLAIN or LOGIN, as the server offers, and only inside TLS."""

import ssl

from watcher.errors import LoginRefused, MailboxLost, ServerUntrusted
from watcher.imap.signals import passing, printable
from watcher.imap.wire import Client, Wire
from watcher.version import __version__

__all__ = ["introduce", "login", "quoted"]


def login(wire: Wire, user: str, secret: str) -> None:
    """Logs in. LoginRefused if the server does not want this user, MailboxLost if it has other troubles."""
    where = f"{printable(user)} at {wire.host}"
    for value, what in ((user, "user name"), (secret, "password")):
        if set(value) & {"\r", "\n", "\0"}:
            raise LoginRefused(f"{where}: the {what} holds a line break or NUL: is there one at the end of its file?")
    if not isinstance(wire.sock, ssl.SSLSocket) or wire.state != "NONAUTH":
        raise ServerUntrusted(f"{wire.host} greets as already logged in (PREAUTH), as somebody we don't know")
    try:
        _authenticate(wire, user, secret, where)
    except wire.error as error:
        answer = wire.tidings.reply
        if answer is None or answer.status not in {"NO", "BAD"} or passing(answer):
            raise MailboxLost(f"{where}: {answer or error}") from error
        raise LoginRefused(f"{where}: {answer}", answer.code) from error


def _authenticate(wire: Wire, user: str, secret: str, where: str) -> None:
    if "AUTH=PLAIN" in wire.capabilities:
        wire.authenticate("PLAIN", lambda _challenge: f"\0{user}\0{secret}".encode())
        return
    if "LOGINDISABLED" in wire.capabilities:
        raise LoginRefused(f"{where}: the server takes no password (LOGINDISABLED, no AUTH=PLAIN)")
    if not (user + secret).isascii():
        raise LoginRefused(f"{where}: the server takes only ASCII passwords (no AUTH=PLAIN): choose another one")
    status, _ = wire.xatom("LOGIN", quoted(user), quoted(secret))
    if status != "OK":
        raise wire.error("LOGIN refused")
    wire.state = "AUTH"


def introduce(client: Client) -> None:
    """Says who we are where the server asks for it (RFC 2971): NetEase opens no folder for a stranger."""
    if client.has_capability("ID"):
        try:
            client.id_({"name": "imap-watcher", "version": __version__})
        except client.AbortError:
            raise
        except client.Error:
            return  # it asked and did not like the answer: its own business, login stands


def quoted(text: str) -> str:
    """`text` as an IMAP quoted string (RFC 3501 4.3)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
