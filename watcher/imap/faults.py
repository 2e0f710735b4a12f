"""Errors of the libraries below, in our words. Each means that the connection can't be trusted any more."""

import imaplib
import ssl

from watcher.config.providers.profile import Profile
from watcher.errors import Loss, MailboxLost
from watcher.imap.refusals import Phase, meaning, worded
from watcher.imap.signals import Reply, last_words
from watcher.printing import printable

__all__ = ["FOREIGN", "Ended", "lost"]

#: What imapclient, imaplib, ssl and the socket raise for a broken path or a server that talks nonsense. ValueError and
#: RecursionError come from their parsers.
FOREIGN = (imaplib.IMAP4.error, OSError, ValueError, RecursionError)


class Ended(imaplib.IMAP4.abort):
    """The server has said its last words."""

    def __init__(self, told: Reply) -> None:
        super().__init__(str(told))
        self.told = told


def lost(
    where: str,
    error: Exception,
    told: Reply | None = None,
    profile: Profile | None = None,
    phase: Phase = Phase.COMMAND,
) -> MailboxLost:
    """
    The MailboxLost for `error`, one of FOREIGN; raise it `from` that.

    `told`: what the server said last; `profile`: of the account; `phase`: what was being done.
    """
    if isinstance(error, imaplib.IMAP4.abort) and isinstance(error.__context__, OSError):
        error = error.__context__  # imaplib wraps what goes wrong in sending, but not in reading
    if isinstance(error, TimeoutError):
        return MailboxLost(f"{where}: no answer in time", Loss.SILENT)
    if told is None or told.status == "OK":
        told = _last_words(error)
    if told is not None:
        signal = meaning(phase, told, profile)
        text = f"{where}: {worded(told, signal)}"
        return MailboxLost(text, Loss.SAID, told.code, cause=signal.cause, wait=signal.wait)
    return MailboxLost(f"{where}: {printable(_plain(error))}")


def _last_words(error: Exception) -> Reply | None:
    """What the server said with the line that was made an error of; imaplib may have wrapped that in another one."""
    for cause in (error, error.__context__):
        if isinstance(cause, Ended):
            return cause.told
    greeting = error.args[0] if isinstance(error, imaplib.IMAP4.error) and error.args else None
    return last_words(greeting) if isinstance(greeting, bytes) else None


def _plain(error: Exception) -> str:
    match error:
        case ssl.SSLError(reason="TLSV13_ALERT_CERTIFICATE_REQUIRED"):
            return "the server asks for a certificate of ours: set certificate"
        case ssl.SSLError():
            return f"TLS broke ({error.reason or error})"
        case OSError():
            return error.strerror or str(error)
        case imaplib.IMAP4.error():
            return str(error).rpartition("=> ")[2]  # without the name of the command
    return f"the server's answer makes no sense ({error})"
