"""Relays: through whom mail goes out, and what they allow."""

import dataclasses
import re
import tomllib
from collections.abc import Iterator, Mapping
from email.utils import parseaddr
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PlainValidator
from pydantic.dataclasses import dataclass

from watcher.config.accounts import Account
from watcher.config.alerts import AlertSettings
from watcher.config.oauth.client import OAuthClient
from watcher.config.passwords import Password, Token
from watcher.config.providers.catalogue import profile_for
from watcher.config.providers.profile import Profile
from watcher.config.proxies import EnvironmentProxy, Proxy, ProxySetting
from watcher.config.secret import KeyringSource, SecretSource
from watcher.config.shape import NAME_KEY, STRICT, FilePath, Host, Port, Text, alternatives, has_control, is_here
from watcher.model import Address

__all__ = ["DkimSettings", "KnownRelay", "Relay", "SmtpSettings", "known_relays", "relay_problems", "relays_of"]

Tls = Literal["implicit", "starttls", "none"]
PORTS: Mapping[str, int] = {"implicit": 465, "starttls": 587, "none": 25}


@dataclasses.dataclass(frozen=True, slots=True)
class KnownRelay:
    """One entry of `relays.toml`."""

    title: str
    host: str
    port: int
    tls: Tls
    user: str = ""
    advice: str = ""
    rate: int = 0
    daily: int = 0
    spf: str = ""


@cache
def known_relays() -> Mapping[str, KnownRelay]:
    """The services that can be named by `relay`."""
    data = tomllib.loads(resources.files(__package__).joinpath("relays.toml").read_text("utf-8"))
    return {name: KnownRelay(**entry) for name, entry in data.items()}


def _person(value: object) -> Address:
    """`support@example.com`, or `Support <support@example.com>`. Raises ValueError."""
    if isinstance(value, Address):
        return value
    name, address = parseaddr(value) if isinstance(value, str) and not has_control(value) else ("", "")
    if not re.fullmatch(r"[^@\s<>]+@[^@\s<>]+", address):
        raise ValueError('is not a sender; write it like "support@example.com" or "Support <support@example.com>"')
    return Address(name, address)


def _relay_name(value: object) -> str:
    if value not in known_relays():
        raise ValueError(f"is not a relay; {alternatives(str(value), known_relays())}")
    return str(value)


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class DkimSettings:
    """How our mail is signed, where the relay does not do it."""

    selector: Text  #: the public key stands in DNS at SELECTOR._domainkey.DOMAIN
    key: FilePath  #: PEM of the private key (RSA)
    domain: Host = ""  #: that of the sender if none is given


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class SmtpSettings:
    """One `[smtp.NAME]`. What it leaves out comes from the account of the same name, if there is one."""

    name: Annotated[str, Field(validation_alias=NAME_KEY)]  #: what stands after "smtp."
    #: A known service: it gives `host`, `port`, `tls`, and `user` if that is the same for all.
    #: Allowed: `"sendgrid"`, `"mailgun"`, `"amazon-ses"`, `"tencent-ses"`, `"aliyun-directmail"`, `"postfix"`.
    relay: Annotated[str, PlainValidator(_relay_name)] = ""
    #: Sender of mail that names none.
    #: Default: the account's address.
    #: Allowed: `"a@b"` or `"Name <a@b>"`.
    from_: Annotated[Address | None, PlainValidator(_person), Field(validation_alias="from")] = None
    #: The SMTP server.
    #: Default: the relay's, the provider's.
    #: Allowed: a host name.
    host: Host = ""
    #: 465 for `"implicit"`, 587 for `"starttls"`.
    #: Default: that of `tls`.
    port: Port = 0
    #: TLS from the first byte, or after a STARTTLS that must work. `"none"` only towards this machine.
    #: Default: the relay's, else `"starttls"`.
    tls: Tls | None = None
    #: To log in with.
    #: Default: the relay's, the account's.
    #: Allowed: text.
    user: Text = ""
    #: To log in with; without any, and without an account of that name, there is no login.
    #: Default: the account's.
    #: Allowed: as a [password](#passwords).
    password: Password | None = None
    #: In its place, an access token. An account with `oauth` needs neither: the same consent serves for sending.
    #: Default: the account's.
    #: Allowed: as a [password](#passwords).
    token: Token | None = None
    #: A consent of its own, for another user or another provider: `imap-watcher login smtp.NAME`.
    #: Default: the account's.
    #: Allowed: as of an [account](#accountname).
    oauth: OAuthClient | None = None
    #: PEM file of the authorities to trust in place of the system's.
    #: Default: the system's.
    ca_file: FilePath | None = None
    #: PEM file of our own certificate.
    certificate: FilePath | None = None
    #: PEM file of its key.
    #: Default: in `certificate`.
    key: FilePath | None = None
    #: To go through.
    #: Default: the account's.
    #: Allowed: as a [proxy](#proxies).
    proxy: ProxySetting | None = None
    #: Our name for EHLO.
    #: Default: our address.
    #: Allowed: a host name.
    hello: Host = ""
    #: Signs mail here (DKIM, RSA), for relays that don't: a server of your own.
    #: Default: not signed.
    #: Allowed: `{ selector = "…", key = PATH }`, and `domain`.
    dkim: DkimSettings | None = None
    #: Mails a minute.
    #: Default: the relay's, else no limit.
    #: Allowed: 1 to 100000.
    rate: Annotated[int, Field(strict=True, ge=1, le=100_000)] | None = None
    #: Recipients within 24 hours; what is beyond waits.
    #: Default: the relay's, else no limit.
    #: Allowed: 1 to 10000000.
    daily: Annotated[int, Field(strict=True, ge=1, le=10_000_000)] | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """A way for mail out, all settled."""

    name: str
    sender: Address | None  #: From of mail that names none
    host: str
    port: int
    tls: Tls
    user: str = ""
    source: SecretSource | None = None  #: of password or token; None: no login
    token: bool = False  #: the secret is an access token
    ca_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    proxy: Proxy | EnvironmentProxy | None = None
    hello: str = ""
    dkim: DkimSettings | None = None
    rate: int = 0  #: mails a minute, 0: no limit
    daily: int = 0  #: recipients within 24 hours, 0: no limit
    profile: Profile = dataclasses.field(default_factory=lambda: profile_for("nobody@localhost"))  #: whose words
    advice: str = ""  #: what to tell when the login is refused, "" if the profile says it
    spf: str = ""  #: what the SPF record of a sender's domain is to include, "" if nothing is known


def relays_of(sections: Mapping[str, SmtpSettings], accounts: Mapping[str, Account]) -> dict[str, Relay]:
    """A relay for each section, and one for each account: its provider's own server, by the account's own login."""
    names = dict.fromkeys([*accounts, *sections])
    return {name: _settled(sections.get(name) or SmtpSettings(name=name), accounts.get(name)) for name in names}


def relay_problems(
    sections: Mapping[str, SmtpSettings], accounts: Mapping[str, Account], alerts: AlertSettings | None
) -> Iterator[tuple[tuple[str, ...], str]]:
    """What is wrong with sections taken together with their accounts: key, and words."""
    if alerts and alerts.smtp not in {**accounts, **sections}:
        yield ("alerts", "smtp"), "names neither an account nor a section [smtp.NAME]"
    for name, given in sections.items():
        account = accounts.get(name)
        if not account and not given.relay and not given.host:
            yield ("smtp", name), "names no host; write host, or relay, or name the section after an account"
            continue
        relay = _settled(given, account)
        if relay.tls == "none" and not is_here(relay.host):
            yield ("smtp", name, "tls"), '"none" is for this machine only (host = "localhost")'
        if relay.source and not relay.user:
            yield ("smtp", name, "user"), "is missing; there is a password, and nobody to log in"
        if given.password and given.token:
            yield ("smtp", name, "token"), "stands beside password; allowed is one of them"
        if given.key and not given.certificate:
            yield ("smtp", name, "key"), "stands without its certificate; write certificate = PATH as well"


def _settled(given: SmtpSettings, account: Account | None) -> Relay:
    known = known_relays().get(given.relay)
    profile = profile_for(account.address, given.host) if account else profile_for("nobody@localhost", given.host)
    server = known or profile.smtp
    tls: Tls = given.tls or ("starttls" if given.host and not known else server.tls)
    own = account if account and not known else None  # a service of its own has credentials of its own
    source = given.token or given.password or (own.secret if own and (own.token or own.password) else None)
    user = given.user or (known.user if known else "") or (own.user if own else "")
    if isinstance(source, KeyringSource) and not source.user:
        source = dataclasses.replace(source, user=user)
    host = given.host or server.host
    return Relay(
        name=given.name,
        sender=given.from_ or (Address("", account.address) if account else None),
        host=host,
        port=given.port or (PORTS[tls] if given.host or tls != server.tls else server.port),
        tls=tls,
        user=user,
        source=source,
        token=bool(given.token or (source and own and own.token and not given.password)),
        ca_file=given.ca_file,
        certificate=given.certificate,
        key=given.key,
        proxy=given.proxy or (own.proxy if own else None),
        hello=given.hello,
        dkim=given.dkim,
        rate=given.rate or (known.rate if known else 0),
        daily=given.daily or (known.daily if known else 0),
        profile=profile,
        advice=known.advice if known else "",
        spf=known.spf if known else "",
    )
