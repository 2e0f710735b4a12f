import pytest

from tests.config.conftest import ACCOUNT

RULE = "[[rule]]\nthen = ['seen']\n"
NEVER = "never runs: 'all' above it fits every mail and stops"
TAG = "[URGENT] in a glob is one character of a set; the tag itself is written [[]URGENT]"


@pytest.mark.parametrize(
    ("written", "warnings"),
    [
        (RULE, []),
        ("", ["1: rule: is missing: mails are stored and nothing else is done with them"]),
        ("[[rule]]\n", ["4: rule[1]: does nothing; it has neither `run` nor `then` nor `stop`"]),
        (f"[[rule]]\nname = 'all'\nstop = true\n{RULE}", [f"7: rule[2]: {NEVER}"]),
        (f"[[rule]]\nstop = true\nwhen.to = 'a@b'\n{RULE}", []),
        (f"{RULE}on_dead = ['seen']", ["6: rule[1].on_dead: never happens, as the rule runs no handler"]),
        (f"{RULE}[handler.x]", ["6: handler.x: is named by no rule"]),
        (f"{RULE}when.account = 'suport'", ["6: rule[1].when.account: never fits: no account has such a name"]),
        (f"{RULE}when.account = 'SUP*'", []),
        (f"{RULE}when.folder = ['Junk', 'Spam']", ["6: rule[1].when.folder: never fits: no such folder is watched"]),
        (f"{RULE}when.folder = ['Junk', 'inbox']", []),
        (f"{RULE}when.not.folder = 'Junk'", []),
        (
            f"{RULE}when.body = ['*a*', 'invoice']",
            ["6: rule[1].when.body: 'invoice' fits only a whole body of that text; meant is '*…*'?"],
        ),
        (f"{RULE}when.body = {{ regex = 'invoice' }}", []),
        (
            f"{RULE}when.body = {{ regex = 'a.{{1,99}}b' }}",
            ["6: rule[1].when.body: 'a.{1,99}b' sees only the first 4681 bytes of a body, as it repeats so much"],
        ),
        (
            f"{RULE}when.subject = ['[URGENT]*', '[a-z]*', '[!ab]*', '[[]tag]*', '[x]*']",
            [f"6: rule[1].when.subject: {TAG}"],
        ),
    ],
)
def test_what_is_hardly_meant(file, written, warnings):
    assert file.warnings(written) == warnings


def test_a_folder_watched_twice(file):
    again = ACCOUNT.replace("[account.support]", "[account.again]")
    assert file.warnings(again + "\n" + RULE) == [
        "4: account.again: watches the same INBOX as account support: handled twice"
    ]
    assert file.warnings(again + "folders = ['Orders']\n" + RULE) == []


def test_a_handler_that_is_not_there(file):
    text = "[[rule]]\nrun = ['a',\n 'b']\n[[rule]]\nrun = ['a', 'c']\n"
    (file.handlers / "b").touch()
    told = [
        f"5: rule[1].run[1]: there is no handler a in {file.handlers}; known here: b",
        f"8: rule[2].run[2]: there is no handler c in {file.handlers}; known here: b",
    ]
    assert file.warnings(text) == told, "each once; the daemon holds its mail"
    assert file.problems(text, strict=True) == told
