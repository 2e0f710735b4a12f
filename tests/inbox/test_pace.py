"""How soon the next look or try comes: tables of what happened."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.config.providers.causes import Cause
from watcher.errors import FolderRefused, MailboxLost, ServerUntrusted, Superseded, WatcherError
from watcher.inbox.pace import FREE, LONGEST_WAIT, Pace, Tries
from watcher.inbox.patience import Patience

PATIENCE = Patience(
    first_wait=1.0, longest_wait=600.0, proven_life=300.0, refused=(300.0, 21600.0), untrusted=(30.0, 60.0)
)
LOST, SECOND, CROWDED = MailboxLost("gone"), Superseded("a newer link"), MailboxLost("full", cause=Cause.CONNECTIONS)
SLOW, REFUSED, UNTRUSTED = MailboxLost("slowly", wait=90.0), FolderRefused("no"), ServerUntrusted("who is it?")
SLOWLY_REFUSED = FolderRefused("not now", wait=900.0)


def test_a_server_that_announces_nothing_for_ever_is_looked_at_less_and_less_often() -> None:
    pace, now, waits = Pace(), 0.0, []
    for _ in range(2000):
        now = pace.next(now, in_vain=True)
        waits.append(pace.wait())
    assert waits[:FREE] == [0.0] * FREE
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT


def test_news_that_is_true_costs_nothing() -> None:
    pace = Pace()
    for now in (0.0, 0.1, 0.2, 0.3, 0.4):
        pace.next(now, in_vain=True)
    assert pace.next(0.5, in_vain=False) == 0.5


@pytest.mark.parametrize(
    ("ends", "counts", "longest"),
    [
        ([(LOST, None)], (1, 0, 0), 1.0),
        ([(LOST, None)] * 3, (3, 0, 0), 4.0),
        ([(LOST, None)] * 99, (99, 0, 0), 600.0),
        ([(SECOND, 1.0)] * 2, (2, 0, 0), 2.0),
        ([(LOST, 299.0)] * 3, (3, 0, 0), 4.0),  # a login proves nothing
        ([*[(LOST, None)] * 9, (LOST, 301.0)], (1, 0, 0), 1.0),
        ([*[(LOST, None)] * 9, (LOST, 301.0), (LOST, None)], (2, 0, 0), 2.0),
        ([(LOST, None), (SLOW, None)], (2, 0, 0), 90.0),
        ([*[(LOST, None)] * 9, (SLOW, None)], (10, 0, 0), 512.0),
        ([(CROWDED, None)] * 2, (2, 0, 2), 2.0),
        ([(CROWDED, None), (LOST, None), (CROWDED, None)], (3, 0, 1), 4.0),
        ([(CROWDED, None), (REFUSED, 1.0), (CROWDED, None)], (2, 1, 1), 2.0),
        ([(REFUSED, 1.0)], (0, 1, 0), 300.0),
        ([(REFUSED, 1.0)] * 2, (0, 2, 0), 21600.0),
        ([(REFUSED, 1.0)] * 9, (0, 9, 0), 21600.0),
        ([(SLOWLY_REFUSED, 1.0)], (0, 1, 0), 900.0),
        ([(REFUSED, 1.0), (LOST, None), (REFUSED, 1.0)], (1, 2, 0), 21600.0),
        ([(REFUSED, 1.0), (LOST, 1.0), (REFUSED, 1.0)], (1, 1, 0), 300.0),
        ([(LOST, None), (REFUSED, 1.0), (LOST, None)], (2, 1, 0), 2.0),
        ([(UNTRUSTED, None)], (0, 1, 0), 30.0),
        ([(UNTRUSTED, None)] * 5, (0, 5, 0), 60.0),
    ],
)
def test_what_has_ended_says_how_long_to_wait(
    ends: list[tuple[WatcherError, float | None]], counts: tuple[int, int, int], longest: float
) -> None:
    tries = Tries(PATIENCE)
    for error, lived in ends:
        tries = tries.after(error, lived)
    assert (tries.losses, tries.refusals, tries.turned_away) == counts
    assert tries.wait(ends[-1][0], lambda: 1.0) == longest


def test_a_link_that_brought_mail_was_a_good_one() -> None:
    tries = Tries(PATIENCE, losses=9)
    assert tries.after(LOST, 1.0, fruitful=True).losses == 1
    assert tries.after(LOST, 1.0).losses == 10


def test_who_is_turned_away_three_times_in_a_row_gives_way() -> None:
    tries = [Tries(PATIENCE)]
    for _ in range(4):
        tries.append(tries[-1].after(CROWDED))
    assert [one.too_many for one in tries] == [False, False, False, True, True]


@given(st.integers(1, 40), st.floats(0, 1))
def test_losses_spread_below_a_doubling_ceiling(losses: int, rnd: float) -> None:
    ceiling = min(600.0, math.ldexp(1.0, losses - 1))
    assert 0.5 <= Tries(PATIENCE, losses).wait(LOST, lambda: rnd) <= ceiling
