"""Programs of the machine as handlers: mail filters that read standard input work as they are."""

import mailbox

import pytest

from watcher.config.handlers import HandlerSettings
from watcher.model import Verdict


def test_a_program_of_the_machine_with_arguments_reads_the_mail(room):
    room.settings["book"] = HandlerSettings(command=("tr", "a-z", "A-Z"))
    outcome = room.run("book")
    assert (outcome.verdict, outcome.output[:9]) == (Verdict.DONE, "FROM: ANN")


def test_no_shell_sees_the_arguments(room):
    room.settings["book"] = HandlerSettings(command=("/bin/echo", "$(id)", "; id", "-rf", "*"))
    assert room.run("book").output == "$(id) ; id -rf *\n"


def test_the_name_is_looked_for_where_the_handler_will_look(room):
    tools = room.root / "tools"
    tools.mkdir(mode=0o700)
    tool = tools / "only-here"
    tool.write_text("#!/bin/sh\necho found\n")
    tool.chmod(0o700)
    room.settings["book"] = HandlerSettings(command=("only-here",), env={"PATH": f"{tools}:/bin"})
    assert room.run("book").output == "found\n"
    tool.chmod(0o702)
    outcome = room.run("book")
    assert (outcome.verdict, outcome.reason) == (Verdict.HOLD, f"{tool} can be written by others: chmod go-w {tool}")


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (
            "no-such-filter",
            "the command 'no-such-filter' of handler book is not there or not executable, looked for in /",
        ),
        ("/opt/none", "the command '/opt/none' of handler book is not there or not executable"),
        ("bin/tool", "the command 'bin/tool' of handler book is neither a whole path nor a mere name"),
    ],
)
def test_one_that_is_not_there_holds_its_mail(room, command, reason):
    room.settings["book"] = HandlerSettings(command=(command,))
    outcome = room.run("book")
    assert outcome.verdict is Verdict.HOLD
    assert outcome.reason.startswith(reason)


def test_procmail_files_the_mail(room):
    """The real one; it takes no rule file that others may write, nor one in such a directory."""
    box = room.root / "box"
    rules = room.root / "rules"
    rules.write_text(f":0\n* ^Subject: Invoice\n{box}/\n")
    rules.chmod(0o600)
    room.settings["file"] = HandlerSettings(command=("procmail", "-m", str(rules)))
    outcome = room.run("file")
    assert outcome.verdict is Verdict.DONE, outcome
    [mail] = mailbox.Maildir(box)
    assert mail["Subject"] == "Invoice 7"


def test_maildrop_files_the_mail(room):
    box = room.root / "box"
    mailbox.Maildir(box, create=True)
    rules = room.root / "rules"
    rules.write_text(f'if ( /^Subject: Invoice/ )\n{{\n  to "{box}"\n}}\nEXITCODE = 77\nexit\n')
    rules.chmod(0o600)
    room.settings["file"] = HandlerSettings(command=("maildrop", str(rules)))
    outcome = room.run("file")
    assert outcome.verdict is Verdict.DONE, outcome
    [mail] = mailbox.Maildir(box)
    assert mail["Subject"] == "Invoice 7"
    room.mail("other", raw=b"Subject: Offer\r\n\r\n")
    outcome = room.run("file", key="other")
    assert (outcome.verdict, outcome.reason) == (Verdict.NEVER, "exit 77 (permission denied)")


def test_a_filter_whose_server_is_down_runs_again_later(room):
    """As spamc does with -x: exit 69 to 75 tell what failed. This stand-in says that its server can't be reached."""
    room.settings["scan"] = HandlerSettings(command=("sh", "-c", "cat >/dev/null; exit 75"))
    assert room.run("scan").verdict is Verdict.LATER
