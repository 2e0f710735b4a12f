"""Mail to handler: the craft of jobs, one lane for each handler."""

from collections.abc import Iterator, Sequence

from watcher.config.standing import Standing
from watcher.craft import Craft, Lot
from watcher.jobs.dispatch import Dispatcher
from watcher.model import Kind, Outcome, Verdict, Work
from watcher.retry import RetryPolicy
from watcher.service.metrics import Metrics
from watcher.store.pauses import Pauses
from watcher.unpacking import Unpacking

__all__ = ["Handling"]


class Handling(Craft):
    """Runs handlers as their settings in force say, each measured, on mails that are whole."""

    kind = Kind.JOB
    own = True

    def __init__(
        self, dispatcher: Dispatcher, standing: Standing, unpacking: Unpacking, pauses: Pauses, metrics: Metrics
    ) -> None:
        self.workers = standing.config.watcher.runners
        self.dispatcher = dispatcher
        self.standing = standing
        self.unpacking = unpacking
        self.pauses = pauses
        self.metrics = metrics

    def act(self, works: Sequence[Work]) -> Iterator[tuple[Work, Outcome]]:
        """What is lost of a mail is made anew before; where that can't be done, its handler runs later."""
        troubles = {work.id: self.unpacking.mend(work) for work in works}
        yield from ((work, Outcome(Verdict.LATER, troubles[work.id])) for work in works if troubles[work.id])
        with self.metrics.run(works[0].name):
            yield from self.dispatcher.run_batch([work for work in works if not troubles[work.id]])

    def policy(self, work: Work) -> RetryPolicy:
        return self.standing.handler(work.name).retry_policy

    def limit(self, lane: str) -> int:
        return 0 if self.pauses.handler(lane) else self.standing.handler(lane).concurrency

    def lot(self, lane: str) -> Lot | None:
        settings = self.standing.handler(lane)
        return None if settings.batch is None else Lot(settings.batch_size, settings.batch)

    def due_after(self, outcome: Outcome) -> set[str]:
        return {step.handler for step in outcome.plan.steps}

    def abort(self) -> None:
        """Interrupt what runs: it is held, and no attempt of it is used."""
        self.dispatcher.close()
