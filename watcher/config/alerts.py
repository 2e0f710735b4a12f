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

    to: Annotated[tuple[MailAddress, ...], AfterValidator(not_empty)]  #: addresses
    smtp: Text  #: an account, or a relay of `[smtp.NAME]`: best not one of the mailboxes that are watched
    fallback: Channel | None = None  #: address of another channel, as Apprise writes it, for when mail fails
