"""
Saves the attachments of a mail into a folder.

Settings (`env`):
    TO      the folder; made if it is not there
    ONLY    which names, as a pattern such as "*.pdf" (all if not set)

Pictures that belong to the text, such as logos, are left out. A file that is there already with the same content is not
saved again, and none is ever overwritten: another "bill.pdf" becomes "bill (2).pdf".

An example:
    [[rule]]
    when = { from = "*@supplier.example", attachment = "*.pdf" }
    run = ["save-attachments"]

    [handler.save-attachments]
    env = { TO = "/srv/invoices", ONLY = "*.pdf" }
"""

import os
import shutil
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from hashlib import file_digest
from itertools import count
from pathlib import Path

from watcher import Attachment, Message


def handle(message: Message) -> None:
    """Save what is attached to `message`."""
    if not os.environ.get("TO"):
        print("set the folder: [handler.save-attachments] env = { TO = ... }")
        sys.exit(78)
    folder = Path(os.environ["TO"])
    folder.mkdir(parents=True, exist_ok=True)
    only = os.environ.get("ONLY", "*").lower()
    for attachment in message.attachments:
        if not attachment.inline and fnmatch(attachment.path.name.lower(), only):
            print(save(attachment, folder))


def save(attachment: Attachment, folder: Path) -> Path:
    """The file with its content in `folder`, written unless it is there: whole, or not at all."""
    draft = folder / f".{os.environ['WATCHER_KEY']}.part"
    shutil.copyfile(attachment.path, draft)
    sync(draft)
    try:
        for target in names(folder / attachment.path.name):
            try:
                os.link(draft, target)
            except FileExistsError:
                if target.stat().st_size != attachment.size or digest(target) != attachment.sha256:
                    continue
            sync(folder)
            return target
    finally:
        draft.unlink()
    raise AssertionError  # there is always another name


def names(path: Path) -> Iterator[Path]:
    """`path`, then the same with a number."""
    yield path
    yield from (path.with_stem(f"{path.stem} ({number})") for number in count(2))


def sync(path: Path) -> None:
    """Have the disk keep a file, or the names in a directory: once we end well, the mail may be deleted."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def digest(path: Path) -> str:
    """The sha256 of a file."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
