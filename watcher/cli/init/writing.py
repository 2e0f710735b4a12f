"""Writing what was found out: the account, its password, a first handler; all of it, or nothing."""

from collections.abc import Mapping
from pathlib import Path

from watcher.cli.files import Placement
from watcher.cli.init.text import HELLO, first_file
from watcher.cli.workshop import program_for
from watcher.config import load
from watcher.config.secret import Secret

__all__ = ["next_commands", "write"]


def write(path: Path, section: str, secrets: Mapping[str, Secret]) -> None:
    """
    Puts the files in place and checks them, and tells what was made. `section`: what is added to the configuration at
    `path`; `secrets`: by the name of the file beside it.

    Raises WatcherError; ConfigError if what is there now can't be used with the new account.
    """
    made: list[Path] = []
    with Placement() as placement:
        for name, secret in secrets.items():
            made.append(path.parent / name)
            placement.create(made[-1], secret.reveal() + "\n")
        if path.exists():
            placement.replace(path, f"{path.read_text('utf-8').rstrip()}\n\n{section}")
        else:
            placement.create(path, first_file(section))
            if not (hello := path.parent / "handlers" / "hello").exists():
                placement.create(hello, HELLO, 0o700)
                made.append(hello)
        config = load(path, strict=True)
        placement.keep()
    print("\n".join(f"Written: {file}" for file in (path, *made)))
    print("\n".join((*(f"warning: {warning}" for warning in config.warnings), "Checked: all right.")))


def next_commands(path: Path, *, login: str = "") -> str:
    """What to do now. `login`: the account for which somebody must consent first."""
    program = program_for(path)
    consent = f"  {program} login {login}    # sign in with a browser, here or on another machine: login --help\n"
    return f"""\
Now:
{consent if login else ""}  {program} doctor    # step by step, with a mail of its own and its push
  {program} run       # then send yourself a mail: handlers/hello runs on it
  {program} send --to ADDRESS --text Hello    # by the same login; with --trace you see what the server says
"""
