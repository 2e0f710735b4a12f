"""Writing what was found out: the account, its password, a first handler; all of it, or nothing."""

import shlex
from pathlib import Path

from watcher.cli.files import Placement
from watcher.cli.init.text import HELLO, Section, account_section, first_file
from watcher.config import load
from watcher.config.secret import Secret
from watcher.config.settings import default_file

__all__ = ["next_commands", "write"]


def write(path: Path, section: Section, typed: Secret | None) -> None:
    """
    Puts the files in place and checks them, and tells what was made.

    Raises WatcherError; ConfigError if what is there now can't be used with the new account.
    """
    text, made = account_section(section), []
    with Placement() as placement:
        if typed is not None:
            made.append(path.parent / f"{section.name}.password")
            placement.create(made[-1], typed.reveal() + "\n")
        if path.exists():
            placement.replace(path, f"{path.read_text('utf-8').rstrip()}\n\n{text}")
        else:
            placement.create(path, first_file(text))
            if not (hello := path.parent / "handlers" / "hello").exists():
                placement.create(hello, HELLO, 0o700)
                made.append(hello)
        config = load(path, strict=True)
        placement.keep()
    print("\n".join(f"Written: {file}" for file in (path, *made)))
    print("\n".join((*(f"warning: {warning}" for warning in config.warnings), "Checked: all right.")))


def next_commands(path: Path) -> str:
    """What to do now."""
    program = "imap-watcher" if path == default_file() else f"imap-watcher --config {shlex.quote(str(path))}"
    return f"""\
Now:
  {program} doctor    # step by step, with a mail of its own and its push
  {program} run       # then send yourself a mail: handlers/hello runs on it
"""
