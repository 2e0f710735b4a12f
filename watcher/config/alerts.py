"""Who is told by mail when something needs a person."""

from typing import Annotated

from pydantic import AfterValidator
from pydantic.dataclasses import dataclass

from watcher.config.passwords import Channel
from watcher.config.shape import STRICT, MailAddress, Text, not_empty

__all__ = ["AlertSettings"]


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class AlertSettings:
    """The section `[alerts]`."""

    #: Who is told.
    #: Allowed: a list of addresses.
    to: Annotated[tuple[MailAddress, ...], AfterValidator(not_empty)]
    #: Through whom. Best another provider than that of the watched mailboxes.
    #: Allowed: the name of an account or an `[smtp.NAME]`.
    smtp: Text
    #: Another channel, for what the relay has not taken after two minutes: an address as
    #: [Apprise](https://github.com/caronc/apprise/wiki) writes it, such as `ntfy://TOPIC`, `wecombot://KEY` or
    #: `slack://…`. It holds a key, so keep it in a file. Needs `pip install 'imap-watcher[notify]'`.
    #: Allowed: as a [password](#passwords).
    fallback: Channel | None = None
