"""What is due and may be done now: work of one kind is claimed from the ledger, lane by lane, where there is room."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from watcher.craft import Craft
from watcher.lanes import Roster
from watcher.model import Work
from watcher.store.ledger import Lane, Ledger

__all__ = ["LONGEST_REST", "Claims"]

LONGEST_REST = 15.0  #: seconds until one looks again though nothing is due


@dataclass(frozen=True, slots=True)
class Claims:
    """Used by one thread at a time. Each lot that it gives away holds a place of its lane in the roster."""

    craft: Craft
    ledger: Ledger
    roster: Roster

    def due(self) -> tuple[list[Sequence[Work]], float]:
        """Lots of what is due and has room; seconds until there may be more, 0 if that may not be all."""
        now = time.time()
        until = now + LONGEST_REST
        room: dict[str, int] = {}
        for lane in self.ledger.lanes(self.craft.kind):
            ready = max(self.ripe_at(lane, now), self.roster.held_until(lane.name))
            if ready > now:
                until = min(until, ready)
            elif places := self.roster.reserve(lane.name):
                room[lane.name] = places
        return (self.fill(room, now), 0.0) if room else ([], until - now)

    def due_in(self, lanes: Iterable[str]) -> list[Sequence[Work]]:
        """The same of these lanes, without a look whether there is any; nothing of those that are done in lots."""
        now = time.time()
        room = {
            lane: places
            for lane in lanes
            if self.craft.lot(lane) is None
            and self.roster.held_until(lane) <= now
            and (places := self.roster.reserve(lane))
        }
        return self.fill(room, now) if room else []

    def fill(self, room: Mapping[str, int], now: float) -> list[Sequence[Work]]:
        """Claim work for the places that were reserved, and give back those that are left."""
        lots = self.take(room, now)
        taken = Counter(self.craft.lane(works[0]) for works in lots)
        for name, places in room.items():
            self.roster.release(name, places - taken[name])
        return lots

    def take(self, room: Mapping[str, int], now: float) -> list[Sequence[Work]]:
        lots = {lane: lot for lane in room if (lot := self.craft.lot(lane))}
        singles = {lane: places for lane, places in room.items() if lane not in lots}
        taken: list[Sequence[Work]] = []
        if singles:
            taken += [[work] for work in self.ledger.claim(self.craft.kind, now, singles)]
        for lane, lot in lots.items():
            taken += [self.ledger.claim_lot(self.craft.kind, now, lane, lot.most, one_folder=lot.one_folder)]
        return [works for works in taken if works]

    def ripe_at(self, lane: Lane, now: float) -> float:
        """When the work of a lane may be claimed: a lot that is not full waits for more."""
        lot = self.craft.lot(lane.name)
        if lot is None or not lot.wait or self.ledger.due(self.craft.kind, lane.name, now, lot.most) >= lot.most:
            return lane.due
        return lane.due + lot.wait
