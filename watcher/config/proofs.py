"""
How an account proves who it is: by a password, a token, or consent (`oauth`); by one of them.

These look at the tables as they stand in the file, so that what is wrong with them is told along with all the rest.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from watcher.config.accounts import Account
from watcher.config.oauth.issuer import issuers
from watcher.config.oauth.keeping import TokenFile
from watcher.config.oauth.managed import ManagedToken
from watcher.config.positions import Key
from watcher.config.problems import Problem
from watcher.config.proxies import holds_password
from watcher.config.settings import Document
from watcher.config.smtp import Relay

__all__ = ["clients_of", "plain_secrets", "proofs_of", "with_consent", "with_token"]

_PROOFS = ("password", "token", "oauth")

_MISSING = (
    'is missing; write where it is: password = { command = "pass show support" }, '
    'or { file }, { env }, { credential }, { keyring }; or sign in with oauth = "google" or "microsoft"'
)


def proofs_of(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Accounts that have no proof or several, and those that name a client that is not there."""
    known = _tables(data, "oauth")
    for name, table in _tables(data, "account").items():
        given = [key for key in _PROOFS if key in table]
        if not given and "certificate" not in table:
            yield Problem(("account", name, "password"), _MISSING)
        for other in given[1:]:
            yield Problem(("account", name, other), f"stands beside {given[0]}; allowed is one of {', '.join(_PROOFS)}")
        if "key" in table and "certificate" not in table:
            yield Problem(("account", name, "key"), "stands without its certificate; write certificate = PATH as well")
        yield from _client_of(("account", name, "oauth"), table, known)
    for name, table in _tables(data, "smtp").items():
        if "oauth" in table:
            given = [key for key in _PROOFS if key in table]
            for other in given[:-1]:
                yield Problem(("smtp", name, other), f"stands beside oauth; allowed is one of {', '.join(_PROOFS)}")
            if "user" not in table and name not in _tables(data, "account"):
                yield Problem(("smtp", name, "user"), "is missing; there is a consent, and nobody to log in")
        yield from _client_of(("smtp", name, "oauth"), table, known)


def _client_of(key: Key, table: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[Problem]:
    client = table.get("oauth")
    if isinstance(client, str) and client not in known:
        yield Problem(key, _unknown(client, known))


def _unknown(client: str, known: Mapping[str, Any]) -> str:
    if issuer := issuers().get(client):
        return f'needs a program of your own: {issuer.register}, then write [oauth.{client}] with client_id = "…"'
    return f"names no section [oauth.NAME]; known here: {', '.join({**known, **issuers()})}"


def clients_of(data: dict[str, Any]) -> Mapping[tuple[str, str], str]:
    """
    Takes out where an account or a relay names its client (`oauth = "google"`), and tells which names which.

    A section that bears the name of a provider is for that one.
    """
    named = {}
    for section in ("account", "smtp"):
        for name, table in _tables(data, section).items():
            if isinstance(table.get("oauth"), str):
                named[section, name] = table.pop("oauth")
    for name, table in _tables(data, "oauth").items():
        if name in issuers():
            table.setdefault("provider", name)
    return named


def with_token(account: Account, document: Document, clients: Mapping[tuple[str, str], str]) -> Account:
    """`account` with its client, and with the token that it gets by it; as it is, if it has none."""
    named = clients.get(("account", account.name))
    client = document.oauth[named] if named else account.oauth
    if client is None:
        return account
    file = TokenFile.of(document.watcher.state, account.name)
    return dataclasses.replace(account, oauth=client, token=ManagedToken(account.name, account.user, client, file))


def with_consent(relay: Relay, document: Document, clients: Mapping[tuple[str, str], str]) -> Relay:
    """`relay` with the token that it gets by a consent of its own; as it is, if it has none."""
    given = document.smtp.get(relay.name)
    named = clients.get(("smtp", relay.name))
    client = document.oauth[named] if named else given and given.oauth
    if not client:
        return relay
    file = TokenFile.of(document.watcher.state, f".smtp-{relay.name}")  # no account's name begins with a dot
    source = ManagedToken(f"smtp.{relay.name}", relay.user, client, file)
    return dataclasses.replace(relay, source=source, token=True)


def plain_secrets(data: Mapping[str, Any]) -> Iterator[Key]:
    """Where a secret itself stands in the file."""
    for section in ("account", "smtp"):
        for name, table in _tables(data, section).items():
            yield from ((section, name, key) for key in _plain_keys(table))
            client = table.get("oauth")
            if isinstance(client, dict) and isinstance(client.get("client_secret"), str):
                yield section, name, "oauth", "client_secret"
    for section, key in (("oauth", "client_secret"), ("handler", "secret")):
        for name, table in _tables(data, section).items():
            if isinstance(table.get(key), str):
                yield section, name, key
    alerts = data.get("alerts")
    if isinstance(alerts, dict) and isinstance(alerts.get("fallback"), str):
        yield "alerts", "fallback"


def _plain_keys(table: Mapping[str, Any]) -> Iterator[str]:
    """Which keys of an account or a relay hold a secret itself."""
    yield from (key for key in ("password", "token") if isinstance(table.get(key), str))
    proxy = table.get("proxy")
    fields = proxy if isinstance(proxy, dict) else {"url": proxy}
    if holds_password(fields.get("url")) or isinstance(fields.get("password"), str):
        yield "proxy"


def _tables(data: Mapping[str, Any], section: str) -> Mapping[str, dict[str, Any]]:
    tables = data.get(section)
    found = tables.items() if isinstance(tables, dict) else ()
    return {name: table for name, table in found if isinstance(table, dict)}
