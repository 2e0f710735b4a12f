"""`imap-watcher rules`, as a user calls it."""

import json

import pytest
from typer.testing import CliRunner

from watcher.cli.main import app
from watcher.errors import WatcherError

MAIL = "From: Ann <ann@supplier.example>\r\nSubject: Order 12345\r\n\r\nplease\r\n"
CONFIG = """\
[account.support]
address = "support@example.com"
host = "mail.example.com"
password = { command = "true" }

[[rule]]
name = "junk"
when = { header = { X-Spam = "yes" } }
then = [{ move = "Junk" }]
stop = true

[[rule]]
name = "orders"
when = { account = "support", subject = "order *" }
run = ["book"]
then = ["seen"]
stop = true

[[rule]]
name = "late"
when = { age = ">2d" }
run = ["book"]

[[rule]]
name = "all"
run = ["book"]
"""


@pytest.fixture
def command(tmp_path, monkeypatch):
    (tmp_path / "handlers").mkdir()
    (tmp_path / "handlers" / "book").touch(mode=0o755)
    (tmp_path / "mail.eml").write_text(MAIL, newline="")
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "config.toml").chmod(0o600)

    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, ["--config", "config.toml", "rules", *arguments])


def test_which_rule_and_why(command):
    done = command("explain", "mail.eml")
    assert (done.exit_code, done.stderr) == (0, "")
    orders = 'account is support; subject is "Order 12345", as wanted order *; runs book, then seen, stops here'
    assert done.stdout.splitlines() == [
        'mail.eml: "Order 12345", as it comes to support/INBOX',
        '  rule 1 "junk": no: header X-Spam is absent, wanted yes',
        f'  rule 2 "orders": yes: {orders}',
        '  rule 3 "late": not asked, "orders" above it has stop; else no: age is 0s, wanted >2d',
        '  rule 4 "all": not asked, "orders" above it has stop; else yes: it is for every mail',
        "  it would run: book; then: seen",
    ]


def test_for_scripts_and_several_mails(command, tmp_path):
    (tmp_path / "evil.eml").write_bytes(b"Subject: \x1b[31m$(reboot)\r\nX-Spam: yes\r\n\r\n")
    done = command("explain", "--json", "--age", "3d", "--folder", "Orders", "mail.eml", "none.eml", "evil.eml")
    assert done.exit_code == 1
    assert done.stderr == "imap-watcher: none.eml: No such file or directory\n"
    mail, evil = json.loads(done.stdout)
    assert (mail["account"], mail["folder"]) == ("support", "Orders")
    assert mail["rules"][2]["reason"] == "age is 3d, as wanted >2d"
    assert [rule["hidden_by"] for rule in mail["rules"]] == ["", "", "orders", "orders"]
    assert [step["handler"] for step in mail["plan"]["steps"]] == ["book"]
    assert evil["plan"] == {"steps": [], "then": [{"verb": "move", "target": "Junk"}], "on_dead": []}
    assert "\x1b" not in command("explain", "evil.eml").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--account", "sales", "mail.eml"), "there is no account sales in config.toml; known here: support"),
        (("--age", "soon", "mail.eml"), "is not a duration"),
        (("handlers",), "handlers: is not a regular file"),
        ((), "Missing argument"),
    ],
)
def test_what_can_not_be_answered(command, arguments, words):
    done = command("explain", *arguments)
    assert done.exit_code in (1, 2)
    assert isinstance(done.exception, SystemExit | WatcherError)
    assert words in f"{done.stderr}{done.exception}"


def test_the_list(command):
    assert command("list").stdout.splitlines() == [
        '1 "junk": then move Junk, stops here',
        '2 "orders": runs book, then seen, stops here',
        '3 "late": runs book',
        '4 "all": runs book',
    ]
    rows = json.loads(command("list", "--json").stdout)
    assert [(row["name"], row["every_mail"], row["stop"]) for row in rows] == [
        ("junk", False, True),
        ("orders", False, True),
        ("late", False, False),
        ("all", True, False),
    ]
