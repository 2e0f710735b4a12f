"""A loop on aioimaplib: search, fetch by tens, idle. Nothing is parsed or kept."""

import asyncio

from aioimaplib import IMAP4_SSL
from errand import errand

TENS = 10


async def main() -> None:
    told = errand()
    client = IMAP4_SSL(told.host, told.port, ssl_context=told.tls, timeout=60)
    await client.wait_hello_from_server()
    await client.login(told.user, told.password)
    await client.select("INBOX")
    next_uid = 1
    while True:
        found = await client.uid_search(f"UID {next_uid}:*", charset=None)
        uids = sorted(int(uid) for uid in found.lines[0].split() if int(uid) >= next_uid)
        for start in range(0, len(uids), TENS):
            some = ",".join(map(str, uids[start : start + TENS]))
            answer = await client.uid("fetch", some, "BODY.PEEK[]")
            for raw in answer.lines:
                if isinstance(raw, bytearray):
                    told.handle(bytes(raw))
        next_uid = max([next_uid - 1, *uids]) + 1
        idle = await client.idle_start()
        while not any(line.endswith(b"EXISTS") for line in await client.wait_server_push()):
            pass
        client.idle_done()
        await asyncio.wait_for(idle, 60)


asyncio.run(main())
