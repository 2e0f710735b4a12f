"""Mails that no rule is for are recorded, not fetched; in doubt a mail is fetched."""

import re
from dataclasses import replace

import pytest

from tests.fakes.imap_server import Command, Session, bye, eof, then_honest
from tests.inbox.conftest import QUICK, mail

ORDERS = "[[rule]]\nwhen = { subject = 'mail 1*' }\nthen = ['seen']\n"
FILES = "[[rule]]\nwhen = { attachment_type = 'application/pdf' }\nthen = ['seen']\n"


def left_out(here):
    return {row["uid"]: row["note"] for row in here.database.read("SELECT * FROM place WHERE mail IS NULL")}


def questions(server):
    return [line for line in server.lines if b"PEEK[HEADER]" in line or b"BODYSTRUCTURE" in line]


def bodies(server):
    """The UIDs whose text was asked for."""
    asked = [re.search(rb"UID FETCH ([\d,]+) .*BODY.PEEK\[\]", line) for line in server.lines]
    return sorted(int(uid) for found in asked if found for uid in found[1].split(b","))


def test_only_what_a_rule_may_want_is_fetched(server, room):
    for number in (1, 2, 3, 10):
        server.deliver(mail(number))
    with room("start = 'all'", rules=ORDERS) as here:
        here.wait_idle()
        assert here.numbers() == [1, 10]
        assert bodies(server) == [1, 4]
        assert len(questions(server)) == 1, "one question for all"
        # They count as news that came: a server whose news is in vain would be looked at more and more slowly.
        assert (here.pulse.mails, here.pulse.left_out) == (4, 2)
        assert list(left_out(here)) == [2, 3]
        assert all("no rule is for it" in note for note in left_out(here).values())
        server.deliver(mail(11))
        here.wait_numbers(1, 10, 11)
        server.deliver(mail(20))
        here.wait(lambda: here.pulse.left_out == 3)
        here.wait_idle()
    asked = len(questions(server))
    server.deliver(mail(12))
    with room("start = 'all'", rules=ORDERS) as here:
        here.wait_numbers(1, 10, 11, 12)
        assert bodies(server) == [1, 4, 5, 7], "what was left out is settled, also for the next start"
        assert re.search(rb"UID FETCH 7 ", questions(server)[asked])


def test_where_any_mail_may_be_wanted_nothing_is_asked(server, room):
    server.deliver(mail(1))
    with room("start = 'all'") as here:
        here.wait_numbers(1)
        here.wait_idle()
        assert questions(server) == []
        assert server.count("UID FETCH") == 1


def test_a_folder_that_no_rule_is_for(server, room):
    server.deliver(mail(1))
    with room("start = 'all'", rules="[[rule]]\nwhen = { folder = 'Orders' }\nthen = ['seen']\n") as here:
        here.wait(lambda: here.pulse.left_out == 1)
        assert bodies(server) == []


def test_a_backlog_takes_few_questions(server, room):
    for number in range(1, 301):
        server.deliver(mail(1000 + number if number % 100 == 0 else 2000 + number))
    with room("start = 'all'", rules=ORDERS) as here:
        here.wait(lambda: here.pulse.left_out == 297)
        here.wait_idle()
        assert sorted(here.numbers()) == [1100, 1200, 1300]
        assert len(questions(server)) == 4
        assert all(len(line) < 1000 for line in server.lines), "RFC 2683 3.2.1.5"


def big(name, text=b"hello"):
    """A mail with a text and a big file."""
    head = b'From: a@example.com\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    file = b"Content-Type: application/octet-stream; name=" + name + b"\r\n\r\n" + b"x" * 300_000
    return head + b"--b\r\n\r\n" + text + b"\r\n--b\r\n" + file + b"\r\n--b--\r\n"


PDF = "[[rule]]\nwhen = { attachment = '*.pdf' }\nthen = ['seen']\n"
UU = b"begin 644 a.pdf\r\n#0V%T\r\n`\r\nend\r\n"


def test_a_big_mail_of_which_the_parts_decide(server, room):
    for raw in (big(b"a.zip"), big(b"a.pdf"), big(b"b.zip", UU), big(b"c.zip", b"y" * 20_000), mail(5)):
        server.deliver(raw)
    with room("start = 'all'", rules=PDF) as here:
        here.wait_idle()
        assert left_out(here).keys() == {1}, "a small mail comes as quickly whole"
        looks = [re.search(rb"FETCH (\d) \(UID RFC822.SIZE BODY.PEEK\[1.MIME\]", line) for line in server.lines]
        assert [found[1] for found in looks if found] == [b"1", b"2", b"3"]
        assert len(here.stored()) == 4


def test_a_closer_look_that_brings_nothing(server, room):
    async def no_sections(session: Session, asked: Command) -> None:
        if "MIME" in asked.args:
            session.send(f"{asked.tag} NO [CANNOT] what is that\r\n")
        else:
            await session.honest(asked)

    server.deliver(big(b"a.zip"))
    server.on("UID FETCH", no_sections, times=None)
    with room("start = 'all'", rules=PDF) as here:
        here.wait_idle()
        assert len(here.stored()) == 1
        assert left_out(here) == {}


# --- servers that answer badly: what is not known is fetched ---------------------------------------------------------


async def no_description(session: Session, asked: Command) -> None:
    """OK and nothing, but to who asks for the text."""
    if "BODY.PEEK[]" in asked.args:
        await session.honest(asked)
    else:
        session.send(f"{asked.tag} OK done\r\n")


def instead(answer: bytes):
    """For a question this answer; the text as it is."""

    async def told(session: Session, asked: Command) -> None:
        if "BODY.PEEK[]" in asked.args:
            await session.honest(asked)
        else:
            session.send(answer.replace(b"{tag}", asked.tag.encode()))

    return told


NIL = b'* 1 FETCH (UID 1 RFC822.SIZE 99 INTERNALDATE "17-Jul-1996 02:44:25 -0700" '


OTHERS = ORDERS.replace("mail 1*", "mail 2*")


@pytest.mark.parametrize(
    ("rules", "answer"),
    [
        (OTHERS, no_description),
        (OTHERS, instead(b"{tag} NO [EXPUNGEISSUED] some are gone\r\n")),
        (OTHERS, instead(NIL + b"BODY[HEADER]<0> NIL)\r\n{tag} OK done\r\n")),
        (OTHERS, instead(NIL + b"BODY[HEADER]<0> {2}\r\n\r\n)\r\n{tag} OK done\r\n")),
        (OTHERS, instead(b"* 1 FETCH (UID 9 FLAGS ())\r\n* 1 FETCH (FLAGS ())\r\n{tag} OK done\r\n")),
        (FILES, instead(b"{tag} NO [SERVERBUG] can't parse this one\r\n")),
        (FILES, instead(NIL + b"BODYSTRUCTURE NIL)\r\n{tag} OK done\r\n")),
        (FILES, instead(NIL + b'BODYSTRUCTURE (("a" "b")\r\n{tag} OK done\r\n')),
        (FILES, instead(NIL + b'BODYSTRUCTURE ("a"b"c"))\r\n{tag} OK done\r\n')),
    ],
)
def test_in_doubt_a_mail_is_fetched(server, room, rules, answer):
    server.deliver(mail(1))
    server.on("UID FETCH", answer, times=None)
    with room("start = 'all'", rules=rules) as here:
        here.wait_numbers(1)
        here.wait_idle()
        assert here.pulse.left_out == 0
        assert left_out(here) == {}


@pytest.mark.parametrize("loss", [eof, bye("nonsense"), b"{tag} BAD what\r\n", b"* 1 FETCH (UID {9999999}\r\n"])
def test_a_link_that_breaks_over_the_question(server, room, loss):
    """The mails come all the same, and for a while nothing is asked."""

    async def breaks(session: Session, asked: Command) -> None:
        if "BODY.PEEK[]" in asked.args:
            await session.honest(asked)
        elif isinstance(loss, bytes):
            session.send(loss.replace(b"{tag}", asked.tag.encode()))
        else:
            await loss(session, asked)

    server.on("UID FETCH", breaks, times=None)
    with room(rules=ORDERS) as here:
        here.wait_idle()
        for number in (1, 2, 3, 4):
            server.deliver(mail(number))
            here.wait_numbers(*range(1, number + 1))
            here.wait_idle()
        assert len(questions(server)) == 1
        assert here.pulse.connects == 2


def test_a_break_now_and_then_is_forgiven(server, room):
    with room(rules=ORDERS, patience=replace(QUICK, describe_again=0.0)) as here:
        here.wait_idle()
        for number in range(3):
            server.on("UID FETCH", eof)
            server.deliver(mail(10 + number))
            here.wait(lambda number=number: len(here.numbers()) == number + 1)
            server.deliver(mail(20 + number))
            here.wait(lambda number=number: here.pulse.left_out == number + 1)
        assert left_out(here).keys() == {2, 4, 6}


def test_killed_between_leaving_out_and_fetching(server, room):
    """The record is a step of its own: what is left to fetch is found again."""
    for number in (1, 2, 10):
        server.deliver(mail(number))

    async def question_only(session: Session, asked: Command) -> None:
        if "BODY.PEEK[]" in asked.args:
            session.reset()
        else:
            await session.honest(asked)

    server.on("UID FETCH", question_only, times=None)
    with room("start = 'all'", rules=ORDERS) as here:
        here.wait(lambda: here.pulse.left_out == 1)
        here.stop()
        assert here.numbers() == []
    server.script.pop("UID FETCH")
    with room("start = 'all'", rules=ORDERS) as here:
        here.wait_numbers(1, 10)
        assert left_out(here).keys() == {2}


def test_a_mail_that_is_described_twice(server, room):
    """Gmail: an unsolicited line about the same mail, without what was asked for."""
    server.deliver(mail(2))
    server.on("UID FETCH", then_honest(b"* 1 FETCH (UID 1 FLAGS ())\r\n"))
    with room("start = 'all'", rules=ORDERS) as here:
        here.wait(lambda: here.pulse.left_out == 1)
