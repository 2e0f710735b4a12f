"""After-actions on a server: done once, only where the mail still lies, and never on somebody else's."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.fakes.imap_server import ImapServer, eof, stall
from tests.imap.conftest import ME
from watcher.errors import LoginRefused
from watcher.imap.link import Endpoint, Link, connect
from watcher.model import Kind, Outcome, Place, Verdict, Work
from watcher.outbox.after import KEPT, After

NUMBERS = itertools.count(1)


@pytest.fixture
def server() -> Iterator[ImapServer]:
    with ImapServer() as running:
        yield running


@pytest.fixture
def after(server: ImapServer) -> Iterator[After]:
    def open_link(name: str) -> Link:
        if name != "me":
            raise LoginRefused(f"account {name} is unknown")
        return connect(Endpoint(server.host, server.port, ca_file=server.ca_file), ME)

    opened = After(open_link, lambda _: False)
    yield opened
    opened.close()


def work(
    uid: int, name: str, target: str = "", *, uidvalidity: int = 7, folder: str = "INBOX", account: str = "me"
) -> Work:
    number = next(NUMBERS)
    place = Place(account, folder, uidvalidity, uid)
    now = datetime.now(UTC)
    return Work(number, Kind.AFTER, name, target, number, f"k{number}", place, now, "", 1, 1, 0, 0.0)


def outcomes(after: After, *works: Work) -> list[Verdict]:
    """In the order of the works."""
    came: dict[int, Outcome] = {}
    for done, outcome in after.act(works):
        assert done.id not in came, "one work got two outcomes"
        came[done.id] = outcome
    return [came[one.id].verdict for one in works]


def test_flags_of_many_mails_take_one_command(server: ImapServer, after: After) -> None:
    uids = [server.deliver(b"\r\n") for _ in range(5)]
    assert outcomes(after, *(work(uid, "seen") for uid in uids)) == [Verdict.DONE] * 5
    assert all(mail.flags == {"\\Seen"} for mail in server.inbox.mails)
    assert server.count("UID STORE") == 1


def test_each_verb_does_what_it_says(server: ImapServer, after: After) -> None:
    first, second = server.deliver(b"one\r\n"), server.deliver(b"two\r\n")
    assert (
        outcomes(after, work(first, "flag", "$Done"), work(first, "move", "Archive"), work(second, "delete"))
        == [Verdict.DONE] * 3
    )
    assert server.inbox.mails == []
    (moved,) = server.folder("Archive").mails
    assert (moved.raw, moved.flags) == (b"one\r\n", {"$Done"})


def test_without_move_the_mail_is_copied_and_only_itself_expunged(server: ImapServer, after: After) -> None:
    server.capabilities = "IMAP4rev1 AUTH=PLAIN UIDPLUS"
    keep, go = server.deliver(b"keep\r\n"), server.deliver(b"go\r\n")
    server.inbox.mail(keep).flags.add("\\Deleted")  # by another client, which may yet change its mind
    assert outcomes(after, work(go, "move", "Archive")) == [Verdict.DONE]
    assert [mail.raw for mail in server.inbox.mails] == [b"keep\r\n"]
    assert [mail.raw for mail in server.folder("Archive").mails] == [b"go\r\n"]


@pytest.mark.parametrize(("uidvalidity", "verdict"), [(8, Verdict.LATER), (-1, Verdict.GONE)])
def test_nothing_is_touched_where_the_uids_mean_something_else(
    server: ImapServer, after: After, uidvalidity: int, verdict: Verdict
) -> None:
    uid = server.deliver(b"a stranger\r\n")
    assert outcomes(after, work(uid, "delete", uidvalidity=uidvalidity)) == [verdict]
    assert len(server.inbox.mails) == 1


def test_a_server_without_uidvalidity_says_nothing_against_it(server: ImapServer, after: After) -> None:
    server.hide_uidvalidity = True
    assert outcomes(after, work(server.deliver(b"\r\n"), "seen")) == [Verdict.DONE]


def test_one_refused_of_many_does_not_cost_the_others(server: ImapServer, after: After) -> None:
    uids = [server.deliver(b"\r\n") for _ in range(3)]

    async def partly(session, asked):
        bad = str(uids[1]) in asked.args.split()[0].split(",")
        await (session.honest(asked) if not bad else refuse(session, asked))

    async def refuse(session, asked):
        session.no(asked, "[EXPUNGEISSUED] some of the messages no longer exist")

    server.on("UID STORE", partly, times=None)
    assert outcomes(after, *(work(uid, "seen") for uid in uids)) == [Verdict.DONE, Verdict.NEVER, Verdict.DONE]


def test_a_mail_that_is_gone_settles_as_gone_and_others_go_on(server: ImapServer, after: After) -> None:
    uid = server.deliver(b"\r\n")
    assert outcomes(after, work(uid + 5, "seen"), work(uid, "seen")) == [Verdict.GONE, Verdict.DONE]


def test_doing_it_again_changes_nothing(server: ImapServer, after: After) -> None:
    uid = server.deliver(b"\r\n")
    assert outcomes(after, work(uid, "move", "Archive")) == [Verdict.DONE]
    assert outcomes(after, work(uid, "move", "Archive")) == [Verdict.GONE]
    assert len(server.folder("Archive").mails) == 1


def test_a_refused_change_is_not_repeated(server: ImapServer, after: After) -> None:
    uid = server.deliver(b"\r\n")
    server.on("UID STORE", b"{tag} NO [NOPERM] not yours\r\n")
    ((_, outcome),) = after.act([work(uid, "seen")])
    assert outcome.verdict is Verdict.NEVER
    assert "not yours" in outcome.reason


def test_a_lost_link_means_later_for_what_was_not_done(server: ImapServer, after: After) -> None:
    uid = server.deliver(b"\r\n")
    server.on("UID STORE", eof)
    assert outcomes(after, work(uid, "seen"), work(uid, "move", "Archive")) == [Verdict.HOLD, Verdict.HOLD]
    assert outcomes(after, work(uid, "seen"), work(uid, "move", "Archive")) == [Verdict.DONE, Verdict.DONE]


def test_the_link_is_kept_for_a_while_and_replaced_if_it_died(server: ImapServer, after: After) -> None:
    uids = [server.deliver(b"\r\n") for _ in range(3)]
    outcomes(after, work(uids[0], "seen"))
    outcomes(after, work(uids[1], "seen"))
    assert server.logins == 1
    server.cut()
    assert outcomes(after, work(uids[2], "seen")) == [Verdict.DONE]
    assert server.logins == 2
    after.idle["me"] = (after.idle["me"][0], 0.0)
    after.rest()
    server.wait_for("LOGOUT")


@pytest.mark.timeout(60)
def test_a_kept_link_that_fell_silent_is_not_given_the_time_of_a_command(server: ImapServer) -> None:
    after = After(
        lambda _: connect(Endpoint(server.host, server.port, ca_file=server.ca_file), ME, timeout=3600), lambda _: False
    )
    outcomes(after, work(server.deliver(b"\r\n"), "seen"))
    server.on("NOOP", stall)
    assert outcomes(after, work(server.deliver(b"\r\n"), "seen")) == [Verdict.DONE]
    assert server.logins == 2
    after.close()


def test_a_burst_over_many_accounts_keeps_few_links(server: ImapServer) -> None:
    after = After(lambda _: connect(Endpoint(server.host, server.port, ca_file=server.ca_file), ME), lambda _: False)
    for number in range(KEPT + 3):
        assert outcomes(after, work(server.deliver(b"\r\n"), "seen", account=f"number {number}")) == [Verdict.DONE]
    assert (server.logins, server.count("LOGOUT"), len(after.idle)) == (KEPT + 3, 3, KEPT)
    after.close()


def test_an_account_that_is_no_longer_configured_waits(after: After) -> None:
    assert outcomes(after, work(1, "seen", account="gone")) == [Verdict.HOLD]


def test_a_folder_that_can_not_be_opened_is_tried_again(after: After) -> None:
    assert outcomes(after, work(1, "seen", folder="Nowhere")) == [Verdict.LATER]


def test_an_account_has_one_run_at_a_time_of_mails_of_one_folder_and_none_while_it_is_paused() -> None:
    after = After(connect, {"paused"}.__contains__)
    assert after.lane(work(1, "seen", account="mine")) == "mine"
    assert (after.limit("mine"), after.limit("paused")) == (1, 0)
    assert after.lot("mine").one_folder
