"""
A private Dovecot for the system tests: its own directory, ports, users and certificate; nothing outlives the test.

    with Dovecot(users=("alice", "bob")) as server:
        server.deliver("alice", b"Subject: hi\r\n\r\nhello\r\n")
        server.flags("alice") == {1: set()}
"""

import imaplib
import os
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Self

import trustme

from tests.system.dovecot_config import PASSWORD, Layout, configuration, mail_owner, passwd_file
from tests.system.ports import free_port
from tests.system.processes import group_of
from tests.system.waiting import until

__all__ = ["PASSWORD", "Dovecot"]

DOVECOT = "/usr/sbin/dovecot"
SENDER = "sender@example.org"


class Dovecot:
    """One private Dovecot. `stop()` and `start()` make an outage: ports, mails and certificate stay the same."""

    password = PASSWORD  #: of every user
    host = "127.0.0.1"  #: the certificate also names 127.0.0.1 to .4, for relays

    def __init__(
        self,
        users: Iterable[str] = ("alice",),
        *,
        hibernate: float | None = None,
        connections: int = 200,
        settings: str = "",
    ) -> None:
        self.users = tuple(users)
        self.root = Path(tempfile.mkdtemp(prefix="dovecot-"))
        self.root.chmod(0o755)
        self.authority = trustme.CA()  #: has issued its certificate; may issue those of proxies before it
        self.ca_file = self.root / "ca.pem"
        self._layout = Layout(
            root=self.root,
            port=free_port(),
            starttls_port=free_port(),
            certificate=self.root / "cert.pem",
            key=self.root / "key.pem",
            hibernate=hibernate,
            connections=connections,
            settings=settings,
        )
        self._master: subprocess.Popen[bytes] | None = None
        self._open = ExitStack()  # undone at exit, in reverse order
        self._open.callback(shutil.rmtree, self.root, ignore_errors=True)
        self._write_files()

    @property
    def port(self) -> int:
        """Of IMAP with TLS from the first byte."""
        return self._layout.port

    @property
    def starttls_port(self) -> int:
        """Of IMAP that becomes TLS by STARTTLS."""
        return self._layout.starttls_port

    # --- its life ---------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        with self._open:
            self._open.callback(self.stop)
            self.start()
            self._open = self._open.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._open.close()

    def start(self) -> None:
        """Start it, and wait until it greets."""
        with (self.root / "stderr").open("wb") as said:
            self._master = subprocess.Popen(
                [DOVECOT, "-F", "-c", self.root / "dovecot.conf"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
                umask=0o022,
            )
        until(self._greets, 60, "Dovecot's greeting")

    def stop(self) -> None:
        """End it and every process of it; all links end with EOF."""
        master, self._master = self._master, None
        if master is None:
            return
        master.terminate()
        try:
            master.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(master.pid, signal.SIGKILL)
            master.wait()
        if group_of(master.pid):
            os.killpg(master.pid, signal.SIGKILL)
            until(lambda: not group_of(master.pid), 60, "the end of Dovecot's processes")

    def processes(self) -> list[int]:
        """Ids of all its processes; empty when it is stopped."""
        return group_of(self._master.pid) if self._master else []

    def log(self) -> str:
        """All that it has logged so far."""
        return self._layout.log.read_text(errors="replace") if self._layout.log.exists() else ""

    # --- mails ------------------------------------------------------------------------------------------------------

    def deliver(self, user: str, raw: bytes, folder: str = "INBOX") -> None:
        """Hand one mail in by LMTP; it lies in the folder when this returns. A missing folder is made."""
        self.deliver_many([(user, folder, raw)])

    def deliver_many(self, mails: Iterable[tuple[str, str, bytes]]) -> int:
        """Hand in (user, folder, raw) one after the other over one LMTP link; how many there were."""
        count = 0
        with smtplib.LMTP(str(self._layout.lmtp)) as link:
            link.ehlo_or_helo_if_needed()
            for user, folder, raw in mails:
                target = user if folder == "INBOX" else f"{user}+{folder}"
                link.sendmail(SENDER, [target], raw, mail_options=["BODY=8BITMIME"])
                count += 1
        return count

    def append(
        self, user: str, folder: str, raw: bytes, flags: Iterable[str] = (), when: datetime | None = None
    ) -> None:
        """Put one mail into the folder by IMAP, exactly as given but for bare line ends."""
        with self.imap(user) as link:
            date = imaplib.Time2Internaldate(when) if when else ""
            _ok(link.append(f'"{folder}"', f"({' '.join(flags)})", date, raw))

    def flags(self, user: str, folder: str = "INBOX") -> dict[int, frozenset[str]]:
        """UID -> flags of all mails in the folder, without touching them.

        `\\Recent` is there until somebody opens the folder with SELECT, so it tells that from EXAMINE.
        """
        rows = self.doveadm("-f", "tab", "fetch", "-u", user, "uid flags", "mailbox", folder, "all").splitlines()[1:]
        pairs = (row.partition("\t") for row in rows)
        return {int(uid): frozenset(flags.split()) for uid, _, flags in pairs}

    def raw(self, user: str, folder: str, uid: int) -> bytes:
        """One mail as IMAP gives it, without touching it."""
        with self.imap(user) as link:
            _ok(link.select(f'"{folder}"', readonly=True))
            _, data = link.uid("FETCH", str(uid), "(BODY.PEEK[])")
            raw: bytes = data[0][1]
            return raw

    def create(self, user: str, folder: str, uidvalidity: int | None = None) -> None:
        """Make a folder, with this UIDVALIDITY if one is given."""
        self.doveadm("mailbox", "create", "-u", user, folder)
        if uidvalidity is not None:
            self.doveadm("mailbox", "update", "-u", user, "--uid-validity", str(uidvalidity), folder)

    def recreate(self, user: str, folder: str = "INBOX", uidvalidity: int | None = None) -> int:
        """Delete the folder with its mails and make it anew, UIDs from 1; UIDVALIDITY is the old one + 1 by default."""
        before = self.status(user, folder, "uidvalidity")
        wanted = before + 1 if uidvalidity is None else uidvalidity
        if folder == "INBOX":
            self._forget_inbox(user)
        else:
            self.doveadm("mailbox", "delete", "-u", user, folder)
        self.create(user, folder, wanted)
        return self.status(user, folder, "uidvalidity")

    def status(self, user: str, folder: str, item: str) -> int:
        """One number of the folder: messages, uidnext, uidvalidity, unseen, ..."""
        line = self.doveadm("-f", "tab", "mailbox", "status", "-u", user, item, folder).splitlines()[1]
        return int(line.split("\t")[-1])

    # --- links ------------------------------------------------------------------------------------------------------

    @contextmanager
    def imap(self, user: str) -> Iterator[imaplib.IMAP4_SSL]:
        """A logged-in link over verified TLS."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        link = imaplib.IMAP4_SSL(self.host, self.port, ssl_context=context, timeout=60)
        try:
            secret = f"\0{user}\0{self.password}".encode()
            _ok(link.authenticate("PLAIN", lambda _challenge: secret))
            yield link
        finally:
            link.logout()

    def connections(self) -> Mapping[str, int]:
        """User -> number of IMAP links that are logged in, hibernated ones too."""
        rows = self.doveadm("-f", "tab", "who", "-1").splitlines()[1:]
        users = [row.split("\t")[0] for row in rows if "imap" in row.split("\t")]
        return {user: users.count(user) for user in dict.fromkeys(users)}

    def kick(self, user: str) -> None:
        """End all links of this user at once, as an admin would."""
        self.doveadm("kick", user)

    def doveadm(self, *args: str) -> str:
        """What `doveadm ARGS` prints; CalledProcessError if it fails."""
        command = ["doveadm", "-c", str(self.root / "dovecot.conf"), *args]
        return subprocess.run(command, check=True, capture_output=True, text=True, umask=0o022, timeout=60).stdout

    # --- inside -----------------------------------------------------------------------------------------------------

    def _write_files(self) -> None:
        # Its processes run as several users, and something in this process may have set a strict umask.
        for name in ("run", "state", "mail"):
            (self.root / name).mkdir()
            (self.root / name).chmod(0o755)
        os.chown(self.root / "mail", mail_owner().pw_uid, mail_owner().pw_gid)
        (self.root / "users").write_text(passwd_file(self.users))
        (self.root / "users").chmod(0o644)
        self.authority.cert_pem.write_to_path(self.ca_file)
        issued = self.authority.issue_cert("localhost", *(f"127.0.0.{last}" for last in range(1, 5)))
        for blob in issued.cert_chain_pems:
            blob.write_to_path(self._layout.certificate, append=True)
        issued.private_key_pem.write_to_path(self._layout.key)
        (self.root / "dovecot.conf").write_text(configuration(self._layout))

    def _greets(self) -> bool:
        assert self._master is not None
        if self._master.poll() is not None:
            raise RuntimeError(f"Dovecot ended: {(self.root / 'stderr').read_text()}\n{self.log()}")
        try:
            with socket.create_connection(("127.0.0.1", self.starttls_port), 30) as link:
                return link.recv(4).startswith(b"* OK") and self._layout.lmtp.exists()
        except OSError:
            return False

    def _forget_inbox(self, user: str) -> None:
        """INBOX can't be deleted by command: end the user's links, then remove its files."""
        if user in self.connections():
            self.kick(user)
            until(lambda: user not in self.connections(), 60, f"the end of {user}'s links")
        shutil.rmtree(self.root / "mail" / user / "sdbox" / "mailboxes" / "INBOX", ignore_errors=True)


def _ok(answer: tuple[str, object]) -> None:
    if answer[0] != "OK":
        raise RuntimeError(f"the server said {answer}")
