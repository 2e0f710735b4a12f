"""The device code flow: every answer in words, and no faster than the server wants."""

import threading

import pytest

from tests.fakes.oauth_server import error, lose, raw
from watcher.config.oauth import ask_for_code, consent_on_device
from watcher.errors import LoginRefused, SecretUnavailable, ServerUntrusted


class Clock:
    """Waits no time, keeps count, and does something at the end of a wait."""

    def __init__(self, *acts):
        self.waits, self._acts = [], list(acts)

    def __call__(self, seconds):
        self.waits.append(seconds)
        if self._acts and (act := self._acts.pop(0)):
            act()


def grant(server, state="granted"):
    def act():
        for device in server.devices.values():
            device.state = state

    return act


def test_from_the_code_to_the_tokens(server):
    server.interval = 7
    client = server.client()
    code = ask_for_code(client)
    assert (code.page, code.whole_page, code.interval, code.life) == (server.base + "/enter", "", 7, 600)
    assert code.user_code.startswith("ABCD-")
    clock = Clock(None, None, grant(server))
    tokens = consent_on_device(client, code, clock)
    assert clock.waits == [7, 7, 7]
    assert tokens.access.reveal() == server.issued[0]
    assert server.alive(tokens.refresh.reveal())


def test_slow_down_and_a_server_out_of_order_are_asked_less_often(server):
    client = server.client()
    code = ask_for_code(client)
    server.on("device", error("slow_down"), error("slow_down"), raw(503, b""), error("authorization_pending"))
    clock = Clock(None, None, None, None, grant(server))
    consent_on_device(client, code, clock)
    assert clock.waits == [0.01, 5.01, 10.01, 20.02, 20.02]


def test_never_slower_than_a_minute(server):
    client = server.client()
    code = ask_for_code(client)
    server.on("device", *[error("slow_down")] * 20)
    clock = Clock(*[None] * 20, grant(server))
    consent_on_device(client, code, clock)
    assert max(clock.waits) == 60


def test_it_is_denied(server):
    client = server.client()
    code = ask_for_code(client)
    with pytest.raises(LoginRefused, match=r"^127\.0\.0\.1: it was denied in the browser$"):
        consent_on_device(client, code, Clock(grant(server, "access_denied")))


@pytest.mark.parametrize("life", [600, 0.05])
def test_nobody_enters_the_code(server, life):
    server.code_life = life
    client = server.client()
    code = ask_for_code(client)
    clock = Clock(None, grant(server, "expired_token")) if life == 600 else threading.Event().wait
    with pytest.raises(SecretUnavailable, match=f"^nobody entered the code {code.user_code} within .*; begin again$"):
        consent_on_device(client, code, clock)


def test_a_lost_answer_can_not_be_had_again(server):
    client = server.client()
    code = ask_for_code(client)
    server.on("device", lose)
    with pytest.raises(SecretUnavailable, match=r"^the answer of 127\.0\.0\.1 was lost on the way; begin again$"):
        consent_on_device(client, code, Clock(grant(server)))


def test_an_answer_lost_before_consent_does_no_harm(server):
    client = server.client()
    code = ask_for_code(client)
    server.on("device", lambda *_: None)
    assert consent_on_device(client, code, Clock(None, grant(server))).access.reveal() in server.issued


@pytest.mark.parametrize("code", ["invalid_client", "invalid_grant", "weird"])
def test_other_refusals_end_it(server, code):
    client = server.client()
    device = ask_for_code(client)
    server.on("device", error(code))
    with pytest.raises(LoginRefused, match=f": {code}$"):
        consent_on_device(client, device, Clock())


@pytest.mark.parametrize(
    "change",
    [
        {"verification_uri": "http://evil.example"},
        {"verification_uri": "https://x\r\ny"},
        {"user_code": "A\x1b[2J"},
        {"user_code": None},
        {"device_code": 5},
    ],
)
def test_an_answer_that_is_no_code(server, change):
    good = {"verification_uri": "https://x", "user_code": "A", "device_code": "B"}
    server.on("ask", raw(200, good | change))
    with pytest.raises(SecretUnavailable, match="can't be used: it is not a device code"):
        ask_for_code(server.client())


def test_what_the_server_leaves_out(server):
    server.on("ask", raw(200, {"verification_url": "https://x", "user_code": "A", "device_code": "B", "interval": -1}))
    code = ask_for_code(server.client())
    assert (code.page, code.interval, code.life) == ("https://x", 5.0, 1800.0)
    assert "'B'" not in repr(code)


def test_google_gives_none_for_mail(server):
    server.on("ask", error("invalid_scope", "Invalid device flow scope: https://mail.google.com/"))
    with pytest.raises(LoginRefused, match="Google gives no access to Gmail by device code: log in with a browser"):
        ask_for_code(server.client(provider="google"))


def test_a_server_without_device_codes(server):
    with pytest.raises(LoginRefused, match="gives no device codes here: log in with a browser, without --device"):
        ask_for_code(server.client(device_uri=None))


def test_a_server_that_can_not_prove_itself(server):
    with pytest.raises(ServerUntrusted):
        ask_for_code(server.client(ca_file=None))
