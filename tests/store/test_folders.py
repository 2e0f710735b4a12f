"""RECEIVE: cursor and mails in one transaction, each mail once wherever it turns up."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.store.conftest import NOON, Books, arrival
from watcher.cursor import Anchor, Blank
from watcher.errors import Superseded
from watcher.model import Kind


def test_a_newer_link_shuts_the_older_one_out(books: Books) -> None:
    older = books.open()
    newer = books.open()
    with pytest.raises(Superseded):
        books.folders.receive(replace(older, next_uid=2), [arrival(1)], [], 1.0)
    assert books.desk.entries() == [], "a refused commit left something behind"
    books.folders.receive(replace(newer, next_uid=2), [arrival(1)], [], 1.0)
    assert books.open().next_uid == 2


def test_the_same_uid_twice_is_one_mail(books: Books) -> None:
    books.receive(arrival(1))
    assert books.receive(arrival(1)) == [], "its folder is taken away"
    assert len(books.desk.entries()) == 1


def test_a_mail_moved_between_watched_folders_is_one_mail(books: Books) -> None:
    books.receive(arrival(1))
    moved = arrival(5, folder="Work", message_id="<1@example.com>", digest="digest 1")
    assert books.receive(moved) == [moved]
    assert books.folders.looked_at(books.open(folder="Work"), 1, 0.0) == {5}


def test_the_same_mail_in_two_accounts_is_two(books: Books) -> None:
    books.receive(arrival(1))
    assert books.receive(arrival(1, account="b")) == []


def test_same_message_id_with_other_content_is_another_mail(books: Books) -> None:
    books.receive(arrival(1))
    assert books.receive(arrival(2, message_id="<1@example.com>")) == []


@pytest.mark.parametrize(("apart", "doubles"), [(0, 1), (1, 0)])
def test_without_message_id_the_time_must_agree(books: Books, apart: int, doubles: int) -> None:
    books.receive(arrival(1, message_id=""))
    moved = {"message_id": "", "digest": "digest 1", "received": NOON + timedelta(seconds=apart)}
    assert len(books.receive(arrival(2, folder="Work", **moved))) == doubles


def test_without_message_id_two_mails_of_one_folder_are_two(books: Books) -> None:
    same = {"message_id": "", "digest": "digest"}
    for uid in (1, 2, 3):
        assert books.receive(arrival(uid, **same)) == []
    assert books.receive(arrival(2, **same)) == []
    assert len(books.desk.entries()) == 3


def test_a_second_delivery_is_known_only_in_a_new_epoch(books: Books) -> None:
    again = {"message_id": "<1@example.com>", "body_digest": "body 1"}
    books.receive(arrival(1))
    assert books.receive(arrival(2, **again)) == [], "a mail was swallowed: it was delivered twice within one epoch"
    cursor = books.folders.anchor(books.open(), Anchor(8, 1, reset_uid=3), 2.0)
    redelivered = arrival(2, digest="other trace fields", **again, key="new")
    assert books.folders.receive(replace(cursor, next_uid=3), [redelivered], [], 3.0) == [redelivered]
    late = arrival(3, digest="third", **again, key="late")
    assert books.folders.receive(replace(cursor, next_uid=4), [late], [], 3.0) == []


def test_a_known_mail_of_a_new_epoch_is_found_there_by_its_actions(books: Books) -> None:
    books.receive(arrival(1), arrival(2))
    row = {e.uid: e for e in books.desk.entries()}
    likeness = {one.message_id: one.mail for one in books.folders.likenesses(books.open())}
    books.folders.anchor(books.open(), Anchor(8, 1, 10, same={6: likeness["<1@example.com>"]}, old=(3,)), 2.0)
    works = books.claim_all(Kind.UNPACK)
    places = {work.key: (work.place.uidvalidity, work.place.uid) for work in works}
    assert places[row[1].key] == (8, 6)
    assert places[row[2].key] == (-1, 2), "an action could hit a stranger's UID"
    assert books.folders.looked_at(books.open(), 1, 0.0) == {6, 3}


def test_blanks_come_back_when_they_are_due(books: Books) -> None:
    cursor = books.open()
    books.folders.receive(replace(cursor, next_uid=3), [], [Blank(1, "no bytes", 100.0), Blank(2, "gone", None)], 1.0)
    cursor = books.open()
    assert books.folders.looked_at(cursor, 1, 50.0) == {1, 2}
    assert books.folders.looked_at(cursor, 1, 150.0) == {2}
    assert books.folders.overdue(cursor, 150.0) == {1: "no bytes"}
    assert books.folders.tries(cursor, 1) == 1
    books.receive(arrival(1))
    assert books.folders.looked_at(books.open(), 1, 150.0) == {1, 2}


def test_new_epochs_in_a_row_are_counted(books: Books) -> None:
    cursor = books.open()
    assert cursor.resets == 0
    for number in (1, 2, 3):
        cursor = books.folders.anchor(cursor, Anchor(10 + number, 1), 2.0)
        assert cursor.resets == number
    assert books.folders.steady(cursor).resets == 0
