"""How soon the next look or try comes: tables of what happened."""

from watcher.inbox.pace import FREE, LONGEST_WAIT, Pace


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
