"""What handlers ask for, as it is written: in the thread, to whom they may write, and never into a loop."""

import tracemalloc
from dataclasses import replace
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from tests.outbox.conftest import ORDINARY, Room
from tests.store.conftest import Books
from watcher.config.handlers import HandlerSettings
from watcher.config.patterns import Pattern
from watcher.errors import MailRefused
from watcher.outbox import scribe
from watcher.outbox.enclosures import enclosure
from watcher.outbox.guard import answer_caps
from watcher.store.desk import Filter
from watcher.store.outgoing import Outgoing
from watcher.wishes import Request, Sending

REPLY = Request(Sending.REPLY, text="Thanks")
ANYBODY = HandlerSettings(recipients=(Pattern("*"),))


def read(room, posting):
    return message_from_bytes(room.sent(posting), policy=policy.default)


def test_a_reply_goes_into_the_thread(room):
    (posting,) = room.write(REPLY).postings
    mail = read(room, posting)
    assert (mail["From"], mail["To"], mail["Subject"]) == (
        "Support <support@example.com>",
        "Bob <bob@example.org>",
        "Re: Invoice 7",
    )
    assert (mail["In-Reply-To"], mail["References"]) == ("<m1@example.org>", "<m0@example.org> <m1@example.org>")
    assert mail["Auto-Submitted"] == "auto-replied"
    assert (posting.sender, posting.recipients, posting.answers) == (
        "support@example.com",
        ("bob@example.org",),
        "bob@example.org",
    )
    assert posting.caps == answer_caps(1)
    assert mail["Message-ID"] == posting.message_id


def test_the_same_run_gives_the_same_letter(room):
    assert room.write(REPLY).postings[0].message_id == room.write(REPLY).postings[0].message_id
    one, two = room.write(REPLY, REPLY).postings
    assert one.key != two.key


def test_what_is_done_again_by_hand_leaves_the_letter_of_the_first_time_alone(room):
    (first,) = room.write(REPLY).postings
    before = room.sent(first)
    work = replace(room.arrive(), id=2, replay=True)
    (second,) = room.scribe.write(work, [Request(Sending.REPLY, text="Thanks again")], []).postings
    assert second.key != first.key
    assert room.sent(first) == before
    assert b"Thanks again" in room.sent(second)


def test_reply_to_counts_more_than_from(room):
    raw = ORDINARY.replace(b"Subject:", b"Reply-To: desk@example.org\r\nSubject:")
    assert room.write(REPLY, raw=raw).postings[0].recipients == ("desk@example.org",)


UNANSWERED = {
    "null return path": (b"Return-Path: <bob@example.org>", b"Return-Path: <>"),
    "null return path above another": (b"Return-Path:", b"Return-Path: <>\r\nReturn-Path:"),
    "auto-submitted": (b"Subject:", b"Auto-Submitted: auto-generated\r\nSubject:"),
    "vacation": (b"Subject: ", b"X-Autoreply: yes\r\nSubject: "),
    "list": (b"Subject:", b"List-Id: <a.example.org>\r\nSubject:"),
    "list by post": (b"Subject:", b"List-Post: <mailto:a@example.org>\r\nSubject:"),
    "precedence": (b"Subject:", b"Precedence: bulk\r\nSubject:"),
    "junk": (b"Subject:", b"Precedence: junk\r\nSubject:"),
    "exchange": (b"Subject:", b"X-Auto-Response-Suppress: All\r\nSubject:"),
    "mailer-daemon": (b"<bob@example.org>\r\nTo", b"<MAILER-DAEMON@example.org>\r\nTo"),
    "noreply": (b"<bob@example.org>\r\nTo", b"<no-reply@example.org>\r\nTo"),
    "ourselves": (b"<bob@example.org>\r\nTo", b"<Support@Example.com>\r\nTo"),
    "ourselves by reply-to": (b"Subject:", b"Reply-To: support@example.com\r\nSubject:"),
    "this one": (b"Subject:", b"X-Imap-Watcher: state-1\r\nSubject:"),
    "circle": (b"Subject:", b"Received: from a by b; Sat, 21 Nov 2026 12:00:00 +0000\r\n" * 51 + b"Subject:"),
    "two senders": (b"<bob@example.org>\r\nTo", b"<bob@example.org>, eve@example.org\r\nTo"),
    "no sender": (b"From: Bob <bob@example.org>\r\n", b""),
    "broken sender": (b"From: Bob <bob@example.org>", b"From: Bob <bob>"),
    "bounce": (
        b"\r\n\r\nHere",
        (
            b"\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
            b"--b\r\n\r\nfailed\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; a\r\n\r\n"
            b"Final-Recipient: rfc822; x@y\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\nHere"
        ),
    ),
}


@pytest.mark.parametrize("name", UNANSWERED)
def test_what_no_machine_may_answer_is_not_answered_and_nobody_has_done_wrong(room, name):
    before, after = UNANSWERED[name]
    assert before in ORDINARY
    written = room.write(REPLY, raw=ORDINARY.replace(before, after))
    assert written.postings == ()
    assert len(written.notes) == 1


def test_our_own_mail_makes_no_other_mail(room):
    room.settings = ANYBODY
    raw = ORDINARY.replace(b"Subject:", b"X-Imap-Watcher: state-1\r\nSubject:")
    request = Request(Sending.FORWARD, ("eve@example.net",))
    assert room.write(request, raw=raw).postings == ()
    other = ORDINARY.replace(b"Subject:", b"X-Imap-Watcher: state-2\r\nSubject:")
    assert room.write(request, raw=other).postings


def test_a_forward_holds_the_mail_byte_for_byte(room):
    room.settings = ANYBODY
    (posting,) = room.write(Request(Sending.FORWARD, ("Eve <eve@example.net>",), text="See below")).postings
    assert ORDINARY in room.sent(posting)
    mail = read(room, posting)
    assert (mail["Subject"], mail["To"]) == ("Fwd: Invoice 7", "Eve <eve@example.net>")
    assert posting.recipients == ("eve@example.net",)
    assert posting.answers == ""


def test_a_forward_inline_shows_text_and_files(room):
    room.settings = ANYBODY
    raw = ORDINARY.replace(
        b"\r\n\r\nHere it is.\r\n",
        b"\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nHere it is.\r\n--b\r\n"
        b"Content-Type: text/csv; name=a.csv\r\nContent-Disposition: attachment\r\n\r\n1,2\r\n--b--\r\n",
    )
    (posting,) = room.write(Request(Sending.FORWARD, ("eve@example.net",), inline=True), raw=raw).postings
    mail = read(room, posting)
    assert "Here it is." in mail.get_body(("plain",)).get_content()
    assert "From: Bob <bob@example.org>" in mail.get_body(("plain",)).get_content()
    assert [part.get_filename() for part in mail.iter_attachments()] == ["a.csv"]


def test_a_new_mail_with_files_of_its_own(room, tmp_path):
    room.settings = ANYBODY
    private = tmp_path / "private"
    private.mkdir()
    (private / "报告.pdf").write_bytes(b"%PDF")
    request = Request(
        Sending.SEND,
        ("a@example.net",),
        cc=("c@example.net",),
        bcc=("b@example.net",),
        subject="Report",
        text="t",
        html="<p>t",
        attachments=("message.eml", str(private / "报告.pdf")),
    )
    (posting,) = room.write(request, roots=[private]).postings
    assert posting.recipients == ("a@example.net", "c@example.net", "b@example.net")
    mail = read(room, posting)
    assert "b@example.net" not in room.sent(posting).decode()
    assert [part.get_filename() for part in mail.iter_attachments()] == ["message.eml", "报告.pdf"]


@pytest.mark.parametrize("name", ["/etc/passwd", "../../x", "missing", "link", "a\0b", "."])
def test_no_other_file_of_the_machine_is_attached(room, tmp_path, name):
    room.settings = ANYBODY
    (tmp_path / "x").write_text("secret")
    private = tmp_path / "private"
    private.mkdir()
    Path(private, "link").symlink_to("/etc/passwd")
    name = str(private / "link") if name == "link" else name
    with pytest.raises(MailRefused, match="attachment"):
        room.write(Request(Sending.SEND, ("a@b.c",), text="x", attachments=(name,)), roots=[private])


def test_a_directory_that_becomes_a_link_meanwhile_leads_nowhere(tmp_path):
    """What a handler left running may swap it after it was looked at."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "passwd").write_text("harmless")
    given = enclosure(tmp_path.resolve(), ("inner", "passwd"), "passwd")
    assert b"".join(given.blocks()) == b"harmless"
    (tmp_path / "inner").rename(tmp_path / "before")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "passwd").write_text("of others")
    (tmp_path / "inner").symlink_to("elsewhere")
    with pytest.raises(MailRefused, match="can't be read"):
        list(given.blocks())


@pytest.mark.parametrize("change", [lambda file: file.write_text("other"), Path.unlink], ids=["changed", "gone"])
def test_a_file_that_changes_while_the_mail_is_built_is_found_out(room, tmp_path, monkeypatch, change):
    room.settings = ANYBODY
    file = tmp_path / "private" / "f.txt"
    file.parent.mkdir()
    file.write_text("first")
    prove = scribe.prove

    def meddle(*given):
        change(file)
        prove(*given)

    monkeypatch.setattr(scribe, "prove", meddle)
    with pytest.raises(MailRefused):
        room.write(Request(Sending.SEND, ("a@b.c",), text="x", attachments=(str(file),)), roots=[file.parent])
    assert [path.name for path in room.spool.path.iterdir()] == ["m1"], "nothing of it stays in the spool"


@pytest.mark.parametrize("kind", [Sending.SEND, Sending.FORWARD])
def test_a_large_mail_is_never_held_in_memory(room, tmp_path, kind):
    room.settings = ANYBODY
    big = b"%076d\r\n" * 200_000
    file = tmp_path / "private" / "big.bin"
    file.parent.mkdir()
    file.write_bytes(big)
    request = Request(kind, ("a@b.c",), text="x", attachments=(str(file),) if kind is Sending.SEND else ())
    work = room.arrive(ORDINARY + (big % ((7,) * 200_000) if kind is Sending.FORWARD else b""))
    tracemalloc.start()
    try:
        (posting,) = room.scribe.write(work, [request], [room.spool.folder(work.key).path, file.parent]).postings
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert posting.size > len(big)
    assert most < 4 << 20


def test_a_mail_nested_beyond_all_measure_can_be_sent_on(room):
    room.settings = ANYBODY
    levels = 3000
    heads = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (number, number) for number in range(levels)
    )
    raw = ORDINARY.partition(b"\r\n\r\n")[0] + b"\r\n" + heads + b"\r\nHello\r\n"
    (posting,) = room.write(Request(Sending.FORWARD, ("eve@example.net",)), raw=raw).postings
    assert raw in room.sent(posting)


@pytest.mark.parametrize(
    "request_", [Request(Sending.SEND, ("eve@example.net",), text="x"), Request(Sending.FORWARD, ("eve@example.net",))]
)
def test_a_handler_writes_only_to_whom_it_may(room, request_):
    with pytest.raises(MailRefused, match=r"recipients in \[handler.h\]"):
        room.write(request_)
    room.settings = HandlerSettings(recipients=(Pattern("*@example.com"),))
    with pytest.raises(MailRefused, match=r"eve@example\.net"):
        room.write(request_)


def test_a_hidden_recipient_needs_leave_as_well(room):
    room.settings = HandlerSettings(recipients=(Pattern("a@example.net"),))
    with pytest.raises(MailRefused, match=r"eve@example\.net"):
        room.write(Request(Sending.SEND, ("a@example.net",), bcc=("eve@example.net",), text="x"))


@pytest.mark.parametrize("field", ["to", "cc", "bcc"])
@pytest.mark.parametrize(
    "several", ["A <a@b.c>, B <b@b.c>", "a@b.c, b@b.c", "<a@b.c> <b@b.c>", "Smith, John <a@b.c>", "a@b.c <b@b.c>"]
)
def test_nobody_is_left_out_because_two_stand_in_one_place(room, field, several):
    room.settings = ANYBODY
    with pytest.raises(MailRefused, match=r"is not one address|is not a mail address"):
        room.write(Request(Sending.SEND, **{"to": ("d@b.c",), "text": "x", field: (several,)}))


def test_a_name_may_hold_what_parts_addresses(room):
    room.settings = ANYBODY
    (posting,) = room.write(Request(Sending.SEND, ('"Smith, John" <a@b.c>',), bcc=("B <b@b.c>",), text="x")).postings
    assert posting.recipients == ("a@b.c", "b@b.c")
    assert read(room, posting)["To"].addresses[0].display_name == "Smith, John"


def test_a_handler_writes_only_under_names_it_may(room):
    asked = Request(Sending.REPLY, text="x", sender="boss@example.com")
    with pytest.raises(MailRefused, match="send_as"):
        room.write(asked)
    room.settings = HandlerSettings(send_as=("boss@example.com",))
    assert room.write(asked).postings[0].sender == "boss@example.com"


def test_without_a_relay_the_reason_is_told(room):
    with pytest.raises(MailRefused, match=r"\[smtp.other\]"):
        room.write(REPLY, account="other")


def test_two_daemons_that_answer_each_other_stop_after_one_reply(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    ours, theirs = Room(tmp_path / "a", instance="one"), Room(tmp_path / "b", instance="two")
    (posting,) = ours.write(REPLY).postings
    assert theirs.write(REPLY, raw=ours.sent(posting)).postings == ()


def test_two_daemons_that_forward_to_each_other_stop_when_a_mail_comes_round(room, tmp_path):
    (tmp_path / "other").mkdir()
    other = Room(tmp_path / "other", instance="state-2")
    room.settings = other.settings = ANYBODY
    forward = Request(Sending.FORWARD, to=("next@example.net",))
    raw, sent = ORDINARY, 0
    for number in range(10):
        one = (room, other)[number % 2]
        postings = one.write(forward, raw=raw, key=f"m{number}").postings
        if not postings:
            break
        raw, sent = b"Return-Path: <x@example.net>\r\n" + one.sent(postings[0]), sent + 1
    assert sent == 2


def test_what_strangers_write_into_the_trail_is_not_passed_on(room):
    marks = b"".join(b"X-Imap-Watcher: " + mark + b"\r\n" for mark in (b"state-9; alert", b"a b", b"\xff", b"x" * 999))
    (posting,) = room.write(REPLY, raw=marks + b"X-Imap-Watcher: s\r\n" * 50 + ORDINARY).postings
    assert read(room, posting).get_all("X-Imap-Watcher") == ["state-1", "state-9", "s"]


def stripped(sent, author):
    """As a bot answers that keeps nothing by which it could be known for one."""
    subject = message_from_bytes(sent, policy=policy.default)["Subject"]
    return f"From: {author}\r\nTo: support@example.com\r\nSubject: {subject}\r\n\r\nI am away\r\n".encode()


@pytest.mark.parametrize(
    ("authors", "settings", "most"),
    [
        (lambda _: "bot@example.org", HandlerSettings(), 1),
        (lambda _: "bot@example.org", HandlerSettings(replies_per_sender=3), 3),
        (lambda number: f"bot-{number}@example.org", HandlerSettings(), 20),
    ],
    ids=["same", "allowed more", "another each time"],
)
def test_a_bot_that_strips_all_fields_is_answered_up_to_the_cap(tmp_path, authors, settings, most):
    room = Room(tmp_path, settings)
    books = Books(tmp_path)
    outgoing = Outgoing(books.database)
    raw = ORDINARY.replace(b"bob@example.org", authors(0).encode())
    for number in range(30):
        (posting,) = room.write(REPLY, raw=raw, key=f"m{number}").postings
        outgoing.post(posting, 1000.0 + number)
        if books.desk.entries(Filter(kind="send", limit=1))[0].status == "skipped":
            break
        raw = stripped(room.sent(posting), authors(number + 1))
    assert books.desk.counts()["send"] == {"waiting": most, "skipped": 1}
    books.database.close()


def test_what_a_handler_sends_on_is_capped_too_and_a_person_decides_about_the_rest(tmp_path, caplog):
    """A forward that comes back as another mail would go round for ever."""
    room = Room(tmp_path, HandlerSettings(recipients=(Pattern("*"),), mails_per_day=3))
    books = Books(tmp_path)
    outgoing = Outgoing(books.database)
    forward = Request(Sending.FORWARD, ("list@example.net",))
    for number in range(6):
        (posting,) = room.write(forward, raw=ORDINARY, key=f"m{number}").postings
        outgoing.post(posting, 1000.0 + number)
    assert books.desk.counts()["send"] == {"waiting": 3, "dead": 3}
    assert caplog.text.count("against loops") == 3
    (answer,) = room.write(REPLY, key="m8").postings
    outgoing.post(answer, 1010.0)
    (later,) = room.write(forward, key="m9").postings
    outgoing.post(later, 1001.5 + 86400)
    assert books.desk.counts()["send"] == {"waiting": 5, "dead": 3}
    (entry, *_) = books.desk.entries(Filter(kind="send", status="dead"))
    assert "no more than 3 mails" in entry.reason
    books.desk.retry(entry.id, 2000.0)
    assert books.desk.counts()["send"] == {"waiting": 6, "dead": 2}
    books.database.close()
