"""
A machine with systemd as its PID 1: the files of this one below an overlay in memory, and its network. Takes root and
systemd-nspawn; is up in a second or two, and leaves nothing, since its mounts are seen by its own processes only.

    with Machine(directory) as machine:
        machine.run("systemctl", "start", "some.service")

What it writes lies in `changes`; its files are at `files`, where an absolute link would lead out of it.
"""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

__all__ = ["CHECKOUT", "Machine", "can_boot"]

#: Where this checkout is found there.
CHECKOUT = Path("/srv/checkout")

#: Of ours, what pip needs to know there.
TOLD = ("PIP_", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE")

#: $1: an empty directory; the rest: what runs the machine, with $1/root as its root.
MOUNT = """
set -eu
mount -t tmpfs -o mode=755 machine "$1"
cd "$1"
mkdir changes work root
mount -t overlay -o "lowerdir=/,upperdir=$1/changes,workdir=$1/work" machine root
: >root/etc/machine-id
ln -s /dev/null root/etc/systemd/system/timers.target
cat >root/etc/systemd/system/bare.target <<END
[Unit]
Requires=basic.target dbus.socket
After=basic.target dbus.socket
END
shift
exec "$@"
"""


class Machine:
    """A context manager: boots it, and ends all of it."""

    def __init__(self, home: Path) -> None:
        """`home`: a directory for its log and its mounts."""
        self.home = home
        self.leader = 0  #: the process that is its PID 1
        self._runner: subprocess.Popen[bytes] | None = None

    @property
    def files(self) -> Path:
        return Path(f"/proc/{self.leader}/root")

    @property
    def changes(self) -> Path:
        """What differs from this machine."""
        assert self._runner is not None
        return Path(f"/proc/{self._runner.pid}/root{self.home}/mounts/changes")

    def __enter__(self) -> Self:
        mounts = self.home / "mounts"
        mounts.mkdir()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear, (self.home / "console").open("wb") as console:
            ear.bind(str(self.home / "notify"))
            ear.settimeout(60)
            self._runner = subprocess.Popen(
                [
                    *("unshare", "--mount", "--propagation", "private", "setpriv", "--pdeathsig", "KILL"),
                    *("sh", "-c", MOUNT, "sh", str(mounts), *nspawn(mounts / "root")),
                ],
                env={"PATH": PATH, "NOTIFY_SOCKET": str(self.home / "notify")},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )
            try:
                self.hear_of_its_start(ear)
            except BaseException as error:
                error.add_note((self.home / "console").read_text(errors="replace"))
                self.__exit__()
                raise
        return self

    def hear_of_its_start(self, ear: socket.socket) -> None:
        """nspawn speaks as any service does (sd_notify(3)): first who is the leader, at last that it is up."""
        told: dict[str, str] = {}
        while told.get("READY") != "1":
            told |= dict(line.split("=", 1) for line in ear.recv(4096).decode().splitlines())
            self.leader = int(told.get("X_NSPAWN_LEADER_PID", 0))

    def __exit__(self, *_error: object) -> None:
        assert self._runner is not None
        if self.leader:
            os.kill(self.leader, signal.SIGKILL)  # and so all that live with it (pid_namespaces(7))
        else:
            self._runner.kill()
        self._runner.wait(60)

    def start(self, *command: str, user: str = "root", **standard: int) -> subprocess.Popen[str]:
        """A command that runs there beside others; `standard`: as for Popen."""
        enter = ["nsenter", "--all", "--target", str(self.leader), "runuser", "-u", user, "--", *command]
        return subprocess.Popen(enter, env=environment(), text=True, stdin=subprocess.DEVNULL, **standard)  # type: ignore[call-overload, no-any-return]

    def run(self, *command: str, user: str = "root", check: bool = True) -> subprocess.CompletedProcess[str]:
        """What comes of a command there; CalledProcessError with what it printed if it fails and `check` is on."""
        with self.start(*command, user=user, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            output, complaint = process.communicate(timeout=500)
        done = subprocess.CompletedProcess(command, process.returncode, output, complaint)
        if check and done.returncode:
            error = subprocess.CalledProcessError(done.returncode, command, output, complaint)
            error.add_note(f"{output}\n{complaint}")
            raise error
        return done

    def says(self, *command: str, user: str = "root") -> str:
        """What a command prints there."""
        return self.run(*command, user=user).stdout

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """A file of root's, put there at once as an editor does it, with its directories."""
        target = self.files / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f"{target.name}.new")
        fresh.write_text(text)
        fresh.chmod(mode)
        fresh.rename(target)

    def copy(self, source: Path, path: str) -> None:
        """A directory of ours."""
        shutil.copytree(source, self.files / path.lstrip("/"), ignore=shutil.ignore_patterns("__pycache__"))

    def changed(self) -> Iterator[str]:
        """Each file and directory that differs from this machine, or is gone."""
        for path in sorted(self.changes.rglob("*")):
            yield f"/{path.relative_to(self.changes)}"


def can_boot() -> bool:
    """Whether we may do what it takes; a container within a container may not."""
    return subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode == 0


PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def environment() -> Mapping[str, str]:
    told = {name: value for name, value in os.environ.items() if name.startswith(TOLD)}
    return {**told, "PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8"}


def nspawn(root: Path) -> list[str]:
    return [
        *("systemd-nspawn", "--quiet", "--boot", f"--directory={root}", f"--machine=imap-watcher-test-{os.getpid()}"),
        *("--register=no", "--keep-unit", "--notify-ready=yes", "--console=pipe", "--link-journal=no"),
        *("--resolv-conf=off", "--timezone=off", f"--bind-ro={Path(__file__).parents[2]}:{CHECKOUT}"),
        "systemd.unit=bare.target",
    ]
