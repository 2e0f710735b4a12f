"""The doors of the hosts: in order, a few at once, one alone where nobody answers, and no host takes all the room."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.config.providers.causes import Cause
from watcher.errors import Loss, MailboxLost
from watcher.inbox.door import AT_ONCE, LONGEST_WAIT, Door, Hall, Turn
from watcher.inbox.enter import inside


def door(*, open_already: bool = True, room: int = 100) -> Door:
    here = Hall(room, rnd=lambda: 1.0).door("host")
    if open_already:
        here.leave(here.knock(0.0), 0.0, reached=True)
    return here


def granted(turns: list[Turn]) -> list[int]:
    return [number for number, turn in enumerate(turns) if turn.granted]


def test_an_unknown_host_is_tried_by_one_first() -> None:
    here = door(open_already=False)
    turns = [here.knock(0.0) for _ in range(10)]
    assert granted(turns) == [0]
    here.leave(turns[0], 1.0, reached=True)
    assert granted(turns) == list(range(AT_ONCE + 1))


def test_a_few_at_once_in_the_order_they_came() -> None:
    here = door()
    turns = [here.knock(0.0) for _ in range(10)]
    assert granted(turns) == list(range(AT_ONCE))
    here.leave(turns[1], 1.0, reached=True)
    assert granted(turns) == list(range(AT_ONCE + 1))


def test_a_turn_wakes_its_guest() -> None:
    here = door()
    turns = [here.knock(0.0) for _ in range(AT_ONCE + 1)]
    woken = []
    turns[-1].wake = lambda: woken.append("now")
    here.leave(turns[0], 1.0, reached=True)
    assert woken == ["now"]


def test_a_host_may_be_dark_for_weeks() -> None:
    here, now = door(), 0.0
    for _ in range(2000):
        turn = here.knock(now)
        here.look(turn, now)
        here.leave(turn, now, reached=False)
        now = here.closed_until
    assert here.failures == 2000
    assert now > 1990 * LONGEST_WAIT


def test_a_dark_host_is_tried_by_one_after_growing_waits() -> None:
    here = door()
    turns = [here.knock(0.0) for _ in range(500)]
    for turn in turns[:AT_ONCE]:
        here.leave(turn, 1.0, reached=False)
    now, tries, waits = 1.0, 0, []
    while now < 3600.0:
        waiting = next(turn for turn in turns if not turn.granted)
        again = here.look(waiting, now)
        if waiting.granted:
            tries += 1
            assert granted(turns) == list(range(AT_ONCE + tries)), "more than one went in"
            here.leave(waiting, now + 30.0, reached=False)
            now += 30.0
        else:
            waits.append(again - now)
            now = again
    assert waits[:3] == [8.0, 16.0, 32.0]
    assert max(waits) == LONGEST_WAIT
    assert tries < 60


def test_who_is_first_now_is_woken_to_look_when_the_host_may_be_tried_again() -> None:
    here = door()
    inside = [here.knock(0.0) for _ in range(AT_ONCE)]
    waiting, woken = here.knock(0.0), []
    waiting.wake = lambda: woken.append(waiting.granted)
    for turn in inside:
        here.leave(turn, 30.0, reached=False)
    assert woken
    assert here.look(waiting, 30.0) == here.closed_until


def test_when_it_answers_all_come_in_again() -> None:
    here = door()
    first = here.knock(0.0)
    here.leave(first, 0.0, reached=False)
    turns = [here.knock(0.1) for _ in range(10)]
    assert granted(turns) == []
    here.look(turns[0], 5.0)
    assert granted(turns) == [0]
    here.leave(turns[0], 6.0, reached=True)
    assert granted(turns) == list(range(AT_ONCE + 1))


@pytest.mark.parametrize(
    ("cause", "closed"),
    [(Cause.QUOTA, False), (Cause.BUSY, False), (Cause.CONNECTIONS, False), (Cause.UNAVAILABLE, True)],
)
def test_what_is_wrong_with_one_mailbox_keeps_nobody_else_out(cause: Cause, closed: bool) -> None:
    here = door()
    for _ in range(5):
        with pytest.raises(MailboxLost), inside(here, here.knock(time.monotonic())):
            raise MailboxLost("not now", Loss.SAID, cause=cause)
    assert here.knock(time.monotonic()).granted is not closed


def test_a_guest_that_goes_gives_its_turn_back() -> None:
    here = door()
    turns = [here.knock(0.0) for _ in range(AT_ONCE + 2)]
    here.leave(turns[-2], 1.0, reached=None)
    here.leave(turns[0], 1.0, reached=None)
    assert turns[-1].granted
    assert not turns[-2].granted


def test_all_hosts_together_never_take_more_than_the_room() -> None:
    hall = Hall(3)
    turns = [hall.door(f"host {number}").knock(0.0) for number in range(20)]
    assert granted(turns) == [0, 1, 2]
    hall.door("host 1").leave(turns[1], 30.0, reached=False)
    assert granted(turns) == [0, 1, 2, 3]
    for number in range(3, 20):
        hall.door(f"host {number}").leave(turns[number], 30.0, reached=True)
    assert granted(turns) == list(range(20))
    assert hall.inside == 2


@given(
    st.lists(st.tuples(st.sampled_from(["knock", "yes", "no", "give back", "look"]), st.integers(0, 2)), max_size=200)
)
def test_nobody_is_counted_twice_or_forgotten(events: list[tuple[str, int]]) -> None:
    hall = Hall(5, rnd=lambda: 1.0)
    doors = [hall.door(str(number)) for number in range(3)]
    waiting: list[list[Turn]] = [[], [], []]
    inside: list[list[Turn]] = [[], [], []]
    for now, (event, which) in enumerate(events):
        here = doors[which]
        if event == "knock":
            waiting[which].append(here.knock(now))
        elif event == "look" and waiting[which]:
            here.look(waiting[which][0], now)
        elif event == "give back" and waiting[which]:
            here.leave(waiting[which].pop(), now, reached=None)
        elif inside[which]:
            here.leave(inside[which].pop(), now, reached=event == "yes")
        for number in range(3):
            inside[number] += [turn for turn in waiting[number] if turn.granted]
            waiting[number] = [turn for turn in waiting[number] if not turn.granted]
            assert doors[number].inside == len(inside[number]) <= AT_ONCE
            assert list(doors[number].queue) == waiting[number]
        assert hall.inside == sum(map(len, inside)) <= 5
        assert set(hall.queues) == {str(number) for number in range(3) if waiting[number]}
