"""One connection that is logged in: asking and answering, waiting in IDLE, leaving. What is asked is `Link`'s."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from watcher.config.providers.profile import Profile
from watcher.errors import ActionRefused, FolderRefused, IdleRefused, MailboxLost, WatcherError
from watcher.imap.faults import FOREIGN, Ended, lost
from watcher.imap.refusals import Phase, Signal, meaning, worded
from watcher.imap.signals import Reply, last_words
from watcher.imap.wire import Client, Wire

__all__ = ["Talk"]

#: Slowest line, in bytes a second, on which a part of a mail still counts as arriving.
SLOWEST = 20_000

#: Seconds a polite goodbye may take.
GOODBYE = 2.0

#: What a verb raises when the server does not want to, and the link is fine.
Refused = type[FolderRefused | ActionRefused | IdleRefused]


class Talk:
    """
    Used by one thread at a time. Every verb raises MailboxLost when the connection broke, the server was too slow or
    talked nonsense, or refused in a way that may pass by itself; then nothing is left to do but `close`. What else a
    verb raises is told with it.

    Only `start_idle` waits for the server; the other steps of IDLE need not, so a parked link has no thread: `hear`
    when `fileno` is readable; to end it `end_idle`, and `idle_ended` when readable until it says True. Then come other
    verbs; or at once behind `end_idle`, which saves a round trip (RFC 3501 5.5) with servers that can take that.
    """

    __slots__ = (
        "__weakref__",
        "_client",
        "_dead",
        "_idle",
        "_idles",
        "_profile",
        "_timeout",
        "_wire",
        "capabilities",
        "folder",
        "leaving",
        "mechanism",
    )

    def __init__(self, client: Client, wire: Wire, timeout: float, profile: Profile, mechanism: str) -> None:
        self.capabilities: frozenset[str] = client.settle()  #: in upper case
        self.folder: str | None = None  #: the open one
        self.leaving = False  #: the server was asked to leave IDLE, and has not answered so far
        self.mechanism = mechanism  #: by which we logged in
        self._profile = profile
        self._client = client
        self._wire = wire
        self._timeout = timeout
        self._idle: bytes | None = None  # tag of the IDLE that runs
        self._idles = 0
        self._dead = False

    @property
    def can_idle(self) -> bool:
        """Whether the server offers IDLE (RFC 2177)."""
        return "IDLE" in self.capabilities

    @property
    def heard_at(self) -> float:
        """Monotonic time of the last byte from the server: proof that it lives."""
        return self._wire.heard_at

    @property
    def news(self) -> bool:
        """Whether any line since `clear_news`, in whatever answer, told of mails that may have come."""
        return self._wire.tidings.news

    def alerts(self) -> tuple[str, ...]:
        """What the server wants to be shown to the user (ALERT, RFC 3501 7.1) since the last call, printable."""
        told, self._wire.tidings.alerts = self._wire.tidings.alerts, ()
        return told

    def clear_news(self) -> None:
        """To be called before looking for new mails, so that what comes meanwhile is news again."""
        self._wire.tidings.clear()

    def fileno(self) -> int:
        """For a selector. Readable means: call `hear` or `idle_ended`. -1 after `close`."""
        return self._wire.sock.fileno()

    def compress(self) -> bool:
        """Has both sides compress what they say from now on (RFC 4978); False if the server does not want to."""
        try:
            with self._asking(IdleRefused):
                self._ok(*self._wire.xatom("COMPRESS", "DEFLATE"))
                self._wire.compress()
        except IdleRefused:
            return False
        return True

    # --- waiting ---

    def start_idle(self) -> None:
        """Enters IDLE. What the server says before or with its consent is heard: look at `news` before parking.

        Raises IdleRefused if the server does not want to; the link is as good as before, without IDLE.
        """
        with self._asking():
            self._idles += 1
            tag = self._idle = b"idle%d" % self._idles
            self._wire.send(tag + b" IDLE\r\n")
            consent = False
            while not consent:
                consent = self._heed_all()
                if self._idle is None:
                    raise self._idle_refused()
                if not consent:
                    self._wire.fill()

    def _idle_refused(self) -> Exception:
        told = self._wire.tidings.reply
        if told is not None and told.status != "OK" and self._meaning(told).passes:
            return self._wire.error("throttled, or the like")
        self.capabilities -= {"IDLE"}  # or who goes on without it would ask again and again
        return IdleRefused(f"{self._wire.host}: IDLE is refused ({told})")

    def hear(self) -> bool:
        """Takes in what has come, without waiting; True if there is `news`, also from before.

        Also True when the server has ended IDLE by itself: then `end_idle` does nothing and `idle_ended` is True at
        once, so the usual way out of IDLE, with its look for new mails, is right.
        """
        idle = self._idle
        with self._guarded():
            self._wire.expect(0)
            while self._wire.listen():
                self._heed_all()
            told = self._wire.tidings.reply
            if told is not None and told.status != "OK":
                raise Ended(told)
        return self.news or self._idle is not idle

    def end_idle(self) -> None:
        """Asks to leave IDLE; does not wait for the answer."""
        if self._idle is not None and not self.leaving:
            with self._guarded():
                self._wire.expect(GOODBYE)
                self._wire.send(b"DONE\r\n")
                self.leaving = True

    def idle_ended(self, within: float = 0.0) -> bool:
        """Takes in what has come, or comes `within` so many seconds; True once the server has left IDLE."""
        if self._idle is not None:
            if within:
                self._wire.await_bytes(within)
            self.hear()
        return self._idle is None

    def _heed_all(self) -> bool:
        """Notes the whole responses in the buffer; True if the server's consent to IDLE is among them."""
        tidings = self._wire.tidings
        consent = False
        while (line := self._wire.take()) is not None:
            tidings.news |= tidings.take(line)
            if line.startswith(b"+"):
                consent = True
            elif self._idle is not None and line.startswith(self._idle + b" "):
                self._idle, self.leaving = None, False
            elif not line.startswith(b"* ") or line[:5].upper() == b"* BYE":
                raise Ended(last_words(line))
        return consent

    def logout(self) -> None:
        """Says goodbye, within two seconds, and closes. Never raises."""
        with suppress(WatcherError):
            self.end_idle()
            with self._guarded():
                self._wire.expect(GOODBYE)
                while self._idle is not None:
                    self._wire.fill()
                    self._heed_all()
                self._client.logout()
        self.close()

    def abort(self) -> None:
        """Cuts the connection under whoever uses it, from any thread; it is closed by its user. Never raises."""
        self._wire.cut()

    def close(self) -> None:
        """Closes at once. Never raises."""
        self._dead = True
        self._wire.shutdown()

    # --- asking ---

    @contextmanager
    def _asking(
        self,
        refused: Refused | None = None,
        about: str = "",
        *,
        phase: Phase = Phase.COMMAND,
        size: int = 0,
        within: float | None = None,
    ) -> Iterator[None]:
        """
        One command and its answer, `within` so many seconds. `refused` is for a NO that is about what was asked, or
        `about`; without it, and for one that may pass, that is MailboxLost too.
        """
        with self._guarded(refused, about, phase):
            if self._idle is not None and not self.leaving:
                raise RuntimeError("a command within IDLE")
            self._wire.expect((within or self._timeout) + size / SLOWEST, size)
            try:
                if self._idle is None:
                    yield
                else:
                    with self._behind(self._idle):
                        yield
            finally:
                self._wire.untagged_responses.clear()  # imaplib keeps every line until the next SELECT

    @contextmanager
    def _behind(self, idle: bytes) -> Iterator[None]:
        """What is asked now is answered after the end of this IDLE."""
        answers: dict[bytes, Any] = self._wire.tagged_commands  # typeshed knows no status in them
        answers[idle] = None
        try:
            yield
            if not answers[idle] or answers[idle][0] != "OK":
                raise self._wire.error("the server does not leave IDLE as it should")
        finally:
            del answers[idle]
            self._idle, self.leaving = None, False

    @contextmanager
    def _guarded(self, refused: Refused | None = None, about: str = "", phase: Phase = Phase.COMMAND) -> Iterator[None]:
        """Turns the errors of the libraries into ours, and remembers a loss."""
        if self._dead:
            raise MailboxLost(f"{self._wire.host}: the link is closed")
        try:
            yield
        except MailboxLost:
            self._dead = True
            raise
        except FOREIGN as error:
            told = self._wire.tidings.reply
            refusing = ("NO", "BAD") if refused is IdleRefused else ("NO",)  # what is listed and not understood, too
            if refused and told and told.status in refusing and type(error) is self._wire.error:
                signal = self._meaning(told, phase)
                if not signal.passes:
                    words = ": ".join(filter(None, (about, self._wire.host, worded(told, signal))))
                    raise refused(words, told.code, cause=signal.cause, wait=signal.wait) from error
            self._dead = True
            raise lost(self._wire.host, error, told, self._profile, phase) from error

    def _meaning(self, told: Reply, phase: Phase = Phase.COMMAND) -> Signal:
        return meaning(phase, told, self._profile)

    def _ok(self, status: str, data: list[Any]) -> list[Any]:
        if status != "OK":
            raise self._wire.error(status)
        return data
