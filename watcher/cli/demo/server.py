"""
The demo's mail server: pymap's IMAP server with one user, its mails in memory, TLS from the first byte.

What pymap 0.36 does in its own way, and what it means here:
- on the wire it offers only STARTTLS; wrapping its listener in TLS gives implicit TLS;
- a mail put in without a date gets a local one without a zone, so `deliver` always names one in UTC;
- it keeps system flags only; a keyword that is set is silently forgotten, so the demo's rule sets `seen`.
"""

import asyncio
import logging
import ssl
from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Self

from proxyprotocol.reader import ProxyProtocolReader
from pymap.backend.dict import DictBackend
from pymap.backend.dict.mailbox import MailboxData
from pymap.imap import IMAPServer
from pymap.parsing.message import AppendMessage
from pymap.parsing.specials.flag import Seen

__all__ = ["PASSWORD", "USER", "DemoServer"]

USER = "you@localhost.example"
PASSWORD = "demo"  # noqa: S105 of a server that lives for seconds, on this machine only

#: What pymap's own command line would hand over.
ARGUMENTS = Namespace(
    host="127.0.0.1",
    port=0,
    debug=False,
    cert=None,
    key=None,
    tls=False,
    proxy_protocol=None,
    passlib_cfg=None,
    demo_data=False,
    demo_user=USER,
    demo_password=PASSWORD,
)


class DemoServer:
    """The server in a thread of its own; a context manager. `port` is known once it is entered."""

    host = "127.0.0.1"
    port = 0

    def __init__(self, certificate: Path) -> None:
        """`certificate`: PEM file with key and certificate of localhost."""
        # A client that is cut off when the server ends is no news to anybody who looks at the demo.
        logging.getLogger("asyncio").setLevel(logging.ERROR)
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(certificate)
        self._loop = asyncio.new_event_loop()
        self._ready, self._end = Event(), asyncio.Event()
        self._thread = Thread(target=self._loop.run_until_complete, args=(self._serve(),), name="demo server")
        self._inbox: MailboxData

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_error: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._loop.close()

    def deliver(self, raw: bytes) -> int:
        """Put a mail into INBOX, where idle links hear of it at once; its UID."""
        return asyncio.run_coroutine_threadsafe(self._append(raw), self._loop).result()

    def is_seen(self, uid: int) -> bool:
        r"""Whether the mail carries `\Seen`."""
        return asyncio.run_coroutine_threadsafe(self._seen(uid), self._loop).result()

    async def _serve(self) -> None:
        backend, config = await DictBackend.init(ARGUMENTS)
        config.apply_context()
        async with backend.login.demo_user_identity.new_session() as session:
            self._inbox = await session.mailbox_set.get_mailbox("INBOX")
        callback = ProxyProtocolReader(config.proxy_protocol).get_callback(IMAPServer(backend.login, config))
        listener = await asyncio.start_server(callback, ARGUMENTS.host, 0, ssl=self._tls)
        self.port = listener.sockets[0].getsockname()[1]
        self._ready.set()
        async with listener:
            await self._end.wait()

    async def _append(self, raw: bytes) -> int:
        message = await self._inbox.append(AppendMessage(raw, datetime.now(UTC), frozenset()), recent=True)
        return message.uid

    async def _seen(self, uid: int) -> bool:
        seen = [message.uid async for message in self._inbox.messages() if Seen in message.permanent_flags]
        return uid in seen
