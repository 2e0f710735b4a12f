"""The author's commands on handlers in each language: written, tried, held against the contract."""

import json
import stat
from pathlib import Path

import pytest
import typer

from tests.cli.inside import run_inside
from tests.cli.page import same_as_read
from tests.fakes.hook_server import HookServer
from watcher.cli.completion import account_names, handler_names
from watcher.cli.main import app

LANGUAGES = {"sh": "book", "python": "book.py", "node": "book.js", "perl": "book.pl"}
CONFIG = """
[account.support]
address = "support@example.com"
password = { env = "NEVER_ASKED" }
authserv = "mx.example.com"

[[rule]]
when = { subject = "Invoice*" }
run = ["book"]
then = ["seen", { move = "Done" }]
on_dead = [{ move = "Failed" }]

[handler.book]
attempts = 5
env = { TO = "DIR/books", API_TOKEN = "hush" }
"""


@pytest.fixture
def config(tmp_path):
    """A configuration beside which the handlers are."""
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.replace("DIR", str(tmp_path)))
    path.chmod(0o600)
    (tmp_path / "handlers").mkdir()
    return path


@pytest.fixture
def run(config):
    return lambda *arguments, **more: run_inside("--config", str(config), *arguments, **more)


def script(config, text, name="book"):
    path = config.parent / "handlers" / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def tried(run, *arguments, **more):
    done = run("try", *arguments, "--json", **more)
    assert done.stderr == ""
    return json.loads(done.stdout), done.returncode


# --- new-handler ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_new_handler_runs_at_once(run, config, lang):
    made = json.loads(run("new-handler", "book", "--lang", lang, "--json").stdout)
    path = config.parent / "handlers" / LANGUAGES[lang]
    assert made["files"] == [str(path)]
    assert made["next"][0] == f"imap-watcher --config {config} try book"
    assert 'run = ["book"]' in made["rule"]
    assert stat.S_IMODE(path.stat().st_mode) == (0o644 if lang == "python" else 0o755)
    assert "{{" not in path.read_text()
    assert max(map(len, path.read_text().splitlines())) <= 120
    report, code = tried(run, "book")
    assert code == 0
    [one] = report["runs"]
    assert (one["verdict"], one["reason"]) == ("done", "1 attachment(s)")
    assert one["output"].startswith("a mail of ")
    assert run("conform", "book").stdout.endswith("31 mails, no faults\n")


def test_a_package_is_written_whole(run, tmp_path):
    run("new-handler", "my-book", "--lang", "entry-point", "--to", str(tmp_path / "src"))
    root = tmp_path / "src" / "my-book"
    assert sorted(path.name for path in root.iterdir()) == ["handler_my_book.py", "pyproject.toml"]
    assert 'my-book = "handler_my_book:handle"' in (root / "pyproject.toml").read_text()
    compile((root / "handler_my_book.py").read_text(), "x", "exec")


def test_nothing_is_overwritten(run, config):
    script(config, "mine", "book.rb")
    done = run("new-handler", "book")
    assert (done.returncode, done.stdout) == (1, "")
    assert "book.rb is there already, and stays as it is; take another name" in done.stderr
    assert [path.name for path in (config.parent / "handlers").iterdir()] == ["book.rb"]


@pytest.mark.parametrize("name", ["", "../x", "a b", "x.y", "-x", "x" * 61, "ä"])
def test_names_that_can_name_no_handler(run, config, name):
    done = run("new-handler", "--", name)
    assert done.returncode == 1
    assert "can't name a handler" in done.stderr
    assert list((config.parent / "handlers").iterdir()) == []


# --- try ------------------------------------------------------------------------------------------------------------


def test_what_try_shows(run, config):
    script(config, '#!/bin/sh\nmkdir -p "$TO"; cp body.txt "$TO/$WATCHER_KEY"; echo booked\n'
           'echo \'{"action": "flag", "flag": "$Booked"}\' >> "$WATCHER_ACTIONS"\n')  # fmt: skip
    done = run("try", "book")
    assert done.returncode == 0
    page = done.stdout.replace(str(config.parent), "HOME")
    for line in (
        "handler   book: HOME/handlers/book, a program",
        "env       API_TOKEN=(not shown)",
        "          TO=HOME/books",
        "          WATCHER_ACCOUNT=support",
        "stdin     message.eml, 1905 bytes",
        "printed   booked",
        "ended     done",
        "actions   flag $Booked",
        "next      done, never again on this mail; once all handlers of the mail are done: flag $Booked",
        "rules     rule 1: then seen, move Done; on_dead move Failed",
    ):
        assert f"{line}\n" in page
    assert "hush" not in page
    assert "changed   + HOME/books/" in page


@pytest.mark.parametrize(
    ("options", "verdict", "words"),
    [
        (["--fail-with", "0"], "done", "done, never again"),
        (["--fail-with", "99"], "stop", "the later handlers of the rule are skipped"),
        (["--fail-with", "75"], "later", "later, in about 30 s: attempt 2 of 5"),
        (["--fail-with", "1", "--attempt", "3"], "later", "later, in about 120 s: attempt 4 of 5"),
        (
            ["--fail-with", "75", "--attempt", "5"],
            "later",
            "dead letter, kept until `imap-watcher jobs retry` or `drop`",
        ),
        (["--fail-with", "65"], "never", "dead letter"),
        (["--fail-with", "78"], "hold", "pause: all mail of this handler waits"),
        (["--slow"], "crashed", "crashes so far 1, the third is the last"),
        (
            ["--slow", "--attempt", "3"],
            "crashed",
            "jobs retry` or `drop`: poison",
        ),
    ],
)
def test_what_the_daemon_would_do(run, config, options, verdict, words):
    script(config, f'#!/bin/sh\ntouch "{config.parent}/it-has-run"\n')
    report, code = tried(run, "book", *options)
    [one] = report["runs"]
    assert (code, one["verdict"]) == (0, verdict)
    assert words in one["next"]
    assert not (config.parent / "it-has-run").exists()


def test_a_repeat_shows_who_does_not_keep_to_the_key(run, config):
    script(config, '#!/bin/sh\nmkdir -p "$TO"; date +%N > "$TO/$WATCHER_KEY"\n')
    report, _ = tried(run, "book", "--times", "2")
    [line] = report["differs"]
    assert line.startswith(f"run 2: ~ {config.parent}/books/")
    script(config, '#!/bin/sh\nmkdir -p "$TO"; [ -e "$TO/$WATCHER_KEY" ] || date +%N > "$TO/$WATCHER_KEY"\n')
    report, _ = tried(run, "book", "--times", "2")
    assert report["differs"] == []
    assert [run["attempt"] for run in report["runs"]] == [1, 2]


def test_any_mail_and_any_file(run, config, tmp_path):
    own = script(config, "#!/bin/sh\ncat message.json\nexit 65\n", "../other.sh")
    (tmp_path / "m.eml").write_text("Subject: hello\nFrom: a@b.example\n\nx\n")
    for arguments, more in (((str(tmp_path / "m.eml"),), {}), (("-",), {"stdin": b"Subject: hello\n\nx\n"})):
        report, code = tried(run, str(own), *arguments, **more)
        assert code == 1, "it did not succeed"
        assert report["mail"]["subject"] == "hello"
        assert '"subject": "hello"' in report["runs"][0]["output"]
    kept = tmp_path / "kept"
    tried(run, str(own), "--keep", str(kept))
    assert [path.name for path in kept.glob("spool/*/message.eml")] == ["message.eml"]


def test_a_command_of_the_machine(run, config):
    config.write_text(config.read_text() + '[handler.count]\ncommand = ["wc", "-c"]\n')
    report, code = tried(run, "count")
    assert code == 0
    assert report["call"]["program"].endswith("/wc -c")
    assert int(report["runs"][0]["output"]) == report["mail"]["size"]
    assert run("conform", "count").stdout.endswith("31 mails, no faults\n")


def test_an_entry_point(run, config, tmp_path, monkeypatch):
    information = tmp_path / "packages" / "book-1.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: book\nVersion: 1\n")
    (information / "entry_points.txt").write_text("[imap_watcher.handlers]\nbook = book_mail:handle\n")
    (tmp_path / "packages" / "book_mail.py").write_text("def handle(message):\n    message.note(message.subject)\n")
    monkeypatch.syspath_prepend(tmp_path / "packages")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "packages"))
    config.write_text(config.read_text().replace("env = {", f"env = {{ PYTHONPATH = '{tmp_path / 'packages'}',"))
    report, code = tried(run, "book")
    assert (code, report["call"]["program"]) == (0, "book_mail:handle")
    assert report["runs"][0]["reason"] == "Invoice 7"


def test_a_webhook(run, config):
    with HookServer() as server:
        config.write_text(config.read_text() + f'[handler.hook]\nurl = "{server.url}"\nallow_private = true\n')
        report, code = tried(run, "hook")
    assert (code, report["call"]["program"]) == (0, server.url)
    assert report["call"]["environment"] == {}
    [request] = server.requests
    assert json.loads(request.body)["subject"] == report["mail"]["subject"]


def test_without_any_configuration(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nothing"))
    own = tmp_path / "own.py"
    own.write_text("def handle(message):\n    print(message.account)\n")
    done = run_inside("try", str(own))
    assert done.returncode == 0
    assert "printed   try\n" in done.stdout
    assert "rules     there is no configuration yet" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["try", "bok"], "did you mean 'book'?"),
        (["try", "./nix"], "nix is not a file"),
        (["try", "book", "nix.eml"], "nix.eml: No such file or directory"),
        (["try", "book", "--account", "suport"], "there is no account suport"),
        (["try", "book", "--keep", "/nix/da"], "/nix/da: can't be made"),
        (["conform", "bok"], "did you mean 'book'?"),
        (["handlers", "show", "nix"], "no handler nix comes with imap-watcher"),
    ],
)
def test_a_slip_is_one_line(run, config, arguments, words):
    script(config, "#!/bin/sh\n")
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert words in line


def test_what_can_not_run_is_told(run, config):
    script(config, "#!/bin/sh\n").chmod(0o644)
    assert "is not executable: chmod +x" in run("try", "book").stderr
    assert "is not executable: chmod +x" in run("conform", "book").stderr


# --- conform, handlers ----------------------------------------------------------------------------------------------


def test_conform_finds_what_a_shell_reads(run, config):
    script(config, '#!/bin/sh\neval "echo $(sed -n "s/^Subject: //p" message.eml)" >/dev/null 2>&1; exit 0\n')
    done = run("conform", "book", "--json")
    assert done.returncode == 1
    faults = {check["case"]: check["fault"] for check in json.loads(done.stdout) if check["fault"]}
    assert "dollar" in faults
    assert "lets a shell read text of the mail" in faults["dollar"]


def test_handlers(run, config):
    names = [one["name"] for one in json.loads(run("handlers", "list", "--json").stdout)]
    assert len(names) == 16
    for name in names:
        assert run("handlers", "show", name).stdout.startswith(f"{name}: ")
        added = json.loads(run("handlers", "add", name, "--json").stdout)
        assert f'run = ["{name}"]' in added["example"]
        mode = stat.S_IMODE(Path(added["file"]).stat().st_mode)
        assert mode == (0o755 if Path(added["file"]).read_text().startswith("#!") else 0o644)
    assert "is there already" in run("handlers", "add", "forward").stderr
    assert "* forward" in run("handlers", "list").stdout


# --- what a terminal shows ------------------------------------------------------------------------------------------


def test_completion(config):
    script(config, "#!/bin/sh\n")
    script(config, "#!/bin/sh\n", "bounce.py")
    script(config, "#!/bin/sh\n", ".hidden")

    class Line:
        def __init__(self):
            self.params = {"config": str(config)}

        def find_root(self):
            return self

    assert handler_names(Line(), "bo") == ["book", "bounce"]
    assert account_names(Line(), "s") == ["support"]
    config.write_text("broken")
    assert account_names(Line(), "") == []


def test_pages_as_read(run, config):
    script(config, "#!/bin/sh\necho done\n")
    same_as_read(run("new-handler", "first").stdout, "new-handler")
    same_as_read(run("handlers", "list").stdout, "handlers-list")
    known = typer.main.get_command(app).commands
    assert {"try", "record", "replay", "conform", "handlers", "new-handler"} <= set(known)


def test_what_is_no_mail_is_told_in_one_line(run, config):
    script(config, "#!/bin/sh\nexit 0\n")
    for mail in ("/dev/zero", "/proc/self/mem", str(config.parent), str(config / "within")):
        done = run("try", "book", mail)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1), (mail, done.stderr)


def test_variables_that_none_can_have_are_told(run, config):
    script(config, "#!/bin/sh\nexit 0\n")
    for given in ("X", "WATCHER_KEY=1", "ü=1", "=1"):
        done = run("conform", "book", "--env", given)
        assert done.returncode == 2, given
        assert "Traceback" not in done.stderr
