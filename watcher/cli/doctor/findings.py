"""What doctor finds out, and what follows from it. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from watcher.config.accounts import Account
from watcher.config.providers.profile import Profile, Quirk
from watcher.config.secret import (
    CommandSource,
    CredentialSource,
    EnvironmentSource,
    FileSource,
    KeyringSource,
    PlainSource,
)
from watcher.imap.chain import Certificate, Transport
from watcher.printing import printable

__all__ = [
    "Diagnosis",
    "Finding",
    "Mark",
    "of_chain",
    "of_clock",
    "of_features",
    "of_transport",
    "source",
    "verdict",
]

#: Days before its end from which a certificate is a matter of concern: renewed by machines at 30, by people too late.
SOON = 14

#: Names of a certificate that are told.
FEW_NAMES = 5

#: Seconds that the clocks may differ: INTERNALDATE has whole ones, and the mail takes a moment.
SKEW = 30.0

#: What a server may offer that matters to us, and what it means if it does not; "" if that hardly matters.
FEATURES: Mapping[str, str] = {
    "IDLE": "new mail is found by asking, at the interval `poll`",
    "NOTIFY": "",
    "UIDPLUS": "`delete` only marks a mail, others must expunge it",
    "MOVE": "`move` copies and deletes",
    "COMPRESS=DEFLATE": "",
    "ID": "",
}


class Mark(StrEnum):
    """How a step went."""

    WELL = "ok"
    DOUBT = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one step found out."""

    step: str  #: one word
    mark: Mark
    text: str  #: one printable line: what is so; if it is wrong, why, and what to do
    took: float | None = None  #: seconds, None where time tells nothing


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All about one account."""

    account: str
    findings: tuple[Finding, ...]
    verdict: str  #: one line

    @property
    def well(self) -> bool:
        """Whether nothing failed."""
        return all(finding.mark is not Mark.FAILED for finding in self.findings)


def verdict(findings: Sequence[Finding]) -> str:
    """The whole in one line."""
    failed = [finding.step for finding in findings if finding.mark is Mark.FAILED]
    doubts = [finding.step for finding in findings if finding.mark is Mark.DOUBT]
    if failed:
        stopped = "; what comes after that was not looked at" if findings[-1].mark is Mark.FAILED else ""
        return f"does not work: {_listed(failed)} failed{stopped}"
    if doubts:
        return f"works; look at {_listed(doubts)}"
    return "all well"


def _listed(steps: Sequence[str]) -> str:
    *first, last = dict.fromkeys(steps)
    return f"{', '.join(first)} and {last}" if first else last


def of_transport(transport: Transport, host: str, now: datetime) -> Finding:
    """Whether TLS will stand in two weeks, too."""
    issuers = " < ".join(certificate.subject for certificate in transport.chain[1:]) or transport.chain[0].issuer
    first = min(transport.chain, key=lambda certificate: certificate.expires)
    days = (first.expires - now).days
    whose = "" if first is transport.chain[0] else f" (that of {first.subject})"
    ends = f"ends {first.expires:%Y-%m-%d}{whose}, in {days} days"
    text = f"{transport.version}; certificate for {host}, from {issuers}, {ends}"
    if days < SOON:
        return Finding("tls", Mark.DOUBT, f"{text}: its operator should renew it now")
    return Finding("tls", Mark.WELL, text)


def of_chain(chain: Sequence[Certificate]) -> Iterator[Finding]:
    """What a server has shown that is not trusted, certificate by certificate."""
    for number, one in enumerate(chain, 1):
        names = f", for {', '.join(one.names[:FEW_NAMES])}" if one.names else ""
        more = f" and {len(one.names) - FEW_NAMES} more" if len(one.names) > FEW_NAMES else ""
        text = f"issued by {one.issuer}, valid from {one.begins:%Y-%m-%d} to {one.expires:%Y-%m-%d}{names}{more}"
        yield Finding("tls", Mark.FAILED, f"it shows ({number} of {len(chain)}) {one.subject}, {text}")


def of_features(capabilities: Collection[str], profile: Profile) -> Finding:
    """What the server offers of what matters to us. Only the want of an IDLE that one may count on is a doubt."""
    have = [name for name in FEATURES if name in capabilities]
    lack = [name for name in FEATURES if name not in capabilities]
    parts = [
        ", ".join(have) or "none that we use",
        *(f"no {name}: {FEATURES[name]}" for name in lack if FEATURES[name]),
    ]
    deaf = "IDLE" in lack and Quirk.NO_IDLE not in profile.quirks
    return Finding("features", Mark.DOUBT if deaf else Mark.WELL, "; ".join(parts))


def of_clock(ahead: float) -> Finding:
    """`ahead`: seconds by which the server's clock is before ours."""
    if abs(ahead) <= SKEW:
        return Finding("clock", Mark.WELL, f"the server's and ours agree within {max(1, round(abs(ahead)))} s")
    text = f"the server's is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} ours: set this machine's by NTP"
    return Finding("clock", Mark.DOUBT, f"{text}; if it is right, tell the server's operator")


def source(account: Account) -> str:
    """Where the proof comes from, in words; never the proof."""
    match account.token or account.password:
        case None:
            return f"the certificate {account.certificate}"
        case CommandSource(argv=argv):
            return f"the command {printable(argv[0])}"
        case FileSource(path=path):
            return f"the file {path}"
        case EnvironmentSource(name=name):
            return f"the environment variable {name}"
        case CredentialSource(name=name):
            return f"the systemd credential {name}"
        case KeyringSource(service=service):
            return f"the keyring, under {service}"
        case PlainSource():
            return "the configuration file"
        case _:
            return "OAuth2, kept fresh by `imap-watcher login`"
