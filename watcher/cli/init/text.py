"""What `init` writes, as text. Pure."""

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "HELLO",
    "Section",
    "account_name",
    "account_section",
    "client_section",
    "consent_line",
    "first_file",
    "password_line",
]

#: The first handler; the contract in a few lines.
HELLO = """\
#!/bin/sh
# Runs once for each new mail, in a folder of its own:
#   message.eml    the mail as it came (also on standard input)
#   message.json   from, to, subject, attachments ..., ready to read for a program
#   body.txt       its text;  attachments/   its files
# How it ends says what becomes of the mail: exit 0 done; 75 try again later; 100 never, keep it as a dead letter.
# Text from the mail never belongs into arguments or `eval`. All of it: docs/handlers.md
echo "a mail of $(wc -c < message.eml) bytes has come"
ls attachments 2>/dev/null
exit 0
"""

_HEAD = """\
# Made by `imap-watcher init`. Every setting: docs/configuration.md
# After a change: `imap-watcher check` tells what is wrong with it.

"""

_RULE = """
# Each mail that fits `when` goes to the handlers in `run`, files in the folder `handlers` beside this file.
[[rule]]
# when = { from = "*@supplier.example", attachment = "*.pdf" }   # without it: every mail
run = ["hello"]
# then = ["seen", { move = "Done" }]      # what changes on the server, once all handlers have succeeded
# on_dead = [{ move = "Failed" }]         # when a handler has given the mail up
"""


@dataclass(frozen=True, slots=True)
class Section:
    """What stands in `[account.NAME]`."""

    name: str
    address: str
    proof: str  #: the line that says how we log in, as it stands in TOML; "" while it is not known
    folders: Sequence[str]
    user: str = ""  #: "" if it follows from the address; so for the next ones
    host: str = ""
    port: int = 0
    tls: str = ""
    ca_file: Path | None = None
    proxy: str = ""


def account_name(address: str, taken: Collection[str]) -> str:
    """A name for the account of `address` that needs no quotes and is not `taken`."""
    local = address.rpartition("@")[0]
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", local).strip("-_")[:40] or "mail"
    names = (name, *(f"{name}-{number}" for number in range(2, len(taken) + 3)))
    return next(name for name in names if name not in taken)


def account_section(section: Section) -> str:
    """The section of one account."""
    lines = [f"[account.{section.name}]", f"address = {_quoted(section.address)}"]
    if section.user:
        lines.append(f"user = {_quoted(section.user)}")
    if section.host:
        lines.append(f"host = {_quoted(section.host)}")
    if section.tls:
        lines.append(f"tls = {_quoted(section.tls)}")
    if section.port:
        lines.append(f"port = {section.port}")
    if section.ca_file:
        lines.append(f"ca_file = {_quoted(str(section.ca_file))}")
    if section.proxy:
        lines.append(f"proxy = {_quoted(section.proxy)}")
    lines.append(section.proof)
    lines.append(f"folders = [{', '.join(map(_quoted, section.folders))}]   # names or patterns: * any, % one level")
    lines.append('# start = "new"      # or "all", or a day such as 2026-11-01: from which mail on')
    return "\n".join(lines) + "\n"


def first_file(section: str) -> str:
    """A whole configuration with this section."""
    return _HEAD + section + _RULE


def password_line(kind: str, where: str) -> str:
    """The proof is a password: where it is."""
    return f"password = {_secret(kind, where)}"


def consent_line(client: str) -> str:
    """The proof is the user's consent, which the program in `[oauth.CLIENT]` asks for."""
    return f"oauth = {_quoted(client)}"


def client_section(client: str, client_id: str, secret_file: str) -> str:
    """The program that asks for consent, behind an account. `secret_file`: "" if it has no secret."""
    lines = ["", f"[oauth.{client}]   # the program that asks for consent, as you registered it"]
    lines.append(f"client_id = {_quoted(client_id)}")
    if secret_file:
        lines.append(f"client_secret = {_secret('file', secret_file)}")
    return "\n".join(lines) + "\n"


def _secret(kind: str, where: str) -> str:
    return f"{{ {kind} = {_quoted(where)} }}"


def _quoted(text: str) -> str:
    """`text` as a TOML string; JSON's escapes are TOML's, and no control character gets here."""
    return json.dumps(text, ensure_ascii=False)
