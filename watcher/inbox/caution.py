"""What broke links to a folder, and is left out for a while."""

from dataclasses import dataclass

__all__ = ["Caution"]


@dataclass(slots=True)
class Caution:
    """Kept and read by the folder's watcher alone; outlives its links. Times are monotonic seconds."""

    one_by_one: bool = False  #: a FETCH broke the link: one mail at a time until all is well
    describe_at: float = 0.0  #: not before is the server asked to describe mails
    hurry_at: float = 0.0  #: not before is a look sent right behind DONE
    mistrusted: int = 0  #: UIDVALIDITY that was refused as one change too many
