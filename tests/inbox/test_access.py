"""One wrong password is shown to a server twice, however many links an account has; then a person must act."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.fakes.imap_server import ImapServer
from tests.inbox.conftest import QUICK, Room, mail
from watcher.config.accounts import Account
from watcher.config.secret import PlainSource, Secret, SecretSource
from watcher.errors import LoginHeld, LoginNeeded, LoginRefused, SecretUnavailable
from watcher.inbox.access import Access, again
from watcher.inbox.door import Hall
from watcher.inbox.enter import inside
from watcher.inbox.patience import Patience
from watcher.inbox.pulse import State

SIX_HOURS = 6 * 3600.0

REFUSALS = [
    ("credentials", None, 1, 300.0),
    ("credentials", None, 2, SIX_HOURS),
    ("credentials", None, 9, SIX_HOURS),
    ("credentials", 600.0, 1, 600.0),
    ("credentials", 600.0, 2, SIX_HOURS),
    ("settings", None, 1, 300.0),
    ("settings", None, 2, SIX_HOURS),
    ("", None, 1, 300.0),
    ("token", None, 1, 0.0),
    ("token", None, 2, 300.0),
    ("token", None, 3, SIX_HOURS),
]


@pytest.mark.parametrize(("cause", "hint", "count", "wait"), REFUSALS)
def test_when_a_refused_secret_is_tried_again(cause: str, hint: float | None, count: int, wait: float) -> None:
    assert again(LoginRefused("no", cause=cause, wait=hint), count, Patience()) == wait


# --- Access ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Changing(SecretSource):
    """What `secrets` holds first; each one that is rejected is taken away."""

    secrets: list[str]
    rejected: list[str]

    def fetch(self) -> Secret:
        if not self.secrets:
            raise SecretUnavailable("there is none")
        return Secret(self.secrets[0])

    def reject(self, secret: Secret) -> None:
        self.rejected.append(secret.reveal())
        self.secrets.pop(0)


class Host:
    """Lets in whoever shows "right"."""

    def __init__(self, cause: str = "credentials") -> None:
        self.cause = cause
        self.shown: list[str] = []

    def __call__(self, _account: Account, secret: Secret, way: str) -> object:
        self.shown.append(secret.reveal() + way)
        if secret.reveal() != "right":
            raise LoginRefused("wrong", cause=self.cause)
        return type("Open", (), {"mechanism": "+PLAIN"})


def account(source: SecretSource | str) -> Account:
    source = PlainSource(Secret(source)) if isinstance(source, str) else source
    return Account(name="me", address="me@example.com", password=source)


def refused(access: Access, who: Account) -> type[LoginRefused]:
    with pytest.raises(LoginRefused) as error:
        access.open(who)
    return type(error.value)


def test_a_wrong_password_is_shown_once_for_all_links() -> None:
    host = Host()
    access = Access(host)
    assert [refused(access, account("wrong")) for _ in range(3)] == [LoginRefused, LoginHeld, LoginHeld]
    assert host.shown == ["wrong"]


def test_it_is_tried_once_more_and_then_hardly_ever() -> None:
    host = Host()
    access = Access(host, replace(QUICK, refused=(0.0, SIX_HOURS)))
    assert [refused(access, account("wrong")) for _ in range(3)] == [LoginRefused, LoginRefused, LoginHeld]
    assert host.shown == ["wrong", "wrong"]


class SlowHost(Host):
    """Lets its callers in one by one, when told to; refuses them all."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Semaphore(0)

    def __call__(self, who: Account, secret: Secret, way: str) -> object:
        self.shown.append(secret.reveal())
        self.go.acquire(timeout=20)
        raise LoginRefused("wrong", cause=self.cause)


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_logins_side_by_side_are_refused_once_as_it_were() -> None:
    host = SlowHost()
    access = Access(host, replace(QUICK, refused=(0.0, SIX_HOURS)))
    with ThreadPoolExecutor(3) as threads:
        ends = [threads.submit(refused, access, account("wrong")) for _ in range(3)]
        wait_until(lambda: len(host.shown) == 3)
        host.go.release(4)
        assert [end.result() for end in ends] == [LoginRefused] * 3
    assert refused(access, account("wrong")) is LoginRefused, "the one try that is left"
    assert refused(access, account("wrong")) is LoginHeld


def test_while_one_tries_again_the_others_wait() -> None:
    host = SlowHost()
    access = Access(host, replace(QUICK, refused=(0.0, SIX_HOURS)))
    host.go.release()
    assert refused(access, account("wrong")) is LoginRefused
    with ThreadPoolExecutor(1) as threads:
        second = threads.submit(refused, access, account("wrong"))
        wait_until(lambda: len(host.shown) == 2)
        assert refused(access, account("wrong")) is LoginHeld
        host.go.release()
        assert second.result() is LoginRefused


@pytest.mark.parametrize(
    ("error", "failures"), [(LoginHeld("held"), 1), (LoginNeeded("nobody"), 1), (LoginRefused("wrong"), 0)]
)
def test_a_host_that_was_not_asked_is_no_livelier_than_before(error: LoginRefused, failures: int) -> None:
    door = Hall(1).door("mail.test")
    door.learn(False, 0.0)
    with pytest.raises(LoginRefused), inside(door, door.knock(1e9)):
        raise error
    assert door.failures == failures


def test_another_password_is_tried_at_once() -> None:
    host = Host()
    access = Access(host)
    assert refused(access, account("wrong")) is LoginRefused
    assert not access.may_open(account("wrong"), 0.0)
    assert access.may_open(account("right"), 0.0)
    access.open(account("right"))
    access.open(account("right"))
    assert host.shown == ["wrong", "right", "right+PLAIN"], "the mechanism that did it is known"


def test_a_secret_that_is_not_to_be_had_is_no_reason_to_try() -> None:
    assert not Access(Host()).may_open(account(Changing([], [])), 0.0)


def test_a_secret_that_is_gone_is_looked_for_now_and_then() -> None:
    """Also when the refused one may be tried again: there is none to try."""
    access, patience = Access(Host()), Patience()
    assert refused(access, account("wrong")) is LoginRefused
    for error in (SecretUnavailable("gone"), LoginNeeded("run: imap-watcher login me")):
        assert access.wait(account("wrong"), error, 1e9) == patience.look_for_secret
    assert access.wait(account("wrong"), LoginHeld("wrong"), 1e9) == 0.0


def test_who_gives_out_tokens_says_nothing_of_the_mail_server() -> None:
    class Refusing(SecretSource):
        def fetch(self) -> Secret:
            raise LoginRefused("unknown client", "invalid_client")

    access = Access(Host())
    with pytest.raises(SecretUnavailable, match="unknown client"):
        access.open(account(Refusing()))


def test_a_refused_token_is_replaced_at_once_and_once_only() -> None:
    host, source = Host("token"), Changing(["stale", "also stale", "right"], [])
    access = Access(host)
    assert [refused(access, account(source)) for _ in range(3)] == [LoginRefused, LoginRefused, LoginHeld]
    assert source.rejected == ["stale"]


# --- the whole watcher ----------------------------------------------------------------------------------------------


def test_the_links_of_one_account_show_a_wrong_password_together(server: ImapServer, room: Callable[..., Room]) -> None:
    folders = ("A", "B", "C")
    for name in folders:
        server.folder(name)
    with room(folders=folders) as here:
        here.wait_idle(links=3)
        server.users = {"me": "another"}
        server.cut()
        here.wait(lambda: all(pulse.state is State.REFUSED for pulse in here.pulses))
        assert server.logins <= 3 + 3, "those that stood at the door at the same moment"
        assert all("wrong user or password" in pulse.trouble for pulse in here.pulses)


def test_a_changed_password_is_found_without_a_login(
    server: ImapServer, room: Callable[..., Room], tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.touch(mode=0o600)
    secret.write_text("outdated")
    settings = f"password = {{ file = '{secret}' }}"
    with room(settings, patience=replace(QUICK, look_for_secret=0.05)) as here:
        here.wait(lambda: here.pulse.state is State.REFUSED)
        server.deliver(mail(1))
        assert server.logins == 1
        secret.write_text("secret")
        here.wait_idle()
        server.deliver(mail(2))
        here.wait_numbers(2)
        assert here.pulse.trouble == ""
        assert server.logins == 2


def test_what_the_server_wants_to_be_shown_is_logged_once(
    server: ImapServer, room: Callable[..., Room], caplog: pytest.LogCaptureFixture
) -> None:
    server.greeting = b"* OK [ALERT] ends on Friday\r\n* OK [ALERT] \x1b[2J\r\n"
    with room() as here:
        here.wait_idle()
        server.cut()
        here.wait(lambda: here.pulse.connects == 2 and server.idling)
        server.push(b"* NO [ALERT] quota nearly reached\r\n")
        here.wait(lambda: "nearly" in caplog.text)
    shown = [record.getMessage().partition("know: ")[2] for record in caplog.records if "wants you" in record.message]
    assert shown == ["ends on Friday", "\\x1b[2J", "quota nearly reached"]
