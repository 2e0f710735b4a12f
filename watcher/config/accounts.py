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
from watcher.config.shape import NAME_KEY, STRICT, FilePath, Folder, Host, MailAddress, Port, Text, listed
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
    raise ValueError('is not a start; allowed are "new", "all" or a day such as 2026-11-01')


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
    BeforeValidator(listed),
]


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Account:
    """One `[account.NAME]`."""

    name: Annotated[str, Field(validation_alias=NAME_KEY)]  #: what stands after "account."
    #: Address of the mailbox.
    address: MailAddress
    #: Name to log in with.
    #: Default: the provider's way, mostly the address.
    user: Text = ""
    #: The IMAP server. [Known providers](providers.md) need none.
    #: Default: the provider's, else `imap.` and the domain of the address.
    host: Host = ""
    #: Its port.
    #: Default: 993, or 143 with `starttls`.
    port: Port = 0
    #: TLS from the first byte (port 993), or a STARTTLS that must succeed. There is no way without TLS.
    #: Default: `"implicit"`.
    tls: Literal["implicit", "starttls"] = ""  # type: ignore[assignment]  # nobody sees it: filled below
    #: PEM file of the authorities to trust in place of the system's, for a server with a certificate of your own.
    #: Default: the system's.
    ca_file: FilePath | None = None
    #: Asked for at every login, so a changed one needs no restart.
    #: Default: needed, or `token` or `oauth`.
    password: Password | None = None
    #: In place of a password, an access token that another program keeps fresh, such as `{ command = "get-token
    #: support" }`. Asked for at every login.
    #: Allowed: the same.
    token: Token | None = None
    #: In place of both: sign in once with `imap-watcher login`, and the tokens are kept fresh from then on.
    #: Allowed: the NAME of a section [`[oauth.NAME]`](#oauthname), or its keys as a table.
    oauth: OAuthClient | None = None
    #: PEM file with a certificate of our own, and its chain, for servers that ask for one. Where the server logs in by
    #: it (EXTERNAL), it stands in place of a password; else give both.
    certificate: FilePath | None = None
    #: PEM file with the key of that certificate, without a password; `chmod 600`.
    #: Default: in the file of `certificate`.
    key: FilePath | None = None
    #: Way to the server.
    proxy: ProxySetting | None = None
    #: Folders to watch, as the mail program shows them (`"Orders/2026"`, `"发票"`), or patterns: `*` is anything, `%`
    #: one level (`"Lists/*"`). Which folders a pattern stands for is looked up every half hour.
    #: Allowed: a list, each folder once.
    folders: Annotated[tuple[Folder, ...], AfterValidator(_no_doubles)] = ("INBOX",)
    #: When a folder is watched for the first time: only mail that comes from now on, all that is there, or what came
    #: on that day or later. Afterwards the daemon goes on from where it was.
    #: Default: `"new"`.
    #: Allowed: `"new"`, `"all"`, a day such as `2026-11-01`.
    start: Annotated[Start, PlainValidator(parse_start)] = Start()
    #: How often to look where the server knows no IDLE.
    #: Default: `"60s"`.
    poll: Duration = 60.0
    #: Longest time after which IDLE is renewed; [a few providers](providers.md) bear less, and then that is the
    #: default. What the way to the server allows is learnt: it begins with 4 minutes, shrinks where connections die of
    #: silence, and grows slowly where they don't.
    #: Default: `"24m"`.
    renew: Duration = 0.0
    #: Between two mails that the account sends to itself, to see that mail comes in; see
    #: [Canaries](operating.md#canaries). They are deleted on the server.
    #: Allowed: a duration, 15 minutes or more.
    canary: Annotated[Duration, AfterValidator(_seldom)] | None = None
    #: Compress what is sent and received, where the server can (COMPRESS=DEFLATE). For a slow or metered line: text
    #: shrinks to a third or less, attachments to three quarters. Costs up to 50 kB of memory for each connection,
    #: which is more than all else of an idle one, and some work on both sides.
    compress: Annotated[bool, Strict()] = False

    #: The authserv-id that your own mail server writes first in `Authentication-Results`, such as `"mx.example.com"`.
    #: Only its word counts for `trust`.
    #: Allowed: a name, or a list; `*` for any part.
    authserv: HostPatterns = ()
    #: Further hosts of yours that add `Received` between that server and the mailbox, as these fields name them.
    border: HostPatterns = ()
    #: Domains of forwarders (mailing lists, say) whose ARC seals count, if your own server says that they hold.
    sealers: HostPatterns = ()
    #: Whether the domain that passed must have the same owner as that of From, or be equal to it.
    alignment: Literal["relaxed", "strict"] = "relaxed"
    #: Where no stamp of yours is found, check the DKIM signatures ourselves; asks the DNS.
    own_dkim: Annotated[bool, Strict()] = False

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
