"""
Tells a chat of each mail: Slack, Telegram, ntfy, WeCom, Matrix, Teams and about a hundred others, through Apprise.
Needs `pip install 'imap-watcher[notify]'` in the environment of the daemon.

Settings (`env`):
    URLS_FILE   file with the addresses of the chats, one a line, as Apprise wants them: `ntfy://my-topic`,
                `slack://TOKEN/#channel`, `wecombot://KEY`; they hold secrets, so chmod 600 it

An example:
    [[rule]]
    when = { from = "*@bank.example", trust = "verified" }
    run = ["notify-chat"]

    [handler.notify-chat]
    env = { URLS_FILE = "/etc/imap-watcher/chats" }
"""

import os
import re
import sys
from pathlib import Path

import apprise

from watcher import Later, Message

LONGEST = 500  # characters of the text; the chats allow different lengths


#: Words that wake a whole room in one chat or another; a space without width behind their first letter takes that away.
CALLS = re.compile(r"@(?=everyone|here|channel|all|room)|<(?=[!@#])", re.IGNORECASE)


def handle(message: Message) -> Later | None:
    """Send sender, subject and the beginning of the text."""
    if not os.environ.get("URLS_FILE"):
        print("set the addresses: [handler.notify-chat] env = { URLS_FILE = ... }")
        sys.exit(78)
    lines = [line.strip() for line in Path(os.environ["URLS_FILE"]).read_text("utf-8").splitlines()]
    addresses = [line for line in lines if line and not line.startswith("#")]
    chats = apprise.Apprise()
    for number, address in enumerate(addresses, 1):
        if not chats.add(address):
            print(f"address {number} in {os.environ['URLS_FILE']} is none that Apprise knows")
            sys.exit(78)
    trusted = "" if message.verdict == "verified" else " (not verified)"
    title = f"{message.sender or 'nobody'}{trusted}: {message.subject}"
    title, body = (CALLS.sub("\\g<0>\u200b", text) for text in (title, (message.reply or "(no text)")[:LONGEST]))
    # As plain text: what a stranger wrote must not become a link or a heading.
    sent = chats.notify(title=title, body=body, body_format="text")
    return None if sent else Later(reason="a chat did not take it")
