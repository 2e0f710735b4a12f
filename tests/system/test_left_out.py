"""A mail that no rule is for is recorded, not downloaded: what the line carries is counted."""

import json
from random import Random

import pytest

from tests.system.daemon import Daemon, Watched
from tests.system.dovecot import Dovecot
from tests.system.handler_log import shell_handler
from tests.system.mails import big_mail, mail
from tests.system.relay import Relay

pytestmark = pytest.mark.system

BIG = 30_000_000  #: bytes
MOST = 20_000  #: bytes that such a mail may cost
BACKLOG = 100

#: User -> what its rule is for.
RULES = {
    "alice": "from = '*@supplier.example'",
    "bob": "subject = '*wanted*', trust = 'verified'",
    "carol": "attachment = '*.pdf'",
    "dave": "size = '<1k', body = '*'",
    "eve": "any = [{ cc = '*' }, { all = [{ header = { List-Id = '*' } }, { kind = 'list' }] }]",
}


def test_big_mails_cost_little(tmp_path):
    handlers = {"shell": shell_handler("shell", tmp_path / "handlers.log")}
    with Dovecot(users=RULES) as server, Relay(server.port, "127.0.0.2") as relay:
        accounts = [Watched(user, relay=(relay.host, relay.port)) for user in RULES]
        daemon = Daemon(tmp_path, server, accounts, handlers=handlers)
        wants(daemon, *(f"account = '{user}', {rule}" for user, rule in RULES.items()))
        with daemon:
            daemon.until(daemon.is_live, 60, "the links to idle")
            before, raw = relay.carried, big_mail(1, BIG).raw
            server.deliver_many((user, "INBOX", raw) for user in RULES)
            daemon.until(lambda: left_out(daemon) == len(RULES) and daemon.is_live(), 60, "the mails to be left out")
            cost = (relay.carried - before) / len(RULES)
            assert daemon.jobs() == []
            assert list((daemon.state / "spool").iterdir()) == []
    print(f"{cost:.0f} bytes for a mail of {BIG}")  # noqa: T201
    assert cost < MOST


def test_a_backlog_of_which_little_is_wanted(tmp_path):
    """The rest costs about a kilobyte each; each wanted one is handled, once."""
    handlers = {"shell": shell_handler("shell", tmp_path / "handlers.log")}
    wanted = range(0, BACKLOG, 20)
    junk = b"From: x@junk.example\r\nSubject: offer %d\r\n\r\n"
    text = Random(1).randbytes(30_000).hex().encode()
    body = b"\r\n".join(text[at : at + 76] for at in range(0, len(text), 76))
    with Dovecot() as server, Relay(server.port, "127.0.0.2") as relay:
        server.deliver_many(
            ("alice", "INBOX", mail(case).raw if case in wanted else junk % case + body) for case in range(BACKLOG)
        )
        daemon = Daemon(tmp_path, server, [Watched("alice", relay=(relay.host, relay.port))], handlers=handlers)
        wants(daemon, "not = { from = '*@junk.example' }")
        with daemon:
            jobs = daemon.settled(wanted, within=60)
            daemon.until(daemon.is_live, 60, "the link to idle")
            assert left_out(daemon) == BACKLOG - len(wanted)
            assert daemon.verdict(wanted, jobs) == []
            assert relay.carried < 600_000


def wants(daemon, *conditions):
    """Its rules are for such mails only."""
    head, rule, rest = daemon.config.read_text().partition("[[rule]]\n")
    rule, rest = rule + rest.partition("\n\n")[0], rest.partition("\n\n")[2]
    rules = [rule.replace("\n", f"\nwhen = {{ {condition} }}\n", 1) for condition in conditions]
    daemon.config.write_text("\n\n".join([head, *rules, rest]))


def left_out(daemon):
    """How many mails were left out, as `status` tells."""
    return sum(folder["left_out"] for folder in json.loads(daemon.command("status", "--json"))["folders"])
