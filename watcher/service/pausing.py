"""Pausing an account (it is not watched) or a handler (its mail waits), until it is resumed; also over restarts."""

import logging
from collections.abc import Callable, Collection
from typing import Literal

from watcher.config.standing import Standing
from watcher.inbox.accounts import Accounts
from watcher.service.control import Refused
from watcher.store.pauses import Pauses

__all__ = ["Pausing"]

log = logging.getLogger(__name__)

Kind = Literal["account", "handler"]


class Pausing:
    """Asked by the control socket, from any thread."""

    def __init__(
        self,
        standing: Standing,
        pauses: Pauses,
        accounts: Accounts,
        changed: Callable[[], None],
    ) -> None:
        """`changed`: a handler may run again, or no more."""
        self.standing = standing
        self.pauses = pauses
        self.accounts = accounts
        self.changed = changed

    def pause(self, *, name: str, kind: str | None = None) -> object:
        """Raises Refused."""
        return self._put(name, kind, paused=True)

    def resume(self, *, name: str, kind: str | None = None) -> object:
        """Raises Refused."""
        return self._put(name, kind, paused=False)

    def _put(self, name: str, kind: str | None, *, paused: bool) -> object:
        with self.standing.turn:
            found = self._kind(name, kind)
            (self.pauses.pause if paused else self.pauses.resume)(found, name)
            log.info("%s %s %s", found, name, "was paused" if paused else "goes on")
            account = self.standing.account(name)
            if found == "account" and account:  # begun anew, it finds out whether it is paused
                self.accounts.end(name)
                self.accounts.begin(account)
            self.changed()
        return {"kind": found, "name": name, "paused": paused}

    def _kind(self, name: str, kind: str | None) -> Kind:
        known: dict[Kind, Collection[str]] = {
            "account": {account.name for account in self.standing.config.accounts} | self.pauses.names["account"],
            "handler": {name for rule in self.standing.config.rules for name in rule.run}
            | self.pauses.names["handler"],
        }
        found = [each for each, names in known.items() if name in names and kind in {None, each}]
        if len(found) == 1:
            return found[0]
        if found:
            raise Refused(f"{name} is an account and a handler; say which by --account or --handler")
        raise Refused(f"there is no {kind or 'account or handler'} {name}")
