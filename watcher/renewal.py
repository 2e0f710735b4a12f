"""
How long a path (the way to one host) lets an IDLE link be silent. Learnt from links that died of it. Pure.

Middle boxes forget silent links after anything from seconds to hours, some with an EOF, most without a word. So IDLE
is renewed after an interval that starts below what the common ones allow, shrinks where links die, and grows again,
slowly, on a path that has kept its links for a day.
"""

from dataclasses import dataclass, replace

__all__ = ["FIRST", "LONGEST", "Renewal"]

FIRST = 240.0  #: seconds; AWS and Azure cut at 350 and 240, most proxies at 300
LONGEST = 1440.0  #: 24 minutes: RFC 2177 wants a renewal within 29
FLOOR = 40.0  #: no shorter on the word of one or two links
LAST_RESORT = 3.0  #: no shorter even where every link dies
MARGIN = 0.7  #: part of the learnt limit that is used
STEADY = 0.8  #: two ages at which links died are the same if one is at least this part of the other
DAY = 86400.0
GROWTH = 1.25  #: after each day without a death
REMEMBERED = 3  #: deaths that are looked at


@dataclass(frozen=True, slots=True)
class Renewal:
    """What is known of one path. Times in seconds."""

    interval: float = FIRST  #: IDLE is renewed at this age
    deaths: tuple[float, ...] = ()  #: how long the last links that died had been silent
    since: float = 0.0  #: when the interval was last changed or found good, seconds since 1970

    def cut(self, silence: float, now: float) -> "Renewal":
        """The path ended a link, with EOF or RST. One such end means nothing; a second at the same age is its limit."""
        deaths = (*self.deaths, silence)[-REMEMBERED:]
        steady = [age for age in deaths[:-1] if min(age, silence) >= STEADY * max(age, silence)]
        if not steady:
            return replace(self, deaths=deaths)
        return self.shrunk(min(*steady, silence) * MARGIN, deaths, now)

    def lost(self, silence: float, now: float) -> "Renewal":
        """A link had died without a word, at some time of this silence: the limit lies below, nobody knows how far."""
        if silence < FLOOR:
            return self.cut(silence, now)
        deaths = (*self.deaths, silence)[-REMEMBERED:]
        return self.shrunk(silence / 2, deaths, now)

    def shrunk(self, interval: float, deaths: tuple[float, ...], now: float) -> "Renewal":
        hopeless = len(deaths) == REMEMBERED and max(deaths) * MARGIN < FLOOR
        floor = LAST_RESORT if hopeless else FLOOR
        return Renewal(min(self.interval, max(floor, interval)), deaths, now)

    def survived(self, now: float, ceiling: float = LONGEST) -> "Renewal":
        """A renewal was answered. After a day of these the interval grows a little, up to the ceiling."""
        if now - self.since < DAY:
            return self
        if self.since == 0.0:
            return replace(self, since=now)
        return Renewal(min(max(ceiling, self.interval), self.interval * GROWTH), self.deaths, now)
