"""What the lines of the server tell about the open folder, whatever command they come with. Pure."""

import re
from itertools import pairwise

from imapclient.imap_utf7 import decode

from watcher.errors import MailboxLost
from watcher.imap.signals import Reply, last_words, reply

__all__ = ["Tidings"]

_COUNT = re.compile(rb"\* (\d{1,10}) (EXISTS|EXPUNGE|RECENT|FETCH)\b", re.IGNORECASE)
_STATUS = re.compile(rb'\* STATUS ("(?:[^"\\]|\\.)*"|[^ "{(]+) \((.*)\)', re.IGNORECASE)
_STATE = re.compile(rb"\* OK \[(UIDVALIDITY|UIDNEXT) (\d{1,10})\]", re.IGNORECASE)

#: Alerts that are kept until somebody asks for them.
ALERTS = 8


class Tidings:
    """
    A server announces a change once, in the answer to whichever command runs at the moment (RFC 3501 5.2), so every
    line passes here. `news` stays set until `clear`; a change that nobody looked for is not lost.
    """

    __slots__ = (
        "alerts",
        "exists",
        "known",
        "news",
        "overflowed",
        "reply",
        "status",
        "touched",
        "uidnext",
        "uidvalidity",
    )

    def __init__(self) -> None:
        self.reply: Reply | None = None  #: the last tagged reply or BYE
        self.alerts: tuple[str, ...] = ()  #: words that must be shown to the user (RFC 3501 7.1)
        self.touched: set[str] = set()  #: other folders that a STATUS line spoke of
        self.overflowed = False  #: the server has stopped to tell of other folders (RFC 5465 5.8)
        self.status: dict[str, int] = {}  #: what the last of these lines said
        self.reset()

    def reset(self) -> None:
        """A folder is about to be opened: what was known is of another one."""
        self.exists = 0  #: mails in the folder, as last announced
        self.known = 0  #: how many of them were there at the last `clear`
        self.news = False
        self.uidvalidity = 0  #: 0 until the server gives one
        self.uidnext: int | None = None

    def clear(self) -> None:
        """What was announced until now is being looked for."""
        self.known, self.news = self.exists, False

    def take(self, line: bytes) -> bool:
        """Notes one whole line, without tag or with; True if it may speak of mails that nobody has looked for.

        Only in IDLE that is heeded as it is: the answer to a FETCH is full of such lines.

        Raises MailboxLost when the folder becomes another one under our feet (RFC 2683 3.4.3).
        """
        if found := _COUNT.match(line):
            return self._count(int(found[1]), found[2].upper())
        if found := _STATE.match(line):
            self._state(int(found[2]), found[1].upper())
        elif found := _STATUS.match(line):
            self._of_another(found[1], found[2])
            return True
        elif line[:5].upper() == b"* BYE" or not line.startswith((b"* ", b"+")):
            self.reply = last_words(line)
            if self.reply.status == "OK":  # other words are told with the error that they become
                self._alert(self.reply)
        elif line[:26].upper() == b"* OK [NOTIFICATIONOVERFLOW":
            self.overflowed = self.news = True
            return True
        elif b"[ALERT]" in line[:16].upper():
            self._alert(reply(line))
        elif line[:11].upper() == b"* VANISHED ":
            self.news = True
            return True
        return False

    def _count(self, number: int, what: bytes) -> bool:
        """As `take`. That a known mail has other flags now is nothing: as a rule our own after-actions did it."""
        if what == b"EXISTS":
            self.exists = number
            self.news = self.news or number != self.known
        elif what == b"EXPUNGE":  # a server may leave out EXISTS where as many came as went
            self.exists, self.known = max(0, self.exists - 1), self.known - (number <= self.known)
            self.news = True
        return what != b"FETCH" or number > self.known

    def _alert(self, told: Reply | None) -> None:
        if told and told.code == "ALERT" and told.text:
            self.alerts = (*self.alerts, told.text)[-ALERTS:]

    def _of_another(self, name: bytes, items: bytes) -> None:
        """A STATUS line, asked for or brought by NOTIFY."""
        if name.startswith(b'"'):
            name = re.sub(rb"\\(.)", rb"\1", name[1:-1])
        words = items.decode("ascii", "replace").upper().split()
        self.status = {key: int(value) for key, value in pairwise(words) if value.isdecimal() and value.isascii()}
        self.touched.add(decode(name))
        self.news = True

    def _state(self, number: int, what: bytes) -> None:
        if what == b"UIDNEXT":
            self.uidnext = number
        elif self.uidvalidity in (0, number):
            self.uidvalidity = number
        else:
            raise MailboxLost(f"the folder was made anew (UIDVALIDITY {self.uidvalidity} is {number} now)")
