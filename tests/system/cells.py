"""
Cells of the network matrix, tried on a daemon: a kind of fault, and the phase of the talk in which it strikes.

Each account lies behind a fault proxy and a host name of its own, so that a cell can be tried on each at the same time:
the daemon's gates and backoffs are kept for each host.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from time import monotonic

from tests.fakes.fault_proxy import Fault, FaultProxy, Phase
from tests.fakes.names import Names
from tests.system.daemon import Daemon, Watched
from tests.system.dovecot import Dovecot
from tests.system.holdings import Holdings, holdings
from tests.system.mails import KINDS, mail

__all__ = ["PROMISED", "Cell", "Front", "front", "try_cells"]

PROMISED = 90.0  #: seconds from healing until new mail is handled, at most
BROKEN = 5.0  #: seconds for which a line stays broken after the mail has come, so that it is met more than once
STRIKES = 120.0  #: seconds until the daemon comes to any phase: it says LOGOUT when a link was unused for 30 to 45 s

RENEW = 'renew = "5s"'  #: an IDLE is renewed, and a dead link found, within seconds

log = logging.getLogger(__name__)

BEFORE_IDLE = {Phase.CONNECT, Phase.TLS, Phase.GREETING, Phase.LOGIN, Phase.SELECT}
BY_MAIL = {Phase.FETCH, Phase.STORE, Phase.LOGOUT}


@dataclass(frozen=True, slots=True)
class Cell:
    """What strikes, and where."""

    fault: Fault
    phase: Phase

    def __str__(self) -> str:
        return f"{self.fault}-{self.phase}".replace("_", "-")


@dataclass
class Front:
    """A daemon, and before each of its accounts a proxy."""

    daemon: Daemon
    server: Dovecot
    proxies: dict[str, FaultProxy]  #: by the account's name, which is also that of its user
    cases: list[int] = field(default_factory=list)  #: of all mails so far
    healed: list[tuple[Cell, float]] = field(default_factory=list)  #: seconds from healing until all was handled
    _numbers: Iterator[int] = field(default_factory=lambda: count(0, len(KINDS)))  # all of the first kind: small

    def deliver(self, account: str) -> int:
        """One small mail; its number."""
        case = next(self._numbers)
        self.cases.append(case)
        self.server.deliver(account, mail(case).raw)
        return case

    def warm_up(self) -> Holdings:
        """A mail for each account, so that all that is started lazily has started; what the daemon then holds."""
        self.daemon.until(self.daemon.is_live, 60, "all links to idle")
        first = [self.deliver(account) for account in self.proxies]
        self.daemon.settled(first, within=60)
        return holdings(self.daemon.pid)

    def endure(self, account: str, cell: Cell) -> None:
        """Break the line, deliver while it is broken, heal it, and wait for the mail."""
        proxy = self.proxies[account]
        proxy.arm(cell.fault, cell.phase)
        try:
            if cell.phase in BEFORE_IDLE:
                proxy.drop()
            cases = [self.deliver(account)] if cell.phase in BY_MAIL else []
            self.daemon.until(lambda: proxy.struck, STRIKES, f"{cell} to strike")
            cases.append(self.deliver(account))
            self.daemon.ends_within(BROKEN)
        finally:
            proxy.heal()
        healed = monotonic()
        self.daemon.handled(cases, PROMISED)
        self.healed.append((cell, monotonic() - healed))

    def leaves_nothing(self, before: Holdings, later: int = 0) -> None:
        """
        Wait until the daemon holds one link for each account, and nothing else that it did not hold before, but for
        so many threads of its pools as may have been started since.
        """
        allowed = replace(before, threads=before.threads + later)

        def tidy() -> bool:
            now = holdings(self.daemon.pid)
            return now.links == len(self.proxies) and not now.beyond(allowed)

        try:
            self.daemon.until(tidy, PROMISED, "the end of what was left over")
        except TimeoutError as error:
            error.add_note(f"before: {before}, now: {holdings(self.daemon.pid)}")
            raise


def try_cells(home: Path, server: Dovecot, cells: Sequence[Cell]) -> list[str]:
    """
    All these cells at once, an account of one daemon for each, all of them users of the server: what went wrong, in
    words. How long each took is logged.
    """
    with front(home, server, map(str, cells)) as tried:
        before = tried.warm_up()
        with ThreadPoolExecutor(len(cells)) as hands:
            tries = {cell: hands.submit(tried.endure, str(cell), cell) for cell in cells}
        log.info("seconds from healing: %s", ", ".join(f"{cell} {took:.0f}" for cell, took in tried.healed))
        if wrong := [f"{cell}: {error!r}" for cell, one in tries.items() if (error := one.exception())]:
            return [*wrong, tried.daemon.log()]
        tried.daemon.until(tried.daemon.is_live, PROMISED, "all links to idle again")
        tried.leaves_nothing(before)
        jobs = tried.daemon.settled(tried.cases, within=60)
        return tried.daemon.verdict(tried.cases, jobs, tried.daemon.unseen())


@contextmanager
def front(home: Path, server: Dovecot, accounts: Iterable[str], settings: str = "") -> Iterator[Front]:
    """A daemon with further `settings` that watches these users of the server, each through a fault proxy."""
    with ExitStack() as stack:
        names = Names(home / "names")
        proxies = {
            account: stack.enter_context(FaultProxy(server.port, server.authority, name=f"{account}.test", names=names))
            for account in accounts
        }
        watched = [
            Watched(account, relay=(proxy.name, proxy.port), settings=RENEW) for account, proxy in proxies.items()
        ]
        threads = f"links = {max(8, len(watched))}\n"  # those of dark hosts, and some for the others
        daemon = Daemon(home, server, watched, settings=threads + settings, package=names.directory)
        yield Front(stack.enter_context(daemon), server, proxies)
