"""A scripted server that compresses (RFC 4978)."""

import asyncio
import zlib

from tests.fakes.imap_server import Answer, Command, Session

__all__ = ["compressing"]


class Packing:
    """A session's writer, what it writes compressed; `piece` bytes at a time, 0 for all at once."""

    def __init__(self, writer: asyncio.StreamWriter, piece: int) -> None:
        self.writer, self.piece = writer, piece
        self.packer = zlib.compressobj(wbits=-15)

    def __getattr__(self, name: str) -> object:
        return getattr(self.writer, name)

    def write(self, data: bytes) -> None:
        self.write_raw(self.packer.compress(data) + self.packer.flush(zlib.Z_SYNC_FLUSH))

    def write_raw(self, packed: bytes) -> None:
        size = self.piece or len(packed) or 1
        for start in range(0, len(packed), size):
            self.writer.write(packed[start : start + size])


def compressing(piece: int = 0, first: bytes = b"") -> Answer:
    """Answer to COMPRESS: yes. `first`: what the server says right behind that, in the same breath."""

    async def answer(session: Session, command: Command) -> None:
        plain, session.reader = session.reader, asyncio.StreamReader(limit=1 << 24)

        async def unpack() -> None:
            unpacker = zlib.decompressobj(-15)
            while data := await plain.read(1 << 16):
                session.reader.feed_data(unpacker.decompress(data))
            session.reader.feed_eof()

        session.unpacking = asyncio.create_task(unpack())  # a task that nobody holds may be collected
        packing = Packing(session.writer, piece)
        packed = packing.packer.compress(first) + packing.packer.flush(zlib.Z_SYNC_FLUSH) if first else b""
        session.writer.write(f"{command.tag} OK begin\r\n".encode() + packed)
        session.writer = packing

    return answer
