"""Renewing: in time, once, and so that no token is ever lost, whatever the server or the network does."""

import logging
import threading
from dataclasses import replace

import pytest

from tests.config.oauth.conftest import save
from tests.fakes.oauth_server import Rotation, cut, double, error, lose, pause, raw
from watcher.config.oauth import ManagedToken, TokenFile
from watcher.config.oauth.grant import Tokens
from watcher.config.secret import EnvironmentSource, Secret
from watcher.errors import LoginNeeded, LoginRefused, SecretUnavailable, ServerUntrusted

RUN = "run: imap-watcher login support"


def sent(server):
    return [form["refresh_token"] for form in server.forms["refresh"]]


# --- when -------------------------------------------------------------------------------------------------------------


def test_a_fresh_token_costs_no_question(server, token):
    assert token(left=1000).fetch().reveal() == "c4n4ry-access-old"
    assert sent(server) == []


@pytest.mark.parametrize(
    ("left", "life", "renewed"),
    [(301, 3600, False), (299, 3600, True), (290, 60000, True), (310, 60000, False), (7, 60, False), (5, 60, True)],
)
def test_it_is_renewed_before_it_ends(server, token, left, life, renewed):
    assert (token(left=left, life=life).fetch().reveal() in server.issued) == renewed


def test_a_clock_set_back_proves_nothing(server, token):
    assert token(left=7200, life=3600).fetch().reveal() in server.issued


def test_what_the_mail_server_refused_is_not_handed_out_again(server, token):
    held = token(left=3000)
    held.reject(Secret("another one"))
    refused = held.fetch()
    assert refused.reveal() == "c4n4ry-access-old"
    held.reject(refused)
    assert held.fetch().reveal() in server.issued


def test_the_new_one_is_kept_and_used_until_it_ends(server, token):
    held = token()
    assert {held.fetch().reveal() for _ in range(5)} == set(server.issued)
    assert held.file.read().access.reveal() == server.issued[0]
    assert len(sent(server)) == 1


# --- rotation and lost answers ----------------------------------------------------------------------------------------


def rotate(held):
    held.reject(held.fetch())
    return held.fetch()


@pytest.mark.parametrize("rotation", Rotation)
def test_tokens_rotate_or_not(server, token, rotation):
    server.rotation = rotation
    held = token()
    for _ in range(4):
        rotate(held)
    tokens = sent(server)
    assert len(set(tokens)) == (1 if rotation is Rotation.NONE else len(tokens))
    assert server.alive(held.file.read().refresh.reveal())


def test_the_old_refresh_token_stays_until_the_new_one_has_worked(server, token):
    server.rotation = Rotation.LENIENT
    held = token("")
    first = held.file.read().refresh
    held.fetch()
    kept = held.file.read()
    assert kept.previous == first != kept.refresh
    rotate(held)
    assert held.file.read().previous == kept.refresh
    server.rotation = Rotation.NONE
    rotate(held)
    assert held.file.read().previous is None


@pytest.mark.parametrize("accident", [lose, cut(10), cut(120), cut(200), raw(200, b'{"access_token": "c4n4ry')])
def test_a_lost_answer_is_asked_for_again_at_once(server, token, accident):
    server.rotation = Rotation.LENIENT
    held = token()
    server.on("refresh", accident)
    assert held.fetch().reveal() == server.issued[-1]
    assert len(set(sent(server))) == 1
    assert server.alive(held.file.read().refresh.reveal())


def test_answers_lost_twice_leave_the_old_token_for_the_next_try(server, token):
    server.rotation = Rotation.LENIENT
    held = token()
    before = held.file.read()
    server.on("refresh", lose, lose)
    with pytest.raises(SecretUnavailable, match="gave no answer"):
        held.fetch()
    assert held.file.read() == before
    assert held.fetch().reveal() == server.issued[-1]


def test_a_new_token_that_the_server_forgot_gives_way_to_the_one_before(server, token):
    held = token("c4n4ry-forgotten", previous=server.consent())
    good = held.file.read().previous
    assert held.fetch().reveal() in server.issued
    assert sent(server) == ["c4n4ry-forgotten", good.reveal()]
    assert held.file.read().refresh == good


def test_an_answer_that_comes_twice_counts_once(server, token):
    server.rotation = Rotation.STRICT
    held = token()
    server.on("refresh", double)
    held.fetch()
    assert server.alive(held.file.read().refresh.reveal())


def test_after_a_refusal_the_file_is_read_again(server, token, tmp_path):
    """Somebody has logged in on another machine, and copies the file here while we ask."""
    other, fresh = TokenFile.of(tmp_path / "other", "support"), server.consent()
    save(other, fresh)
    held = token("c4n4ry-dead")
    copied = threading.Event()
    server.on("refresh", pause(lambda: [other.path.rename(held.file.path), copied.set()], copied))
    assert held.fetch().reveal() in server.issued
    assert sent(server) == ["c4n4ry-dead", fresh]


def test_a_refused_token_is_never_thrown_away(server, token):
    held = token("c4n4ry-dead", previous="c4n4ry-older")
    before = held.file.path.read_bytes()
    for _ in range(2):
        with pytest.raises(LoginNeeded, match=f"^account support: .*invalid_grant.*; {RUN}$"):
            held.fetch()
    assert held.file.path.read_bytes() == before
    assert sent(server) == ["c4n4ry-dead", "c4n4ry-older"], "the server is not asked the same again and again"


def test_after_a_new_login_it_goes_on_at_once(server, token):
    held = token("c4n4ry-dead")
    with pytest.raises(LoginNeeded):
        held.fetch()
    held.accept(Tokens(Secret("new"), 60.0, Secret(server.consent())))
    assert held.fetch().reveal() == "new"


def test_refused_tokens_are_shown_again_after_a_while(server, token):
    """A server may be wrong about them."""
    held = token()
    server.on("refresh", error("invalid_grant"))
    for _ in range(2):
        with pytest.raises(LoginNeeded):
            held.fetch()
    held.memory.end = replace(held.memory.end, again=0.0)
    assert held.fetch().reveal() in server.issued


@pytest.mark.parametrize("code", ["interaction_required", "login_required", "consent_required"])
def test_microsofts_words_for_the_end_of_a_login(server, token, code):
    server.on("refresh", error(code, "AADSTS50076: Due to a configuration change"))
    with pytest.raises(LoginNeeded, match=f"{code}: AADSTS50076"):
        token().fetch()


# --- once -------------------------------------------------------------------------------------------------------------


def together(number, act):
    """What each of so many threads got, started at one moment."""
    start, results = threading.Barrier(number), []

    def run():
        start.wait(10)
        try:
            results.append(act())
        except Exception as error:  # noqa: BLE001 it is looked at
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    return results


def test_twenty_links_renew_once(server, token):
    server.rotation = Rotation.STRICT
    held = token()
    assert len({secret.reveal() for secret in together(20, held.fetch)}) == 1
    assert len(sent(server)) == 1


def test_so_do_twenty_that_know_nothing_of_each_other(server, token, tmp_path):
    """As after a reload, or the commands beside the daemon: only the file is common."""
    server.rotation = Rotation.STRICT
    token()
    own = iter([ManagedToken("support", "x", server.client(), TokenFile.of(tmp_path / "state", "support"))] * 20)
    secrets = together(20, lambda: ManagedToken("support", "x", next(own).client, token(None).file).fetch())
    assert len({secret.reveal() for secret in secrets}) == 1
    assert len(sent(server)) == 1


# --- what can go wrong ------------------------------------------------------------------------------------------------


def test_nobody_has_logged_in(server, token):
    with pytest.raises(LoginNeeded, match=f"^account support: nobody has logged in yet; {RUN}$"):
        token(None).fetch()


def test_a_name_is_quoted_for_the_shell(server, tmp_path):
    held = ManagedToken("my box", "me", server.client(), TokenFile.of(tmp_path, "my box"))
    with pytest.raises(LoginNeeded, match=r"login 'my box'$"):
        held.fetch()


def test_tokens_of_another_client(server, token):
    with pytest.raises(LoginNeeded, match=f"its tokens belong to another client_id; {RUN}$"):
        token(left=1000, client_id="other").fetch()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": 2}', b'{"version": 1}', b"\xff", b"[" * 99999])
def test_a_damaged_file(server, token, content):
    held = token()
    held.file.path.write_bytes(content)
    with pytest.raises(LoginNeeded, match=f"is damaged: .*; {RUN}$"):
        held.fetch()
    assert held.file.path.read_bytes() == content


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_may_use(server, token, mode):
    held = token(left=1000)
    held.file.path.chmod(mode)
    with pytest.raises(SecretUnavailable, match=r"others may use the token file .*: chmod 600 "):
        held.fetch()


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (raw(503, b"<html>c4n4ry"), "is out of order: HTTP 503$"),
        (raw(429, {"error": "rate_limited"}), "is out of order: HTTP 429 rate_limited$"),
        (error("temporarily_unavailable"), "is out of order: HTTP 400 temporarily_unavailable$"),
        (raw(302, b""), "is out of order: HTTP 302$"),
        (raw(404, b"nothing"), "is out of order: HTTP 404$"),
        (raw(200, {"access_token": 5}), "can't be used: it holds no usable access_token$"),
        (raw(200, {"access_token": "a\r\nb"}), "can't be used: it holds no usable access_token$"),
        (raw(200, {"access_token": "a", "token_type": "mac"}), "can't be used: its token_type is not Bearer$"),
        (raw(200, {"access_token": "a", "expires_in": "soon"}), "can't be used: its expires_in is not a number"),
    ],
)
def test_a_server_out_of_order_is_asked_later(server, token, act, says):
    held = token()
    before = held.file.path.read_bytes()
    server.on("refresh", act)
    with pytest.raises(SecretUnavailable, match=says) as failed:
        held.fetch()
    assert not isinstance(failed.value, LoginRefused)
    assert held.file.path.read_bytes() == before
    assert held.fetch().reveal() in server.issued


@pytest.mark.parametrize("code", ["invalid_client", "unauthorized_client", "invalid_request", "invalid_scope"])
def test_a_client_that_the_server_does_not_like_is_no_matter_of_login(server, token, code):
    server.on("refresh", error(code, "AADSTS7000218: line one\r\nline \x1b[31mtwo", 401))
    with pytest.raises(
        LoginRefused, match=rf"^127.0.0.1: {code}: AADSTS7000218: line one line \\x1b\[31mtwo$"
    ) as failed:
        token().fetch()
    assert not isinstance(failed.value, LoginNeeded)
    assert failed.value.code == code


def test_providers_give_a_hint(server, token):
    server.on("refresh", error("invalid_client"))
    with pytest.raises(LoginRefused, match="invalid_client: allow public client flows"):
        token(provider="microsoft").fetch()


def test_a_server_that_is_not_there(server, token):
    held = token(token_uri="https://127.0.0.1:1/token")
    with pytest.raises(SecretUnavailable, match=r"^127\.0\.0\.1 can't be reached: .*refused"):
        held.fetch()


def test_while_the_old_token_lives_a_server_out_of_order_does_no_harm(server, token, caplog):
    server.on("refresh", raw(500, b""))
    assert token(left=100).fetch().reveal() == "c4n4ry-access-old"
    assert "can't be renewed yet: 127.0.0.1 is out of order: HTTP 500" in caplog.text


def test_a_server_that_can_not_prove_itself(server, token):
    with pytest.raises(ServerUntrusted, match=r"the certificate of 127\.0\.0\.1 can't be trusted: .*ca_file"):
        token(ca_file=None).fetch()
    assert sent(server) == []


def test_a_ca_file_without_certificates(server, token, tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(ServerUntrusted, match=r"ca_file .*: no certificates can be read"):
            token(ca_file=path).fetch()


def test_a_client_secret_that_can_not_be_read(server, token):
    with pytest.raises(SecretUnavailable, match="variable NOT_THERE for the client secret is not set"):
        token(client_secret=EnvironmentSource("NOT_THERE", "client secret")).fetch()


def test_without_a_successor_the_consent_would_end_within_the_hour(server, token):
    held = token(None)
    with pytest.raises(LoginRefused, match="no refresh token: is offline_access in the scope"):
        held.accept(Tokens(Secret("x"), 60.0, None))
    assert held.file.read() is None


def test_nothing_secret_is_told(server, token, caplog):
    """All the ways above, with a server that repeats what it was sent."""
    caplog.set_level(logging.DEBUG)
    told = []
    for code in ("invalid_grant", "invalid_client", "server_error", "weird"):
        held = token("c4n4ry-dead", previous="c4n4ry-older")
        said = error(code, "you sent c4n4ry-dead and c4n4ry-older with c4n4ry-client")
        server.on("refresh", *[said] * (2 if code == "invalid_grant" else 1))
        with pytest.raises((LoginRefused, SecretUnavailable)) as failed:
            held.fetch()
        error_ = failed.value
        while error_:
            told += [str(error_), repr(error_)]
            error_ = error_.__cause__
    held = token()
    held.fetch()
    told += [repr(held), str(held), repr(held.file.read()), caplog.text]
    everything = "".join(told)
    assert "you sent *** and" in everything
    assert "c4n4ry-client" not in everything
    assert "c4n4ry-access" not in everything
    assert not [line for line in told if "c4n4ry-dead" in line and "c4n4ry-older" in line]
