"""
Contract 1 from the handler's side: mails that each handler must bear, and what it must do with none of them.

The cases are data (`samples`); `conform` takes each mail apart as the daemon does, runs the handler on it, and looks at
what came of it. A handler may refuse an odd mail (exit 65 and the like), but to fail on it as if that might pass, to
hang or to let a shell read it is a fault.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from watcher.jobs.dispatch import Dispatcher
from watcher.jobs.samples import CANARY, CASES, Case
from watcher.mail.unpack import unpack
from watcher.model import Envelope, Kind, MailFolder, Outcome, Place, Verdict, Work

__all__ = ["CASES", "Case", "Finding", "conform"]

#: What is wrong with a run that ends in a way that its case does not accept.
FAULTS: Mapping[Verdict, str] = {
    Verdict.LATER: "it fails as if that might pass, so it would run again and again",
    Verdict.CRASHED: "it crashed",
    Verdict.HOLD: "it can't run",
    Verdict.NEVER: "it refuses a mail that has nothing odd",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one case."""

    case: Case
    outcomes: tuple[Outcome, ...]  #: of each attempt
    fault: str  #: what is against the contract, in one line; "" if nothing is


def conform(dispatcher: Dispatcher, spool: Path, handler: str, cases: Iterable[Case] = ()) -> Iterator[Finding]:
    """
    Run `handler` on the mail of each case (all of `CASES` if none are given) and tell what is against the contract.

    `spool` is the directory of mail folders that `dispatcher` works on; the mails are put there and left there. Its
    effects are real: let it work on things made for that. Raises OSError if the spool can't be written, Unreadable.
    """
    canary = spool.parent / "a-shell-has-read-the-mail"
    for number, case in enumerate(cases or CASES, 1):
        work = _prepare(case, number, spool, handler, canary)
        folder = MailFolder(spool / work.key)
        before = _content(folder.path)
        dispatcher.forget()  # one that fails often would not be run any more
        runs = range(1, case.attempts + 1)
        outcomes = [dispatcher.run(replace(work, attempt=attempt, tries=attempt)) for attempt in runs]
        fault = _fault(case, outcomes)
        if canary.exists():
            canary.unlink()
            fault = "it lets a shell read text of the mail, so anyone who can send it a mail can run anything"
        elif not fault and _content(folder.path) != before:
            fault = "it changed the mail folder, which other handlers are to find as it is"
        yield Finding(case, tuple(outcomes), fault)


def _fault(case: Case, outcomes: list[Outcome]) -> str:
    for number, outcome in enumerate(outcomes, 1):
        if outcome.verdict not in case.accepted:
            what = FAULTS[outcome.verdict]
            when = f" when it runs again with the same key ({number} of {case.attempts})" if number > 1 else ""
            return f"{what}{when}: {outcome.reason or 'it says no reason'}"
    return ""


def _prepare(case: Case, number: int, spool: Path, handler: str, canary: Path) -> Work:
    """Put the mail into the spool and take it apart."""
    mail = case.mail.replace(CANARY, bytes(canary))
    key = f"{sha256(mail).hexdigest()[:24]}{number:08}"
    folder = MailFolder(spool / key)
    folder.path.mkdir(mode=0o700)
    folder.raw.write_bytes(mail)
    now = datetime.now(UTC)
    place = Place("conform", "INBOX", 1, number)
    unpack(folder, Envelope(key, place.account, place.folder, place.uidvalidity, place.uid, now))
    return Work(number, Kind.JOB, handler, "", number, key, place, now, sha256(mail).hexdigest(), 1, 1, 0, time.time())


def _content(folder: Path) -> dict[str, bytes]:
    """Digests of all files of a mail folder, by their path in it."""
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).digest()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }
