"""Consent in a browser: PKCE and state, a page that says what happened, and a port that closes again."""

import socket
import ssl
import threading
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

import pytest

from tests.fakes.oauth_server import error, lose
from watcher.config.oauth import consent_in_browser
from watcher.errors import LoginRefused, SecretUnavailable


class Browser:
    """Opens pages, follows redirects, and remembers what it saw."""

    def __init__(self, server):
        context = ssl.create_default_context(cafile=server.ca_file)
        self._opener = build_opener(ProxyHandler({}), HTTPSHandler(context=context))
        self.pages, self.asked = [], {}

    def __call__(self, page):
        self.asked = {key: values[0] for key, values in parse_qs(urlsplit(page).query).items()}
        self.get(page)

    def get(self, page):
        try:
            with self._opener.open(page, timeout=10) as answer:
                self.pages.append((answer.status, answer.read().decode(), dict(answer.headers)))
        except HTTPError as refused:
            self.pages.append((refused.code, refused.read().decode(), dict(refused.headers)))
            refused.close()


@pytest.fixture
def browser(server):
    return Browser(server)


def test_from_the_page_to_the_tokens(server, browser):
    tokens = consent_in_browser(server.client(), "me@example.com", browser)
    assert tokens.access.reveal() == server.issued[0]
    assert server.alive(tokens.refresh.reveal())
    asked = browser.asked
    assert (asked["login_hint"], asked["scope"], asked["client_id"]) == (
        "me@example.com",
        "imap offline_access",
        "watcher-id",
    )
    assert len(asked["state"]) >= 40
    [(status, text, headers)] = browser.pages
    assert status == 200
    assert "Thank you. You can close this window." in text
    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    redirect = urlsplit(asked["redirect_uri"])
    assert (redirect.scheme, redirect.hostname, redirect.path) == ("http", "127.0.0.1", "")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", redirect.port), 5)


def test_each_login_has_its_own_state_and_verifier(server, browser):
    seen = []
    for _ in range(2):
        consent_in_browser(server.client(), "me", browser)
        seen.append(
            (browser.asked["state"], browser.asked["code_challenge"], server.forms["code"][-1]["code_verifier"])
        )
    assert not set(seen[0]) & set(seen[1])


def test_what_comes_with_another_state_counts_for_nothing(server, browser):
    def show(page):
        asked = parse_qs(urlsplit(page).query)
        back = asked["redirect_uri"][0]
        for query in (
            "/?code=evil&state=wrong",
            "/?code=evil",
            "/favicon.ico",
            "/?state=%C3%A4",
            f"/?state={'x' * 60000}",
        ):
            browser.get(back + query)
        browser(page)

    assert consent_in_browser(server.client(), "me", show).access.reveal() == server.issued[0]
    assert [page[0] for page in browser.pages] == [404] * 5 + [200]
    assert len(server.forms["code"]) == 1


def test_connections_that_browsers_open_in_advance_do_no_harm(server, browser):
    held = []

    def show(page):
        port = urlsplit(parse_qs(urlsplit(page).query)["redirect_uri"][0]).port
        held.extend(socket.create_connection(("127.0.0.1", port)) for _ in range(3))
        browser(page)

    consent_in_browser(server.client(), "me", show)
    for connection in held:
        connection.close()


def test_it_is_denied(server, browser):
    server.deny = "access_denied"
    with pytest.raises(LoginRefused, match=r"^127\.0\.0\.1: access_denied: no, \\x1b\[31mthanks$"):
        consent_in_browser(server.client(), "me", browser)
    assert "Nothing was granted. You can close this window." in browser.pages[0][1]
    assert server.forms["code"] == []


def test_nobody_comes_back(server):
    with pytest.raises(SecretUnavailable, match="nobody came back from the browser within 0 minutes"):
        consent_in_browser(server.client(), "me", lambda _: None, patience=0.05)


@pytest.mark.parametrize(
    ("act", "says"), [(error("invalid_grant", "wrong verifier"), "invalid_grant"), (lose, "gave no answer")]
)
def test_the_code_is_not_taken(server, browser, act, says):
    server.on("code", act)
    with pytest.raises((LoginRefused, SecretUnavailable), match=says) as failed:
        consent_in_browser(server.client(), "me", browser)
    assert browser.asked["state"] not in str(failed.value)


def test_a_port_of_ones_own(server, browser):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LoginRefused, match=f"port {port} of 127.0.0.1 can't be used: Address already in use"):
            consent_in_browser(server.client(), "me", browser, port=port)
    consent_in_browser(server.client(), "me", browser, port=port)
    assert urlsplit(browser.asked["redirect_uri"]).port == port


@pytest.mark.parametrize(
    ("provider", "host", "extra"),
    [("google", "127.0.0.1", ("access_type", "offline")), ("microsoft", "localhost", ("prompt", "select_account"))],
)
def test_what_the_providers_want(server, browser, provider, host, extra):
    consent_in_browser(server.client(provider=provider), "me", browser)
    assert urlsplit(browser.asked["redirect_uri"]).hostname == host
    assert browser.asked[extra[0]] == extra[1]


def test_a_server_without_a_page(server):
    with pytest.raises(LoginRefused, match=r"^127\.0\.0\.1 has no page for a browser here: use --device$"):
        consent_in_browser(server.client(auth_uri=None), "me", lambda _: None)


def test_nothing_is_left_running(server, browser):
    before = set(threading.enumerate())
    consent_in_browser(server.client(), "me", browser)
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name == "loopback"]
