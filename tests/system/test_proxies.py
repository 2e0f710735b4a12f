"""The way to a real server through real proxies, with TLS from end to end."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.system.daemon import Daemon, Watched
from tests.system.dovecot import Dovecot
from tests.system.mails import mails
from tests.system.proxies import PASSWORD, USER, microsocks, tinyproxy
from watcher.config.proxies import Proxy
from watcher.config.secret import PlainSource, Secret
from watcher.errors import MailboxLost, ServerUntrusted
from watcher.imap.link import Credential, Endpoint, connect

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def server():
    with Dovecot(users=("alice", "bob")) as running:
        yield running


@pytest.fixture(params=["socks5", "http"])
def scheme(request):
    return request.param


@pytest.fixture(params=[False, True], ids=["open", "login"])
def login(request):
    return request.param


@pytest.fixture
def proxy(scheme, login, server, tmp_path):
    """A running one, as it must be asked."""
    ports = (server.port, server.starttls_port)
    started = microsocks(login=login) if scheme == "socks5" else tinyproxy(tmp_path, ports, login=login)
    with started as port:
        user = {"user": USER, "password": PlainSource(Secret(PASSWORD))} if login else {}
        yield Proxy(scheme, "127.0.0.1", port, **user)


def alice(server):
    return Credential("alice", Secret(server.password))


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_a_link_goes_through_it(server, proxy, tls):
    port = server.port if tls == "implicit" else server.starttls_port
    link = connect(Endpoint("127.0.0.1", port, tls, server.ca_file, proxy=proxy), alice(server))
    assert link.examine("INBOX").uidvalidity
    link.logout()


@pytest.mark.parametrize("login", [True], indirect=True)
@pytest.mark.parametrize("known", [True, False], ids=["wrong", "none"])
def test_who_may_not_use_it_is_told(server, proxy, known):
    wrong = {"password": PlainSource(Secret("wrong"))} if known else {"user": "", "password": None}
    words = "its user or password is wrong" if known else "wants a user and a password"
    with pytest.raises(MailboxLost, match=words):
        connect(
            Endpoint("127.0.0.1", server.port, ca_file=server.ca_file, proxy=replace(proxy, **wrong)), alice(server)
        )


@pytest.mark.parametrize("login", [False], indirect=True)
def test_the_name_of_the_server_is_checked_behind_it(server, proxy):
    """0.0.0.0 is this machine too, so the same server, by an address that its certificate does not hold."""
    with pytest.raises(ServerUntrusted, match="it is for another address"):
        connect(Endpoint("0.0.0.0", server.port, ca_file=server.ca_file, proxy=proxy), alice(server))


@pytest.mark.parametrize("login", [False], indirect=True)
def test_a_server_that_is_not_there_is_told_by_the_proxy(server, proxy):
    with pytest.raises(MailboxLost, match=f"the proxy {proxy} does not connect us"):
        connect(Endpoint("127.0.0.1", 1, ca_file=server.ca_file, proxy=proxy), alice(server))


def established(port):
    """Whether a connection to this port of 127.0.0.1 stands (proc_net_tcp of the kernel's documentation)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return ["0100007F", f"{port:04X}", "01"] in [[*row[2].split(":"), row[3]] for row in rows]


@pytest.mark.parametrize("login", [True], indirect=True)
def test_a_mail_is_pushed_through_it(server, proxy, tmp_path):
    (made,) = mails(1)
    home, secret = tmp_path / "home", tmp_path / "proxy"
    home.mkdir()
    secret.touch(mode=0o600)
    secret.write_text(PASSWORD)
    url = f"{proxy.scheme}://{USER}@127.0.0.1:{proxy.port}"
    settings = f'proxy = {{ url = "{url}", password = {{ file = "{secret}" }} }}'
    with Daemon(home, server, [Watched("bob", settings=settings)]) as daemon:
        daemon.until(lambda: server.connections().get("bob"), 60, "the link")
        assert established(proxy.port)
        server.deliver("bob", made.raw)
        daemon.until(daemon.events, 60, "the mail")
        assert PASSWORD not in daemon.log()
        assert daemon.stop() == 0
