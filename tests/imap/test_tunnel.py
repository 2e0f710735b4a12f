"""What a proxy may do to us, said in words; its answer in pieces, and the server's first words right behind it."""

import contextlib
import socket
import threading
import time

import pytest

from tests.imap.conftest import ME, endpoint
from watcher.config.proxies import Proxy
from watcher.config.secret import PlainSource, Secret
from watcher.errors import MailboxLost, ServerUntrusted
from watcher.imap.dial import dial
from watcher.imap.link import Endpoint, connect

USER = {"user": "me", "password": PlainSource(Secret("hush"))}
OK = b"\5\0\0\1\0\0\0\0\0\0"


class ScriptedProxy:
    """Takes one caller: for each of `answers` it reads what comes, and answers; a list is sent piece by piece."""

    def __init__(self, *answers):
        self.answers = answers
        self.heard = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.thread.join()

    def run(self):
        caller, _ = self.listener.accept()
        caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with caller, contextlib.suppress(ConnectionError):  # it leaves when it has heard enough
            self.serve(caller)

    def serve(self, caller):
        for answer in self.answers:
            self.heard.append(caller.recv(4096))
            for piece in answer if isinstance(answer, list) else [answer]:
                caller.sendall(piece)
                time.sleep(0.002)  # so that it goes out alone
        while caller.recv(4096):
            pass

    def dial(self, scheme, host="mail.test", seconds=5.0, **user):
        proxy = Proxy(scheme, *self.listener.getsockname(), **user)
        return dial(Endpoint(host, 993, proxy=proxy), time.monotonic() + seconds)


GREETING = b"* OK the server is here\r\n"


def pieces(data):
    return [bytes([byte]) for byte in data]


@pytest.mark.parametrize(
    ("scheme", "answers"),
    [
        ("socks5", [b"\5\0", OK + GREETING]),
        ("socks5", [pieces(b"\5\0"), [*pieces(OK), GREETING]]),
        ("socks5", [b"\5\0", b"\5\0\0\3\x09localhost\1\2" + GREETING]),
        ("socks5", [b"\5\0", b"\5\0\0\4" + bytes(18) + GREETING]),
        ("http", [b"HTTP/1.1 200 Connection established\r\n\r\n" + GREETING]),
        ("http", [[*pieces(b"HTTP/1.0 200\r\nVia: x\r\n\r\n"), GREETING]]),
    ],
)
def test_the_words_of_the_server_are_left_whole(scheme, answers):
    with ScriptedProxy(*answers) as proxy, proxy.dial(scheme) as sock, sock.makefile("rb") as lines:
        assert lines.readline() == GREETING


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("mail.test", b"\5\1\0\3\x09mail.test\3\xe1"),
        ("bücher.test", b"\5\1\0\3\x12xn--bcher-kva.test\3\xe1"),
        ("127.0.0.9", b"\5\1\0\1\x7f\0\0\x09\3\xe1"),
        ("::1", b"\5\1\0\4" + bytes(15) + b"\1\3\xe1"),
    ],
)
def test_names_are_for_the_proxy_to_look_up(host, asked):
    with ScriptedProxy(b"\5\2", b"\1\0", OK) as proxy:
        proxy.dial("socks5", host, **USER).close()
    assert proxy.heard == [b"\5\2\0\2", b"\1\2me\4hush", asked]


@pytest.mark.parametrize(("host", "target"), [("mail.test", b"mail.test:993"), ("::1", b"[::1]:993")])
def test_connect_by_http(host, target):
    with ScriptedProxy(b"HTTP/1.1 200 OK\r\n\r\n") as proxy:
        proxy.dial("http", host, **USER).close()
    assert proxy.heard == [
        b"CONNECT %s HTTP/1.1\r\nHost: %s\r\nProxy-Authorization: Basic bWU6aHVzaA==\r\n\r\n" % (target, target)
    ]


REFUSALS = [
    ("socks5", {}, [b"\5\2"], "wants a user and a password"),
    ("socks5", {}, [b"\5\xff"], "wants a user and a password"),
    ("socks5", USER, [b"\5\xff"], "wants no login by user"),
    ("socks5", USER, [b"\5\2", b"\1\1"], "user or password is wrong"),
    ("socks5", {}, [b"\5\0", b"\5\2\0\1" + bytes(6)], "its rules forbid that"),
    ("socks5", {}, [b"\5\0", b"\5\4\0\1" + bytes(6)], "the host can't be reached"),
    ("socks5", {}, [b"\5\0", b"\5\x63\0\1" + bytes(6)], "reply 99"),
    ("socks5", {}, [b"HT"], "does not speak SOCKS5"),
    ("http", {}, [b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"], "wants a user and a password"),
    ("http", USER, [b"HTTP/1.1 407 x\r\n\r\n"], "user or password is wrong"),
    ("http", {}, [b"HTTP/1.1 403 Filtered \x1b[2J\r\n\r\n"], r"403 Filtered \\x1b"),
    ("http", {}, [b"\5\xff\r\n\r\n"], "does not speak HTTP"),
    ("http", {}, [b"HTTP/1.1 200 OK\r\n" + b"x" * 20000], "does not speak HTTP"),
]


@pytest.mark.parametrize(("scheme", "user", "answers", "words"), REFUSALS)
def test_why_a_proxy_does_not_connect_us(scheme, user, answers, words):
    with ScriptedProxy(*answers) as proxy, pytest.raises(MailboxLost, match=words) as lost:
        proxy.dial(scheme, **user)
    assert "hush" not in str(lost.value)
    assert "mail.test:993" in str(lost.value)


@pytest.mark.parametrize("scheme", ["socks5", "http"])
def test_a_silent_proxy_keeps_nobody(scheme):
    with ScriptedProxy() as proxy, pytest.raises(MailboxLost, match="no answer in time"):
        proxy.dial(scheme, seconds=0.2)


@pytest.mark.parametrize("scheme", ["socks5", "http"])
def test_a_proxy_that_drips_keeps_nobody(scheme):
    """Each byte comes in time, the whole does not."""
    with ScriptedProxy([b"H"] * 1000) as proxy, pytest.raises(MailboxLost):
        proxy.dial(scheme, seconds=0.2)


def test_a_proxy_that_is_not_there_is_named(server):
    with pytest.raises(MailboxLost, match=r"can't connect to the proxy socks5://127\.0\.0\.1:1:"):
        connect(endpoint(server, proxy=Proxy("socks5", "127.0.0.1", 1)), ME)


def test_the_certificate_must_be_for_the_server_whoever_is_between(server):
    """A proxy that connects us to another machine is found out by TLS."""

    class Elsewhere(ScriptedProxy):
        def serve(self, caller):
            with socket.create_connection((server.host, server.port)) as there:
                caller.recv(4096)
                caller.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                there.sendall(caller.recv(65536))
                caller.sendall(there.recv(65536))
                while data := caller.recv(4096):
                    there.sendall(data)

    with Elsewhere() as proxy, pytest.raises(ServerUntrusted, match="it is for another name"):
        connect(
            endpoint(server, host="mail.bank.test", proxy=Proxy("http", *proxy.listener.getsockname())), ME, timeout=5
        )
