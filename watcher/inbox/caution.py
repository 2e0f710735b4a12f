"""What broke links to a folder or brought nothing, and is left out for a while."""

import math
from dataclasses import dataclass, field

__all__ = ["Caution"]


@dataclass(slots=True)
class Caution:
    """Kept and read by the folder's watcher alone; outlives its links. Times are monotonic seconds."""

    one_by_one: bool = False  #: a FETCH broke the link: one mail at a time until all is well
    describe_at: float = 0.0  #: not before is the server asked to describe mails
    hurry_at: float = 0.0  #: not before is a look sent right behind DONE
    mistrusted: int = 0  #: UIDVALIDITY that was refused as one change too many
    unfetched: list[float] = field(default_factory=list)  #: when UIDs that brought nothing are asked for again

    def next_fetch(self, looked_at: float) -> float:
        """When the first of them is due after a look at the folder, which has settled all that were due before."""
        self.unfetched = [due for due in self.unfetched if due > looked_at]
        return min(self.unfetched, default=math.inf)
