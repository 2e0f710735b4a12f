"""kill -9 at each step of a renewal, and at any moment: the login is never lost."""

import multiprocessing
import random
import threading
from contextlib import suppress

import pytest

from tests.config.oauth.renewing import renew
from tests.fakes.oauth_server import CLIENT_SECRET, Rotation, pause

CHILDREN = multiprocessing.get_context("forkserver")
CHILDREN.set_forkserver_preload(["tests.config.oauth.renewing"])


class Child:
    """One life of the process. What it hands out counts as used, as a mail server would see it at once."""

    def __init__(self, server, held):
        self.server, self.alive = server, threading.Event()
        self.out, there = CHILDREN.Pipe(duplex=False)
        address = (server.base + "/token", CLIENT_SECRET, server.ca_file, held.file.path, there)
        self.process = CHILDREN.Process(target=renew, args=address)
        self.listener = threading.Thread(target=self.listen)
        self.used = 0
        self.process.start()
        there.close()
        self.listener.start()

    def listen(self):
        with suppress(EOFError, OSError):  # it may be killed amid a word
            while True:
                self.server.use(self.out.recv())
                self.used += 1
                self.alive.set()

    def kill(self):
        self.process.kill()

    def gone(self):
        self.process.join(20)
        assert self.process.exitcode == -9
        self.listener.join(20)
        self.out.close()


def survives(server, held):
    """Somebody who starts afterwards gets a token by himself, and can go on from there."""
    for _ in range(2):
        got = held.fetch()
        assert got.reveal() in server.issued
        server.use(got.reveal())
        held.reject(got)
    assert {path.suffix for path in held.file.path.parent.iterdir()} == {".json", ".lock"}
    assert (held.file.path.stat().st_mode & 0o777, held.file.path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert server.alive(held.file.read().refresh.reveal())


@pytest.mark.parametrize("before", [0, 2], ids=["first", "third"])
@pytest.mark.parametrize(
    "step",
    [{}, {"acted": True}, *({"part": part} for part in (1, 17, 60, 110, 200))],
    ids=["asked", "replaced", "status begun", "status read", "header", "body begun", "body"],
)
def test_killed_while_the_server_is_asked(server, token, step, before):
    server.rotation = Rotation.LENIENT
    held = token()
    go, dead = threading.Event(), threading.Event()

    def arrived():
        child.kill()
        child.process.join(20)
        dead.set()

    honest = lambda handler, act: handler.answer_with(act)  # noqa: E731
    server.on("refresh", *[honest] * before, pause(arrived, go, **step))
    child = Child(server, held)
    assert dead.wait(20)
    go.set()
    child.gone()
    survives(server, held)


def test_killed_at_any_moment(server, token):
    server.rotation = Rotation.LENIENT
    held = token()
    chance = random.Random(5)
    used = 0
    for _ in range(40):
        child = Child(server, held)
        if chance.random() < 0.8:
            assert child.alive.wait(20)
        threading.Event().wait(chance.uniform(0, 0.05))
        child.kill()
        child.gone()
        used += child.used
        survives(server, held)
    assert used > 40
    assert len(server.forms["refresh"]) > 100
