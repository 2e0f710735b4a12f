"""Secrets of handlers are asked for now and then; one that hangs keeps nobody else waiting."""

import threading
from dataclasses import dataclass, field

import pytest

from watcher.config.secret import Secret, SecretSource
from watcher.errors import SecretUnavailable
from watcher.jobs.program import CannotStart
from watcher.jobs.vault import Vault


@dataclass(frozen=True)
class Source(SecretSource):
    name: str
    asked: list = field(default_factory=list, compare=False)
    gate: threading.Event | None = field(default=None, compare=False)

    def fetch(self) -> Secret:
        self.asked.append(self.name)
        if self.gate:
            self.gate.wait(30)
        if self.name == "missing":
            raise SecretUnavailable("the secret file x can't be read")
        return Secret(self.name)


def test_it_is_fetched_once_for_many_runs():
    vault, source = Vault(), Source("a")
    assert [vault.fetch(source).reveal() for _ in range(5)] == ["a"] * 5
    assert source.asked == ["a"]


def test_what_can_not_be_had_is_asked_for_each_time():
    vault, source = Vault(), Source("missing")
    for _ in range(2):
        with pytest.raises(CannotStart, match="can't be read"):
            vault.fetch(source)
    assert source.asked == ["missing"] * 2


def test_one_that_hangs_keeps_nobody_else_waiting(wait_until):
    vault, gate = Vault(), threading.Event()
    slow = Source("slow", gate=gate)
    thread = threading.Thread(target=vault.fetch, args=(slow,))
    thread.start()
    wait_until(lambda: slow.asked)
    assert vault.fetch(Source("quick")).reveal() == "quick"
    assert thread.is_alive()
    gate.set()
    thread.join()
