"""Errors of the libraries below, in our words. Each means that the connection can't be trusted any more."""

import imaplib
import ssl

from watcher.errors import Loss, MailboxLost
from watcher.imap.signals import Reply, printable, reply

__all__ = ["FOREIGN", "lost"]

#: What imapclient, imaplib, ssl and the socket raise for a broken path or a server that talks nonsense. ValueError and
#: RecursionError come from their parsers.
FOREIGN = (imaplib.IMAP4.error, OSError, ValueError, RecursionError)


def lost(where: str, error: Exception, told: Reply | None = None) -> MailboxLost:
    """The MailboxLost for `error`, one of FOREIGN; raise it `from` that. `told`: what the server said of it."""
    if isinstance(error, imaplib.IMAP4.abort) and isinstance(error.__context__, OSError):
        error = error.__context__  # imaplib wraps what goes wrong in sending, but not in reading
    how = Loss.SAID if told and told.status != "OK" else Loss.CUT
    if isinstance(error, TimeoutError):
        words, how = "no answer in time", Loss.SILENT
    elif isinstance(error, ssl.SSLError):
        words = f"TLS broke ({error.reason or error})"
    elif isinstance(error, OSError):
        words = error.strerror or str(error)
    elif isinstance(error, imaplib.IMAP4.error):
        words = str(told) if told and told.status != "OK" else _plain(error)
    else:
        words = f"the server's answer makes no sense ({error})"
    return MailboxLost(f"{where}: {printable(words)}", how)


def _plain(error: imaplib.IMAP4.error) -> str:
    """What imaplib says without its command names, or the line of the server that it made its error of."""
    told = error.args[0] if error.args else ""
    return str(reply(told) or printable(told)) if isinstance(told, bytes) else str(told).rpartition("=> ")[2]
