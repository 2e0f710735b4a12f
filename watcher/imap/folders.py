"""The verbs on folders as a whole: open them, list them, ask how they are, be told when they change."""

from collections.abc import Sequence
from dataclasses import dataclass
from unicodedata import category

from imapclient.imap_utf7 import encode

from watcher.errors import ActionRefused, FolderRefused, IdleRefused
from watcher.imap.login import quoted
from watcher.imap.refusals import Phase
from watcher.imap.talk import Talk
from watcher.printing import printable

__all__ = ["FolderVerbs", "Mailbox", "folder_name"]

#: Folders that hold no mail themselves (RFC 3501 7.2.2, RFC 5258 3).
_NO_MAIL = {b"\\noselect", b"\\nonexistent"}


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A folder as the server describes it."""

    uidvalidity: int  #: 0 if the server gives none
    uidnext: int | None  #: None if the server does not tell
    exists: int  #: mails in it


class FolderVerbs(Talk):
    """See `Talk` for what holds for every verb."""

    __slots__ = ()

    def examine(self, folder: str) -> Mailbox:
        """Opens `folder` for reading only. FolderRefused if it can't be opened."""
        return self._open(folder, readonly=True)

    def select(self, folder: str) -> Mailbox:
        """Opens `folder` for changes. FolderRefused if it can't be opened, or not for changes."""
        return self._open(folder, readonly=False)

    def _open(self, folder: str, *, readonly: bool) -> Mailbox:
        name = folder_name(folder, FolderRefused)
        tidings = self._wire.tidings
        self.folder = None
        with self._asking(FolderRefused, printable(folder), phase=Phase.FOLDER):
            tidings.reset()
            try:
                self._ok(*self._wire.select(name, readonly))
            except self._wire.readonly as error:
                raise FolderRefused(f"{printable(folder)}: the server opens it for reading only") from error
        tidings.clear()
        self.folder = folder
        return Mailbox(tidings.uidvalidity, tidings.uidnext, tidings.exists)

    def create(self, folder: str) -> None:
        """Makes `folder`, if there is none of this name. ActionRefused if the server does not want to."""
        folder_name(folder, ActionRefused)
        try:
            with self._asking(ActionRefused):
                self._client.create_folder(folder)
        except ActionRefused as refusal:
            if refusal.code != "ALREADYEXISTS" and "already exists" not in str(refusal):
                raise

    def list_folders(self, pattern: str) -> list[str]:
        """Names of the folders that fit and can hold mail; `*` is anything, `%` one level (RFC 3501 6.3.8)."""
        folder_name(pattern, FolderRefused)
        with self._asking():
            found = self._client.list_folders("", pattern)
        return [name for flags, _, name in found if not {flag.lower() for flag in flags} & _NO_MAIL]

    def status(self, folder: str) -> Mailbox:
        """How a folder is that is not open (RFC 3501 6.3.10). FolderRefused if there is none of this name."""
        name = folder_name(folder, FolderRefused)
        tidings = self._wire.tidings
        news, touched = tidings.news, folder in tidings.touched
        with self._asking(FolderRefused, printable(folder), phase=Phase.FOLDER):
            self._ok(*self._wire.status(name, "(MESSAGES UIDNEXT UIDVALIDITY)"))
        told = tidings.status
        tidings.news = news or (self.folder is not None and tidings.exists != tidings.known)  # of the open one
        if not touched:
            tidings.touched.discard(folder)
        return Mailbox(told.get("UIDVALIDITY", 0), told.get("UIDNEXT"), told.get("MESSAGES", 0))

    def unselect(self) -> None:
        """Closes the open folder and opens no other (RFC 3691)."""
        if self.folder is not None:
            with self._asking():
                self._client.unselect_folder()
            self.folder = None

    @property
    def can_notify(self) -> bool:
        """Whether one link can tell of news in many folders (RFC 5465); it must be able to leave a folder for that."""
        return {"NOTIFY", "UNSELECT"} <= self.capabilities

    def notify(self, folders: Sequence[str]) -> None:
        """From now on be told of mails that come to any of `folders` while none is open. Raises IdleRefused."""
        self._wire.tidings.overflowed = False
        names = " ".join(folder_name(folder, FolderRefused) for folder in folders)
        try:
            with self._asking(IdleRefused, "NOTIFY"):
                self._ok(*self._wire.xatom("NOTIFY", f"SET (mailboxes ({names}) (MessageNew MessageExpunge))"))
        except IdleRefused:
            self.capabilities -= {"NOTIFY"}
            raise

    @property
    def overflowed(self) -> bool:
        """Whether too much happened, and the server has stopped to tell (RFC 5465 5.8): `notify` again."""
        return self._wire.tidings.overflowed

    def touched(self) -> set[str]:
        """The folders that were told of since the last call. While none is open, this is all news but an overflow."""
        tidings = self._wire.tidings
        if self.folder is None:
            tidings.news = tidings.overflowed
        names, tidings.touched = tidings.touched, set()
        return names


def folder_name(folder: str, refusal: type[ActionRefused | FolderRefused]) -> str:
    """`folder` as it goes over the wire: modified UTF-7 (RFC 3501 5.1.3), quoted. In Unicode, but without controls."""
    if not folder or any(category(character) in {"Cc", "Cs"} for character in folder):
        raise refusal(f"{printable(folder)!r} is no name for a folder")
    return quoted(encode(folder).decode("ascii"))
