"""What is done to mails on the server, again and again without harm."""

import pytest

from watcher.errors import ActionRefused, MailboxLost

ALL = "IMAP4rev1 AUTH=PLAIN UIDPLUS MOVE"


@pytest.fixture
def writing(server, dial):
    """INBOX with mails 1 to 3 open for changes, by a server that can do `able`."""

    def make(able=ALL):
        server.capabilities = able
        for _ in range(3):
            server.deliver(b"x")
        made = dial()
        made.select("INBOX")
        return made

    return make


def uids(server, folder="INBOX"):
    return [mail.uid for mail in server.folder(folder).mails]


def test_seen_and_flags(server, writing):
    link = writing()
    for _ in range(2):
        link.seen([1, 3, 99])
        link.flag([1], "$Done")
        link.flag([1], "\\Flagged")
    assert [mail.flags for mail in server.inbox.mails] == [{"\\Seen", "$Done", "\\Flagged"}, set(), {"\\Seen"}]


@pytest.mark.parametrize(
    "name", ["", "a b", "a)", "(a", "a\r\nx", "\\", "ü", 'a"', "a{3}", "*", "%", "a]", "\\\\x", "a\n"]
)
def test_what_is_no_flag(server, writing, name):
    link = writing()
    with pytest.raises(ActionRefused, match="is no name for a flag"):
        link.flag([1], name)
    assert server.count("UID STORE") == 0


@pytest.mark.parametrize("able", [ALL, "IMAP4rev1 AUTH=PLAIN UIDPLUS"])
def test_move(server, writing, able):
    link = writing(able)
    server.folder("Done")
    for _ in range(2):  # the second time there is nothing left to move
        link.move([1, 3], "Done")
    assert uids(server) == [2]
    assert len(uids(server, "Done")) == 2
    assert link.present([1, 2, 3]) == {2}
    assert server.count("UID MOVE") == (2 if able is ALL else 0)


def test_move_without_uidplus_marks_and_never_expunges_others(server, writing):
    link = writing("IMAP4rev1 AUTH=PLAIN")
    server.folder("Done")
    server.inbox.mail(2).flags.add("\\Deleted")  # somebody else's business
    for _ in range(2):
        link.move([1, 2], "Done")
    assert uids(server) == [1, 2, 3]
    assert [mail.flags for mail in server.inbox.mails] == [{"\\Deleted"}, {"\\Deleted"}, set()]
    assert len(uids(server, "Done")) == 1  # and once only
    assert not {"EXPUNGE", "CLOSE", "UID EXPUNGE"} & set(server.commands)


@pytest.mark.parametrize("able", [ALL, "IMAP4rev1 AUTH=PLAIN UIDPLUS"])
def test_move_to_where_nothing_is(server, writing, able):
    link = writing(able)
    with pytest.raises(ActionRefused, match="no such folder") as refused:
        link.move([1], "Neu/Fertig ü")
    assert refused.value.code == "TRYCREATE"
    link.create("Neu/Fertig ü")
    link.create("Neu/Fertig ü")  # is there already: fine
    link.move([1], "Neu/Fertig ü")
    assert uids(server, "Neu/Fertig &APw-") == [1]


def test_an_attempt_cut_off_before_the_expunge_copies_once(server, writing):
    link = writing("IMAP4rev1 AUTH=PLAIN UIDPLUS")
    server.folder("Done")
    server.on("UID EXPUNGE", b"{tag} NO [SERVERBUG] x\r\n")
    with pytest.raises(MailboxLost):
        link.move([1], "Done")
    assert len(uids(server, "Done")) == 1
    again = writing("IMAP4rev1 AUTH=PLAIN UIDPLUS")
    again.move([1], "Done")
    assert len(uids(server, "Done")) == 1


@pytest.mark.parametrize(("able", "left"), [(ALL, [2]), ("IMAP4rev1 AUTH=PLAIN", [1, 2, 3])])
def test_delete(server, writing, able, left):
    link = writing(able)
    server.inbox.mail(2).flags.add("\\Deleted")
    for _ in range(2):
        link.delete([1, 3])
    assert uids(server) == left
    assert all("\\Deleted" in mail.flags for mail in server.inbox.mails)


def test_present(server, writing):
    link = writing()
    server.expunge(2)
    assert link.present([1, 2, 3, 99]) == {1, 3}
    assert link.present([99]) == set()
    assert link.present([]) == set()


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (b"NO [NOPERM] hands off", ActionRefused, "NOPERM"),
        (b"NO hands off", ActionRefused, ""),
        (b"NO [INUSE] later", MailboxLost, "INUSE"),
        (b"BAD what?", MailboxLost, ""),
    ],
)
def test_refusals(server, writing, answer, kind, code):
    link = writing()
    calls = {
        "UID STORE": lambda: link.seen([1]),
        "UID MOVE": lambda: link.move([1], "Done"),
        "CREATE": lambda: link.create("Done"),
    }
    for command, call in calls.items():
        server.on(command, b"{tag} " + answer + b"\r\n")
        with pytest.raises(kind) as refused:
            call()
        assert refused.value.code == code
        if kind is MailboxLost:
            return
    link.seen([1])  # the link is as good as before
    assert server.inbox.mail(1).flags == {"\\Seen"}


def test_create_where_the_parent_is_missing_is_no_success(server, writing):
    link = writing()
    server.on("CREATE", b"{tag} NO [NONEXISTENT] parent doesn't exist\r\n")
    with pytest.raises(ActionRefused, match="parent"):
        link.create("a/b")
    server.on("CREATE", b"{tag} NO Mailbox already exists\r\n")
    link.create("a/b")


@pytest.mark.parametrize("name", ["", "a\r\nb", "a\nb", "a\0b", "a\x7fb", "a\x85b", "a\ud800b"])
def test_what_is_no_folder(server, writing, name):
    link = writing()
    for call in (lambda: link.create(name), lambda: link.move([1], name)):
        with pytest.raises(ActionRefused, match="no name for a folder"):
            call()
