"""
Peers from the distribution and the registries. One that can't be had is left out, and the bench says so.
"""

import hashlib
import shutil
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.bench.contestants import Contestant, Seat, program, write_privately
from tests.bench.frame import say
from tests.bench.sources import DEBIAN, LIBRARIES, NODE, PYTHON, FromDebian, FromNpm, FromPyPI, Source, Unavailable

__all__ = ["found", "versions"]


def found() -> Iterator[Contestant]:
    """Those that are installed or can be."""
    for peer in _PEERS:
        try:
            peer.source.install()
        except Unavailable as error:
            say(f"{peer.contestant.name} is left out: {error}")
        else:
            yield peer.contestant


def versions() -> dict[str, str]:
    """Of those that are installed."""
    return {peer.contestant.name: version for peer in _PEERS if (version := peer.source.version())}


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer and where it comes from."""

    contestant: Contestant
    source: Source


# --- those that bring a program of their own ------------------------------------------------------------------------


def _getmail(seat: Seat) -> list[str]:
    server = seat.server
    write_privately(
        seat.home / "getmailrc",
        f"""[retriever]
type = SimpleIMAPSSLRetriever
server = {server.host}
port = {server.port}
username = {seat.user}
password = {server.password}
mailboxes = ("INBOX",)
ca_certs = {server.ca_file}
use_peek = true
[destination]
type = MDA_external
path = {seat.bench.stamp}
arguments = ("{seat.log}",)
allow_root_commands = true
[options]
read_all = false
verbose = 0
delivered_to = false
received = false
""",
    )
    getmail = str(PYTHON.parent / "getmail")
    return [str(PYTHON), getmail, f"--getmaildir={seat.home}", "--rcfile=getmailrc", "--idle", "INBOX"]


def _fetchmail(seat: Seat) -> list[str]:
    server = seat.server
    write_privately(
        seat.home / "fetchmailrc",
        f"""set no bouncemail
poll {server.host} protocol imap service {server.port} user "{seat.user}" password '{server.password}'
  ssl no sslcertck keep idle folder INBOX mda "{seat.bench.stamp} {seat.log}"
""",
    )
    return [str(DEBIAN / "usr/bin/fetchmail"), "-N", "--silent", "-f", str(seat.home / "fetchmailrc")]


def _imapfilter(seat: Seat) -> list[str]:
    server, password = seat.server, seat.server.password.replace('"', r"\"")
    for file in (DEBIAN / "usr/share/imapfilter").iterdir():
        shutil.copy(file, seat.home)
    write_privately(
        seat.home / "config.lua",
        f"""
options.timeout = 60
options.expunge = false
account = IMAP {{ server = "{server.host}", port = {server.port}, ssl = "auto",
                  username = "{seat.user}", password = "{password}" }}
next_uid = 1
while true do
    for _, message in ipairs(account.INBOX:send_query("UID " .. next_uid .. ":*")) do
        mailbox, uid = table.unpack(message)
        if uid >= next_uid then
            pipe_to("{seat.bench.stamp} {seat.log}", mailbox[uid]:fetch_message())
            next_uid = uid + 1
        end
    end
    account.INBOX:enter_idle()
end
""",
    )
    return [str(DEBIAN / "usr/bin/imapfilter"), "-c", "config.lua", "-t", str(server.ca_file)]


def _offlineimap(seat: Seat) -> list[str]:
    server = seat.server
    certificate = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((server.host, server.port)))
    write_privately(
        seat.home / "offlineimaprc",
        f"""[general]
accounts = bench
metadata = {seat.home}/metadata
ui = quiet
[Account bench]
localrepository = here
remoterepository = there
autorefresh = 5
[Repository here]
type = Maildir
localfolders = {seat.home}/maildir
[Repository there]
type = IMAP
remotehost = {server.host}
remoteport = {server.port}
ssl = yes
cert_fingerprint = {hashlib.sha1(certificate).hexdigest()}
remoteuser = {seat.user}
remotepass = {server.password}
readonly = True
folderfilter = lambda name: name == "INBOX"
idlefolders = ["INBOX"]
""",
    )
    return [str(PYTHON.parent / "offlineimap"), "-c", str(seat.home / "offlineimaprc")]


def _in_maildir(seat: Seat) -> Mapping[int, float]:
    """When each mail was written."""
    handled = {}
    for file in seat.home.glob("maildir/INBOX/[nc]*/*"):
        with file.open("rb") as mail:
            beginning = mail.read(16384)
        handled[int(beginning.split(b"X-Case: ", 1)[1].split(b"\n", 1)[0])] = file.stat().st_mtime
    return handled


_BY = str(PYTHON)
_PEERS = (
    Peer(program("imapflow", "imapflow.mjs", by="node", environment={"IMAPFLOW": str(NODE)}), FromNpm("imapflow")),
    Peer(program("imap_tools", "imap_tools_loop.py", by=_BY), FromPyPI("imap-tools")),
    Peer(program("aioimaplib", "aioimaplib_loop.py", by=_BY), FromPyPI("aioimaplib")),
    Peer(Contestant("fetchmail", _fetchmail, LIBRARIES), FromDebian(("fetchmail",))),
    Peer(Contestant("imapfilter", _imapfilter, LIBRARIES), FromDebian(("imapfilter", "liblua5.2-0"))),
    Peer(Contestant("getmail6", _getmail), FromPyPI("getmail6")),
    Peer(Contestant("offlineimap3", _offlineimap, handled=_in_maildir), FromPyPI("offlineimap")),
)
