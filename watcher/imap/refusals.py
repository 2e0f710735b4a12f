"""
What the server means when it does not do as it was asked. Pure.

The response code counts first, then words that are known (they stand in the provider profiles), then what was being
done. What kind of exception brought the news never counts: a library makes a failed login of a server that shuts down.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from watcher.config.providers.catalogue import generic, hint, refusals
from watcher.config.providers.causes import REMEDIES, Cause, Remedy
from watcher.config.providers.profile import Profile, Refusal
from watcher.imap.signals import Reply

__all__ = ["LONGEST_HINT", "Phase", "Signal", "meaning", "worded"]

#: Seconds of a server's own hint that are waited at once; it may ask again.
LONGEST_HINT = 300.0


class Phase(StrEnum):
    """What was being done."""

    GREETING = "greeting"  #: nothing has been asked yet
    LOGIN = "login"  #: with a password or certificate
    TOKEN = "token"  # noqa: S105 a word  #: login with an access token
    FOLDER = "folder"  #: opening a folder
    COMMAND = "command"  #: anything else, IDLE included


@dataclass(frozen=True, slots=True)
class Signal:
    """What a refusal means."""

    cause: Cause  #: what it is about
    wait: float | None  #: seconds before the next try, as the server asks or its provider is known to need; else None
    words: str  #: what a person may do about it, one line

    @property
    def remedy(self) -> Remedy:
        """What to do about it."""
        return REMEDIES[self.cause]

    @property
    def passes(self) -> bool:
        """Whether it is about the server or the moment: the same request may well succeed later, on a new link."""
        return self.remedy not in _ABOUT_US and self.cause is not Cause.DIALECT


#: For these a person must act, or what was asked for is not to be had.
_ABOUT_US = frozenset({Remedy.STOP, Remedy.FIX, Remedy.PARK})

_WRONG = (
    Cause.CREDENTIALS,
    Cause.APP_PASSWORD,
    Cause.OAUTH,
    Cause.IMAP_OFF,
    Cause.EXPIRED,
    Cause.CONFIRM,
    Cause.FORBIDDEN,
    Cause.TOKEN,
)

#: What a response code can be about (RFC 5530 3, RFC 9051 7.1; WEBALERT is Gmail's, THROTTLED is not standard).
#: Words may choose among these and nothing else; the first holds if none do. ALERT and others leave all open.
_CODES: Mapping[str, tuple[Cause, ...]] = {
    "AUTHENTICATIONFAILED": _WRONG,
    "AUTHORIZATIONFAILED": (Cause.FORBIDDEN, Cause.IMAP_OFF),
    "EXPIRED": (Cause.EXPIRED, Cause.TOKEN),
    "PRIVACYREQUIRED": (Cause.SETTINGS,),
    "CONTACTADMIN": (Cause.FORBIDDEN, Cause.IMAP_OFF),
    "WEBALERT": (Cause.CONFIRM, Cause.APP_PASSWORD),
    # Dovecot's for its limit of connections, too.
    "UNAVAILABLE": (Cause.UNAVAILABLE, Cause.CONNECTIONS, Cause.THROTTLED, Cause.CLOSED),
    "LIMIT": (Cause.CONNECTIONS, Cause.THROTTLED, Cause.QUOTA),
    "THROTTLED": (Cause.THROTTLED, Cause.QUOTA),
    "OVERQUOTA": (Cause.QUOTA, Cause.THROTTLED),
    "INUSE": (Cause.BUSY,),
    "SERVERBUG": (Cause.UNAVAILABLE,),
    "CORRUPTION": (Cause.UNAVAILABLE,),
    "CLIENTBUG": (Cause.DIALECT,),
    "PARSE": (Cause.DIALECT,),
    "EXPUNGEISSUED": (Cause.DIALECT,),
    "NOPERM": (Cause.FOLDER, Cause.FORBIDDEN),
    "NONEXISTENT": (Cause.FOLDER,),
    "CANNOT": (Cause.FOLDER,),
    "TRYCREATE": (Cause.FOLDER,),
}

#: Waits that belong to a cause, in seconds, where neither the server nor the profile tells one.
_WAITS: Mapping[Cause, float] = {
    Cause.BUSY: 60.0,
    Cause.CONNECTIONS: 60.0,
    Cause.THROTTLED: 60.0,
    Cause.QUOTA: 3600.0,
}

_HINT = re.compile(
    r"(?:backoff time:?|(?:try again|retry|wait)(?: after| in| for)?:?) *(\d{1,9}) *(ms|milli|s|m|h)", re.IGNORECASE
)
_SECONDS = {"ms": 0.001, "milli": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def meaning(phase: Phase, told: Reply, profile: Profile | None = None, challenge: str = "") -> Signal:
    """
    What `told`, a NO, BAD or BYE, means to who was doing `phase`.

    `profile`: of the account; its words are looked for first, and its hints are given. `challenge`: what the server
    said before it refused a token (RFC 7628 3.2.2).
    """
    profile = profile or generic()
    words = f"{told.text} {challenge}".casefold()
    possible = _CODES.get(told.code, tuple(Cause))
    known = next((known for known in refusals(profile.name) if known.says in words and known.cause in possible), None)
    asked = _asked(words)
    cause = _cause(phase, told, known, asked)
    wait = asked or (known.wait if known else None) or _WAITS.get(cause)
    return Signal(cause, wait, hint(profile, cause))


def worded(told: Reply, signal: Signal, challenge: str = "") -> str:
    """The server's words, and the cure behind them where there is one."""
    words = f"{told} ({challenge})" if challenge else str(told)
    return words if signal.remedy is Remedy.RECONNECT else f"{words.rstrip('. ')}: {signal.words}"


def _cause(phase: Phase, told: Reply, known: Refusal | None, asked: float | None) -> Cause:
    if known is not None:
        cause = known.cause
    elif told.code in _CODES:
        cause = _CODES[told.code][0]
    elif asked is not None:
        cause = Cause.THROTTLED  # whoever names a time wants to be asked again
    else:
        cause = _by_phase(phase, told.status)
    if phase is Phase.TOKEN and cause in (Cause.CREDENTIALS, Cause.EXPIRED):
        return Cause.TOKEN
    if phase in (Phase.LOGIN, Phase.TOKEN) and cause is Cause.FOLDER:
        return Cause.FORBIDDEN
    return cause


def _by_phase(phase: Phase, status: str) -> Cause:
    """What an unknown answer is about. A login that is refused is taken for wrong: trying on could lock the account."""
    if status == "BYE" or phase is Phase.GREETING:
        return Cause.CLOSED
    if phase in (Phase.LOGIN, Phase.TOKEN):
        return Cause.CREDENTIALS
    if phase is Phase.FOLDER and status == "NO":
        return Cause.FOLDER
    return Cause.DIALECT


def _asked(words: str) -> float | None:
    """The seconds that the server asks to be left alone, as much of them as is waited at once."""
    told = _HINT.search(words)
    return min(LONGEST_HINT, max(1.0, int(told[1]) * _SECONDS[told[2]])) if told else None
