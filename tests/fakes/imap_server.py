"""
An IMAP server that does as it is told: a small honest mailbox over real TLS, and every way to misbehave.

    with ImapServer() as server:
        uid = server.deliver(b"Subject: hello\r\n\r\nworld\r\n")
        link = connect(Endpoint(server.host, server.port, ca_file=server.ca_file), "me", "secret")
        link.examine("INBOX")
        assert link.search(1) == [uid]
        assert server.count("UID SEARCH") == 1

It speaks TLS with a certificate of a CA of its own (`ca_file`). User "me" has the password "secret"; INBOX is there,
other folders come with `folder(name)`. `deliver` and `expunge` are announced as a real server does: to sessions in IDLE
at once, to others with the end of their next command.

Misbehaviour is scripted by command. `on` takes what comes instead of the honest answer, for the next `times`:

    server.on("UID SEARCH", b"* SEARCH 1\r\n* SEARCH 2\r\n{tag} OK\r\n")     # raw bytes; {tag} is filled in
    server.on("LOGIN", b"{tag} NO [UNAVAILABLE] later\r\n")
    server.on("UID FETCH", reset)                                              # RST; also: eof, stall, bye("text")
    server.on("UID FETCH", drip(b"* 1 FETCH (...", seconds=0.1))               # one byte each 0.1 s
    server.on("UID FETCH", then_honest(b"* 7 EXISTS\r\n"))                      # bytes before the honest answer
    server.on("CONNECT", b"* BYE full\r\n", times=None)                        # instead of the greeting, for ever
    async def own(session, command): ...                                       # or anything else

Knobs, to be set at any time: `greeting`, `capabilities` (words, or a function of the session), `users`, `scram_users`
(None: the same), `tokens`, `hide_uidnext`,
`hide_uidvalidity`, `omit` (UIDs that SEARCH and FETCH leave out), `piece` (write at most so many bytes at once, each
in a TLS record of its own), `folder(name).uidvalidity`. `push` sends raw bytes to every session, `cut` ends all with
EOF or RST. What came in: `lines`, `commands`, `count`, `logins`, `sessions`; `wait_for` waits for a command to come.

It runs in a thread of its own, needs no pytest, and holds thousands of idle links. `python -m tests.fakes.imap_server`
is one to try things on.
"""

import asyncio
import binascii
import contextlib
import functools
import re
import socket
import ssl
import struct
import tempfile
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TypeVar

import scramp
import trustme

from tests.fakes.structure import body_structure, part_of

__all__ = ["Command", "Folder", "ImapServer", "Mail", "Session", "bye", "drip", "eof", "reset", "stall", "then_honest"]

T = TypeVar("T")

CAPABILITIES = "IMAP4rev1 AUTH=PLAIN ID IDLE UIDPLUS MOVE"


@dataclass
class Mail:
    uid: int
    raw: bytes
    received: datetime
    flags: set[str] = field(default_factory=set)


@dataclass
class Folder:
    name: str
    uidvalidity: int = 7
    uidnext: int = 1
    mails: list[Mail] = field(default_factory=list)

    def mail(self, uid: int) -> Mail:
        return next(mail for mail in self.mails if mail.uid == uid)

    def within(self, sequence_set: str) -> list[Mail]:
        """The mails of a UID set; `n:*` holds the last one, always (RFC 3501 6.4.8)."""
        last = self.mails[-1].uid if self.mails else 0
        spans = [
            sorted(last if end == "*" else int(end) for end in span.split(":")) for span in sequence_set.split(",")
        ]
        return [mail for mail in self.mails if any(span[0] <= mail.uid <= span[-1] for span in spans)]


@dataclass(frozen=True)
class Command:
    tag: str
    name: str  #: upper case; "UID FETCH" is one name; "CONNECT" stands for the moment before the greeting
    args: str


class Session:
    """One connection."""

    def __init__(self, server: "ImapServer", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.reader, self.writer = reader, writer
        self.user = ""
        self.folder: Folder | None = None
        self.writable = False
        self.idle_tag = ""
        self.tls = False
        self.seen_uids: list[int] = []  # by sequence number, as announced to this client
        self.watched: set[str] = set()  # by NOTIFY

    # --- talking ---

    def send(self, data: bytes | str) -> None:
        data = data.encode() if isinstance(data, str) else data
        size = self.server.piece or len(data) or 1
        for start in range(0, len(data), size):
            self.writer.write(data[start : start + size])

    async def flush(self) -> None:
        """Waits until the client has taken what was sent; the end of the session if the client is gone."""
        await self.writer.drain()
        await asyncio.sleep(0)
        if self.reader.at_eof() or self.writer.is_closing():
            raise ConnectionError("the client is gone")

    def ok(self, command: Command, text: str = "done") -> None:
        self.announce()
        self.send(f"{command.tag} OK {text}\r\n")

    def no(self, command: Command, text: str) -> None:
        self.send(f"{command.tag} NO {text}\r\n")

    def announce(self) -> None:
        """Tells what came and went in the open folder since the last time."""
        if self.folder is None:
            return
        now = [mail.uid for mail in self.folder.mails]
        for number in range(len(self.seen_uids), 0, -1):
            if self.seen_uids[number - 1] not in now:
                del self.seen_uids[number - 1]
                self.send(f"* {number} EXPUNGE\r\n")
        if len(now) != len(self.seen_uids):
            self.send(f"* {len(now)} EXISTS\r\n")
        self.seen_uids = now

    def reset(self) -> None:
        """RST in place of a goodbye."""
        sock: socket.socket = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def line(self) -> bytes:
        line = await self.reader.readuntil(b"\n")
        self.server.lines.append(line)
        return line

    # --- life ---

    async def run(self) -> None:
        if not await self.scripted(Command("*", "CONNECT", "")):
            self.send(self.server.greeting)
        while not self.writer.is_closing():
            words = (await self.line()).decode("latin-1").strip().split(" ", 2)
            tag, name, args = (*words, "", "")[:3]
            name = name.upper()
            if name == "UID":
                verb, _, args = args.partition(" ")
                name = f"UID {verb.upper()}"
            command = Command(tag, name, args)
            self.server.commands.append(name)
            if not await self.scripted(command):
                await self.honest(command)

    async def scripted(self, command: Command) -> bool:
        answers = self.server.script.get(command.name)
        if not answers:
            return False
        answer, times = answers[0]
        if times is not None:
            answers[0] = (answer, times - 1)
            if times <= 1:
                answers.popleft()
        if isinstance(answer, bytes):
            self.send(answer.replace(b"{tag}", command.tag.encode()))
        else:
            await answer(self, command)
        return True

    async def honest(self, command: Command) -> None:
        verb = getattr(self, "do_" + command.name.lower().replace(" ", "_"), None)
        if verb is None:
            self.send(f"{command.tag} BAD unknown command\r\n")
        else:
            await verb(command)

    # --- verbs: any state ---

    async def do_capability(self, command: Command) -> None:
        self.send(f"* CAPABILITY {self.server.able(self)}\r\n")
        self.ok(command)

    async def do_noop(self, command: Command) -> None:
        self.ok(command)

    async def do_id(self, command: Command) -> None:
        self.send('* ID ("name" "fake")\r\n')
        self.ok(command)

    async def do_logout(self, command: Command) -> None:
        self.send(f"* BYE see you\r\n{command.tag} OK done\r\n")
        self.writer.close()

    async def do_starttls(self, command: Command) -> None:
        self.send(f"{command.tag} OK begin\r\n")
        await self.writer.start_tls(self.server.context)
        self.tls = True

    # --- verbs: who ---

    async def do_login(self, command: Command) -> None:
        user, secret = (
            re.sub(r"\\(.)", r"\1", quoted) for quoted in re.fullmatch(r'"(.*)" "(.*)"', command.args).groups()
        )
        self.log_in(command, user, secret)

    async def do_authenticate(self, command: Command) -> None:
        way = getattr(self, "by_" + command.args.lower().replace("-", "_"), None)
        if way is None:
            self.no(command, "[CANNOT] unknown mechanism")
        else:
            await way(command)

    async def challenge(self, words: bytes = b"") -> bytes:
        """Asks the client, and takes its answer."""
        self.send(b"+ " + binascii.b2a_base64(words, newline=False) + b"\r\n")
        await self.writer.drain()
        return binascii.a2b_base64(await self.line())

    async def by_plain(self, command: Command) -> None:
        _, user, secret = (await self.challenge()).decode().split("\0")
        self.log_in(command, user, secret)

    async def by_external(self, command: Command) -> None:
        shown = self.writer.get_extra_info("peercert") or {}
        names = [name for _, name in shown.get("subjectAltName", ())]
        user = (await self.challenge()).decode()
        self.log_in(command, user, self.server.users.get(user, "") if user in names else None)

    async def by_scram_sha_256(self, command: Command) -> None:
        mechanism = scramp.ScramMechanism("SCRAM-SHA-256")
        known = self.server.users if self.server.scram_users is None else self.server.scram_users
        asked: list[str] = []

        def stored(user: str) -> object:
            asked.append(user)
            return mechanism.make_auth_info(known.get(user, "nobody's"))

        talk = mechanism.make_server(stored)
        try:
            talk.set_client_first((await self.challenge()).decode())
            talk.set_client_final((await self.challenge(talk.get_server_first().encode())).decode())
        except scramp.ScramException:
            self.log_in(command, "", None)
            return
        await self.challenge(talk.get_server_final().encode())
        self.log_in(command, asked[0], self.server.users[asked[0]])

    async def by_xoauth2(self, command: Command) -> None:
        await self.by_token(command, rb"user=(.*)\x01auth=Bearer (.*)\x01\x01")

    async def by_oauthbearer(self, command: Command) -> None:
        await self.by_token(command, rb"n,a=(.*),\x01auth=Bearer (.*)\x01\x01")

    async def by_token(self, command: Command, form: bytes) -> None:
        user, token = (part.decode() for part in re.fullmatch(form, await self.challenge()).groups())
        if self.server.tokens.get(user) != token:
            await self.challenge(b'{"status":"401","schemes":"Bearer"}')
        self.log_in(command, user, token, self.server.tokens)

    def log_in(self, command: Command, user: str, secret: str | None, known: dict[str, str] | None = None) -> None:
        self.server.logins += 1
        if secret is not None and (self.server.users if known is None else known).get(user) == secret:
            self.user = user
            self.ok(command, f"[CAPABILITY {self.server.able(self)}] welcome")
        else:
            self.no(command, "[AUTHENTICATIONFAILED] wrong user or password")

    # --- verbs: folders ---

    async def do_examine(self, command: Command) -> None:
        self.open(command, writable=False)

    async def do_select(self, command: Command) -> None:
        self.open(command, writable=True)

    def open(self, command: Command, *, writable: bool) -> None:
        folder = self.server.folders.get(command.args.strip('"'))
        self.folder = None
        if folder is None:
            self.no(command, "[NONEXISTENT] no such folder")
            return
        self.send(f"* FLAGS (\\Seen \\Deleted)\r\n* {len(folder.mails)} EXISTS\r\n* 0 RECENT\r\n")
        if not self.server.hide_uidvalidity:
            self.send(f"* OK [UIDVALIDITY {folder.uidvalidity}] valid\r\n")
        if not self.server.hide_uidnext:
            self.send(f"* OK [UIDNEXT {folder.uidnext}] next\r\n")
        self.folder, self.writable = folder, writable
        self.seen_uids = [mail.uid for mail in folder.mails]
        self.ok(command, "[READ-WRITE] open" if writable else "[READ-ONLY] open")

    async def do_create(self, command: Command) -> None:
        name = command.args.strip('"')
        if name in self.server.folders:
            self.no(command, "[ALREADYEXISTS] it is there")
        else:
            self.server.folders[name] = Folder(name)
            self.ok(command)

    async def do_delete(self, command: Command) -> None:
        if self.server.folders.pop(command.args.strip('"'), None) is None:
            self.no(command, "[NONEXISTENT] no such folder")
        else:
            self.ok(command)

    async def do_append(self, command: Command) -> None:
        name, size = re.fullmatch(r'"(.*)" \{(\d+)\}', command.args).groups()
        if (folder := self.server.folders.get(name)) is None:
            self.no(command, "[TRYCREATE] no such folder")
            return
        self.send("+ go on\r\n")
        await self.writer.drain()
        raw = await self.reader.readexactly(int(size))
        await self.line()
        self.server.add(folder, Mail(0, raw, datetime.now(UTC).replace(microsecond=0)))
        self.ok(command)

    async def do_unselect(self, command: Command) -> None:
        self.folder = None
        self.ok(command)

    async def do_list(self, command: Command) -> None:
        pattern = re.escape(command.args.split()[-1].strip('"')).replace("\\*", ".*").replace("%", "[^/]*")
        for name in self.server.folders:
            if re.fullmatch(pattern, name):
                self.send(f'* LIST (\\HasNoChildren) "/" "{name}"\r\n')
        self.ok(command)

    async def do_status(self, command: Command) -> None:
        name = command.args.partition(" (")[0].strip('"')
        if name not in self.server.folders:
            self.no(command, "[NONEXISTENT] no such folder")
        else:
            self.tell_of(self.server.folders[name])
            self.ok(command)

    async def do_notify(self, command: Command) -> None:
        self.watched = set(re.findall('"([^"]*)"', command.args))
        self.ok(command)

    def tell_of(self, folder: Folder) -> None:
        items = f"MESSAGES {len(folder.mails)} UIDNEXT {folder.uidnext} UIDVALIDITY {folder.uidvalidity}"
        self.send(f'* STATUS "{folder.name}" ({items})\r\n')

    # --- verbs: mails ---

    def asked(self, sequence_set: str) -> list[Mail]:
        return [mail for mail in self.folder.within(sequence_set) if mail.uid not in self.server.omit]

    async def do_uid_search(self, command: Command) -> None:
        mails = self.asked("1:*")
        words = iter(command.args.split())
        for word in words:
            if word == "UID":
                wanted = {mail.uid for mail in self.asked(next(words))}
                mails = [mail for mail in mails if mail.uid in wanted]
            elif word == "SINCE":
                day = datetime.strptime(next(words), "%d-%b-%Y").replace(tzinfo=UTC)
                mails = [mail for mail in mails if mail.received.date() >= day.date()]
            elif word == "NOT":
                flag = "\\" + next(words).capitalize()
                mails = [mail for mail in mails if flag not in mail.flags]
        self.send("* SEARCH" + "".join(f" {mail.uid}" for mail in mails) + "\r\n")
        self.ok(command)

    async def do_uid_fetch(self, command: Command) -> None:
        sequence_set, _, wanted = command.args.partition(" ")
        for mail in self.asked(sequence_set):
            number = self.seen_uids.index(mail.uid) + 1 if mail.uid in self.seen_uids else len(self.seen_uids) + 1
            self.send(b"* %d FETCH (" % number + b" ".join(self.items(mail, wanted)) + b")\r\n")
            await self.flush()
        self.ok(command)

    def items(self, mail: Mail, wanted: str) -> list[bytes]:
        items = [b"UID %d" % mail.uid]
        if "FLAGS" in wanted:
            items.append(f"FLAGS ({' '.join(sorted(mail.flags))})".encode())
        if "RFC822.SIZE" in wanted:
            items.append(b"RFC822.SIZE %d" % len(mail.raw))
        if "INTERNALDATE" in wanted:
            items.append(mail.received.strftime('INTERNALDATE "%d-%b-%Y %H:%M:%S %z"').encode())
        if "BODYSTRUCTURE" in wanted:
            items.append(b"BODYSTRUCTURE " + body_structure(mail.raw))
        for found in re.finditer(
            r"BODY(\.PEEK)?\[(HEADER(?:\.FIELDS \(([^)]*)\))?|[\d.]+(?:MIME)?)?\](?:<(\d+)\.(\d+)>)?", wanted
        ):
            peek, section, names, start, length = found.groups()
            text = (
                header_fields(mail.raw, names.split()) if names else part_of(mail.raw, section) if section else mail.raw
            )
            origin = b"" if start is None else b"<%d>" % int(start)
            text = text if start is None else text[int(start) : int(start) + int(length)]
            items.append(b"BODY[%s]%s {%d}\r\n%s" % ((section or "").encode(), origin, len(text), text))
            if not peek and self.writable:
                mail.flags.add("\\Seen")
        return items

    async def do_uid_store(self, command: Command) -> None:
        sequence_set, _, change = command.args.partition(" ")
        if not self.writable:
            self.no(command, "the folder is open for reading only")
            return
        for mail in self.asked(sequence_set):
            mail.flags |= set(re.search(r"\((.*)\)", change)[1].split())
        self.ok(command)

    async def do_uid_copy(self, command: Command) -> None:
        sequence_set, _, name = command.args.partition(" ")
        if (target := self.server.folders.get(name.strip('"'))) is None:
            self.no(command, "[TRYCREATE] no such folder")
            return
        for mail in self.asked(sequence_set):
            self.server.add(target, Mail(0, mail.raw, mail.received, set(mail.flags)))
        self.ok(command)

    async def do_uid_move(self, command: Command) -> None:
        sequence_set, _, name = command.args.partition(" ")
        if (target := self.server.folders.get(name.strip('"'))) is None:
            self.no(command, "[TRYCREATE] no such folder")
            return
        for mail in self.asked(sequence_set):
            self.folder.mails.remove(mail)
            self.server.add(target, Mail(0, mail.raw, mail.received, mail.flags))
        self.ok(command)

    async def do_uid_expunge(self, command: Command) -> None:
        for mail in self.asked(command.args):
            if "\\Deleted" in mail.flags:
                self.folder.mails.remove(mail)
        self.server.changed(self.folder)
        self.ok(command)

    # --- verbs: waiting ---

    async def do_idle(self, command: Command) -> None:
        self.send("+ idling\r\n")
        self.announce()
        self.idle_tag = command.tag
        try:
            done = await self.line()
        finally:
            self.idle_tag = ""
        ending = Command(command.tag, "DONE", done.decode("latin-1").strip())
        self.server.commands.append("DONE")
        if not await self.scripted(ending):
            self.ok(ending) if ending.args.upper() == "DONE" else self.send(f"{ending.tag} BAD expected DONE\r\n")


#: What comes in place of the honest answer.
Answer = bytes | Callable[[Session, Command], Awaitable[None]]


async def reset(session: Session, _command: Command) -> None:
    """Answer: RST."""
    session.reset()


async def eof(session: Session, _command: Command) -> None:
    """Answer: the connection is closed in order."""
    session.writer.close()


async def stall(_session: Session, _command: Command) -> None:
    """Answer: silence, for ever."""
    await asyncio.Event().wait()


def bye(text: str) -> Answer:
    """Answer: BYE and the end."""

    async def answer(session: Session, _command: Command) -> None:
        session.send(f"* BYE {text}\r\n")
        session.writer.close()

    return answer


def drip(data: bytes, seconds: float) -> Answer:
    """Answer: `data`, a byte each `seconds`."""

    async def answer(session: Session, command: Command) -> None:
        for byte in data.replace(b"{tag}", command.tag.encode()):
            session.send(bytes([byte]))
            await asyncio.sleep(seconds)

    return answer


def then_honest(data: bytes) -> Answer:
    """Answer: `data` first, then the honest one."""

    async def answer(session: Session, command: Command) -> None:
        session.send(data.replace(b"{tag}", command.tag.encode()))
        await session.honest(command)

    return answer


class ImapServer:
    """See the module."""

    def __init__(
        self, *, starttls: bool = False, context: ssl.SSLContext | None = None, names: tuple[str, ...] = ()
    ) -> None:
        """`names`: of the certificate, in place of localhost and 127.0.0.1. `context`: TLS of your own."""
        self.host, self.port = "127.0.0.1", 0
        self.greeting: bytes = b"* OK fake server ready\r\n"
        self.capabilities: str | Callable[[Session], str] = CAPABILITIES
        self.users = {"me": "secret"}
        self.scram_users: dict[str, str] | None = None
        self.tokens = {"me": "token"}
        self.hide_uidnext = self.hide_uidvalidity = False
        self.omit: set[int] = set()
        self.piece: int | None = None
        self.folders = {"INBOX": Folder("INBOX")}
        self.script: dict[str, deque[tuple[Answer, int | None]]] = {}
        self.lines: list[bytes] = []
        self.commands: list[str] = []
        self.logins = 0
        self.sessions: list[Session] = []
        self._directory = tempfile.TemporaryDirectory()
        self.ca_file = Path(self._directory.name, "ca.pem")
        authority().cert_pem.write_to_path(str(self.ca_file))
        self._starttls = starttls
        self.context = context or ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if context is None:
            authority().issue_cert(*(names or ("localhost", "127.0.0.1"))).configure_cert(self.context)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fake-imap-server", daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._listener = self._do(self._listen)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_exception: object) -> None:
        self._do(self._stop)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._directory.cleanup()

    # --- what a test does ---

    def folder(self, name: str) -> Folder:
        """The folder of this name (as on the wire), made if there is none."""
        return self.folders.setdefault(name, Folder(name))

    @property
    def inbox(self) -> Folder:
        return self.folder("INBOX")

    def deliver(self, raw: bytes, folder: str = "INBOX", received: datetime | None = None, uid: int = 0) -> int:
        """Puts a mail into a folder and tells who watches it; its UID."""
        mail = Mail(uid, raw, received or datetime.now(UTC).replace(microsecond=0))

        async def put() -> None:
            self.add(self.folder(folder), mail)

        self._do(put)
        return mail.uid

    def expunge(self, *uids: int, folder: str = "INBOX") -> None:
        """Takes mails away, as another client would."""

        async def take() -> None:
            there = self.folder(folder)
            there.mails = [mail for mail in there.mails if mail.uid not in uids]
            self.changed(there)

        self._do(take)

    def on(self, command: str, *answers: Answer, times: int | None = 1) -> None:
        """The next commands of this name get these answers, each `times` (None: for ever)."""
        self.script.setdefault(command, deque()).extend((answer, times) for answer in answers)

    def push(self, data: bytes) -> None:
        """Sends `data` to every session, whatever it does."""

        async def send() -> None:
            for session in self.sessions:
                session.send(data)

        self._do(send)

    def cut(self, *, rst: bool = False) -> None:
        """Ends all connections."""

        async def end() -> None:
            for session in self.sessions:
                session.reset() if rst else session.writer.close()

        self._do(end)

    def count(self, command: str) -> int:
        """How often this command has come."""
        return self.commands.count(command)

    @property
    def idling(self) -> int:
        """Sessions in IDLE."""
        return sum(bool(session.idle_tag) for session in self.sessions)

    def wait_for(self, condition: str | Callable[[], bool], times: int = 1, seconds: float = 10) -> None:
        """Waits until a command has come `times`, or until a condition holds; AssertionError if it doesn't in time."""
        holds = (lambda: self.count(condition) >= times) if isinstance(condition, str) else condition
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"waited in vain for {condition}; came: {self.commands}"
            time.sleep(0.002)

    # --- what sessions use ---

    def able(self, session: Session) -> str:
        return self.capabilities if isinstance(self.capabilities, str) else self.capabilities(session)

    def add(self, folder: Folder, mail: Mail) -> None:
        mail.uid = mail.uid or folder.uidnext
        folder.uidnext = max(folder.uidnext, mail.uid + 1)
        folder.mails = sorted([*folder.mails, mail], key=lambda each: each.uid)
        self.changed(folder)

    def changed(self, folder: Folder) -> None:
        for session in self.sessions:
            if session.idle_tag and session.folder is folder:
                session.announce()
            elif folder.name in session.watched and session.folder is not folder:
                session.tell_of(folder)

    # --- the thread ---

    def _do(self, work: Callable[[], Awaitable[T]]) -> T:
        return asyncio.run_coroutine_threadsafe(work(), self._loop).result(10)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(
            self._serve, self.host, 0, ssl=None if self._starttls else self.context, limit=1 << 24, backlog=1024
        )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(self, reader, writer)
        session.tls = not self._starttls
        task = asyncio.current_task()
        self.sessions.append(session)
        self._tasks.add(task)
        try:
            await session.run()
        except (EOFError, OSError, asyncio.CancelledError):
            pass  # the client is gone, or the server ends
        finally:
            self.sessions.remove(session)
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _stop(self) -> None:
        self._listener.close()
        for session in self.sessions:
            session.writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)


@functools.cache
def authority() -> trustme.CA:
    """The CA of all fake servers in this process."""
    return trustme.CA()


def header_fields(raw: bytes, names: list[str]) -> bytes:
    """The named header fields of a mail, and the empty line."""
    header = raw.partition(b"\r\n\r\n")[0] + b"\r\n"
    fields = re.findall(rb"^[^\s:]+:.*\r\n(?:[ \t].*\r\n)*", header, re.MULTILINE)
    wanted = {name.lower().encode() for name in names}
    return b"".join(f for f in fields if f.partition(b":")[0].lower() in wanted) + b"\r\n"


if __name__ == "__main__":  # a server to try things on, for as long as its standard input is open
    with ImapServer() as server:
        server.deliver(b"Message-ID: <1@fake>\r\nSubject: hello\r\n\r\nworld\r\n")
        print(server.port, server.ca_file, flush=True)  # noqa: T201 what the caller reads
        while input_line := __import__("sys").stdin.readline():
            server.deliver(input_line.encode())
