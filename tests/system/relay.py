"""A TCP relay between the daemon and the server, whose line can be cut in three ways and mended again."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from enum import StrEnum
from threading import Event, Thread
from typing import Self

__all__ = ["Cut", "Relay"]

#: SO_LINGER on, for no time: closing sends RST (socket(7)).
NO_LINGER = struct.pack("ii", 1, 0)


class Cut(StrEnum):
    """What the line does to all links, old and new."""

    EOF = "eof"  #: closes them properly
    RST = "rst"  #: resets them
    SILENCE = "silence"  #: keeps them open and swallows every byte, as a dead middle box does


class Relay:
    """Listens on `host` and relays to the server's port; a context manager, in a thread of its own."""

    port = 0  #: where it listens, once it is entered

    def __init__(self, server_port: int, host: str = "127.0.0.1") -> None:
        self.host = host
        self.accepted = 0  #: links so far
        self.carried = 0  #: bytes so far, both ways
        self._server_port = server_port
        self._cut: Cut | None = None
        self._links: set[asyncio.StreamWriter] = set()
        self._dark: set[asyncio.StreamWriter] = set()  # links that were open when silence fell: it never ends for them
        self._loop = asyncio.new_event_loop()
        self._ready, self._end = Event(), asyncio.Event()
        self._thread = Thread(target=self._loop.run_until_complete, args=(self._serve(),), name="relay")

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_error: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._loop.close()

    def cut(self, how: Cut) -> None:
        """Cut the line: every link that is open, and every one that comes, until `mend`."""
        self._call(lambda: self._do_cut(how))

    def mend(self) -> None:
        """Relay new links again. Those that fell silent stay so."""
        self._call(self._do_mend)

    # --- in its thread ----------------------------------------------------------------------------------------------

    def _call(self, act: Callable[[], None]) -> None:
        """Do it in the relay's thread, and wait until it is done."""
        done = Event()
        self._loop.call_soon_threadsafe(act)
        self._loop.call_soon_threadsafe(done.set)
        done.wait()

    def _do_cut(self, how: Cut) -> None:
        self._cut = how
        for link in list(self._links):
            self._end_link(link)

    def _do_mend(self) -> None:
        self._cut = None

    def _end_link(self, link: asyncio.StreamWriter) -> None:
        if self._cut is Cut.SILENCE:
            self._dark.add(link)
            return
        if self._cut is Cut.RST:
            link.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        link.close()

    async def _serve(self) -> None:
        listener = await asyncio.start_server(self._link, self.host, 0)
        self.port = listener.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        listener.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._links.add(writer)
        try:
            if self._cut:
                self._end_link(writer)
                if self._cut is Cut.SILENCE:
                    await self._end.wait()
                return
            there, back = await asyncio.open_connection("127.0.0.1", self._server_port)
            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._pump(reader, back, writer))
                    both.create_task(self._pump(there, writer, writer))
            finally:
                back.close()
        except* (ConnectionError, asyncio.CancelledError):
            pass  # the end of a link is nothing special here
        finally:
            self._links.discard(writer)
            self._dark.discard(writer)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, link: asyncio.StreamWriter) -> None:
        """Carry bytes one way until their end; a dark link's bytes go nowhere, and its end is not passed on."""
        while data := await source.read(1 << 16):
            if link not in self._dark:
                self.carried += len(data)
                sink.write(data)
                await sink.drain()
        if link in self._dark:
            await self._end.wait()
        sink.close()
