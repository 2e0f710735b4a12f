"""
The service on a systemd of its own, as it is installed: from install.sh to --uninstall.

The tests go from one to the next, on one machine: each leaves the service as it was, and running.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.system.dovecot import Dovecot
from tests.system.nspawn import CHECKOUT, Machine, can_boot
from tests.system.waiting import until
from watcher.service.control import ask

needs_root = pytest.mark.skipif(
    not can_boot() and os.environ.get("CI") != "true", reason="boots a machine: needs root, and mounts"
)
pytestmark = [pytest.mark.system, pytest.mark.timeout(600), pytest.mark.xdist_group("systemd"), needs_root]

UNIT = "imap-watcher.service"
STATE = "/var/lib/imap-watcher"
CONFIG = "/etc/imap-watcher/config.toml"
DROP_IN = f"/run/systemd/system/{UNIT}.d"
INSTALL = str(CHECKOUT / "deploy" / "install.sh")

#: Files below /etc that tell of users.
ACCOUNTS = ("passwd", "group", "shadow", "gshadow", "subuid", "subgid")

#: The number of the mail to the log, once as the handler begins and once as it is through.
NOTE = f"""#!/bin/sh
set -eu
number=$(sed -n 's/^X-Case: \\([0-9]*\\).*/\\1/p' message.eml)
echo "$number begun" >>{STATE}/handled
{{work}}
echo "$number" >>{STATE}/handled
"""

#: Instead of a stage that waits for what never comes: once, when the file is there.
HANG = """\
            hook = __import__("pathlib").Path("/var/lib/imap-watcher/hang")
            if self.craft.kind == "job" and hook.exists():
                hook.unlink()
                threading.Event().wait()
"""


@dataclass
class Service:
    """The installed service and the server that it watches."""

    machine: Machine
    server: Dovecot

    def show(self, name: str) -> str:
        return self.machine.says("systemctl", "show", "--value", "-p", name, UNIT).strip()

    def control(self, verb: str) -> None:
        self.machine.run("systemctl", verb, UNIT)

    def ask(self, verb: str, **about: object) -> Any:
        """What the daemon answers to a command of root's."""
        return ask(self.machine.files / STATE[1:] / "control.sock", {"verb": verb, **about})

    def live(self) -> set[str]:
        """Accounts with a link that idles."""
        return {row["account"] for row in self.ask("status")["folders"] if row["state"] == "live"}

    def configure(self, *accounts: str, settings: str = "") -> None:
        self.machine.write(CONFIG, self.configuration(*accounts) + settings, 0o600)

    def configuration(self, *accounts: str) -> str:
        sections = (
            f'[account.{name}]\naddress = "{name}@example.org"\nuser = "{name}"\nhost = "127.0.0.1"\n'
            f'port = {self.server.port}\nca_file = "ca.pem"\npassword = {{ credential = "mail" }}\nstart = "all"\n'
            for name in accounts
        )
        return "".join(sections) + '[[rule]]\nrun = ["note"]\n[watcher]\nlog = "debug"\n'

    def handler(self, name: str, work: str = ":") -> None:
        """As root would write one: readable by root only."""
        self.machine.write(f"/etc/imap-watcher/handlers/{name}", NOTE.format(work=work), 0o700)

    def drop_in(self, name: str, *lines: str) -> None:
        self.machine.write(f"{DROP_IN}/{name}.conf", "\n".join(["[Service]", *lines, ""]))
        self.machine.run("systemctl", "daemon-reload")

    def remove_drop_in(self, name: str) -> None:
        (self.machine.files / DROP_IN[1:] / f"{name}.conf").unlink()
        self.machine.run("systemctl", "daemon-reload")

    def deliver(self, number: int) -> None:
        lines = (f"X-Case: {number}", "From: a@example.net", f"Message-ID: <{number}@example.net>", "", "")
        self.server.deliver("alice", "\r\n".join(lines).encode())

    def handled(self) -> list[str]:
        log = self.machine.files / STATE[1:] / "handled"
        return log.read_text().splitlines() if log.exists() else []

    def until(self, look: Callable[[], object], what: str) -> None:
        """Each look is a process or two there."""
        until(look, 60, what, every=0.2)

    def handles(self, number: int) -> None:
        """A mail that comes now reaches its handler."""
        self.deliver(number)
        self.until(lambda: str(number) in self.handled(), f"mail {number} to be handled")

    def journal(self, *match: str) -> list[dict[str, str]]:
        """Entries with these fields."""
        self.machine.run("journalctl", "--sync")
        told = self.machine.says("journalctl", "--output=json", "--all", "--no-pager", *match)
        return [json.loads(line) for line in told.splitlines()]


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with Dovecot(users=("alice", "bob")) as running:
        yield running


@pytest.fixture(scope="module")
def machine(tmp_path_factory) -> Iterator[Machine]:
    with Machine(tmp_path_factory.mktemp("machine")) as booted:
        yield booted


@pytest.fixture(scope="module")
def before(machine) -> set[str]:
    """What differed from this machine before it was installed."""
    return set(machine.changed())


@pytest.fixture(scope="module")
def service(machine, server, before) -> Service:
    """Installed and configured, by root."""
    machine.run("sh", INSTALL)
    service = Service(machine, server)
    shutil.copy(server.ca_file, machine.files / "etc/imap-watcher/ca.pem")
    machine.write("/etc/imap-watcher/credentials/mail", f"{server.password}\n", 0o600)
    service.drop_in("login", "LoadCredential=mail:/etc/imap-watcher/credentials/mail")
    service.handler("note")
    service.configure("alice")
    return service


def test_it_is_ready_after_the_first_answer_of_the_server(service):
    processes = service.server.processes()
    subprocess.run(["kill", "-STOP", *map(str, processes)], check=True)
    try:
        service.machine.run("systemctl", "start", "--no-block", UNIT)
        until(lambda: service.journal("MESSAGE=watching 1 folders of 1 accounts"), 60, "the daemon's start")
        assert service.show("ActiveState") == "activating"
    finally:
        subprocess.run(["kill", "-CONT", *map(str, processes)], check=True)
    service.control("start")
    assert service.show("ActiveState") == "active"
    service.until(lambda: service.show("StatusText") == "1 live", "the status")
    service.handles(1)


def test_a_broken_configuration_is_told_and_left_out_and_a_right_one_taken_over(service):
    pid = service.show("MainPID")
    service.machine.write(CONFIG, service.configuration("alice") + "surprise = 1\n", 0o600)
    refused = service.machine.run("systemctl", "reload", UNIT, check=False)
    assert refused.returncode
    assert any("surprise" in entry["MESSAGE"] for entry in service.journal(f"_SYSTEMD_UNIT={UNIT}", "PRIORITY=3"))
    service.handles(2)

    service.configure("alice", "bob")
    service.control("reload")
    service.until(lambda: service.live() == {"alice", "bob"}, "the second account")
    assert (service.show("ActiveState"), service.show("MainPID")) == ("active", pid)
    service.configure("alice")
    service.control("reload")


def test_the_journal_is_searched_by_what_a_line_is_about(service):
    [entry] = service.journal("ACCOUNT=alice", "FOLDER=INBOX", "UID=1", "HANDLER=note", "ATTEMPT=1")
    assert len(entry["KEY"]) == 32
    assert entry["MESSAGE"].endswith("done")
    assert {each["MESSAGE"] for each in service.journal(f"KEY={entry['KEY']}")} >= {entry["MESSAGE"]}
    assert entry["CODE_FILE"].endswith("watcher/stage.py")
    assert not service.journal("ACCOUNT=carol")


def test_handlers_may_do_what_programs_do(service):
    """Compile what they run, count processors, be nice."""
    service.handler("note", work="nice node -e 'process.exit(require(\"os\").cpus().length ? 0 : 1)'")
    service.control("reload")
    service.handles(5)
    service.handler("note")
    service.control("reload")


def test_a_hung_stage_is_killed_and_nothing_is_lost(service):
    """By the daemon as it is, but for a stage that can hang, and for less patience."""
    mutant = service.machine.files / "srv/mutant"
    service.machine.copy(Path(__file__).parents[2] / "watcher", "/srv/mutant/watcher")
    replace(mutant / "watcher/service/vitals.py", "STILL = 120.0", "STILL = 4.0")
    replace(mutant / "watcher/claims.py", "LONGEST_REST = 15.0", "LONGEST_REST = 0.5")
    replace(mutant / "watcher/inbox/lounge.py", "LONGEST_SLEEP = 30.0", "LONGEST_SLEEP = 0.5")
    claiming = "            with self.claiming:\n                pause ="
    replace(mutant / "watcher/stage.py", claiming, f"{HANG}{claiming}")
    service.drop_in("mutant", "Environment=PYTHONPATH=/srv/mutant", "WatchdogSec=3", "RestartSec=1")
    service.control("restart")
    service.handles(10)
    pid, restarts = service.show("MainPID"), int(service.show("NRestarts"))

    (service.machine.files / STATE[1:] / "hang").touch()
    for number in (11, 12):
        service.deliver(number)
    service.until(lambda: int(service.show("NRestarts")) > restarts, "the watchdog")
    service.until(lambda: {"11", "12"} <= set(service.handled()), "the mails that came meanwhile")
    assert service.show("MainPID") != pid
    told = [entry["MESSAGE"] for entry in service.journal(f"_PID={pid}")]
    assert any("the watchdog is not fed any more: jobs has not moved" in message for message in told)
    assert any("Watchdog timeout" in entry["MESSAGE"] for entry in service.journal("_PID=1", f"UNIT={UNIT}"))
    assert [service.handled().count(number) for number in ("10", "11", "12")] == [1, 1, 1]

    service.remove_drop_in("mutant")  # which the next start forgets


def test_a_stop_lets_handlers_end_and_is_over_in_time(service):
    """The daemon knows how long that is, and asks systemd for it."""
    service.drop_in("impatient", "TimeoutStopSec=4")
    service.handler("note", work="sleep 6")
    service.control("restart")
    service.deliver(20)
    service.until(lambda: "20 begun" in service.handled(), "the handler")
    service.control("stop")
    assert service.show("Result") == "success"  # "timeout" if systemd had to kill it
    assert service.handled().count("20") == 1

    service.configure("alice", settings='stop_timeout = "1s"\n')
    service.handler("note", work="sleep 600")
    service.control("start")
    service.deliver(21)
    service.until(lambda: "21 begun" in service.handled(), "the handler that does not end")
    service.control("stop")
    assert service.show("Result") == "success"
    service.remove_drop_in("impatient")

    service.handler("note")
    service.configure("alice")
    service.control("start")
    service.until(lambda: "21" in service.handled(), "the mail of the run that was cut off")
    assert service.handled().count("20") == 1


def test_a_wrong_configuration_ends_in_one_try(service):
    restarts = service.show("NRestarts")
    service.machine.write(CONFIG, "nonsense\n", 0o600)
    assert service.machine.run("systemctl", "restart", UNIT, check=False).returncode
    # After a failure that is worth another try this would be "auto-restart".
    assert (service.show("SubState"), service.show("ExecMainStatus")) == ("failed", "78")
    assert service.show("NRestarts") == restarts
    service.configure("alice")
    service.control("restart")


def test_a_secret_is_nowhere_to_be_found(service):
    service.handles(30)
    secret = service.server.password
    pid = service.show("MainPID")
    looks = [
        ("systemctl", "show", UNIT),
        ("systemctl", "cat", UNIT),
        ("cat", f"/proc/{pid}/cmdline", f"/proc/{pid}/environ"),
        ("journalctl", "--all", "--output=export"),
        ("grep", "-raF", "--exclude-dir=proc", secret, STATE, "/tmp", "/run/imap-watcher", "/opt/imap-watcher"),
    ]
    for look in looks:
        assert secret not in service.machine.run(*look, check=False).stdout, look
    assert "not found" not in service.machine.says("systemctl", "show", UNIT, user="nobody")
    for path in (f"/run/credentials/{UNIT}/mail", f"/proc/{pid}/environ", "/etc/imap-watcher/credentials/mail", CONFIG):
        assert service.machine.run("head", "-c1", path, check=False).returncode == 0
        assert service.machine.run("head", "-c1", path, user="nobody", check=False).returncode, path
    assert service.machine.run(
        "head", "-c1", "/etc/imap-watcher/credentials/mail", user="imap-watcher", check=False
    ).returncode
    assert not service.machine.says("find", STATE, "-perm", "/027", "!", "-type", "l")
    assert service.machine.run("ls", STATE, user="nobody", check=False).returncode
    assert "Max core file size        0                    0" in service.machine.says("cat", f"/proc/{pid}/limits")


CALLER = """
import errno, os, socket, sys
tries, answers = 0, set()
os.setgid(65534), os.setuid(65534)
while tries < 1000 or not os.path.exists("/run/over"):
    with socket.socket(socket.AF_UNIX) as line:
        answers.add(errno.errorcode.get(line.connect_ex(sys.argv[1])))
    tries += 1
print(*sorted(answers, key=str))
"""


def test_the_control_socket_is_closed_to_others_from_the_first_moment(service):
    """Even where the directory that it lies in is not."""
    service.control("stop")
    service.drop_in("open", "StateDirectoryMode=0755")
    caller = service.machine.start("python3", "-c", CALLER, f"{STATE}/control.sock", stdout=subprocess.PIPE)
    try:
        service.control("start")
        service.control("restart")
        service.machine.write("/run/over", "")
        answers, _ = caller.communicate(timeout=60)
    finally:
        caller.kill()
        caller.wait()
    assert set(answers.split()) == {"EACCES", "ENOENT"}
    assert service.machine.says("imap-watcher", "status")
    service.remove_drop_in("open")


def test_a_failed_upgrade_changes_nothing(service):
    before, pid = service.machine.says("ls", "/opt/imap-watcher"), service.show("MainPID")
    failed = service.machine.run("sh", INSTALL, "--from", "/nowhere", check=False)
    assert failed.returncode == 1
    assert "nothing has changed" in failed.stderr
    assert (service.machine.says("ls", "/opt/imap-watcher"), service.show("MainPID")) == (before, pid)


def test_an_upgrade_takes_over_while_it_runs_and_can_allow_sandboxes(service):
    releases, pid = service.machine.says("ls", "/opt/imap-watcher").split(), service.show("MainPID")
    service.machine.write("/etc/imap-watcher/handlers/note", f"#!/bin/sh\ntest ! -e {STATE}/ledger.db\n", 0o700)
    service.configure("alice", settings='isolation = "sandbox"\n')
    service.control("reload")
    service.deliver(50)
    service.until(lambda: held(service), "a handler that gets no sandbox")

    service.machine.run("ln", "-s", "/nowhere", "/usr/local/bin/imap-watcher.new")  # left by one that was cut off
    service.machine.run("sh", INSTALL, "--sandbox")
    assert service.show("MainPID") != pid
    [release] = service.machine.says("ls", "/opt/imap-watcher").split()
    assert release not in releases
    service.until(lambda: not held(service), "the mail that waited for a sandbox")


def held(service: Service) -> list[dict[str, object]]:
    jobs = service.ask("jobs", kind="job", limit=100)
    return [job for job in jobs if job["status"] == "waiting"]


def test_instances_live_side_by_side(service):
    settings = f'state = "{STATE}/second"\n'
    service.machine.write("/etc/imap-watcher/second.toml", service.configuration("bob") + settings, 0o600)
    service.machine.write(
        "/run/systemd/system/imap-watcher@.service.d/login.conf",
        "[Service]\nLoadCredential=mail:/etc/imap-watcher/credentials/mail\n",
    )
    service.machine.run("systemctl", "daemon-reload")
    service.machine.run("systemctl", "enable", "--now", "imap-watcher@second")
    told = json.loads(service.machine.says("imap-watcher", "-c", "/etc/imap-watcher/second.toml", "status", "--json"))
    assert [row["account"] for row in told["folders"]] == ["bob"]
    assert service.show("ActiveState") == "active"


def test_a_user_may_have_one_of_its_own(service):
    machine, home = service.machine, "/home/carol"
    machine.run("useradd", "--create-home", "carol")
    number = machine.says("id", "-u", "carol").strip()
    text = service.configuration("bob").replace("credential =", "file =")
    machine.write(f"{home}/.config/imap-watcher/config.toml", text)
    machine.write(f"{home}/.config/imap-watcher/mail", service.server.password, 0o600)
    shutil.copy(service.server.ca_file, machine.files / home[1:] / ".config/imap-watcher/ca.pem")
    machine.run("chown", "-R", "carol:", home)
    machine.run("systemctl", "start", f"user@{number}.service")

    def control(*words: str) -> str:
        return machine.says("env", f"XDG_RUNTIME_DIR=/run/user/{number}", "systemctl", "--user", *words, user="carol")

    control("enable", "--now", "imap-watcher")
    control("reload", "imap-watcher")
    assert control("show", "--value", "-p", "ActiveState", "imap-watcher") == "active\n"
    control("disable", "--now", "imap-watcher")
    assert control("show", "--value", "-p", "Result", "imap-watcher") == "success\n"
    machine.run("systemctl", "stop", f"user@{number}.service")
    machine.run("userdel", "--remove", "carol")


def test_uninstalled_it_leaves_what_is_the_users(service, before):
    service.machine.run("sh", INSTALL, "--uninstall")
    left = {path for path in set(service.machine.changed()) - before if not same_here(service.machine, path)}
    left = {path for path in left if not (path.startswith("/usr/lib/python3") and "__pycache__" in path)}
    own = {path for path in left if path.startswith(("/etc/imap-watcher", STATE))}
    # Logs, the caches of pip and Python, and the copies that all tools for users make of the files that they change.
    others = ("/var/log/", "/var/lib/systemd/", "/var/tmp/systemd-private-", "/root/.cache/", "/srv/")
    copies = {f"/etc/{name}-" for name in ACCOUNTS}
    assert {path for path in left - own - copies if not path.startswith(others)} == set()
    assert f"{STATE}/ledger.db" in own
    assert service.machine.says("find", "/etc/imap-watcher", STATE, "!", "-user", "root") == ""
    assert service.machine.run("systemctl", "list-unit-files", "--no-legend", "imap-watcher*", check=False).stdout == ""
    assert service.machine.says("systemctl", "list-units", "--no-legend", "imap-watcher*") == ""
    again = service.machine.run("sh", INSTALL, "--uninstall")
    assert again.stderr == ""


def same_here(machine: Machine, path: str) -> bool:
    """Whether it is on this machine as it is there."""
    there, here = machine.changes / path[1:], Path(path)
    if there.is_dir() or here.is_dir():
        return there.is_dir() and here.is_dir()
    return there.is_file() and here.is_file() and there.read_bytes() == here.read_bytes()


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
