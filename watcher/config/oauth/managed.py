"""The token of an account whose tokens we manage: renewed in time, saved before it is used, never thrown away."""

import logging
import shlex
import time
from dataclasses import dataclass, field

from watcher.config.oauth.client import OAuthClient
from watcher.config.oauth.exchange import refresh_tokens
from watcher.config.oauth.flight import SingleFlight
from watcher.config.oauth.grant import Grant, Tokens
from watcher.config.oauth.keeping import TokenFile
from watcher.config.secret import Secret, SecretSource
from watcher.errors import LoginNeeded, LoginRefused, SecretUnavailable, ServerUntrusted

__all__ = ["ManagedToken"]

log = logging.getLogger(__name__)

#: Codes by which a server says that a refresh token is no longer good: RFC 6749 5.2, and OpenID's, used by Microsoft.
ENDED = frozenset({"invalid_grant", "interaction_required", "login_required", "consent_required"})


#: Seconds after which refused tokens are shown to the server again; others are at once.
PATIENCE = 1800.0


@dataclass(frozen=True, slots=True)
class End:
    """The end of a login, as the server said. It may have been wrong."""

    refused: frozenset[Secret]  #: refresh tokens that it wants no more
    reason: LoginRefused  #: in its words
    again: float  #: when they may be shown to it once more, in monotonic seconds


@dataclass(slots=True)
class Memory:
    """What this process knows besides the file."""

    flight: SingleFlight[Grant] = field(default_factory=SingleFlight)  #: all renewals go through it
    end: End | None = None


@dataclass(frozen=True, slots=True)
class ManagedToken(SecretSource):
    """
    An access token (RFC 6749 1.4), from the file that `imap-watcher login` made.

    A refresh token may be worth one use only, and its successor may be lost on the way: by a cut connection, or when
    this process is killed before it is saved. So the old one stays until the new one has worked, and stays in the file
    even when it is refused: only `login` replaces it.
    """

    account: str  #: name in the configuration
    user: str  #: whose mailbox it is
    client: OAuthClient
    file: TokenFile
    memory: Memory = field(default_factory=Memory, compare=False, repr=False)

    def fetch(self) -> Secret:
        """
        A token that is good for some minutes at least.

        LoginNeeded if a person must act, LoginRefused if the server does not like our client, SecretUnavailable or
        ServerUntrusted if no token can be had now, StorageFailed if a new one can't be saved.
        """
        grant = self._kept()
        if not grant.fresh(time.time()):
            grant = self.memory.flight.share(self._renew)
        return grant.access

    def reject(self, secret: Secret) -> None:
        """Has the next `fetch` get another one, although `secret` should be good: the mail server refused it."""
        with self.file.locked():
            grant = self._kept()
            if grant.access == secret:
                with self.file.draft() as save:
                    save(grant.spent())

    def accept(self, tokens: Tokens) -> None:
        """Keeps what a new consent gave. LoginRefused if it can't be renewed, so would end within the hour."""
        if tokens.refresh is None:
            raise LoginRefused(f"{self.client.token_uri} gave no refresh token: is offline_access in the scope?")
        now = time.time()
        grant = Grant(
            client_id=self.client.client_id,
            access=tokens.access,
            issued=now,
            expires=now + tokens.life,
            refresh=tokens.refresh,
        )
        with self.file.locked(), self.file.draft() as save:
            save(grant)

    def _kept(self) -> Grant:
        try:
            grant = self.file.read()
        except LoginNeeded as error:
            raise self._needed(str(error)) from error
        if grant is None:
            raise self._needed("nobody has logged in yet")
        if grant.client_id != self.client.client_id:
            raise self._needed("its tokens belong to another client_id")
        return grant

    def _renew(self) -> Grant:
        with self.file.locked():
            end = self.memory.end if self.memory.end and time.monotonic() < self.memory.end.again else None
            tried, reason = (set(end.refused), end.reason) if end else (set(), None)
            while True:
                grant = self._kept()  # anew each time: the file may have been replaced, and another may be first
                if grant.fresh(time.time()):
                    return grant
                refresh = grant.untried(tried)
                if refresh is None:
                    raise self._needed(str(reason)) from reason
                tried.add(refresh)
                try:
                    return self._renew_by(refresh, grant)
                except LoginRefused as error:
                    if error.code not in ENDED:
                        raise
                    reason = error
                    self.memory.end = End(frozenset(tried), error, time.monotonic() + PATIENCE)

    def _renew_by(self, refresh: Secret, grant: Grant) -> Grant:
        try:
            with self.file.draft() as save:
                tokens = refresh_tokens(self.client, refresh)
                renewed = grant.renewed(tokens, refresh, time.time())
                save(renewed)
        except (SecretUnavailable, ServerUntrusted) as error:
            if not grant.alive(time.time()):
                raise
            log.warning("account %s: its token can't be renewed yet: %s", self.account, error)
            return grant
        log.info("account %s: token renewed, good for %d minutes", self.account, tokens.life // 60)
        return renewed

    def _needed(self, reason: str) -> LoginNeeded:
        return LoginNeeded(f"account {self.account}: {reason}; run: imap-watcher login {shlex.quote(self.account)}")
