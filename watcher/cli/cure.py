"""What to do where there is no way to a server, for the commands that go it step by step."""

from watcher.config.providers import Cause, Profile
from watcher.config.providers.catalogue import GENERIC
from watcher.errors import Loss, MailboxLost, WatcherError

__all__ = ["cure"]


def cure(step: str, error: WatcherError, profile: Profile) -> str:
    """What to do about `error`, where its own words don't tell; else ""."""
    if not isinstance(error, MailboxLost) or error.how is Loss.SAID:
        return ""
    match step:
        case "tcp" if profile.name != GENERIC and Cause.UNAVAILABLE in profile.hints:
            return profile.hints[Cause.UNAVAILABLE]  # it is a program of this provider's own (Bridge) that is missing
        case "dns" if error.how is Loss.SILENT:
            return "see that this machine's name servers work"
        case "tcp" if "refused" in str(error):
            return "nothing listens there; see `host` and `port`, and whether the server runs"
        case "tcp":
            return "no way there; see `host` and `port`, and whether a firewall or proxy stands between"
        case "tls" | "greeting" if error.how is Loss.SILENT:
            return "the connection stands and nothing comes; see `port` and `tls`, and what stands between"
        case "tls" | "greeting":
            return "something answers and speaks no IMAP over TLS there; see `port`, `tls`, and what stands between"
    return "the server fell silent or hung up; try again, and if it stays so ask its operator"
