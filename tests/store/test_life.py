"""
The life of mails in a real ledger against a model of it: whatever comes in whatever order, and wherever it is killed.

The model says what must be so, not how it comes about: which work has its turn, for example, follows from what is open
before it, and not from who rang which bell. After each verb both must agree in every row.
"""

import shutil
import tempfile
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from watcher.cursor import Anchor, Arrival
from watcher.model import Action, Decision, Kind, Outcome, Place, Plan, Status, Step, Verb, Verdict, Work
from watcher.posting import Posting
from watcher.retry import RetryPolicy, cut_off, decide
from watcher.store.database import Database
from watcher.store.desk import Desk
from watcher.store.folders import Folders
from watcher.store.ledger import Ledger
from watcher.store.outgoing import Outgoing

SEEN, FLAG, DONE, FAILED = Action(Verb.SEEN), Action(Verb.FLAG, "$a"), Action(Verb.MOVE, "Done"), Action(Verb.DELETE)
PLANS = {
    "nothing": Plan(),
    "acts": Plan(then=(SEEN, DONE)),
    "one": Plan((Step("one", "r"),), (SEEN,)),
    "chain": Plan((Step("one", "r"), Step("two", "r"), Step("three", "r")), (SEEN, DONE), (("r", FAILED),)),
    "line": Plan((Step("serial", "s", "x"), Step("one", "t")), (SEEN,), (("s", FAILED),)),
    "lines": Plan((Step("one", "s"), Step("serial", "s", "x"), Step("serial", "t", "y"))),
}
RANK = {Verb.SEEN: 0, Verb.FLAG: 0, Verb.MOVE: 1, Verb.DELETE: 2}
VERDICTS = {
    Kind.UNPACK: [Verdict.DONE, Verdict.DONE, Verdict.LATER, Verdict.CRASHED, Verdict.NEVER],
    Kind.JOB: [Verdict.DONE, Verdict.DONE, Verdict.STOP, Verdict.LATER, Verdict.NEVER, Verdict.CRASHED, Verdict.HOLD],
    Kind.AFTER: [Verdict.DONE, Verdict.LATER, Verdict.GONE, Verdict.NEVER],
    Kind.SEND: [Verdict.DONE, Verdict.LATER, Verdict.CRASHED, Verdict.NEVER, Verdict.HOLD],
}
POLICY = RetryPolicy(attempts=4, first=30.0, cap=100.0, jitter=0.0)
PEERS = ("a@example.org", "b@example.org")
OPEN = {Status.WAITING, Status.RUNNING}
WORK = """
    SELECT mail.key, kind, chain, step, name, target, line, status, due, attempts, pardoned, crashes FROM work
    JOIN mail ON mail.id = work.mail ORDER BY work.id
"""


def most(kind: Kind) -> int:
    """Attempts after which work is given up at the start, since it may be what ends the daemon."""
    return 100 if kind is Kind.SEND else 2


# --- the model ------------------------------------------------------------------------------------------------------


@dataclass
class Item:
    """One piece of work."""

    mail: int  #: its place in the order of arrival
    key: str
    kind: Kind
    chain: str = ""
    step: int = 0
    name: str = ""
    target: str = ""
    line: str | None = None
    status: Status = Status.WAITING
    due: float | None = None
    attempts: int = 0
    pardoned: int = 0
    crashes: int = 0

    @property
    def open(self) -> bool:
        return self.status in OPEN

    @property
    def begun(self) -> bool:
        """Whether its first attempt is over."""
        return (self.status, self.attempts) not in {(Status.WAITING, 0), (Status.RUNNING, 1)}

    @property
    def has_turn(self) -> bool:
        return self.status is Status.RUNNING or (self.status is Status.WAITING and self.due is not None)

    def row(self) -> tuple[Any, ...]:
        due = self.due if self.status is Status.WAITING else None
        counts = (self.attempts, self.pardoned, self.crashes)
        return (
            self.key,
            self.kind,
            self.chain,
            self.step,
            self.name,
            self.target,
            self.line,
            self.status,
            due,
            *counts,
        )


@dataclass
class Model:
    """What there is to do."""

    items: list[Item] = field(default_factory=list)
    known: dict[int, str] = field(default_factory=dict)  #: content -> key
    mails: int = 0
    released: set[tuple[int, str]] = field(default_factory=set)  #: after-actions that may go, by mail and chain
    plans: dict[str, str] = field(default_factory=dict)

    def of(self, mail: int, kind: Kind | None = None) -> list[Item]:
        return [item for item in self.items if item.mail == mail and kind in {None, item.kind}]

    def add(self, item: Item) -> None:
        same = ("mail", "kind", "chain", "name", "target")
        if not any(all(getattr(one, part) == getattr(item, part) for part in same) for one in self.items):
            self.items.append(item)

    def receive(self, content: int, key: str, now: float) -> None:
        if content not in self.known:
            self.known[content] = key
            self.mails += 1
            self.add(Item(self.mails, key, Kind.UNPACK, due=now))

    def claim(self, item: Item) -> None:
        item.status, item.attempts = Status.RUNNING, item.attempts + 1

    def end(self, item: Item, crashes: int, outcome: Outcome, decision: Decision, now: float) -> None:
        item.status, item.due = decision.status, decision.due
        item.crashes, item.pardoned = crashes + decision.crashed, item.pardoned + decision.free
        if item.status is Status.DONE:
            self.follow(item, outcome, now)
        self.advance(now)

    def follow(self, item: Item, outcome: Outcome, now: float) -> None:
        mail, key = item.mail, item.key
        steps: dict[str, int] = {}
        for step in outcome.plan.steps if item.kind is Kind.UNPACK else ():
            number = steps[step.chain] = steps.get(step.chain, -1) + 1
            self.add(Item(mail, key, Kind.JOB, step.chain, number, step.handler, line=step.line))
        actions = [
            *(("then", one) for one in outcome.plan.then),
            *(("on_dead:" + c, a) for c, a in outcome.plan.on_dead),
        ]
        for chain, action in [*actions, *(("then", one) for one in outcome.actions)]:
            self.add(Item(mail, key, Kind.AFTER, chain, RANK[action.verb], action.verb, action.target))
        if outcome.verdict is Verdict.STOP:
            for later in self.of(mail, Kind.JOB):
                if (later.chain, later.status) == (item.chain, Status.WAITING) and later.step > item.step:
                    later.status = Status.SKIPPED
        for posting in outcome.postings:
            if posting.key not in {one.key for one in self.items}:
                self.mails += 1
                for peer in posting.recipients:
                    self.add(Item(self.mails, posting.key, Kind.SEND, name="one", target=peer, due=now))

    def recover(self, now: float) -> None:
        for item in self.items:
            if item.status is Status.RUNNING:
                twice = item.kind is Kind.SEND and item.crashes > 1
                decision = cut_off(item.attempts - item.pardoned, most(item.kind), now)
                item.status = Status.DEAD if twice else decision.status
                item.due = decision.due
        self.advance(now)

    def advance(self, now: float) -> None:
        """Who may go gets his turn, in order of arrival."""
        for item in sorted(self.items, key=lambda item: (item.mail, item.step)):
            if item.kind is Kind.JOB and item.status is Status.WAITING and item.due is None and self.may_go(item):
                item.due = now
        for mail in {item.mail for item in self.items}:
            work, after = [one for one in self.of(mail) if one.kind is not Kind.AFTER], self.of(mail, Kind.AFTER)
            if not any(one.open or one.status is Status.DEAD for one in work):
                self.released.add((mail, "then"))
            self.released |= {
                (mail, f"on_dead:{one.chain}") for one in work if (one.kind, one.status) == (Kind.JOB, Status.DEAD)
            }
            for chain in {one.chain for one in after if (mail, one.chain) in self.released}:
                left = [one for one in after if one.chain == chain and one.open]
                for one in left:
                    if one.step == min(other.step for other in left) and not one.has_turn:
                        one.due = now

    def may_go(self, item: Item) -> bool:
        before = [one for one in self.of(item.mail, Kind.JOB) if one.chain == item.chain and one.step < item.step]
        if not all(one.begun for one in before):
            return False
        if item.line is None:
            return True
        line = [one for one in self.items if (one.name, one.line) == (item.name, item.line) and one is not item]
        unread = [one for one in self.items if one.kind is Kind.UNPACK and one.open and one.mail < item.mail]
        return not unread and not any(one.has_turn or (one.open and one.mail < item.mail) for one in line)

    def settled(self, mail: int) -> bool:
        return not any(
            one.open and (one.kind is not Kind.AFTER or one.has_turn or one.status is Status.RUNNING)
            for one in self.of(mail)
        )


# --- both, step by step ---------------------------------------------------------------------------------------------


class Life(RuleBasedStateMachine):
    """Each rule is a verb of the ledger, done to both."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.lives = 0
        self.now = 1_000_000.0
        self.uidvalidity, self.next_uid = 7, 1
        self.model = Model()
        self.running: list[Work] = []
        self.stale: list[Work] = []
        self.begin()

    def teardown(self) -> None:
        try:
            self.bring_to_end()
        finally:
            self.database.close()
            shutil.rmtree(self.home)

    # --- lives ------------------------------------------------------------------------------------------------------

    @property
    def state(self) -> Path:
        return self.home / f"{self.lives}"

    def begin(self) -> None:
        self.state.mkdir(exist_ok=True)
        self.database = Database(self.state)
        self.ledger = Ledger(self.database, f"life {self.lives}", "machine")
        self.folders, self.desk = Folders(self.database), Desk(self.database)
        self.outgoing = Outgoing(self.database)
        cursor = self.folders.take("a", "INBOX")
        self.cursor = cursor if cursor.epoch else self.folders.anchor(cursor, Anchor(self.uidvalidity, 1), self.now)

    def kill(self, log: int | None = None) -> None:
        """The files are as they are at this moment; `log`: of the log only so many bytes were written."""
        before = self.state
        self.lives += 1
        self.state.mkdir()
        for name in ("instance", "ledger.db", "ledger.db-wal"):
            if (before / name).exists():
                shutil.copy(before / name, self.state)
        if log is not None:
            with (self.state / "ledger.db-wal").open("r+b") as file:
                file.truncate(log)
        self.database.close()
        shutil.rmtree(before)
        self.stale += self.running
        self.running = []
        self.begin()
        self.model.recover(self.now)
        self.ledger.recover(self.now, lambda kind, _: most(kind))

    @precondition(lambda self: self.running)
    @rule(really=st.integers(0, 3))
    def killed(self, really: int) -> None:
        if not really:
            self.kill()

    def perhaps_killed(self, at: float | None, verb: Callable[[], None]) -> None:
        """Do it; `at`: be killed in the middle of its commit, of which so much is there. Then nothing has happened."""
        if at is None:
            verb()
            return
        log = self.state / "ledger.db-wal"
        before, model, running = log.stat().st_size, deepcopy(self.model), list(self.running)
        cursor, uid = self.cursor, self.next_uid
        verb()
        size = log.stat().st_size
        if size <= before:  # it has begun anew
            return
        self.model, self.running, self.cursor, self.next_uid = model, running, cursor, uid
        self.kill(before + int(at * (size - before)))

    # --- verbs ------------------------------------------------------------------------------------------------------

    at = st.sampled_from([None] * 12 + [0.0, 0.3, 0.7, 0.999])  #: how much of a commit is written before a kill

    @rule(contents=st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True), at=at)
    def receive(self, contents: list[int], at: float | None) -> None:
        self.perhaps_killed(at, lambda: self.take_in(contents))

    def take_in(self, contents: list[int]) -> None:
        arrivals = []
        for content in contents:
            arrivals.append(self.arrival(content, self.next_uid))
            self.model.receive(content, arrivals[-1].key, self.now)
            self.next_uid += 1
        self.cursor = replace(self.cursor, next_uid=self.next_uid)
        doubles = self.folders.receive(self.cursor, arrivals, [], self.now)
        fresh = set(self.model.known.values())
        assert {one.key for one in doubles} == {one.key for one in arrivals} - fresh
        self.model.advance(self.now)

    def arrival(self, content: int, uid: int) -> Arrival:
        return Arrival(
            place=Place("a", "INBOX", self.uidvalidity, uid),
            key=f"{self.uidvalidity}-{uid}",
            received=datetime.fromtimestamp(self.now, UTC),
            size=10,
            message_id=f"<{content}@example.org>",
            digest=f"digest {content}",
            body_digest=f"body {content}",
        )

    @precondition(lambda self: self.model.mails)
    @rule(contents=st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True))
    def remake(self, contents: list[int]) -> None:
        """The folder is deleted and made anew, with some of its mails in it."""
        self.uidvalidity += 1
        anchor = Anchor(self.uidvalidity, 1, reset_uid=len(contents) + 1)
        self.cursor = self.folders.anchor(self.cursor, anchor, self.now)
        self.next_uid = 1
        self.take_in(contents)

    @precondition(lambda self: any(map(self.ready, Kind)))
    @rule(data=st.data(), most=st.integers(1, 4), at=at)
    def claim(self, data: st.DataObject, most: int, at: float | None) -> None:
        kind = data.draw(st.sampled_from([kind for kind in Kind if self.ready(kind)]), "kind")
        self.perhaps_killed(at, lambda: self.claim_from_all(kind, most))

    @precondition(lambda self: self.ready(Kind.UNPACK))
    @rule(data=st.data())
    def find_handlers(self, data: st.DataObject) -> None:
        """All mails that wait for it are taken apart, and more than nothing is wanted."""
        self.claim_from_all(Kind.UNPACK, 9)
        for work in [work for work in self.running if work.kind is Kind.UNPACK]:
            plan = data.draw(st.sampled_from([name for name in PLANS if name != "nothing"]), "plan")
            self.end(work, Outcome(Verdict.DONE, plan=PLANS[plan]))

    def claim_from_all(self, kind: Kind, most: int) -> None:
        lanes = {lane.name: most for lane in self.ledger.lanes(kind)}
        works = self.ledger.claim(kind, self.now, lanes)
        ready = self.ready(kind)
        self.claimed(works, ready)
        for lane in {self.lane(item) for item in ready}:
            assert sum(self.lane(self.item(work)) == lane for work in works) == min(
                most, sum(self.lane(item) == lane for item in ready)
            )

    @precondition(lambda self: self.ready(Kind.JOB))
    @rule()
    def answer(self) -> None:
        """All handlers that are due answer their mail."""
        self.claim_from_all(Kind.JOB, 9)
        for work in [work for work in self.running if work.kind is Kind.JOB]:
            self.end(work, Outcome(Verdict.DONE, actions=(FLAG,), postings=(posting(work),)))

    @precondition(lambda self: self.ready(Kind.SEND))
    @rule(marked=st.booleans(), verdict=st.sampled_from([None, *VERDICTS[Kind.SEND]]))
    def send(self, marked: bool, verdict: Verdict | None) -> None:
        """A letter goes out, perhaps so far that it may have arrived; or the daemon is killed then."""
        self.claim_from_all(Kind.SEND, 1)
        for work in [work for work in self.running if work.kind is Kind.SEND]:
            if marked:
                self.outgoing.mark([work])
                self.item(work).crashes += 1
            if verdict:
                self.end(work, Outcome(verdict))
        if not verdict:
            self.kill()

    @precondition(lambda self: self.ready(Kind.JOB))
    @rule(name=st.sampled_from(["one", "two", "serial"]), most=st.integers(1, 4))
    def claim_lot(self, name: str, most: int) -> None:
        ready = [item for item in self.ready(Kind.JOB) if item.name == name]
        works = self.ledger.claim_lot(Kind.JOB, self.now, name, most)
        assert bool(works) == bool(ready)
        assert len(works) <= most
        assert len(works) <= 1 or not any(work.crashes for work in works)
        self.claimed(works, ready)

    def claimed(self, works: list[Work], ready: list[Item]) -> None:
        for work in works:
            item = self.item(work)
            assert item in ready, f"{work} was not due"
            self.model.claim(item)
            assert (work.attempt, work.crashes) == (item.attempts, item.crashes)
            self.running.append(work)

    def ready(self, kind: Kind) -> list[Item]:
        waiting = [item for item in self.model.items if item.kind is kind and item.status is Status.WAITING]
        return [item for item in waiting if item.due is not None and item.due <= self.now]

    def lane(self, item: Item) -> str:
        return {Kind.UNPACK: "", Kind.JOB: item.name, Kind.AFTER: "a", Kind.SEND: "relay"}[item.kind]

    def item(self, work: Work) -> Item:
        (row,) = self.database.read(
            "SELECT key, kind, chain, name, target FROM work JOIN mail ON mail.id = mail WHERE work.id = ?", (work.id,)
        )
        (item,) = [
            one for one in self.model.items if (one.key, one.kind, one.chain, one.name, one.target) == tuple(row)
        ]
        return item

    @precondition(lambda self: self.running)
    @rule(data=st.data(), at=at, relay=st.booleans())
    def finish(self, data: st.DataObject, at: float | None, relay: bool) -> None:
        work = data.draw(st.sampled_from(self.running), "work")
        verdict = data.draw(st.sampled_from(VERDICTS[work.kind]), "verdict")
        plan = data.draw(st.sampled_from(sorted(PLANS)), "plan") if work.kind is Kind.UNPACK else "nothing"
        letter = work.kind is Kind.JOB and verdict is Verdict.DONE and data.draw(st.booleans(), "letter")
        outcome = Outcome(
            verdict,
            "why",
            plan=PLANS[plan] if verdict is Verdict.DONE else Plan(),
            actions=(FLAG,) if letter else (),
            postings=(posting(work),) if letter else (),
        )
        self.perhaps_killed(at, lambda: self.end(work, outcome, relay=relay))

    def end(self, work: Work, outcome: Outcome, *, relay: bool = False) -> None:
        item = self.item(work)
        decision = decide(outcome, work, POLICY, self.now)
        self.running.remove(work)
        self.model.end(item, work.crashes, outcome, decision, self.now)
        if relay:
            ready = self.ready(work.kind)
            accepted, following = self.ledger.relay(work, outcome, decision, self.now, self.lane(item)).result()
            self.claimed(following, ready)
        else:
            accepted = self.ledger.finish(work, outcome, decision, self.now)
        assert accepted

    @precondition(lambda self: self.stale)
    @rule(data=st.data())
    def finish_late(self, data: st.DataObject) -> None:
        """What an earlier life had claimed is fenced off; unless this one has claimed the same attempt's successor."""
        work = data.draw(st.sampled_from(self.stale), "work")
        if work.attempt < self.item(work).attempts or self.item(work).status is not Status.RUNNING:
            assert not self.ledger.finish(work, Outcome(Verdict.DONE), Decision(Status.DONE), self.now)

    @precondition(lambda self: any(item.status is Status.DEAD for item in self.model.items))
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        """A person brings dead work back."""
        index = data.draw(st.sampled_from([n for n, one in enumerate(self.model.items) if one.status is Status.DEAD]))
        item = self.model.items[index]
        rows = self.database.read(
            "SELECT work.id FROM work JOIN mail ON mail.id = mail "
            "WHERE key = ? AND kind = ? AND chain = ? AND name = ? AND target = ?",
            (item.key, item.kind, item.chain, item.name, item.target),
        )
        self.desk.retry(rows[0]["id"], self.now)
        item.status, item.due = Status.WAITING, self.now if item.line is None else None
        item.pardoned, item.crashes = item.attempts, 0
        self.model.advance(self.now)

    @rule(seconds=st.sampled_from([0.5, 40.0, 500.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    # --- what must be so --------------------------------------------------------------------------------------------

    @invariant()
    def agree(self) -> None:
        rows = sorted(map(tuple, self.database.read(WORK)), key=repr)
        assert rows == sorted((item.row() for item in self.model.items), key=repr)

    @invariant()
    def settled_when_nothing_is_left(self) -> None:
        settled = {
            row["key"]: row["settled_at"] is not None for row in self.database.read("SELECT key, settled_at FROM mail")
        }
        assert settled == {item.key: self.model.settled(item.mail) for item in self.model.items}

    def bring_to_end(self) -> None:
        """From whatever state: if all goes well from now on, nothing is left over."""
        for work in list(self.running):
            self.end(work, Outcome(Verdict.DONE))
        while any(item.status is Status.WAITING and item.due is not None for item in self.model.items):
            self.now += 1e6
            for kind in Kind:
                self.claim_from_all(kind, 100)
                for work in list(self.running):
                    self.end(work, Outcome(Verdict.DONE))
            self.agree()
        left = [item for item in self.model.items if item.open]
        dead = {item.mail for item in self.model.items if item.status is Status.DEAD}
        assert all(item.kind is Kind.AFTER for item in left), left
        assert all(item.chain != "then" or item.mail in dead for item in left), left


def posting(work: Work) -> Posting:
    return Posting(f"letter-{work.id}", "relay", "one", "us@example.org", PEERS, f"<{work.id}@x>", "digest", 10)


@pytest.mark.parametrize(
    ("runs", "steps"),
    [pytest.param(80, 50, id="80"), pytest.param(2000, 50, id="2000", marks=pytest.mark.soak)],
)
@pytest.mark.timeout(3600)
def test_ledger_and_model_agree(runs: int, steps: int) -> None:
    every = settings(
        max_examples=runs,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink] if runs > 100 else [Phase.generate],
    )
    run_state_machine_as_test(Life, settings=every)
