"""
Peers from the distribution and the registries, installed into a place of their own beside the project's environment,
never into it. One that can't be had is left out, and the bench says so.
"""

import hashlib
import os
import shutil
import ssl
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.bench.contestants import Contestant, Seat, program, write_privately
from tests.bench.frame import say

__all__ = ["found"]

_HERE = Path(sys.prefix) / "peers"
_PYTHON = _HERE / "python" / "bin" / "python"
_NODE = _HERE / "node"
_DEBIAN = _HERE / "debian"
#: For programs that were only unpacked.
_LIBRARIES = {"LD_LIBRARY_PATH": str(_DEBIAN / "usr" / "lib" / sysconfig.get_config_var("MULTIARCH"))}
_AGE = timedelta(weeks=10)
_PATIENCE = 180.0  #: seconds for the installation of one

#: Where imapfilter was built to find its own files, and as long a path to the directory where it is started.
_BUILT_IN, _AT_HOME = b"/usr/share/imapfilter", b".".ljust(21, b"/")


def found() -> Iterator[Contestant]:
    """Those that are installed or can be."""
    for peer in _PEERS:
        try:
            peer.install()
        except (OSError, subprocess.SubprocessError) as error:
            say(f"{peer.contestant.name} is left out: {_reason(error)}")
        else:
            yield peer.contestant


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer and where it comes from."""

    contestant: Contestant
    install: Callable[[], None]  #: raises OSError or SubprocessError if it can't be had


# --- where they come from -------------------------------------------------------------------------------------------


def _by_pip(package: str, evidence: str) -> Callable[[], None]:
    def install() -> None:
        if not _PYTHON.exists():
            venv.create(_PYTHON.parent.parent, with_pip=True)
        if not list(_PYTHON.parent.parent.glob(evidence)):
            _run(str(_PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", package)

    return install


def _by_npm(package: str) -> Callable[[], None]:
    """As it was some weeks ago: a mirror may lack what the newest release names."""

    def install() -> None:
        if not shutil.which("node"):
            raise FileNotFoundError("node is missing")
        if not (_NODE / "node_modules" / package).exists():
            _NODE.mkdir(parents=True, exist_ok=True)
            then = f"--before={datetime.now(UTC) - _AGE:%Y-%m-%d}"
            _run("npm", "install", "--prefix", str(_NODE), "--no-audit", "--no-fund", then, package)

    return install


def _by_apt(*packages: str) -> Callable[[], None]:
    """Unpacked, not installed: nothing of the machine changes."""

    def install() -> None:
        program = _DEBIAN / "usr" / "bin" / packages[0]
        if program.exists():
            return
        _DEBIAN.mkdir(parents=True, exist_ok=True)
        for package in packages:
            _run("apt-get", "download", package, cwd=_DEBIAN)
            for file in _DEBIAN.glob(f"{package}_*.deb"):
                _run("dpkg-deb", "-x", str(file), str(_DEBIAN))
        program.write_bytes(program.read_bytes().replace(_BUILT_IN, _AT_HOME))
        _run(str(program), "-V", environment=_LIBRARIES)

    return install


def _run(*command: str, cwd: Path = _HERE, environment: Mapping[str, str] | None = None) -> None:
    subprocess.run(
        command,
        cwd=cwd if cwd.exists() else None,
        env={**os.environ, **(environment or {})},
        check=True,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=_PATIENCE,
    )


def _reason(error: Exception) -> str:
    """In one line."""
    if isinstance(error, subprocess.CalledProcessError):
        said = (error.stderr or error.stdout or "").strip().splitlines()
        return (
            next((line for line in said if "error" in line.lower()), said[-1])
            if said
            else f"{Path(error.cmd[0]).name} failed"
        )
    if isinstance(error, subprocess.TimeoutExpired):
        return f"{Path(error.cmd[0]).name} took more than {_PATIENCE:g} s"
    return str(error)


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
    getmail = str(_PYTHON.parent / "getmail")
    return [str(_PYTHON), getmail, f"--getmaildir={seat.home}", "--rcfile=getmailrc", "--idle", "INBOX"]


def _fetchmail(seat: Seat) -> list[str]:
    server = seat.server
    write_privately(
        seat.home / "fetchmailrc",
        f"""set no bouncemail
poll {server.host} protocol imap service {server.port} user "{seat.user}" password '{server.password}'
  ssl no sslcertck keep idle folder INBOX mda "{seat.bench.stamp} {seat.log}"
""",
    )
    return [str(_DEBIAN / "usr/bin/fetchmail"), "-N", "--silent", "-f", str(seat.home / "fetchmailrc")]


def _imapfilter(seat: Seat) -> list[str]:
    server, password = seat.server, seat.server.password.replace('"', r"\"")
    for file in (_DEBIAN / "usr/share/imapfilter").iterdir():
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
    return [str(_DEBIAN / "usr/bin/imapfilter"), "-c", "config.lua", "-t", str(server.ca_file)]


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
    return [str(_PYTHON.parent / "offlineimap"), "-c", str(seat.home / "offlineimaprc")]


def _in_maildir(seat: Seat) -> Mapping[int, float]:
    """When each mail was written."""
    handled = {}
    for file in seat.home.glob("maildir/INBOX/[nc]*/*"):
        with file.open("rb") as mail:
            beginning = mail.read(16384)
        handled[int(beginning.split(b"X-Case: ", 1)[1].split(b"\n", 1)[0])] = file.stat().st_mtime
    return handled


_BY = str(_PYTHON)
_EACH = "a program for each mail"
_PEERS = (
    Peer(
        program("imapflow", "nothing", "imapflow.mjs", by="node", environment={"IMAPFLOW": str(_NODE)}),
        _by_npm("imapflow"),
    ),
    Peer(
        program("imap_tools", "parsed by the standard library", "imap_tools_loop.py", by=_BY),
        _by_pip("imap-tools", "lib/*/site-packages/imap_tools"),
    ),
    Peer(
        program("aioimaplib", "nothing", "aioimaplib_loop.py", by=_BY),
        _by_pip("aioimaplib", "lib/*/site-packages/aioimaplib"),
    ),
    Peer(Contestant("fetchmail", _EACH, _fetchmail, _LIBRARIES), _by_apt("fetchmail")),
    Peer(Contestant("imapfilter", _EACH, _imapfilter, _LIBRARIES), _by_apt("imapfilter", "liblua5.2-0")),
    Peer(Contestant("getmail6", f"{_EACH}; a file of the known ones", _getmail), _by_pip("getmail6", "bin/getmail")),
    Peer(
        Contestant("offlineimap3", "a Maildir and its state", _offlineimap, handled=_in_maildir),
        _by_pip("offlineimap", "bin/offlineimap"),
    ),
)
