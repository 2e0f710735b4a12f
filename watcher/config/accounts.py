"""An account: one mailbox to watch, how to reach it, and from where on."""

import dataclasses
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, Strict
from pydantic.dataclasses import dataclass

from watcher.config.oauth.client import OAuthClient
from watcher.config.passwords import Password, Token
from watcher.config.providers.catalogue import profile_for
from watcher.config.providers.profile import Profile, Server
from watcher.config.proxies import ProxySetting
from watcher.config.secret import KeyringSource, PlainSource, Secret, SecretSource
from watcher.config.shape import NAME_KEY, STRICT, FilePath, Folder, Host, MailAddress, Port, Text
from watcher.config.units import Duration

__all__ = ["Account", "Start", "parse_start"]


@dataclasses.dataclass(frozen=True, slots=True)
class Start:
    """From which mail on a folder is handled, when it is watched for the first time."""

    kind: Literal["new", "all", "since"] = "new"  #: what arrives from now on, everything, or from a day on
    since: date | None = None  #: the day, for "since": INTERNALDATE on or after it


def parse_start(value: object) -> Start:
    """The start meant by "new", "all" or a day. Raises ValueError."""
    match value:
        case Start():
            return value
        case "new":
            return Start("new")
        case "all":
            return Start("all")
        case date() if not isinstance(value, datetime):
            return Start("since", value)
        case str():
            try:
                return Start("since", date.fromisoformat(value))
            except ValueError:
                pass
    raise ValueError('is no start; allowed are "new", "all" or a day such as 2026-11-01')


def _no_doubles(folders: tuple[str, ...]) -> tuple[str, ...]:
    # INBOX is the one name that is case-blind (RFC 3501 5.1).
    names = ["INBOX" if folder.upper() == "INBOX" else folder for folder in folders]
    if not names or len(set(names)) < len(names):
        raise ValueError('must name each folder once; allowed is a list such as ["INBOX", "Orders"]')
    return tuple(names)


def _seldom(seconds: float) -> float:
    if seconds < 900.0:
        raise ValueError('is too often; allowed is "15m" or more')
    return seconds


def _server(host: str, tls: str, profile: Profile) -> Server:
    """Where to connect, as far as it is given, and else as the profile has it."""
    if not host and tls in ("", profile.imap.tls):
        return profile.imap
    if tls == "starttls":
        return Server(host or profile.imap.host, 143, "starttls")
    return Server(host or profile.imap.host)


#: One name, or a list; `*` stands for any part of a name.
HostPatterns = Annotated[
    tuple[Annotated[Text, Field(min_length=1)], ...],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
]


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Account:
    """One `[account.NAME]`."""

    name: Annotated[str, Field(validation_alias=NAME_KEY)]  #: what stands after "account."
    address: MailAddress  #: of the mailbox
    user: Text = ""  #: to log in with; what the profile says if none is given, mostly the address
    host: Host = ""  #: of the IMAP server; the profile's if none is given
    port: Port = 0  #: the usual one for `tls` if none is given
    #: TLS from the first byte, or after a STARTTLS that must work; the profile's if none is given.
    tls: Literal["implicit", "starttls"] = ""  # type: ignore[assignment]  # nobody sees it: filled below
    ca_file: FilePath | None = None  #: PEM of the authorities to trust in place of the system's
    password: Password | None = None  #: asked at every login
    token: Token | None = None  #: in its place, an access token (RFC 6749); made of `oauth` when a file is loaded
    oauth: OAuthClient | None = None  #: in their place, who gives out tokens, which are then ours to keep
    certificate: FilePath | None = None  #: PEM of our own certificate, for servers that ask for one; proof in itself
    key: FilePath | None = None  #: PEM of its key; in the file of the certificate if none is given
    proxy: ProxySetting | None = None  #: to go through
    folders: Annotated[tuple[Folder, ...], AfterValidator(_no_doubles)] = ("INBOX",)  #: to watch
    start: Annotated[Start, PlainValidator(parse_start)] = Start()  #: for folders not watched before
    poll: Duration = 60.0  #: seconds between looks where the server knows no IDLE
    renew: Duration = 0.0  #: longest age of an IDLE, in seconds, the profile's if none is given; less is learnt
    canary: Annotated[Duration, AfterValidator(_seldom)] | None = None  #: between two mails to ourselves; None: none
    compress: Annotated[bool, Strict()] = False  #: what is sent and received, where the server can (RFC 4978)

    authserv: HostPatterns = ()  #: who stamps our mail (RFC 8601 authserv-id); only these are believed of a sender
    border: HostPatterns = ()  #: further hosts of ours that add Received fields between the border and the mailbox
    sealers: HostPatterns = ()  #: domains of forwarders whose ARC seals count, if the border says that they hold
    alignment: Literal["relaxed", "strict"] = "relaxed"  #: same owner as the From domain, or the very same domain
    own_dkim: Annotated[bool, Strict()] = False  #: where no stamp of ours is found, look at the DKIM signatures

    def __post_init__(self) -> None:
        """Fills what follows from other fields, and what is known of the provider."""
        set_, profile = object.__setattr__, self.profile
        set_(self, "user", self.user or profile.user_of(self.address))
        server = _server(self.host, self.tls, profile)
        set_(self, "host", server.host)
        set_(self, "tls", server.tls)
        set_(self, "port", self.port or server.port)
        set_(self, "renew", self.renew or profile.renew)
        for key in ("password", "token"):
            if isinstance(source := getattr(self, key), KeyringSource):
                set_(self, key, dataclasses.replace(source, user=self.user))
        if self.proxy:
            self.proxy.towards(self.host)  # raises ValueError now and not at each connect

    @property
    def secret(self) -> SecretSource:
        """Where the token or password comes from; an empty one stands beside a certificate that proves all."""
        return self.token or self.password or PlainSource(Secret(""))

    @property
    def path(self) -> str:
        """Name of the way to the server: accounts that share it share what it bears."""
        proxy = self.proxy.towards(self.host) if self.proxy else None
        return f"{self.host}:{self.port}" + (f" through {proxy}" if proxy else "")

    @property
    def profile(self) -> Profile:
        """What is known of the provider: by its server, else by the domain of the address."""
        return profile_for(self.address, self.host, self.port)
