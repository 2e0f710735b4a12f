"""Taking over a changed configuration: what is new begins, what is gone ends, all else does not notice."""

import dataclasses
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from watcher.config.accounts import Account
from watcher.config.reading import load
from watcher.config.settings import Config, WatcherSettings
from watcher.config.standing import Standing
from watcher.errors import ConfigError
from watcher.inbox.accounts import Accounts
from watcher.jobs.errand import run_errand
from watcher.jobs.program import CannotStart
from watcher.printing import one_line
from watcher.service.logs import set_level

__all__ = ["Adoption", "Changes", "changes"]

log = logging.getLogger(__name__)

#: Settings of `[watcher]` that are built into what runs.
FIXED = ("state", "handlers", "socket", "unpackers", "runners", "links", "metrics")

#: Reads the file named on the command line. What is wrong with it is no failure here: we read it after that.
LOAD = """
import pathlib, sys
from watcher.config.reading import load
from watcher.errors import ConfigError
try:
    load(pathlib.Path(sys.argv[1]))
except ConfigError:
    pass
"""


#: What decides where files are looked for.
ENVIRONMENT = ("PATH", "HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "PYTHONPATH")


@dataclass(frozen=True, slots=True)
class Changes:
    """What another configuration means for a daemon that runs."""

    end: tuple[str, ...]  #: names of accounts to let go of
    begin: tuple[Account, ...]  #: accounts to watch
    fixed: tuple[str, ...]  #: settings that can't change before the next start


def changes(old: Config, new: Config) -> Changes:
    """Pure. An account of which anything has changed ends and begins."""
    before = {account.name: account for account in old.accounts}
    after = {account.name: account for account in new.accounts}
    fixed = [f"watcher.{name}" for name in FIXED if getattr(old.watcher, name) != getattr(new.watcher, name)]
    return Changes(
        tuple(name for name, account in before.items() if after.get(name) != account),
        tuple(account for name, account in after.items() if before.get(name) != account),
        (*fixed, *(["limits"] if old.limits != new.limits else [])),
    )


class Adoption:
    """Looks at the configuration file when it may have changed, and puts it in force if it is right."""

    def __init__(self, standing: Standing, accounts: Accounts) -> None:
        self.standing = standing
        self.accounts = accounts
        self.stamp = _stamp(standing.config.path)

    def look(self) -> bool:
        """Whether another configuration is in force now. What is wrong with the file is logged, once."""
        stamp = _stamp(self.standing.config.path)
        if stamp == self.stamp and not self.standing.refused:  # else what it lacked may be there now
            return False
        try:
            new = examine(self.standing.config.path)
        except ConfigError as error:
            self.refuse(error.problems)
            self.stamp = stamp
            return False
        except (CannotStart, OSError) as error:  # the machine is short of something: there is a next time
            log.warning("the configuration can't be looked at: %s", error)
            return False
        self.stamp = stamp
        self.standing.refused = ()
        with self.standing.turn:
            self.adopt(new)
        return True

    def refuse(self, problems: Sequence[str]) -> None:
        for problem in problems:
            if problem not in self.standing.refused:
                log.error("the configuration stays as it was: %s", problem)
        self.standing.refused = tuple(problems)

    def adopt(self, new: Config) -> None:
        old = self.standing.config
        found = changes(old, new)
        for warning in new.warnings:
            log.warning("%s", warning)
        for name in found.fixed:
            log.warning("%s: %s takes effect at the next start", new.path, name)
        for name in found.end:
            self.accounts.end(name)
        self.standing.put(dataclasses.replace(new, watcher=_keep(old.watcher, new.watcher), limits=old.limits))
        for account in found.begin:
            self.accounts.begin(account)
        set_level(new.watcher.log)
        log.info(
            "a changed configuration is in force: %d accounts, %d of them changed or new, %d gone",
            *(len(new.accounts), len(found.begin), len({*found.end} - {account.name for account in new.accounts})),
        )


def examine(path: Path) -> Config:
    """The configuration in a file, after a child has read it and lived. Raises ConfigError, CannotStart, OSError."""
    environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    errand = run_errand([sys.executable, "-P", "-c", LOAD, str(path)], Path("/"), environment)
    if not errand.good:
        what = "end the daemon" if errand.in_time else "take too long"
        raise ConfigError([f"{path}: reading it would {what}: {one_line(errand.output[-200:])}"])
    return load(path)


def _keep(old: WatcherSettings, new: WatcherSettings) -> WatcherSettings:
    return dataclasses.replace(new, **{name: getattr(old, name) for name in FIXED})


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode, found.st_uid
