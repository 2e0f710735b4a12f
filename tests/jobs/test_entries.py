"""Handlers that installed packages bring."""

import pytest

from watcher.config.entries import installed
from watcher.config.handlers import HandlerSettings
from watcher.model import Verdict

HELLO = "def handle(message): print('from the package')\n"


@pytest.fixture
def package(room, monkeypatch):
    """Installs a package with the handler `book`; gives a function to install another version."""

    def install(text=HELLO, version="1.0"):
        for old in (room.root / "packages").glob("*.dist-info/*"):
            old.unlink()
        for old in (room.root / "packages").glob("*.dist-info"):
            old.rmdir()
        room.entry_point("book", text, version)

    install()
    monkeypatch.syspath_prepend(room.root / "packages")
    return install


def test_it_is_found_by_its_name_and_stays_warm(room, package):
    package("import os\ndef handle(message): print(os.getpid())\n")
    outcomes = [room.run("book", key=key) for key in ("a", "b")]
    assert outcomes[0].verdict is Verdict.DONE, outcomes[0]
    assert outcomes[0].output == outcomes[1].output


def test_a_file_of_that_name_goes_before_it(room, package):
    room.script("book", "echo from the file")
    assert room.run("book").output == "from the file\n"


def test_two_files_of_that_name_are_not_settled_by_it(room, package):
    for name in ("book", "book.sh"):
        room.script(name, "exit 0")
    outcome = room.run("book")
    assert outcome.verdict is Verdict.HOLD
    assert "could be each of book, book.sh" in outcome.reason


def test_another_name_may_ask_for_it(room, package):
    room.script("book", "echo from the file")
    room.settings["archive"] = HandlerSettings(entry_point="book", env=room.places["book"]["env"])
    assert room.run("archive").output == "from the package\n"


def test_one_that_is_not_installed_holds_its_mail(room, package):
    room.settings["archive"] = HandlerSettings(entry_point="bok")
    outcome = room.run("archive")
    assert outcome.verdict is Verdict.HOLD
    assert outcome.reason.endswith("of any package that is installed here; did you mean 'book'?")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import missing_module\n", "can't be loaded: ModuleNotFoundError: No module named 'missing_module'"),
        ("x = 1\n", "can't be loaded: AttributeError: module 'book_module' has no attribute 'handle'"),
        ("handle = 3\n", "can't be loaded: TypeError: book_module:handle is no function"),
    ],
)
def test_one_that_can_not_be_loaded_holds_its_mail(room, package, text, reason):
    package(text)
    outcome = room.run("book")
    assert (outcome.verdict, outcome.reason) == (Verdict.HOLD, reason)


def test_an_upgrade_replaces_what_is_warm(room, package):
    assert room.run("book").output == "from the package\n"
    package("def handle(message): print('newer')\n", "2.0")
    assert installed()["book"].version == "2.0"
    assert room.run("book").output == "newer\n"
