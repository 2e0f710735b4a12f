"""From a file to a configuration: what is read, and every way in which it can be refused."""

import os
import pickle
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.config.conftest import ACCOUNT, File
from watcher.config import (
    Account,
    Config,
    HandlerSettings,
    PlainSource,
    Secret,
    Start,
    WatcherSettings,
    find,
    load,
    load_place,
)
from watcher.config.patterns import Pattern
from watcher.config.reading import exposures
from watcher.config.secret import CommandSource, CredentialSource, EnvironmentSource, FileSource, KeyringSource
from watcher.errors import ConfigError
from watcher.model import Action, Verb
from watcher.retry import RetryPolicy

# --- what is read -----------------------------------------------------------------------------------------------------


def test_the_least(file):
    config = file.load("")
    assert config.accounts == (
        Account(
            name="support",
            address="support@example.com",
            user="support@example.com",
            host="imap.example.com",
            port=993,
            tls="implicit",
            ca_file=None,
            password=CommandSource(("pass", "show", "support")),
            folders=("INBOX",),
            start=Start("new"),
            poll=60.0,
        ),
    )
    assert (config.rules, config.handlers, config.path) == ((), {}, file.path)
    assert config.handler("any") == HandlerSettings()
    assert config.watcher.handlers == file.handlers
    assert config.watcher.socket == config.watcher.state / "control.sock"


def test_where_the_daemon_is_can_be_read_whatever_is_wrong_elsewhere(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("[account.a]\nnonsense = 1\n[watcher]\nstate = 'here'\n")
    assert load_place(path).watcher.socket == tmp_path / "here" / "control.sock"
    path.write_text("[watcher]\nstate = 'here'\nsockte = 'there'\n")
    with pytest.raises(ConfigError, match=r"config.toml:3: watcher.sockte: is unknown; did you mean 'socket'"):
        load_place(path)


def test_everything(file):
    (file.handlers / "book-invoice.py").touch()
    (file.handlers / "save").touch()
    config = file.load(
        """
        user = "support"
        host = "mail.example.org"
        tls = "starttls"
        ca_file = "ca.pem"
        folders = ["inbox", "发票"]
        start = 2026-11-01
        poll = "2m"

        [[rule]]
        when = { from = ["*@a.example", { regex = '^b@' }], header = { X-A = "*" }, not = { size = ">1M" } }
        run = ["save", "book-invoice"]
        then = ["seen", "flagged", { flag = "$Done" }, { flag = "\\\\seen" }, { move = "Done" }]
        on_dead = [{ flag = "\\\\Deleted" }, "delete"]
        stop = true

        [[rule]]
        name = "rest"

        [handler.book-invoice]
        timeout = "2m"
        attempts = 5
        backoff = 1
        backoff_cap = "1h"
        give_up_after = "2d"
        stdin = "json"
        concurrency = 1
        memory = "512M"
        output = "1M"
        file_size = "10M"
        processes = 50
        env = { COMPANY = "x y", _2 = "" }

        [watcher]
        state = "/srv/state"
        handlers = "handlers"
        socket = "~/sock"
        disk_floor = "1G"
        keep_done = "1d"
        keep_dead = "30d"
        unpackers = 1
        runners = 3
        links = 4
        stop_timeout = 5
        log = "debug"
        """
    )
    account = config.accounts[0]
    assert (account.user, account.host, account.port, account.tls) == ("support", "mail.example.org", 143, "starttls")
    assert account.ca_file == file.path.parent / "ca.pem"
    assert account.folders == ("INBOX", "发票")
    assert (account.start, account.poll) == (Start("since", date(2026, 11, 1)), 120.0)
    first, rest = config.rules
    assert (first.name, first.run, first.stop) == ("rule 1", ("save", "book-invoice"), True)
    assert first.when.from_ == (Pattern("*@a.example"), Pattern("^b@", regex=True))
    assert first.when.header == {"X-A": (Pattern("*"),)}
    assert (1 << 20) + 1 in first.when.unless.size[0]
    assert first.then == (
        Action(Verb.SEEN),
        Action(Verb.FLAG, "\\Flagged"),
        Action(Verb.FLAG, "$Done"),
        Action(Verb.SEEN),
        Action(Verb.MOVE, "Done"),
    )
    assert first.on_dead == (Action(Verb.FLAG, "\\Deleted"), Action(Verb.DELETE))
    assert (rest.name, rest.when, rest.stop) == ("rest", None, False)
    handler = config.handler("book-invoice")
    assert handler == HandlerSettings(
        timeout=120.0,
        attempts=5,
        backoff=1.0,
        backoff_cap=3600.0,
        give_up_after=172800.0,
        stdin="json",
        concurrency=1,
        memory=512 << 20,
        output=1 << 20,
        file_size=10 << 20,
        processes=50,
        env={"COMPANY": "x y", "_2": ""},
    )
    assert handler.retry_policy == RetryPolicy(attempts=5, first=1.0, cap=3600.0, age=172800.0)
    assert config.watcher == WatcherSettings(
        state=Path("/srv/state"),
        handlers=file.handlers,
        socket=Path("~/sock").expanduser(),
        disk_floor=1 << 30,
        keep_done=86400.0,
        keep_dead=30 * 86400.0,
        unpackers=1,
        runners=3,
        links=4,
        stop_timeout=5.0,
        log="debug",
    )


def test_the_first_configuration_of_the_documentation(file):
    for name in ("save-attachments", "book-invoice"):
        (file.handlers / name).touch()
    config = file.load(
        account="""
        [account.support]
        address = "support@example.com"
        password = { command = "pass show support" }
        folders = ["INBOX"]
        """,
        text="""
        [[rule]]
        when = { from = "*@supplier.example", attachment = "*.pdf" }
        run = ["save-attachments", "book-invoice"]
        then = ["seen", { move = "Done" }]
        on_dead = [{ move = "Failed" }]

        [handler.book-invoice]
        timeout = "2m"
        attempts = 5
        """,
        strict=True,
    )
    assert config.warnings == ()


@pytest.mark.parametrize(
    ("written", "source"),
    [
        ('"c4n4ry"', PlainSource(Secret("c4n4ry"))),
        ("{ command = \"pass show 'a b'\" }", CommandSource(("pass", "show", "a b"))),
        ('{ command = ["pass", "a b"] }', CommandSource(("pass", "a b"))),
        ('{ file = "/etc/secret" }', FileSource(Path("/etc/secret"))),
        ('{ env = "MAIL" }', EnvironmentSource("MAIL")),
        ('{ credential = "mail" }', CredentialSource("mail")),
        ('{ keyring = "mail" }', KeyringSource("mail", "a@example.com")),
    ],
)
def test_passwords(file, written, source):
    config = file.load("", account=f'[account.a]\naddress = "a@example.com"\npassword = {written}')
    assert config.accounts[0].password == source
    assert "c4n4ry" not in repr(config.accounts)


def test_a_password_file_lies_beside_the_configuration(file):
    config = file.load("", account='[account.a]\naddress = "a@b"\npassword = { file = "secret" }')
    assert config.accounts[0].password == FileSource(file.path.parent / "secret")


@pytest.mark.parametrize("written", ['"2026-11-01"', "2026-11-01"])
def test_a_day_to_start_from(file, written):
    assert file.load(f"start = {written}").accounts[0].start == Start("since", date(2026, 11, 1))


def test_what_a_rule_holds_can_go_to_another_process(file):
    rule = file.load("[[rule]]\nwhen = { from = ['*@a', { regex = 'x' }], any = [{ size = '<1k' }] }").rules[0]
    assert pickle.loads(pickle.dumps(rule)) == rule


def test_a_byte_order_mark_and_windows_ends_of_lines_do_no_harm(file):
    file.write("")
    file.path.write_bytes(b"\xef\xbb\xbf" + ACCOUNT.replace("\n", "\r\n").encode())
    assert load(file.path).accounts


def test_which_file_is_read(monkeypatch):
    assert find(Path("x.toml")) == Path("x.toml")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert find(None) == Path("/etc/imap-watcher/config.toml")
    assert WatcherSettings().state == Path("/var/lib/imap-watcher")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for variable in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(variable, "/x")
    assert find(None) == Path("/x/imap-watcher/config.toml")
    assert WatcherSettings().state == Path("/x/imap-watcher")
    monkeypatch.setenv("HOME", "/home/me")
    for value in ("", "relative"):
        for variable in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            monkeypatch.setenv(variable, value)
        assert find(None) == Path("/home/me/.config/imap-watcher/config.toml")
        assert WatcherSettings().state == Path("/home/me/.local/state/imap-watcher")


def test_settings_can_be_made_without_a_file():
    account = Account(name="a", address="a@example.com", password=PlainSource(Secret("x")), host="127.0.0.1", port=1430)
    config = Config((account,), (), {}, WatcherSettings(state=Path("/s")), Path("none"))
    assert config.watcher.socket == Path("/s/control.sock")
    assert config.warnings == ()


# --- what is refused, in the order of the sections --------------------------------------------------------------------

DURATION = 'allowed are "90s", "15m", "2h", "7d" or a number of seconds, above zero and up to ten years'
SIZE = 'allowed are "64k", "200M", "1G" or a number of bytes, above zero'
TEXT = "is not text; allowed is text in quotes"
LINE = "holds a control character; allowed is one line of text"
NAME = "is not a usable name; allowed are up to 100 characters without '/' that don't start with '.'"
WHOLE = "is not a whole number; allowed are digits without quotes"
LIST = 'is not a list; allowed is a list such as ["…"]'
TABLE = "is not a table; allowed is a table such as { KEY = … }"
MAPPING = 'is not a table; allowed is a table such as { KEY = "…" }'
SIZES = 'is not a range of sizes; allowed are ">1M", ">=1M", "<10k", "<=10k" or "1M..10M"'
PATTERN = "is not a pattern; allowed is \"a glob with * and ?\" or { regex = 'an expression' }"
EMPTY = "is empty; name at least one, or leave the key out"
VERDICTS = "is not known; allowed are 'verified', 'unverified' or 'failed'"
KINDS = (
    "is not known; allowed are 'bounce', 'report', 'auto-reply', 'calendar', 'encrypted', 'list', 'signed' or 'normal'"
)
ACTION = 'is not an action; allowed are "seen", "flagged", "delete", { flag = "$Done" } and { move = "Folder" }'
FLAG = (
    'flag is no name of an IMAP flag; allowed are "$Done", "Invoice" or "\\\\Flagged": '
    'ASCII without blanks, quotes and ( ) { ] % * \\, not "\\\\Recent"'
)
PASSWORD = 'allowed is "the password" or one of { command = "…" }, { file }, { env }, { credential }, { keyring }'
COMMAND = 'allowed is "pass show x" or ["pass", "show", "x"]'
KNOWN = "known here: address, user, host, port, tls, ca_file, password, token, oauth, certificate, key, proxy, "
KNOWN += "folders, start, poll, renew, canary, compress, "
KNOWN += "authserv, border, sealers, alignment, own_dkim"
HOME = "names the home directory of an unknown user; write the whole path"
FOLDERS = 'must name each folder once; allowed is a list such as ["INBOX", "Orders"]'
ENDS = "moves or deletes the mail more than once; allowed is one `move` or `delete` in a list"
HEADER = "is not the name of a header; allowed are visible ASCII characters without ':'"
ENV = "is not the name of a variable; allowed are letters, digits and '_'"

ACCOUNTS = [
    ("port = '993'", f"port: {WHOLE}"),
    ("port = true", f"port: {WHOLE}"),
    ("port = 0", "port: is too small; allowed is 1 or more"),
    ("port = 65536", "port: is too large; allowed is 65535 or less"),
    ("user = 5", f"user: {TEXT}"),
    ("user = ''", "user: is empty"),
    ('user = "a\\r\\nb"', f"user: {LINE}"),
    ('user = "a\\u0000"', f"user: {LINE}"),
    ("host = 'imaps://x'", 'host: is not a host name; write it like "imap.example.com", the port goes into `port`'),
    ("host = ''", "host: is empty"),
    ("tls = 'none'", "tls: is not known; allowed are 'implicit' or 'starttls'"),
    ("tls = true", "tls: is not known; allowed are 'implicit' or 'starttls'"),
    ("ca_file = 5", "ca_file: is not a path; allowed is text in quotes"),
    ("ca_file = '~nobody-of-that-name/x'", f"ca_file: {HOME}"),
    ("folders = 'INBOX'", f"folders: {LIST}"),
    ("folders = []", f"folders: {FOLDERS}"),
    ("folders = ['INBOX', 'a', 'inbox']", f"folders: {FOLDERS}"),
    ("folders = ['a', 5]", f"folders[2]: {TEXT}"),
    ('folders = ["a", "b\\n"]', f"folders[2]: {LINE}"),
    ("start = 'tomorrow'", 'start: is not a start; allowed are "new", "all" or a day such as 2026-11-01'),
    ("start = 2026-11-01T00:00:00Z", 'start: is not a start; allowed are "new", "all" or a day such as 2026-11-01'),
    ("poll = 'fast'", f"poll: is not a duration; {DURATION}"),
    ("poll = 0", f"poll: is out of range; {DURATION}"),
    ("renew = 0", f"renew: is out of range; {DURATION}"),
    ("key = 'x'", "key: stands without its certificate; write certificate = PATH as well"),
    ("authserv = 5", "authserv: is not text; allowed is text in quotes"),
    ("border = ['a', '']", "border[2]: is empty"),
    ("alignment = 'loose'", "alignment: is not known; allowed are 'relaxed' or 'strict'"),
    ("own_dkim = 'yes'", "own_dkim: is neither true nor false; allowed are true and false, without quotes"),
    ("name = 'x'", f"name: is unknown; {KNOWN}"),
    ("hosts = 'x'", "hosts: is unknown; did you mean 'host'?"),
    ('"a\\u001bb" = 5', f"'a\\x1bb': is unknown; {KNOWN}"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "problem"), ACCOUNTS)
def test_problems_of_an_account(file, written, problem):
    assert file.problems(written) == [f"4: account.support.{problem}"]


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("5", f"must be text or a table with one key; {PASSWORD}"),
        ("''", f"is empty or holds a control character; {PASSWORD}"),
        ('"a\\nb"', f"is empty or holds a control character; {PASSWORD}"),
        ("{}", f"must be text or a table with one key; {PASSWORD}"),
        ("{ command = 'a', env = 'b' }", f"must be text or a table with one key; {PASSWORD}"),
        ("{ comand = 'a' }", "'comand' is not a source of a password; did you mean 'command'?"),
        (
            "{ zzz = 'a' }",
            "'zzz' is not a source of a password; known here: command, file, env, credential, keyring",
        ),
        ("{ command = 5 }", f"command is neither text nor a list of texts; {COMMAND}"),
        ("{ command = [] }", f"command is neither text nor a list of texts; {COMMAND}"),
        ("{ command = ['a', 5] }", f"command is neither text nor a list of texts; {COMMAND}"),
        ("{ command = '' }", f"command is neither text nor a list of texts; {COMMAND}"),
        ("{ command = [''] }", f"command is empty or holds a control character; {COMMAND}"),
        ('{ command = ["a", "\\u0000"] }', f"command is empty or holds a control character; {COMMAND}"),
        ("{ command = 'a \"b' }", f"command has a quote that is never closed; {COMMAND}"),
        ("{ file = 5 }", "file is not text; allowed is a path"),
        ("{ env = '' }", "env is not text; allowed is the name of an environment variable"),
        ("{ env = 'A=B' }", "env names nothing that can be; allowed is the name of an environment variable"),
        (
            "{ credential = '../x' }",
            "credential names nothing that can be; allowed is the name of a systemd credential, without '/'",
        ),
        ("{ keyring = [] }", "keyring is not text; allowed is the name of a service in the keyring"),
    ],
)
def test_problems_of_a_password(file, written, problem):
    account = f'[account.support]\naddress = "support@example.com"\n\npassword = {written}\n'
    assert file.problems("", account=account) == [f"4: account.support.password: {problem}"]


MISSING = {
    "account": "account: is missing; at least one account is needed, "
    'as [account.NAME] with address = "…" and password = …',
    "address": 'address: is missing; write the address of the mailbox: address = "support@example.com"',
    "password": 'password: is missing; write where it is: password = { command = "pass show support" }, '
    'or { file }, { env }, { credential }, { keyring }; or sign in with oauth = "google" or "microsoft"',
}


@pytest.mark.parametrize(
    ("written", "problems"),
    [
        ("", [f"1: {MISSING['account']}"]),
        ("account = 5", [f"1: account: {MAPPING}"]),
        ("[account]", [f"1: account: {EMPTY}"]),
        ("\n[account]\na = 5", [f"3: account.a: {TABLE}"]),
        ("\n[account.a]", [f"2: account.a.{MISSING['address']}", f"2: account.a.{MISSING['password']}"]),
        ("[[account]]\n", [f"1: account: {MAPPING}"]),
        ('[account."a/b"]\naddress="a@b"\npassword="x"', [f"1: account.'a/b': {NAME}"]),
        ('[account.".a"]\naddress="a@b"\npassword="x"', [f"1: account.'.a': {NAME}"]),
        ('[account.""]\naddress="a@b"\npassword="x"', ["1: account.'': is empty"]),
        ('[account."a\\nb"]\naddress="a@b"\npassword="x"', [f"1: account.'a\\nb': {LINE}"]),
        *(
            (
                f'[account.a]\naddress = "{address}"\npassword = "x"',
                ['2: account.a.address: is not a mail address; write it like "support@example.com"'],
            )
            for address in ("a", "@b", "a@", "a b@c", "a@b c")
        ),
        ('[account.a]\naddress = ""\npassword = "x"', ["2: account.a.address: is empty"]),
        ('[account.a]\naddress = "a@b\\r\\nX"\npassword = "x"', [f"2: account.a.address: {LINE}"]),
        ("[acount.a]", [f"1: {MISSING['account']}", "1: acount: is unknown; did you mean 'account'?"]),
    ],
)
def test_problems_of_accounts_as_such(file, written, problems):
    assert sorted(file.problems(written, account="")) == sorted(problems)


RULES = [
    ("name = ''", "name: is empty"),
    ("name = 5", f"name: {TEXT}"),
    ('name = "a\\u001b"', f"name: {LINE}"),
    ("run = 'a'", f"run: {LIST}"),
    ("run = ['a', 'b/c']", f"run[2]: {NAME}"),
    ("run = ['../a']", f"run[1]: {NAME}"),
    ("run = ['.a']", f"run[1]: {NAME}"),
    ("run = ['']", "run[1]: is empty"),
    ('run = ["a\\u0007"]', f"run[1]: {LINE}"),
    (f"run = ['{'a' * 101}']", f"run[1]: {NAME}"),
    ("run = [5]", f"run[1]: {TEXT}"),
    ("stop = 'yes'", "stop: is neither true nor false; allowed are true and false, without quotes"),
    ("stop = 1", "stop: is neither true nor false; allowed are true and false, without quotes"),
    ("then = 'seen'", f"then: {LIST}"),
    ("then = ['see']", "then[1]: 'see' is not an action; did you mean 'seen'?"),
    ("then = ['burn']", "then[1]: 'burn' is not an action; known here: seen, flagged, delete"),
    ("then = [5]", f"then[1]: {ACTION}"),
    ("then = [{ moved = 'a' }]", f"then[1]: {ACTION}"),
    ("then = [{ move = 'a', flag = 'b' }]", f"then[1]: {ACTION}"),
    ("then = [{ move = 5 }]", f"then[1]: {ACTION}"),
    ("then = [{ move = '' }]", "then[1]: move names no folder; allowed is one line of text"),
    ('then = [{ move = "a\\r\\nb" }]', "then[1]: move names no folder; allowed is one line of text"),
    *(
        (f"then = ['seen', {{ flag = '{flag}' }}]", f"then[2]: {FLAG}")
        for flag in ("", "a b", "a(", "a)", "a{", "a%", "a*", 'a"', "a]", "a\\b", "\\", "\\\\a", "é", "\\Recent", "a\t")
    ),
    ('then = [{ flag = "a\\r\\nb" }]', f"then[1]: {FLAG}"),
    *(
        (f"{key} = {ends}", f"{key}: {ENDS}")
        for key in ("then", "on_dead")
        for ends in ("[{ move = 'a' }, { move = 'b' }]", "[{ move = 'a' }, 'seen', 'delete']", "['delete', 'delete']")
    ),
    ("when = 'a'", f"when: {TABLE}"),
    ("when = {}", "when: is empty; name something to hold a mail against, or leave it out to mean every mail"),
    ("whem = { to = 'a' }", "whem: is unknown; did you mean 'when'?"),
    ("handler = 'a'", "handler: is unknown; known here: name, when, run, then, on_dead, stop"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "problem"), RULES)
def test_problems_of_a_rule(file, written, problem):
    assert file.problems(f"[[rule]]\n{written}") == [f"5: rule[1].{problem}"]


LOOK_AROUND = (
    "is not a usable pattern (invalid perl operator: (?=); look-around and its like are unknown, "
    "as patterns run in linear time"
)
CLASS = "is not a usable pattern (invalid character class range: z-a); allowed is the syntax of RE2"
CONDITIONS = [
    *(
        (f"{key} = 5", f"{key}: {PATTERN}")
        for key in ("from", "to", "cc", "subject", "body", "folder", "account", "attachment", "attachment_type")
    ),
    ("from = ''", 'from: is an empty pattern; "*" fits anything'),
    ("from = []", f"from: {EMPTY}"),
    ("from = ['a', 5, 'b']", f"from[2]: {PATTERN}"),
    ("from = ['a', { glob = 'a' }]", f"from[2]: {PATTERN}"),
    ("body = { regex = 'a(?=b)' }", f"body: {LOOK_AROUND}"),
    ("body = ['a', { regex = 'a(?=b)' }]", f"body[2]: {LOOK_AROUND}"),
    ("subject = '[z-a]'", f"subject: {CLASS}"),
    ("size = 5", f"size: {SIZES}"),
    ("size = ['>1k', 'x']", f"size[2]: {SIZES}"),
    ("size = []", f"size: {EMPTY}"),
    ("header = 'a'", f"header: {MAPPING}"),
    ("header = {}", f"header: {EMPTY}"),
    ("header = { X = 5 }", f"header.X: {PATTERN}"),
    ("header = { X = [] }", f"header.X: {EMPTY}"),
    ("header = { 'X:' = 'a' }", f"header.'X:': {HEADER}"),
    ("header = { 'é' = 'a' }", f"header.'\\xe9': {HEADER}"),
    ("any = { to = 'a' }", f"any: {LIST}"),
    ("any = []", f"any: {EMPTY}"),
    ("all = []", f"all: {EMPTY}"),
    ("all = [{ to = 'a' }, { fron = 'b' }]", "all[2].fron: is unknown; did you mean 'from'?"),
    ("any = [{}]", "any[1]: is empty; name something to hold a mail against, or leave it out to mean every mail"),
    ("not = ['a']", f"not: {TABLE}"),
    ("not = {}", "not: is empty; name something to hold a mail against, or leave it out to mean every mail"),
    ("not = { any = [{ trust = 'yes' }] }", f"not.any[1].trust: {VERDICTS}"),
    ("trust = ['verified', 'sure']", f"trust[2]: {VERDICTS}"),
    ("kind = 'spam'", f"kind: {KINDS}"),
    ("reply = 5", f"reply: {PATTERN}"),
    ("from_ = 'a'", "from_: is unknown; did you mean 'from'?"),
    ("any_of = [{ to = 'a' }]", "any_of: is unknown; did you mean 'any'?"),
    ("attachement = '*'", "attachement: is unknown; did you mean 'attachment'?"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "problem"), CONDITIONS)
def test_problems_of_a_condition(file, written, problem):
    assert file.problems(f"[[rule]]\nwhen.{written}") == [f"5: rule[1].when.{problem}"]


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        *((f"{key} = 'x'", f"{key}: is not a duration; {DURATION}") for key in ("timeout", "backoff", "backoff_cap")),
        ("give_up_after = true", f"give_up_after: is not a duration; {DURATION}"),
        ("timeout = '0s'", f"timeout: is out of range; {DURATION}"),
        ("attempts = 0", "attempts: is too small; allowed is 1 or more"),
        ("attempts = 1001", "attempts: is too large; allowed is 1000 or less"),
        ("attempts = '5'", f"attempts: {WHOLE}"),
        ("attempts = 5.0", f"attempts: {WHOLE}"),
        ("concurrency = 0", "concurrency: is too small; allowed is 1 or more"),
        ("processes = 0", "processes: is too small; allowed is 1 or more"),
        ("processes = 100001", "processes: is too large; allowed is 100000 or less"),
        *((f"{key} = 'x'", f"{key}: is not a size; {SIZE}") for key in ("memory", "output", "file_size")),
        ("memory = 0", f"memory: is out of range; {SIZE}"),
        ("stdin = 'raw'", "stdin: is not known; allowed are 'mail', 'json' or 'none'"),
        ("env = 'a'", f"env: {MAPPING}"),
        ("env = { A = 5 }", f"env.A: {TEXT}"),
        ("env = { 'A=B' = '5' }", f"env: 'A=B' {ENV}"),
        ("env = { 1A = '5' }", f"env: '1A' {ENV}"),
        (
            "env = { WATCHER_KEY = '5' }",
            "env: WATCHER_KEY begins with WATCHER_, which is kept for the contract; take another name",
        ),
        ('env = { A = "\\u0000" }', "env: A holds a NUL, which no variable can"),
        ("time_out = 5", "time_out: is unknown; did you mean 'timeout'?"),
    ],
)
def test_problems_of_a_handler(file, written, problem):
    assert file.problems(f"[handler.a-b]\n{written}") == [f"5: handler.a-b.{problem}"]


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("state = 5", "state: is not a path; allowed is text in quotes"),
        ('handlers = "a\\nb"', "handlers: holds a control character"),
        ("socket = false", "socket: is not a path; allowed is text in quotes"),
        ("disk_floor = '5X'", f"disk_floor: is not a size; {SIZE}"),
        ("keep_done = 'x'", f"keep_done: is not a duration; {DURATION}"),
        ("keep_dead = 'x'", f"keep_dead: is not a duration; {DURATION}"),
        ("stop_timeout = -1", f"stop_timeout: is out of range; {DURATION}"),
        *((f"{key} = 0", f"{key}: is too small; allowed is 1 or more") for key in ("unpackers", "runners", "links")),
        ("log = 'loud'", "log: is not known; allowed are 'debug', 'info', 'warning' or 'error'"),
        ("logs = 'info'", "logs: is unknown; did you mean 'log'?"),
    ],
)
def test_problems_of_the_daemon(file, written, problem):
    assert file.problems(f"[watcher]\n{written}") == [f"5: watcher.{problem}"]


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("[rules]\n", "4: rules: is unknown; did you mean 'rule'?"),
        ("[color]\n", "4: color: is unknown; known here: account, rule, handler, oauth, smtp, alerts, watcher, limits"),
        ("[rule]\n", f"4: rule: {LIST}"),
        ("[[handler]]\n", f"4: handler: {MAPPING}"),
        ("[handler]\na = 5\n", f"5: handler.a: {TABLE}"),
        ('[handler."a/b"]\n', f"4: handler.'a/b': {NAME}"),
        ("[[watcher]]\n", f"4: watcher: {TABLE}"),
    ],
)
def test_problems_of_the_whole(file, written, problem):
    assert file.problems(written) == [problem]


def test_rules_of_one_name(file):
    assert file.problems("[[rule]]\nname = 'a'\n[[rule]]\nname = 'a'\n") == [
        "7: rule[2].name: 'a' is the name of an earlier rule; choose another"
    ]


# --- the file as such -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a = \n", "1: is not valid TOML at column 5: "),
        (b"a = 1\nb = 'x\n", "2: is not valid TOML"),
        (b"\n\na = [1,\n", "3: is not valid TOML: "),
        (b"a = 1\na = 2\n", "2: is not valid TOML at column "),
        (b"a = '\x1b'", "1: is not valid TOML at column "),
        (b"\na = 'caf\xe9'\n", "2: is not UTF-8; save the file in that encoding"),
        (b"a = " + b"[" * 100_000, " is nested too deeply"),
    ],
)
def test_what_is_no_toml(file, content, problem):
    file.path.write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        load(file.path)
    [told] = refused.value.problems
    # What follows are the parser's words, which differ between the versions of Python.
    assert told.startswith(f"{file.path}:{problem}")
    assert "\n" not in told
    assert "\x1b" not in told


def test_an_endless_number(file):
    assert "is not valid TOML" in file.problems(f"poll = {'9' * 5000}")[0]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("none.toml", "is not there; `imap-watcher init ADDRESS` makes one, --config FILE names another"),
        ("", "can't be read: Is a directory"),
        ("fifo", "can't be read: it is not a regular file"),
        ("loop", "can't be read: Too many levels of symbolic links"),
        ("config.toml/x", "can't be read: Not a directory"),
    ],
)
def test_what_is_no_file(file, name, problem):
    file.write("")
    os.mkfifo(file.path.parent / "fifo")
    (file.path.parent / "loop").symlink_to("loop")
    path = file.path.parent / name
    with pytest.raises(ConfigError) as refused:
        load(path)
    assert refused.value.problems == [f"{path}: {problem}"]


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666, 0o777, 0o664])
def test_a_file_that_others_may_write(file, mode):
    assert file.problems("", mode=mode) == [f" others may write this file (mode {mode:04o}): chmod 600 {file.path}"]


PASSWORDS = '[account.a]\naddress = "a@b"\npassword = "c4n4ry"\n[account.b]\naddress = "b@b"\npassword = "c4n4ry"\n'


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_file_with_a_password_that_others_may_read(file, mode):
    told = f"3: account.a.password: others may read it here (mode {mode:04o}): chmod 600 {file.path}"
    assert file.problems("", account=PASSWORDS, mode=mode) == [told]
    assert file.load("", account=PASSWORDS, mode=0o600).accounts
    assert file.load("", mode=mode).accounts, "no password stands in it"


def test_a_path_with_a_blank_is_quoted_in_the_cure(tmp_path):
    folder = tmp_path / "a b"
    folder.mkdir()
    assert f"chmod 600 '{folder}/config.toml'" in File(folder).problems("", mode=0o666)[0]


@pytest.mark.parametrize(("owner", "told"), [(0, False), (os.geteuid(), False), (4242, True)])
def test_the_owner_of_the_file(owner, told):
    found = os.stat_result((0o100600, 0, 0, 1, owner, 0, 0, 0, 0, 0))
    problems = [problem.text for problem in exposures(Path("x"), found, {})]
    assert problems == ["belongs to another user (uid 4242); allowed are root and the user that runs this"] * told


def test_no_message_holds_a_password(file):
    for written in ('"c4n4ry', "c4n4ry", "{ command = 'a \"c4n4ry' }", '"c4n4ry\\n"', "{ env = 'c4n4ry=' }"):
        problems = file.problems("", account=f'[account.a]\naddress = "a"\npassword = {written}\n', mode=0o666)
        assert "c4n4ry" not in "".join(problems)


# --- all at once ------------------------------------------------------------------------------------------------------

#: Each is wrong in one way, and none stands in the way of another.
FLAWS = [
    *(("[account.{}]\naddress = 'a@b'\npassword = 'x'", written, f"account.{{}}.{told}") for written, told in ACCOUNTS),
    *(("[[rule]]", written, f"rule[{{}}].{told}") for written, told in RULES),
    *(("[[rule]]", f"when.{written}", f"rule[{{}}].when.{told}") for written, told in CONDITIONS),
]


@given(st.lists(st.sampled_from(FLAWS), min_size=1, max_size=12), st.randoms())
def test_any_set_of_problems_is_told_whole(tmp_path_factory, flaws, order):
    lines = ["[account.good]", 'address = "a@b"', 'password = "x"']
    expected = []
    rules = 0
    for number, (header, written, told) in enumerate(flaws, 1):
        rules += header == "[[rule]]"
        name = rules if header == "[[rule]]" else f"a{number}"
        lines += [*header.format(name).splitlines(), written]
        expected.append(f"{len(lines)}: " + told.replace("{}", str(name), 1))
        lines += ["# decoy = 1"] * order.randint(0, 2)
    path = tmp_path_factory.mktemp("flawed") / "config.toml"
    path.write_text("\n".join(lines))
    path.chmod(0o600)
    with pytest.raises(ConfigError) as refused:
        load(path)
    assert [told.removeprefix(f"{path}:") for told in refused.value.problems] == expected
