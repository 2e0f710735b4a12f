"""
Links to accounts, and what their servers have refused: known to all links of an account, so that one wrong password is
tried twice and not by each of them. Servers lock accounts for less.
"""

import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace

from watcher.config.accounts import Account
from watcher.config.providers.causes import REMEDIES, Cause, Remedy
from watcher.config.secret import Secret
from watcher.errors import LoginHeld, LoginNeeded, LoginRefused, MailboxLost, SecretUnavailable, ServerUntrusted
from watcher.imap.link import Link
from watcher.inbox.patience import Patience

__all__ = ["Access", "again"]

#: Seconds that the next try of a refused secret may take; the other links of the account wait for what comes of it.
TRIAL = 120.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """What came of the last login that was refused. Times are monotonic seconds."""

    secret: Secret
    error: LoginRefused
    count: int  #: refusals in a row
    at: float
    due: float  #: when the same secret may be tried again


@dataclass(slots=True)
class Known:
    """What the logins of an account have taught us, until it is forgotten: then there is another one of these."""

    refusal: Refusal | None = None
    way: str = ""  #: the mechanism by which it was let in


def again(error: LoginRefused, count: int, patience: Patience) -> float:
    """
    Seconds until the same secret may be shown again, after so many refusals in a row.

    A token is replaced at once, and only a second refusal counts. A password is tried once more, since some servers
    are wrong now and then (QQ, Yandex, Yahoo), and then hardly ever.
    """
    if REMEDIES.get(cause_of(error)) is Remedy.REFRESH:
        count -= 1
    if count == 0:
        return 0.0
    return (error.wait or patience.refused[0]) if count == 1 else patience.refused[1]


class Access:
    """`dial` makes a link: of an account, by a secret, by the mechanism it was let in with before or ""."""

    def __init__(self, dial: Callable[[Account, Secret, str], Link], patience: Patience | None = None) -> None:
        self.dial = dial
        self.patience = patience or Patience()
        self.lock = threading.Lock()
        self.known: dict[str, Known] = {}  #: by account
        self.links: weakref.WeakKeyDictionary[Link, str] = weakref.WeakKeyDictionary()  #: whose each is

    def open(self, account: Account) -> Link:
        """
        A link that is logged in; the secret is asked for each time, since it may have changed.

        Raises MailboxLost, ServerUntrusted, SecretUnavailable, LoginRefused; LoginHeld without having asked the server.
        """
        known = self.known.setdefault(account.name, Known())
        secret, began = self.secret_of(account), time.monotonic()
        self.reserve(known, secret, began)
        try:
            link = self.dial(account, secret, known.way)
        except LoginRefused as error:
            if self.known.get(account.name) is not known:
                raise MailboxLost(f"{account.name} was let go while we logged in") from error
            if self.note(known, secret, error, began) == 1 and cause_of(error) is Cause.TOKEN:
                account.secret.reject(secret)
            raise
        with self.lock:
            if self.known.get(account.name) is known:
                known.refusal, known.way = None, link.mechanism
                self.links[link] = account.name
                return link
        link.close()
        raise MailboxLost(f"{account.name} was let go while we logged in")

    def abort(self) -> None:
        """Cut all links, so that nobody who is busy with one holds up the end."""
        with self.lock:
            links = list(self.links)
        for link in links:
            link.abort()

    def forget(self, name: str) -> None:
        """The account is gone or another one now: cut its links, and hold nothing against it any more."""
        with self.lock:
            self.known.pop(name, None)
            links = [link for link, of in self.links.items() if of == name]
        for link in links:
            link.abort()

    def wait(self, account: Account, error: LoginRefused | SecretUnavailable, now: float) -> float:
        """Seconds after `error`, in which `open` has ended, until another try is worth a look."""
        refusal = self.refusal_of(account)
        if refusal is None or isinstance(error, LoginNeeded | SecretUnavailable):  # the server was not asked
            return self.patience.look_for_secret
        return max(0.0, refusal.due - now)

    def may_open(self, account: Account, now: float) -> bool:
        """Whether a try is worth it: there is a secret, and not the refused one, or that one's time has come."""
        try:
            secret = self.secret_of(account)
        except (SecretUnavailable, LoginNeeded, ServerUntrusted):
            return False
        refusal = self.refusal_of(account)
        return refusal is None or refusal.due <= now or refusal.secret != secret

    def refusal_of(self, account: Account) -> Refusal | None:
        """The last one, None if a login has gone well since."""
        known = self.known.get(account.name)
        return known.refusal if known else None

    def secret_of(self, account: Account) -> Secret:
        """Raises SecretUnavailable, LoginNeeded, ServerUntrusted; none of them tells anything of the mail server."""
        try:
            return account.secret.fetch()
        except LoginNeeded:
            raise
        except LoginRefused as error:  # by who gives out tokens
            raise SecretUnavailable(str(error)) from error

    def reserve(self, known: Known, secret: Secret, now: float) -> None:
        """The next try of a secret that was refused; the others wait for what comes of it. Raises LoginHeld."""
        with self.lock:
            last = known.refusal
            if last is None or last.secret != secret:
                return
            if now < last.due:
                raise LoginHeld(str(last.error), last.error.code, cause=last.error.cause, wait=last.due - now)
            known.refusal = replace(last, due=now + TRIAL)

    def note(self, known: Known, secret: Secret, error: LoginRefused, began: float) -> int:
        """Which refusal in a row this is. Logins that ran side by side are refused once, as it were."""
        with self.lock:
            last, now = known.refusal, time.monotonic()
            same = last is not None and last.secret == secret
            if last and same and last.at > began:
                return last.count
            count = last.count + 1 if last and (same or cause_of(error) is Cause.TOKEN) else 1
            known.refusal = Refusal(secret, error, count, now, now + again(error, count, self.patience))
            return count


def cause_of(error: LoginRefused) -> Cause:
    return Cause(error.cause) if error.cause else Cause.CREDENTIALS
