"""One account looked over, step by step, over the network. Each step needs those before it."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from watcher.cli.cure import cure
from watcher.cli.doctor.findings import Finding, Mark, of_chain, of_clock, of_features, of_transport, source
from watcher.cli.doctor.testmail import TestMail, ahead, test_folder, wait
from watcher.config.accounts import Account
from watcher.config.providers.catalogue import GENERIC
from watcher.config.secret import Secret
from watcher.errors import ActionRefused, FolderRefused, IdleRefused, MailboxLost, ServerUntrusted, WatcherError
from watcher.imap.probe import Probe, Trial
from watcher.printing import printable
from watcher.renewal import FIRST
from watcher.store.glance import learnt_interval

__all__ = ["Trials", "examine"]

PATTERN = frozenset("*%")

#: Folders that are told one by one, if all is well with them.
FEW = 8

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Trials:
    """How far the examination may go."""

    folder: str  #: to put a mail into, made and removed again; "" to change nothing on the server
    timeout: float  #: seconds for each step
    sending: bool = False  #: how it sends is looked at as well
    circle: bool = False  #: a mail is sent to the account itself


def examine(account: Account, state: Path, trials: Trials) -> Iterator[Finding]:
    """What is found out, step by step; ends with the first step that fails and that the others need."""
    examination = Examination(account, state, trials)
    try:
        yield from examination.steps()
    except WatcherError as error:
        step = examination.step
        text = ": ".join(filter(None, (str(error), cure(step, error, account.profile))))
        yield Finding(step, Mark.FAILED, text, examination.elapsed)
        if step == "tls" and isinstance(error, ServerUntrusted):
            yield from examination.evidence()
    finally:
        examination.opened.close()


class Examination:
    """See `examine`."""

    def __init__(self, account: Account, state: Path, trials: Trials) -> None:
        self.account = account
        self.state = state
        self.trials = trials
        self.opened = ExitStack()
        self.step = "config"  #: that runs
        self._began = time.monotonic()

    def steps(self) -> Iterator[Finding]:
        yield self._settings()
        probe = Probe(self.account, self.trials.timeout)
        self.opened.callback(probe.close)
        yield from self._path(probe)
        yield from self._talk(probe)
        secret = self._do("token" if self.account.token else "password", self.account.secret.fetch)
        yield self._well(f"from {source(self.account)}")
        link = self._do("login", lambda: probe.login(secret))
        yield self._well(f"as {printable(self.account.user)}, by {link.mechanism}")
        if "ID" in link.capabilities:
            name = self._do("id", probe.introduce)
            yield self._well(name or "the server took our name and tells none")
        yield of_features(link.capabilities, self.account.profile)
        if self.account.compress:
            yield self._compression(link)
        yield from self._folders(link)
        if self.trials.folder:
            yield from self._push(link, secret)
        yield self._renewal(link)

    def evidence(self) -> Iterator[Finding]:
        """What the server has shown that was not trusted, if it shows that once more."""
        with suppress(WatcherError):  # what is wrong is told already
            yield from of_chain(Probe(self.account, self.trials.timeout).shown())

    # --- timing ---

    def _do(self, step: str, act: Callable[[], _T]) -> _T:
        self.step, self._began = step, time.monotonic()
        return act()

    @property
    def elapsed(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self._began

    def _well(self, text: str) -> Finding:
        return Finding(self.step, Mark.WELL, text, self.elapsed)

    # --- before login ---

    def _settings(self) -> Finding:
        account = self.account
        way = "TLS from the first byte" if account.tls == "implicit" else "STARTTLS"
        known = account.profile.name != GENERIC
        text = f"{account.path}, {way}, {account.profile.title if known else 'of no known provider'}"
        return Finding("config", Mark.WELL, text)

    def _path(self, probe: Probe) -> Iterator[Finding]:
        found = self._do("dns", probe.addresses)
        target = probe.endpoint.proxy or probe.endpoint
        whose = " (the proxy)" if probe.endpoint.proxy else ""
        told = "is an address, no name" if found == [target.host] else f"is {', '.join(found)}"
        yield self._well(f"{target.host}{whose} {told}")
        dead: list[MailboxLost] = []
        for address in found:
            try:
                self._do("tcp", lambda address=address: probe.reach(address))  # type: ignore[misc]
            except MailboxLost as error:
                dead.append(error)
                if len(dead) == len(found):
                    raise
                yield Finding("tcp", Mark.DOUBT, f"{error}; each connect may lose 2 s on this address", self.elapsed)
            else:
                yield self._well(f"{address} port {target.port}")

    def _talk(self, probe: Probe) -> Iterator[Finding]:
        self._do("tcp", probe.dial)
        if probe.endpoint.proxy:
            yield self._well(f"the proxy connects us to {self.account.host}:{self.account.port}")
        steps = (self._tls, self._greeting)
        for step in steps if probe.endpoint.tls == "implicit" else reversed(steps):
            yield step(probe)
        ways = [word.removeprefix("AUTH=") for word in probe.capabilities() if word.startswith("AUTH=")]
        yield Finding("offers", Mark.WELL, f"login by {', '.join(ways) or 'LOGIN'}")

    def _tls(self, probe: Probe) -> Finding:
        transport = self._do("tls", probe.secure)
        return replace(of_transport(transport, self.account.host, datetime.now(UTC)), took=self.elapsed)

    def _greeting(self, probe: Probe) -> Finding:
        words = self._do("greeting", probe.greet)
        return self._well(words)

    def _compression(self, link: Trial) -> Finding:
        if "COMPRESS=DEFLATE" in link.capabilities and self._do("compress", link.compress):
            return self._well("both sides compress what they say")
        return Finding("compress", Mark.DOUBT, "the server does not want to; all is said as it is")

    # --- folders ---

    def _folders(self, link: Trial) -> Iterator[Finding]:
        names: dict[str, None] = {}
        for name in self.account.folders:
            if PATTERN & set(name):
                found = self._do("folders", lambda name=name: link.list_folders(name))  # type: ignore[misc]
                yield self._expanded(name, found)
                names |= dict.fromkeys(sorted(found))
            else:
                names[name] = None
        findings = [self._folder(link, name) for name in names]
        well = [finding for finding in findings if finding.mark is Mark.WELL]
        if len(well) > FEW:
            yield Finding("folder", Mark.WELL, f"{len(well)} folders can be opened, each with UIDVALIDITY and UIDNEXT")
        yield from (finding for finding in findings if finding not in well or len(well) <= FEW)

    def _expanded(self, pattern: str, found: list[str]) -> Finding:
        if found:
            some = ", ".join(map(printable, sorted(found)[:FEW]))
            more = f" and {len(found) - FEW} more" if len(found) > FEW else ""
            return self._well(f"{printable(pattern)} stands for {some}{more}")
        return Finding("folders", Mark.FAILED, f"{printable(pattern)} fits no folder on the server", self.elapsed)

    def _folder(self, link: Trial, name: str) -> Finding:
        try:
            mailbox = self._do("folder", lambda: link.examine(name))
        except FolderRefused as error:
            there = link.list_folders("*")
            known = "" if name in there else f"; there are: {', '.join(map(printable, sorted(there)[:20]))}"
            return Finding("folder", Mark.FAILED, f"{error}{known}", self.elapsed)
        told = [f"{printable(name)}: {mailbox.exists} mails", f"UIDVALIDITY {mailbox.uidvalidity}"]
        if not mailbox.uidvalidity:
            text = f"{told[0]}; the server gives no UIDVALIDITY: a re-made folder is not noticed"
            return Finding("folder", Mark.DOUBT, text, self.elapsed)
        unknown = "no UIDNEXT, so the last UID is asked for"
        told.append(unknown if mailbox.uidnext is None else f"UIDNEXT {mailbox.uidnext}")
        return self._well(", ".join(told))

    # --- a mail and its push ---

    def _push(self, link: Trial, secret: Secret) -> Iterator[Finding]:
        folder = self.trials.folder
        self._do("append", lambda: None)
        second = Probe(self.account, self.trials.timeout)
        try:
            other = second.link(secret)
            mail = TestMail(self.account.address)
            with test_folder(other, folder, mail) as kept:
                yield from self._watch(link, other, folder, mail)
        except ActionRefused as error:
            text = f"{error}; name another test folder with --folder, or leave this out with --no-write"
            yield Finding(self.step, Mark.DOUBT, text, self.elapsed)
        else:
            if kept:
                yield Finding("append", Mark.WELL, f"{printable(folder)} was there before and stays, without our mail")
        finally:
            second.close()

    def _watch(self, link: Trial, other: Trial, folder: str, mail: TestMail) -> Iterator[Finding]:
        """Has `other` put a mail into the folder, and `link` tell of it."""
        link.examine(folder)
        idle = link.can_idle
        if idle:
            try:
                self._do("idle", link.start_idle)
            except IdleRefused as error:
                idle = False
                yield Finding("idle", Mark.DOUBT, f"{error}: asked every {self.account.poll:.0f} s instead")
        sent = time.time()
        self._do("append", lambda: other.append(folder, mail.lines))
        yield self._well(f"a mail put into {printable(folder)}, to be removed again")
        if idle:
            yield self._pushed(link)
        else:
            self._do("clock", link.noop)
        for summary in mail.among(link):
            yield of_clock(ahead(summary.received.timestamp(), sent, time.time()))

    def _pushed(self, link: Trial) -> Finding:
        """Waits for the push, and leaves IDLE. The step "idle" began with the APPEND."""
        self.step = "idle"
        heard = wait(link, link.hear, self.trials.timeout)
        took = self.elapsed
        link.end_idle()
        if not wait(link, link.idle_ended, self.trials.timeout):
            raise MailboxLost(f"{self.account.host}: no answer to the end of IDLE")
        if heard:
            return Finding("idle", Mark.WELL, "the push came", took)
        text = f"no push within {took:.0f} s, though the server offers IDLE: mails come late; set `poll` lower"
        return Finding("idle", Mark.FAILED, text, took)

    # --- what was learnt ---

    def _renewal(self, link: Trial) -> Finding:
        if not link.can_idle:
            return Finding("renewal", Mark.WELL, f"nothing to renew; asked every {self.account.poll:.0f} s")
        learnt = learnt_interval(self.state, self.account.path)
        interval = min(learnt or FIRST, self.account.renew)
        known = "as learnt" if learnt else "the first guess; nothing is learnt of this path yet"
        return Finding("renewal", Mark.WELL, f"IDLE is renewed after {interval:.0f} s ({known})")
