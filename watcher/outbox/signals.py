"""
What a reply of an SMTP server is about, what is done, and what to tell a person. Pure; the knowledge is `replies.toml`.

Words come first, as many servers give one code for everything; then the enhanced code (RFC 3463), which counts more
than the plain one where they disagree; then the phase in which the reply came.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources

from watcher.config.providers import Cause, Profile, hint
from watcher.config.units import parse_duration
from watcher.model import Verdict
from watcher.printing import printable

__all__ = ["Phase", "Reply", "Signal", "Trouble", "meaning", "reply"]

#: Seconds for which a relay is left alone that does not like our login, and with it the secret that it refused.
AUTH_PAUSE = 6 * 3600.0
PAUSE = 900.0  #: and one that is otherwise not to be tried at once
ENHANCED = re.compile(r"\s*([245])\.(\d{1,3})\.(\d{1,3})(?=[\s:;,]|$)")


class Trouble(StrEnum):
    """What a refusal is about. The first five concern all mail for the relay, the others this mail."""

    CONNECTION = "connection"
    TLS = "tls"
    AUTH = "auth"
    RATE = "rate"
    QUOTA = "quota"
    SENDER = "sender"
    RECIPIENT = "recipient"
    CONTENT = "content"
    SIZE = "size"
    UNKNOWN = "unknown"


#: Troubles of the relay itself: other mail for it would meet the same.
OF_RELAY = frozenset({Trouble.CONNECTION, Trouble.TLS, Trouble.AUTH, Trouble.RATE, Trouble.QUOTA})


class Phase(StrEnum):
    """Where in the dialogue a reply came."""

    GREETING = "greeting"
    HELLO = "hello"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"  #: after the final dot


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply, taken apart."""

    code: int  #: 250
    status: str  #: "2.1.5" (RFC 3463), "" if there is none
    text: str  #: the rest, one printable line

    @property
    def good(self) -> bool:
        """Whether it says yes."""
        return 200 <= self.code < 300

    @property
    def lasting(self) -> bool:
        """Whether the same would be refused again: the enhanced class is more to be trusted (RFC 3463 2)."""
        return (self.status[:1] or str(self.code)[:1]) == "5"

    def __str__(self) -> str:
        return " ".join(filter(None, (str(self.code), self.status, self.text)))


@dataclass(frozen=True, slots=True)
class Signal:
    """What a reply means for us."""

    trouble: Trouble
    verdict: Verdict  #: LATER, for two days; NEVER; or HOLD: the relay is left alone, and its mail waits unharmed
    wait: float | None  #: seconds before the next try at least; None: as the growing waits have it
    words: str  #: what to do, for a person

    @property
    def of_relay(self) -> bool:
        """Whether all mail for the relay meets it."""
        return self.trouble in OF_RELAY

    @property
    def refuses_secret(self) -> bool:
        """Whether it is for the password or token that we showed, which is not to be shown again."""
        return self.trouble is Trouble.AUTH and self.verdict is Verdict.HOLD


@dataclass(frozen=True, slots=True)
class Known:
    """One entry of `[[reply]]`."""

    says: str
    about: Trouble
    then: Verdict | None = None
    wait: float | None = None
    cause: Cause | None = None
    words: str = ""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """`replies.toml`."""

    replies: tuple[Known, ...]
    status: Mapping[str, str]
    phase: Mapping[str, str]
    code: Mapping[str, str]
    words: Mapping[str, str]
    passing: Mapping[str, str]  #: in place of `words`, for what may pass


@cache
def knowledge() -> Knowledge:
    """The file, read once. Raises ValueError if it is not right."""
    data = tomllib.loads(resources.files(__package__).joinpath("replies.toml").read_text("utf-8"))
    replies = tuple(known(**entry) for entry in data.pop("reply"))
    return Knowledge(replies, **data)


def known(*, says: str, about: str, then: str = "", wait: object = None, cause: str = "", words: str = "") -> Known:
    return Known(
        says.casefold(),
        Trouble(about),
        Verdict(then) if then else None,
        parse_duration(wait) if wait else None,
        Cause(cause) if cause else None,
        words,
    )


def reply(code: int, lines: bytes) -> Reply:
    """A reply as it came, without the codes before each line; `lines` may be of several, with one status each."""
    told = [printable(line.strip(), 400) for line in lines.split(b"\n")]
    found = ENHANCED.match(told[0])
    status = ".".join(found.groups()) if found else ""
    texts = (ENHANCED.sub("", line, count=1).strip() if ENHANCED.match(line) else line for line in told)
    return Reply(code, status, " ".join(filter(None, texts))[:500])


def meaning(told: Reply, phase: Phase, profile: Profile | None = None, advice: str = "") -> Signal:
    """
    What `told` at `phase` means.

    `profile`: of the provider whose relay it is, for its hints; `advice`: what is known of logging in at a relay.
    """
    words = f"{told.status} {told.text}".casefold()
    found = next((one for one in knowledge().replies if one.says in words), None)
    trouble = found.about if found else about(told, phase)
    verdict = found.then if found and found.then else usual(trouble, lasting=told.lasting)
    wait = found.wait if found else None
    if wait is None and verdict is Verdict.HOLD:
        wait = AUTH_PAUSE if trouble is Trouble.AUTH else PAUSE
    return Signal(trouble, verdict, wait, cure(trouble, found, profile, advice, lasting=told.lasting))


def about(told: Reply, phase: Phase) -> Trouble:
    """The trouble, as far as codes and the phase tell."""
    known = knowledge()
    _, _, detail = told.status.partition(".")
    said = known.status.get(detail) or known.status.get(detail.partition(".")[0]) or ""
    if said in {"", "phase"}:
        said = known.code.get(str(told.code)) or known.phase[phase]
    if told.code == 421:
        said = "connection"  # it closes the connection (RFC 5321 3.8)
    if told.code == 450 and phase in {Phase.GREETING, Phase.HELLO, Phase.MAIL}:
        said = "connection"  # nothing was said of a recipient yet
    return Trouble(said)


def usual(trouble: Trouble, *, lasting: bool) -> Verdict:
    """What is done where nothing special is known."""
    if trouble in {Trouble.RATE, Trouble.QUOTA}:
        return Verdict.HOLD
    if not lasting:
        return Verdict.LATER
    return Verdict.HOLD if trouble in OF_RELAY else Verdict.NEVER


def cure(trouble: Trouble, found: Known | None, profile: Profile | None, advice: str, *, lasting: bool) -> str:
    """What to tell a person."""
    if found and found.words:
        return found.words
    if trouble is Trouble.AUTH and not lasting and not (found and found.cause):
        return "the login does not work just now; it is tried again, the password may well be right"
    if trouble is Trouble.AUTH and advice:
        return advice
    if trouble is Trouble.AUTH and profile:
        return hint(profile, found.cause if found and found.cause else Cause.CREDENTIALS)
    return (not lasting and knowledge().passing.get(trouble)) or knowledge().words[trouble]
