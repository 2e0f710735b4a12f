"""What a stage has to know of one kind of work: how a piece of it is done, in which lane, and what goes together."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from watcher.model import Kind, Outcome, Work
from watcher.retry import POLICIES, RetryPolicy

__all__ = ["Craft", "Lot"]


@dataclass(frozen=True, slots=True)
class Lot:
    """Work of one lane that is done together."""

    most: int  #: pieces
    wait: float = 0.0  #: seconds that the first piece waits for others, unless there are `most`
    one_folder: bool = False  #: all of it mails of one folder


class Craft(ABC):
    """
    How one kind of work is done, in lanes (by handler, by account) that are limited and held each for itself.

    A craft says in what it differs from this one: a lane for each name, each piece alone, as many at once as there are
    workers. Many threads use it at once.
    """

    kind: Kind  #: of the work
    workers: int  #: how many pieces or lots are done at once
    own = False  #: each lane may have one run beyond that, so that none waits for another

    @abstractmethod
    def act(self, works: Sequence[Work]) -> Iterable[tuple[Work, Outcome]]:
        """
        Do what was claimed together: one piece, or a lot of a lane that has lots. Each gets its outcome.

        What it raises ends the process.
        """

    def policy(self, _: Work) -> RetryPolicy:
        """How it is tried again."""
        return POLICIES[self.kind]

    def lane(self, work: Work) -> str:
        """The one in which it stands."""
        return work.name

    def limit(self, _: str) -> int:
        """How many pieces or lots of a lane are done at once, 0 while it is paused."""
        return self.workers

    def lot(self, _: str) -> Lot | None:
        """What of a lane is done together; None: each piece alone."""
        return None

    def due_after(self, _: Outcome) -> Iterable[str]:
        """The lanes in which an outcome of the stage before this one makes work due at once."""
        return ()

    def rest(self) -> None:  # noqa: B027 - not every craft keeps something
        """Let go of what nobody needs; called from time to time."""

    def abort(self) -> None:  # noqa: B027 - what ends by itself needs none
        """Cut short what is being done: the daemon ends, and the time for that is over."""
