"""TOML to frozen settings: all problems at once, with file, line and key; secrets stay where they are until used."""

from watcher.config.accounts import Account, Start
from watcher.config.handlers import HandlerSettings, find_handler
from watcher.config.patterns import Pattern
from watcher.config.reading import find, load, load_place
from watcher.config.rules import Condition, Rule
from watcher.config.secret import PlainSource, Secret, SecretSource
from watcher.config.settings import Config, WatcherSettings
from watcher.config.units import Range

__all__ = [
    "Account",
    "Condition",
    "Config",
    "HandlerSettings",
    "Pattern",
    "PlainSource",
    "Range",
    "Rule",
    "Secret",
    "SecretSource",
    "Start",
    "WatcherSettings",
    "find",
    "find_handler",
    "load",
    "load_place",
]
