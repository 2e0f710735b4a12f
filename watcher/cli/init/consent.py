"""Mailboxes that are read by consent (OAuth2): the program that asks for it, which a person must have registered."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from watcher.cli.asking import Person
from watcher.cli.init.text import client_section
from watcher.config.oauth.issuer import Issuer, issuers
from watcher.config.providers import Login, Profile
from watcher.config.secret import Secret
from watcher.errors import WatcherError

__all__ = ["Client", "by_consent", "client_of"]


@dataclass(frozen=True, slots=True)
class Client:
    """The program that asks for consent."""

    name: str  #: of its section
    section: str = ""  #: what is to be written behind the account; "" if it is there already
    secrets: tuple[tuple[str, Secret], ...] = ()  #: typed; the names of the files to write them to


def by_consent(profile: Profile, *, wanted: bool, password: bool) -> bool:
    """Whether the mailbox is read by consent: where nothing else will do, or where a person wants it so."""
    only = set(profile.logins) == {Login.OAUTH}
    if password and (only or wanted):
        why = f"{profile.title} takes no passwords" if only else "--oauth and --client-id stand for signing in"
        raise WatcherError(f"{why}: leave out the --password options")
    return only or wanted


def client_of(profile: Profile, path: Path, client_id: str, secret_file: Path | None, person: Person) -> Client:
    """The one in the file at `path`, else the one that is given or typed. Raises WatcherError if there is none."""
    name = profile.oauth
    issuer = issuers().get(name)
    if issuer is None:
        raise WatcherError(
            "nothing is known here of who gives out tokens for this server: write [oauth.NAME] and the account "
            "by hand, as docs/configuration.md tells"
        )
    if path.exists() and name in tomllib.loads(path.read_text("utf-8")).get("oauth", {}):
        return Client(name)
    if client_id:
        return Client(name, client_section(name, client_id, str(secret_file.absolute()) if secret_file else ""))
    return _typed(name, issuer, person)


def _typed(name: str, issuer: Issuer, person: Person) -> Client:
    what = f"{name.capitalize()} wants to know which program asks for your mail"
    if not person.present:
        raise WatcherError(f"{what}: {issuer.register}; then give --client-id, and --client-secret-file if it has one")
    print(f"{what}. Once for all your accounts:")
    print(f"  {issuer.register}")
    client_id = person.answer("Its client id")
    secret = person.secret("Its client secret, if it was given one")
    file = f"{name}.client"
    if not secret:
        return Client(name, client_section(name, client_id, ""))
    return Client(name, client_section(name, client_id, file), ((file, Secret(secret)),))
