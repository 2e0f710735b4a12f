"""Which UIDs are to be fetched: tables of cases, no server."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from watcher.cursor import Cursor, Likeness
from watcher.imap.link import Mailbox, Summary
from watcher.inbox.catchup import LOOK_BACK, PROOF, Mark, begin, is_new_epoch, look_from, prove, rematch

CURSOR = Cursor(1, "a", "INBOX", 1, 1, 7, floor_uid=1, reset_uid=1, low_uid=1, next_uid=1, started_at=0.0, resets=0)
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("known", "found", "expected"),
    [
        ((7, 10), (7, 12), False),
        ((7, 10), (8, 1), True),
        ((7, 10), (6, 12), True),  # RFC 3501 wants it greater; what it means is the same
        ((7, 10), (0, 12), False),  # missing: says nothing
        ((0, 10), (7, 12), False),
        ((7, 10), (7, 9), True),  # UIDNEXT shrank
        ((7, 10), (7, None), False),
        ((7, 10), (7, 0), False),
        ((7, 10), (7, 10), False),
    ],
)
def test_new_epoch(known: tuple[int, int], found: tuple[int, int | None], expected: bool) -> None:
    cursor = replace(CURSOR, uidvalidity=known[0], next_uid=known[1])
    assert is_new_epoch(cursor, Mailbox(found[0], found[1], 3)) is expected


def test_where_a_folder_begins() -> None:
    mailbox = Mailbox(7, 10, 3)
    assert begin(mailbox, (), None, everything=False).floor_uid == 10
    assert begin(Mailbox(7, None, 3), (2, 9), None, everything=False).floor_uid == 10
    assert begin(Mailbox(7, None, 0), (), None, everything=False).floor_uid == 1
    assert begin(mailbox, (), None, everything=True).floor_uid == 1
    since = begin(mailbox, (2, 5, 9), (5, 9), everything=False)
    assert (since.floor_uid, since.old) == (1, (2,))


def test_searches_look_back_but_never_below_the_start() -> None:
    assert look_from(replace(CURSOR, low_uid=1000)) == 1000 - LOOK_BACK
    assert look_from(replace(CURSOR, low_uid=1000, floor_uid=990)) == 990


def test_a_uid_left_out_of_one_answer_is_still_searched_for() -> None:
    """1..1000 arrive at once and the server leaves out 3; the cursor may pass it only after a second search."""
    found = [uid for uid in range(1, 1001) if uid != 3]
    cursor, mark = prove(CURSOR, None, found, 0.0)
    assert (cursor.next_uid, cursor.low_uid) == (1001, 1)
    cursor, mark = prove(cursor, mark, found, PROOF - 1)
    assert cursor.low_uid == 1, "two searches too close together proved something"
    assert look_from(cursor) <= 3
    cursor, mark = prove(cursor, mark, [*found, 1001], PROOF)
    assert (cursor.low_uid, cursor.next_uid, mark) == (1001, 1002, Mark(1002, PROOF))


def test_the_cursor_never_goes_back() -> None:
    cursor, _ = prove(replace(CURSOR, low_uid=50, next_uid=60), Mark(40, 0.0), [], 100.0)
    assert (cursor.low_uid, cursor.next_uid) == (50, 60)


def summary(uid: int, message_id: str, minutes: int = 0, size: int = 100) -> Summary:
    return Summary(uid, size, NOON + timedelta(minutes=minutes), message_id)


def likeness(mail: int, message_id: str, minutes: int = 0, size: int = 100) -> Likeness:
    return Likeness(mail, message_id, (NOON + timedelta(minutes=minutes)).timestamp(), size)


def rematched(summaries: list[Summary], likenesses: list[Likeness], first_day: date | None = None):
    return rematch(summaries, likenesses, earliest=NOON.timestamp(), first_day=first_day)


def test_a_re_made_folder_is_recognised_by_message_id_and_time() -> None:
    found = rematched([summary(1, "<a>"), summary(2, "<b>", 5)], [likeness(10, "<a>"), likeness(11, "<b>")])
    assert found.same == {1: 10}
    assert found.old == ()


def test_size_breaks_a_tie_and_nothing_is_guessed() -> None:
    two = [likeness(10, "<a>", size=100), likeness(11, "<a>", size=200)]
    assert rematched([summary(1, "<a>", size=200)], two).same == {1: 11}
    other = rematched([summary(1, "<a>", -1, size=300)], [likeness(10, "<a>", -1)])
    assert (other.same, other.old) == ({}, ()), "a mail of another size is to be fetched, whatever its age"
    same_size = [likeness(10, "<a>"), likeness(11, "<a>")]
    assert rematched([summary(1, "<a>")], same_size).same == {}
    assert rematched([summary(1, "")], [likeness(10, "")]).same == {}, "mails without Message-ID were taken for one"


def test_one_known_mail_is_no_two() -> None:
    assert rematched([summary(1, "<a>"), summary(2, "<a>")], [likeness(10, "<a>")]).same == {1: 10}


def test_unknown_mail_from_before_the_start_is_old() -> None:
    assert rematched([summary(1, "<x>", -1), summary(2, "<y>", 1)], []).old == (1,)
    assert rematched([summary(1, "<x>", -1)], [], first_day=date(2026, 11, 21)).old == ()
    assert rematched([summary(1, "<x>", -1)], [], first_day=date(2026, 11, 22)).old == (1,)
