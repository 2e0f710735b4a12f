"""From the inbox on: what is received goes to be taken apart, and receiving waits while too much waits there."""

from datetime import UTC

from watcher.cursor import Arrival
from watcher.house import House
from watcher.model import Kind
from watcher.stage import Stage

__all__ = ["Handover"]

BACKLOG = 64  #: mails that wait to be taken apart; with more, receiving waits


class Handover:
    """What the inbox knows of the stages behind it; see `inbox.post.Downstream`."""

    def __init__(self, house: House, unpack: Stage) -> None:
        self.house = house
        self.unpack = unpack

    def room(self) -> int:
        return self.house.spool.free() - self.house.config.watcher.disk_floor

    def full(self) -> bool:
        return self.house.ledger.backlog(Kind.UNPACK) > BACKLOG

    def in_order(self) -> bool:
        return any(settings.order != "parallel" for settings in self.house.config.handlers.values())

    def storing(self, mail: Arrival) -> None:
        self.house.unpacking.begin(mail.key, mail.place, mail.received.astimezone(UTC))

    def dropping(self, key: str) -> None:
        self.house.unpacking.forget(key)

    def arriving(self) -> None:
        self.unpack.claim_along([""])

    def arrived(self) -> None:
        self.unpack.rouse()
