"""`imap-watcher init`: from a mail address to a configuration that works."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from watcher.cli.asking import Person
from watcher.cli.init.consent import by_consent, client_of
from watcher.cli.init.entry import Place, drafted, enter, known_accounts, refuse_twin, with_server
from watcher.cli.init.provider import find_profile, first_steps
from watcher.cli.init.text import Section, account_name, account_section, consent_line
from watcher.cli.init.writing import next_commands, write
from watcher.config import find
from watcher.config.providers import Found, Profile
from watcher.errors import WatcherError
from watcher.printing import printable

__all__ = ["init"]


def init(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="Address of the mailbox.", metavar="ADDRESS")],
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Configuration file.", metavar="FILE")] = None,
    user: Annotated[str, typer.Option(help="Name to log in with; mostly the address.")] = "",
    host: Annotated[str, typer.Option(help="The IMAP server; found by the address if none is given.")] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the server, if it is an unusual one.")] = 0,
    tls: Annotated[str, typer.Option(help="implicit or starttls.")] = "",
    ca_file: Annotated[Path | None, typer.Option(help="Authorities to trust in place of the system's.")] = None,
    proxy: Annotated[str, typer.Option(help="Proxy: an address without password, or `environment`.")] = "",
    password_command: Annotated[str, typer.Option(help="Command that prints the password.", metavar="COMMAND")] = "",
    password_file: Annotated[Path | None, typer.Option(help="File that holds the password.", metavar="FILE")] = None,
    password_env: Annotated[str, typer.Option(help="Variable that holds the password.", metavar="NAME")] = "",
    password_keyring: Annotated[str, typer.Option(help="Service in the keyring.", metavar="SERVICE")] = "",
    oauth: Annotated[bool, typer.Option("--oauth", help="Sign in (OAuth2) where a password would do, too.")] = False,
    client_id: Annotated[str, typer.Option(help="Client id to ask for consent with (OAuth2).", metavar="ID")] = "",
    client_secret_file: Annotated[Path | None, typer.Option(help="File with its secret.", metavar="FILE")] = None,
    folder: Annotated[list[str] | None, typer.Option(help="To watch; give it several times for several.")] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for each step.", metavar="SECONDS")] = 20.0,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Yes to every question that can be answered so.")] = False,
) -> None:
    """Write a configuration for a mailbox, with a tested login."""
    path, person = find(config or context.obj).absolute(), Person(agrees=yes)
    place = Place.given(command=password_command, file=password_file, env=password_env, keyring=password_keyring)
    known = known_accounts(path)
    name = account_name(address, [account.name for account in known])
    if path.exists() and not person.confirm(f"{path} is there already. Add this account to it?"):
        raise WatcherError(f"{path} stays as it is; name another by --config")
    authorities = ca_file.absolute() if ca_file else None
    section = Section(name, address, "", (), user, host, port, tls, authorities, proxy)
    section, profile = located(section, person, timeout)
    refuse_twin(drafted(section), known, path)
    if by_consent(profile, wanted=oauth or bool(client_id), password=place is not None):
        client = client_of(profile, path, client_id, client_secret_file, person)
        section = replace(section, proof=consent_line(client.name), folders=folder or ["INBOX"])
        write(path, account_section(section) + client.section, dict(client.secrets))
        print(next_commands(path, login=name))
        return
    link, place = enter(section, profile, place, person, timeout)
    try:
        print(f"Logged in as {printable(drafted(section).user)}, by {link.mechanism}.")
        folders = folder or person.folders(sorted(link.list_folders("*")))
    finally:
        link.logout()
    section = replace(section, proof=place.line, folders=folders)
    write(path, account_section(section), {f"{name}.password": place.typed} if place.typed else {})
    print(next_commands(path))


def located(section: Section, person: Person, timeout: float) -> tuple[Section, Profile]:
    """Finds the server, tells what must be done there first, and has a host confirmed that is not known."""
    drafted(section)  # all that is wrong with what was given is told before anything is looked up
    profile = find_profile(section.address, section.host, section.port, timeout)
    found = with_server(section, profile)
    print("\n".join(first_steps(profile, drafted(found), given=bool(section.host))))
    doubtful = profile.found in (Found.SRV, Found.GUESS) and not section.host
    if doubtful and not person.confirm(f"Is {found.host} the server of {section.address}? The password goes there."):
        raise WatcherError("name the server by --host")
    return found, profile
