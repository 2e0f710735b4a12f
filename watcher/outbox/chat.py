"""The one place that uses the library `apprise`, which is an extra: a few words to a chat, a pager, or the like."""

import logging
from importlib import import_module

from watcher.config.secret import Secret
from watcher.errors import WatcherError

__all__ = ["NotTold", "tell"]

CHATTY = ("apprise", "requests", "urllib3")  #: they log addresses and answers, and both may hold the key
LONGEST = 3000  #: characters; the services allow different lengths


class NotTold(WatcherError):
    """The words did not get there; says why, and never the address, since that is the key to it."""


def tell(address: Secret, title: str, text: str) -> None:
    """Send words to `address`, as Apprise writes it: `ntfy://topic`, `wecombot://KEY`. Raises NotTold."""
    try:
        apprise = import_module("apprise")  # large, and only who has a `fallback` in trouble ever needs it
    except ImportError as error:
        raise NotTold(
            "telling by another way than mail needs the extra `notify`: pip install 'imap-watcher[notify]'"
        ) from error
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    channel = apprise.Apprise()
    if not channel.add(address.reveal()):
        raise NotTold("the address in `fallback` is none that Apprise knows")
    if not channel.notify(title=title, body=text[:LONGEST], body_format="text"):
        raise NotTold("the service behind `fallback` did not take it, or can't be reached")
