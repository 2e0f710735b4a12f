"""What is shipped for systemd: how far it lets the daemon and its handlers reach, and that its parts fit together."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
UNIT = "imap-watcher.service"

needs_systemd = pytest.mark.skipif(
    not shutil.which("systemd-analyze") and os.environ.get("CI") != "true", reason="there is no systemd-analyze here"
)


def exposure(folder: Path, *, most: float) -> None:
    """Fails if the unit in `folder` with its drop-ins is exposed more than that, as systemd counts (0 to 10)."""
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={most * 10:.0f}"]
    found = subprocess.run([*command, folder / UNIT], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(DEPLOY / UNIT, tmp_path)
    return tmp_path


@needs_systemd
def test_the_service_can_reach_little(folder):
    exposure(folder, most=1.5)


@needs_systemd
def test_with_sandboxes_it_can_reach_a_little_more(folder):
    (folder / f"{UNIT}.d").mkdir()
    shutil.copy(DEPLOY / "sandbox.conf", folder / f"{UNIT}.d")
    exposure(folder, most=2.5)


@needs_systemd
def test_what_is_given_up_is_noticed(folder):
    text = (folder / UNIT).read_text()
    (folder / UNIT).write_text(text.replace("RestrictNamespaces=yes\n", ""))
    with pytest.raises(AssertionError, match="Service may create user namespaces"):
        exposure(folder, most=1.5)


def settings(file: Path) -> dict[str, list[str]]:
    """Name -> its values, in order."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", file.read_text(), re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


def test_an_instance_is_kept_as_the_service_is():
    """All is the same but where its files lie."""
    single, instance = settings(DEPLOY / UNIT), settings(DEPLOY / "imap-watcher@.service")
    assert single.pop("Environment") == ["XDG_STATE_HOME=/var/lib"]
    single["ExecStart"] = [single["ExecStart"][0].replace("config.toml", "%i.toml")]
    single["ExecReload"] = [line.replace("config.toml", "%i.toml") for line in single["ExecReload"]]
    for name in ("StateDirectory", "RuntimeDirectory"):
        single[name] = [f"{single[name][0]}/%i"]
    single["Description"] = instance["Description"]
    assert single == instance


def test_the_unit_of_a_user_lives_as_the_service_does():
    service, users = settings(DEPLOY / UNIT), settings(DEPLOY / "imap-watcher-user.service")
    shared = set(service) & set(users) - {"Environment", "ExecStart", "ExecReload", "WantedBy"}
    assert shared > {"Type", "WatchdogSec", "Restart", "RestartPreventExitStatus", "UMask", "LimitCORE"}
    assert {name: users[name] for name in shared} == {name: service[name] for name in shared}


@needs_systemd
@pytest.mark.parametrize(("file", "name"), [("sysusers.conf", "imap-watcher"), ("tmpfiles.conf", "/etc/imap-watcher")])
def test_users_and_directories_are_made_as_said(file, name, tmp_path):
    """In a root of its own, as far as that can be seen without being root."""
    assert name in (DEPLOY / file).read_text()
    tool = file.split(".")[0]
    flags = ["--dry-run"] if tool == "sysusers" else ["--create", "--prefix=/nowhere"]
    command = [f"systemd-{tool}", *flags, f"--root={tmp_path}", DEPLOY / file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Ignoring" not in done.stderr


def test_the_installer_is_a_right_script_and_names_each_file_it_installs():
    installer = DEPLOY / "install.sh"
    subprocess.run(["sh", "-n", installer], check=True)
    assert os.access(installer, os.X_OK)
    text = installer.read_text().replace("$NAME", "imap-watcher")
    for file in (UNIT, "imap-watcher@.service", "imap-watcher-user.service", "sandbox.conf", "sysusers.conf"):
        assert f"$from/{file}" in text


def test_the_installer_tells_how_it_is_used_and_refuses_what_it_does_not_know():
    told = subprocess.run(["sh", DEPLOY / "install.sh", "--help"], capture_output=True, text=True, check=True).stdout
    for option in ("--from", "--python", "--sandbox", "--no-start", "--uninstall"):
        assert option in told
    refused = subprocess.run(["sh", DEPLOY / "install.sh", "--nonsense"], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "--nonsense" in refused.stderr
