"""A loop as its author would write it on imapclient: search, fetch by tens, handle, idle. Nothing is kept."""

from errand import errand
from imapclient import IMAPClient

TENS = 10


def main() -> None:
    told = errand()
    with IMAPClient(told.host, told.port, ssl_context=told.tls) as client:
        if told.tuned:
            client._imap.debug = 0  # imapclient has it at 5
            told.tune(client.socket())
        client.login(told.user, told.password)
        client.select_folder("INBOX", readonly=True)
        next_uid = 1
        while True:
            uids = sorted(uid for uid in client.search(["UID", f"{next_uid}:*"]) if uid >= next_uid)
            for start in range(0, len(uids), TENS):
                for parts in client.fetch(uids[start : start + TENS], ["BODY.PEEK[]"]).values():
                    told.handle(parts[b"BODY[]"])
            next_uid = max([next_uid - 1, *uids]) + 1
            client.idle()
            while not any(len(news) == 2 and news[1] == b"EXISTS" for news in client.idle_check()):
                pass
            client.idle_done()


main()
