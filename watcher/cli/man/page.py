"""The manual page in roff, with the macros of man(7): a walk over the commands as the parser has them."""

import re
from collections.abc import Iterator, Sequence
from inspect import cleandoc
from typing import Any

from watcher.cli import exits
from watcher.version import __version__

__all__ = ["manual"]

Context = Any  # typer gives its contexts and commands no public type

COMPLETION = {"--install-completion", "--show-completion"}  #: of typer, in each program alike

HEAD = r"""
.TH IMAP-WATCHER 1 "" "imap-watcher {version}" "User Commands"
.SH NAME
imap\-watcher \- keep IMAP IDLE links to many mailboxes and hand each new mail to handlers, once
"""

FILES = {
    "/etc/imap-watcher/config.toml": "The configuration of root; each key is told in docs/configuration.md.",
    "~/.config/imap-watcher/config.toml": "The same of any other user ($XDG_CONFIG_HOME).",
    "/var/lib/imap-watcher": "The state of root's daemon: the ledger, and the spool of mails. Others keep it in "
    "~/.local/state/imap-watcher ($XDG_STATE_HOME); `watcher.state` says otherwise.",
}


def manual(root: Context) -> str:
    """The whole page; `root` is the context of the program."""
    return "\n".join(
        [
            HEAD.format(version=__version__).strip(),
            ".SH SYNOPSIS",
            rf"\fBimap\-watcher\fR {escaped(' '.join(pieces(root)))}",
            ".SH DESCRIPTION",
            *prose(root.command.help or ""),
            *prose(getattr(root.command, "epilog", "") or ""),
            ".SH OPTIONS",
            *parameters(root),
            ".SH COMMANDS",
            *(line for context in commands(root) for line in section(context)),
            ".SH EXIT STATUS",
            *(line for code, meaning in exits.MEANINGS.items() for line in entry(str(code), meaning)),
            ".SH FILES",
            *(line for path, meaning in FILES.items() for line in entry(path, meaning)),
            ".SH SEE ALSO",
            r".BR systemctl (1),",
            r".BR journalctl (1)",
            "",
        ]
    )


def commands(context: Context) -> Iterator[Context]:
    """Each command below this one that has no commands of its own, in the order of --help."""
    for name in context.command.list_commands(context):
        command = context.command.get_command(context, name)
        below = type(context)(command, info_name=name, parent=context)
        if command.hidden:
            continue
        if hasattr(command, "list_commands"):
            yield from commands(below)
        else:
            yield below


def section(context: Context) -> Iterator[str]:
    """One command: how it is called, what it does, what its options mean."""
    name = context.command_path.partition(" ")[2]
    yield f".SS {escaped(name)}"
    yield rf"\fBimap\-watcher {escaped(name)}\fR {escaped(' '.join(pieces(context)))}"
    yield from prose(context.command.help or "")
    yield from parameters(context)


def pieces(context: Context) -> Sequence[str]:
    return [str(piece) for piece in context.command.collect_usage_pieces(context)]


def parameters(context: Context) -> Iterator[str]:
    for parameter in context.command.params:
        told = parameter.get_help_record(context)
        if told and not COMPLETION & set(parameter.opts):
            yield from entry(*told)


def entry(name: str, meaning: str) -> Iterator[str]:
    yield ".TP"
    yield rf"\fB{escaped(name)}\fR"
    yield escaped(" ".join(meaning.split())) or r"\&"


def prose(text: str) -> Iterator[str]:
    """Paragraphs, as a docstring has them."""
    for paragraph in re.split(r"\n\s*\n", cleandoc(text)):
        if words := " ".join(paragraph.split()):
            yield ".PP"
            yield escaped(words)


def escaped(text: str) -> str:
    """
    So that roff takes it as it is: a hyphen can be copied into a shell, and a line can't be a request. What stands in
    backquotes is set bold.
    """
    plain = (
        text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq").replace("~", r"\(ti").replace("^", r"\(ha")
    )
    marked = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", plain)
    return rf"\&{marked}" if marked.startswith(".") else marked
