"""A loop on imap_tools, which parses with the standard library. Nothing is kept."""

import time

from errand import errand
from imap_tools import MailBox

TENS = 10


def main() -> None:
    told = errand()
    with MailBox(told.host, told.port, ssl_context=told.tls).login(told.user, told.password, None) as box:
        box.folder.set("INBOX", readonly=True)
        next_uid = 1
        while True:
            for mail in box.fetch(f"UID {next_uid}:*", mark_seen=False, bulk=TENS):
                if int(mail.uid) < next_uid:
                    continue
                _ = mail.subject, mail.from_values, mail.text, mail.html, [part.payload for part in mail.attachments]
                told.note(int(mail.headers["x-case"][0]), time.time())
                next_uid = int(mail.uid) + 1
            while not any(line.endswith(b"EXISTS") for line in box.idle.wait(timeout=60)):
                pass


main()
