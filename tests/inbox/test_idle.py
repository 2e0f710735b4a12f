"""When IDLE is renewed: before the interval is over, and not on all links of a server at once."""

from collections import Counter
from random import Random

from watcher.inbox.idle import renewed_after


def test_links_that_began_together_do_not_renew_together() -> None:
    rnd, times = Random(1), Counter[int]()
    for _ in range(1000):
        times[int(renewed_after(30.0, 0.0, rnd.uniform))] += 1
    assert max(times.values()) < 100  # in any second; of 1,000 links spread over 3 s it would be 300
    assert max(times) < 30


def test_later_a_renewal_comes_near_the_end_of_the_interval() -> None:
    rnd = Random(1)
    assert all(27.0 <= renewed_after(30.0, 30.0, rnd.uniform) < 30.0 for _ in range(1000))
