"""The thread that tidies up behind runs: at the start, after each, and at the end, whatever goes wrong in between."""

from queue import SimpleQueue

import pytest

from watcher.jobs.tidier import Tidier

DEADLINE = 30.0  #: seconds


class Corridor:
    """Warm processes, strays and what runs left on disk, in one; tells what was asked of it, in order."""

    def __init__(self):
        self.asked = SimpleQueue()
        self.troubles = []  #: raised by the next sweeps

    def retire(self, now):
        self.asked.put("retire")

    def sweep(self):
        if self.troubles:
            self.asked.put("trouble")
            raise self.troubles.pop()
        self.asked.put("sweep")
        return 2

    def clear(self):
        self.asked.put("clear")

    def close(self):
        self.asked.put("close")

    def next(self, count):
        return [self.asked.get(timeout=DEADLINE) for _ in range(count)]


ROUND = ["retire", "sweep", "clear"]


@pytest.fixture
def corridor():
    return Corridor()


@pytest.fixture
def tidier(corridor):
    made = Tidier(corridor, corridor, corridor)
    assert corridor.next(3) == ROUND  # what an earlier life has left goes before the first run begins
    yield made
    made.close()


def test_it_tidies_up_after_a_run(tidier, corridor):
    tidier.call()
    assert corridor.next(3) == ROUND


def test_a_shortage_does_not_end_it(tidier, corridor, caplog):
    corridor.troubles.append(OSError(24, "Too many open files"))
    tidier.call()
    assert corridor.next(2) == ["retire", "trouble"]
    tidier.call()
    assert corridor.next(3) == ROUND
    assert "can't look for what handlers left behind: Too many open files" in caplog.text


def test_the_last_round_follows_the_end_of_the_warm_processes(tidier, corridor):
    tidier.close()
    asked = []
    while not corridor.asked.empty():
        asked.append(corridor.asked.get())
    assert asked[-4:] == ["close", *ROUND]


def test_it_ends_twice_without_harm(tidier, corridor):
    tidier.close()
    while not corridor.asked.empty():
        corridor.asked.get()
    tidier.close()
    assert corridor.asked.empty()


def test_what_it_killed_is_told(corridor, caplog):
    Tidier(corridor, corridor, corridor).close()
    assert "killed 2 processes that handlers had left behind" in caplog.text
