"""From what was given to a mailbox that lets us in."""

import re
import tempfile
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from watcher.cli.asking import Person
from watcher.cli.cure import cure
from watcher.cli.init.provider import password_word
from watcher.cli.init.text import Section, account_section, first_file, password_line
from watcher.config import load
from watcher.config.accounts import Account
from watcher.config.providers import Found, Profile
from watcher.config.secret import PlainSource, Secret
from watcher.errors import ConfigError, LoginRefused, MailboxLost, WatcherError
from watcher.imap.probe import Probe, Trial
from watcher.printing import printable

__all__ = ["Place", "drafted", "enter", "known_accounts", "refuse_twin", "with_server"]

#: Logins that are tried with what is typed. Servers lock accounts for more.
TRIES = 3

#: Stands where the place of the password is not known yet.
_UNKNOWN = password_line("env", "NOT_KNOWN_YET")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the password is."""

    line: str  #: that says so in the configuration
    typed: Secret | None = None  #: by a person; still to be written to a file

    @classmethod
    def given(cls, *, command: str, file: Path | None, env: str, keyring: str) -> Self | None:
        """What the options say; None if they say nothing. Raises WatcherError if they say several things."""
        where = {"command": command, "file": str(file.absolute()) if file else "", "env": env, "keyring": keyring}
        lines = [password_line(kind, value) for kind, value in where.items() if value]
        if len(lines) > 1:
            raise WatcherError(
                f"the password is in one place: give one of {', '.join(f'--password-{x}' for x in where)}"
            )
        return cls(lines[0]) if lines else None


def known_accounts(path: Path) -> Collection[Account]:
    """The accounts in the file at `path`; none if it is not there. Raises ConfigError."""
    return load(path).accounts if path.exists() else ()


def refuse_twin(account: Account, known: Collection[Account], path: Path) -> None:
    """Raises WatcherError if one of the accounts in the file at `path` is this mailbox: its mail would come twice."""
    for other in known:
        if (other.host, other.port, other.user) == (account.host, account.port, account.user):
            raise WatcherError(
                f"{path}: account {other.name} is {printable(account.user)} on {account.host} already; "
                "further folders of it belong into its `folders`"
            )


def with_server(given: Section, profile: Profile) -> Section:
    """With what must stand in the file, since it does not follow from the address."""
    if given.host or profile.found is Found.DOMAIN:
        return given
    server = profile.imap
    port = given.port or (server.port if server.port != (993 if server.tls == "implicit" else 143) else 0)
    tls = given.tls or (server.tls if server.tls != "implicit" else "")
    return replace(given, host=server.host, port=port, tls=tls)


def drafted(section: Section) -> Account:
    """The account as it will be read from the file. Raises WatcherError, with the keys of what can't be used."""
    section = replace(section, proof=section.proof or _UNKNOWN, folders=section.folders or ("INBOX",))
    with tempfile.TemporaryDirectory(prefix="imap-watcher-") as folder:
        file = Path(folder) / "config.toml"
        file.write_text(first_file(account_section(section)), "utf-8")
        file.chmod(0o600)
        try:
            return load(file).accounts[0]
        except ConfigError as error:
            told = [re.sub(r"^.*?config\.toml(:\d+)?: (account\.[^.]+\.)?", "", line) for line in error.problems]
            raise WatcherError("; ".join(told)) from error


def see_the_way(account: Account, timeout: float) -> None:
    """To the server and back, before anybody types a password for it. Raises WatcherError, with cause and cure."""
    probe = Probe(account, timeout)
    try:
        probe.arrive()
    except MailboxLost as error:
        raise WatcherError(": ".join(filter(None, (str(error), cure(probe.step, error, account.profile))))) from error
    finally:
        probe.close()


def enter(
    section: Section, profile: Profile, place: Place | None, person: Person, timeout: float
) -> tuple[Trial, Place]:
    """
    A link that is logged in, and where the password for it is. What is typed may be wrong twice.

    Raises what `Probe.link` does; WatcherError with the cure if there is no way to the server.
    """
    see_the_way(drafted(section), timeout)
    if place is not None:
        account = drafted(replace(section, proof=place.line))
        return Probe(account, timeout).link(account.secret.fetch()), place
    account = drafted(section)
    for left in reversed(range(TRIES)):
        secret = Secret(person.password(f"{password_word(profile)} of {printable(account.user)}"))
        trial = replace(account, password=PlainSource(secret))
        try:
            return Probe(trial, timeout).link(secret), Place(password_line("file", f"{section.name}.password"), secret)
        except LoginRefused as error:
            if not left:
                raise
            print(f"{error}\nOnce more; {left} {'try is' if left == 1 else 'tries are'} left.")
    raise AssertionError
