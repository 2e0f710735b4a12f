"""How the folders of one account share its links. Pure."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

__all__ = ["Shares"]


@dataclass(frozen=True, slots=True)
class Shares:
    """
    Which folders have a link of their own, in IDLE; the others share the steward's. One more is kept free for
    after-actions.
    """

    most: int  #: connections that are ours to use
    bears: int  #: of these the server bears, as far as we know
    own: tuple[str, ...] = ()  #: folders with a link of their own, in the order in which they got it
    returned: tuple[str, ...] = ()  #: folders that have given theirs up since the last dealing
    eased_at: float = -math.inf  #: when `bears` last changed, monotonic seconds

    def dealt(self, folders: Sequence[str], *, notify: bool) -> "Shares":
        """
        Who has a link keeps it; others of the `folders` that are there get one while the server bears more. With
        `notify` one link can be told of news in all folders (RFC 5465), which is as quick as IDLE and costs least.
        """
        others = [name for name in folders if name not in self.own]
        left = max(1, self.bears - 1) - len(self.own)
        if notify:
            others = []
        elif len(others) > left:
            others = others[: max(0, left - 1)]  # the last one is the steward's
        return replace(self, own=(*self.own, *others), returned=())

    def without(self, gone: Collection[str]) -> "Shares":
        """These folders are not there any more."""
        return replace(self, own=tuple(name for name in self.own if name not in gone))

    def regained(self, now: float, after: float) -> "Shares":
        """What the server bears may be more again, so many seconds later: the links of another program are gone."""
        if self.bears >= self.most or now < self.eased_at + after:
            return self
        return replace(self, bears=self.bears + 1, eased_at=now)

    def eased(self, name: str, now: float, *, easing: float, steward: bool) -> "Shares":
        """
        The server bears fewer links than we have: the folder `name` gives its own up, or the last one if it is the
        steward ("") who was turned away; so does one more if there is no `steward`, who takes that place. Nobody does
        if others are about to: that takes them `easing` seconds.
        """
        leaving, staying = [], [other for other in self.own if other != name]
        if name in self.own:
            leaving.append(name)
        elif now < self.eased_at + easing:
            return self
        if staying and not (leaving and steward):
            leaving.append(staying.pop())
        if not leaving:
            return self
        bears = len(staying) + 2  # the steward's, and the one that is kept free
        return Shares(self.most, bears, tuple(staying), (*self.returned, *leaving), now)
