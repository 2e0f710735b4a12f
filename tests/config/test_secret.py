import copy
import errno
import os
import pickle
import sys
import threading
import time
from dataclasses import dataclass

import pytest

from watcher.config import keychain
from watcher.config.secret import (
    CommandSource,
    CredentialSource,
    EnvironmentSource,
    FileSource,
    KeyringSource,
    PlainSource,
    Secret,
)
from watcher.errors import SecretUnavailable

CANARY = "c4n4ry-Pässword"


def command(script, **settings):
    """A command that can't be found in its own arguments: the canary is put together by the child."""
    return CommandSource((sys.executable, "-c", script), **settings)


@pytest.fixture
def private(tmp_path):
    def write(content, mode=0o600):
        path = tmp_path / "secret"
        path.write_bytes(content)
        path.chmod(mode)
        return path

    return write


# --- the secret itself ----------------------------------------------------------------------------------------------


def test_a_secret_tells_itself_only_when_asked():
    secret = Secret(CANARY)
    assert secret.reveal() == CANARY
    shown = [repr(secret), str(secret), "%s" % secret, "%r" % secret, repr(PlainSource(secret)), repr([secret])]  # noqa: UP031
    assert CANARY not in "".join(shown)
    assert str(secret) == "***"


@pytest.mark.parametrize(
    "leak", [lambda s: f"{s}", lambda s: f"{s:>20}", "{}".format, pickle.dumps, copy.copy, copy.deepcopy]
)
def test_a_secret_can_t_be_formatted_pickled_or_copied(leak):
    with pytest.raises(TypeError, match="a secret can't be"):
        leak(Secret(CANARY))


def test_secrets_are_equal_by_value_so_that_a_reload_sees_what_changed():
    assert Secret("a") == Secret("a") != Secret("b")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != "a"


def test_arguments_of_a_command_are_not_shown():
    assert CANARY not in repr(CommandSource(("vault", f"--token={CANARY}")))


# --- where it comes from --------------------------------------------------------------------------------------------


def test_plain():
    assert PlainSource(Secret(CANARY)).fetch().reveal() == CANARY


def test_the_first_line_a_command_prints():
    source = command("import sys; sys.stdout.buffer.write('c4n4ry-Pässword\\r\\nnotes: none'.encode())")
    assert source.fetch().reveal() == CANARY


def test_a_command_is_asked_each_time(tmp_path):
    source = CommandSource(("cat", str(tmp_path / "now")))
    for password in ("first", "second"):
        (tmp_path / "now").write_text(password)
        assert source.fetch().reveal() == password


def test_a_command_has_no_shell():
    assert CommandSource(("echo", "$HOME", ";", "id")).fetch().reveal() == "$HOME ; id"


def test_a_child_left_behind_does_not_hold_up_the_answer(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    source = CommandSource(("sh", "-c", f"cat {fifo} & echo told"))
    assert source.fetch().reveal() == "told"
    fifo.open("w").close()  # lets the child go; would block if nobody read


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (command("import sys; print('c4n4ry' + '-Pässword'); sys.exit(2)"), "ended with 2 and told no password"),
        (command("import os; print('c4n4ry' + '-Pässword', flush=True); os.abort()"), "was killed by signal 6"),
        (command("import sys; sys.exit('c4n4ry' + '-Pässword')"), "ended with 1"),
        (command("import time; time.sleep(600)", patience=0.2), "did not tell the password within 0.2 s"),
        (command("pass"), "starts with an empty line"),
        (command("print(); print('c4n4ry' + '-Pässword')"), "starts with an empty line"),
        (command("import sys; sys.stdout.buffer.write(b'c4n4ry-P\\xffssword')"), "is not UTF-8"),
        (command("print('c4n4ry' + '-P\\x1b[1mssword')"), "holds a control character"),
        (command("while True: print('c4n4ry' + '-Pässword' * 1000)"), "ended with"),
        (CommandSource(("/nowhere/c0mmand",)), "/nowhere/c0mmand can't be started for the password: No such file"),
        (CommandSource(("/etc/passwd",)), "can't be started for the password: Permission denied"),
        (EnvironmentSource("NO_SUCH_VARIABLE"), "environment variable NO_SUCH_VARIABLE for the password is not set"),
        (KeyringSource("mail", "me"), "need the extra `keyring`: pip install 'imap-watcher[keyring]'"),
    ],
)
def test_failures_are_told_in_one_line_that_does_not_hold_the_secret(source, reason, monkeypatch):
    monkeypatch.setattr(keychain, "keyring", None)
    with pytest.raises(SecretUnavailable) as unavailable:
        source.fetch()
    told = str(unavailable.value)
    assert reason in told
    assert "\n" not in told
    for error in (unavailable.value, unavailable.value.__cause__):
        assert "c4n4ry" not in repr(error).replace("c4n4ry' + '", "")


def has_reader(fifo):
    try:
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError as error:
        return error.errno != errno.ENXIO
    return True


def soon(holds, seconds=20):
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        threading.Event().wait(0.01)
    return holds()


def test_a_command_that_takes_too_long_is_ended_with_its_children(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(SecretUnavailable):
        CommandSource(("sh", "-c", f"echo started; cat {fifo}; true"), patience=0.5).fetch()
    assert soon(lambda: not has_reader(fifo))


@pytest.mark.parametrize("content", [CANARY, CANARY + "\n", CANARY + "\r\n", CANARY + "\nsecond line\n\x00"])
def test_a_file(private, content):
    assert FileSource(private(content.encode())).fetch().reveal() == CANARY


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o610, 0o601])
def test_a_file_that_others_may_use_is_refused(private, mode):
    path = private(CANARY.encode(), mode)
    with pytest.raises(SecretUnavailable, match=f"others may use the password file {path}: chmod 600 {path}"):
        FileSource(path).fetch()


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty line"), (b"\nx", "empty line"), (b"\xff", "not UTF-8"), (b"a\0b", "control character")],
)
def test_a_file_without_a_password(private, content, reason):
    with pytest.raises(SecretUnavailable, match=reason):
        FileSource(private(content)).fetch()


def test_what_is_no_file_to_read(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    for name, reason in (
        ("none", "No such file"),
        ("fifo", "not a regular file"),
        ("", "directory"),
        ("loop", "symbolic"),
    ):
        with pytest.raises(SecretUnavailable, match=f"can't be read: .*{reason}"):
            FileSource(tmp_path / name).fetch()


def test_the_environment(monkeypatch):
    monkeypatch.setenv("MAIL_PASSWORD", CANARY)
    assert EnvironmentSource("MAIL_PASSWORD").fetch().reveal() == CANARY


def test_a_credential_of_systemd(tmp_path, monkeypatch):
    source = CredentialSource("support")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(SecretUnavailable, match="add LoadCredential=support:FILE to the unit"):
        source.fetch()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(SecretUnavailable, match="the credential support can't be read: No such file"):
        source.fetch()
    (tmp_path / "support").write_text(CANARY + "\n")
    assert source.fetch().reveal() == CANARY


class KeyringError(Exception):
    pass


@dataclass
class Keyring:
    """Stands for the library, which asks a desktop."""

    passwords: dict
    fault: KeyringError | None = None

    def get_password(self, service, user):
        if self.fault:
            raise self.fault
        return self.passwords.get((service, user))


def test_the_keyring(monkeypatch):
    library = Keyring({("mail", "me"): CANARY})
    monkeypatch.setattr(keychain, "keyring", library)
    monkeypatch.setattr(keychain, "KeyringError", KeyringError, raising=False)
    assert KeyringSource("mail", "me").fetch().reveal() == CANARY
    with pytest.raises(SecretUnavailable, match="holds no password of you at mail"):
        KeyringSource("mail", "you").fetch()
    library.fault = KeyringError(CANARY)
    with pytest.raises(SecretUnavailable, match=r"can't be read for mail: KeyringError$"):
        KeyringSource("mail", "me").fetch()
