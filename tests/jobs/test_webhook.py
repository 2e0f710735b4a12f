"""Webhooks: what they are sent, what their answers mean, and where they may not lead."""

import base64
import email
import email.policy
import hashlib
import hmac
import json
import os
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest
import trustme

from tests.fakes.connect_proxy import ConnectProxy
from tests.fakes.hook_server import HookServer, Reply
from watcher.config.handlers import HandlerSettings
from watcher.config.proxies import Proxy
from watcher.config.secret import FileSource, PlainSource, Secret
from watcher.imap import names
from watcher.jobs.contract import key
from watcher.jobs.exchange import Answer
from watcher.jobs.parcel import Parcel, signature
from watcher.jobs.webhook import judge
from watcher.model import Action, Verb, Verdict

MATERIAL = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(MATERIAL).decode()


@pytest.fixture
def server():
    with HookServer() as server:
        yield server


@pytest.fixture
def hook(room, server):
    """Sets the handler `hook` to the server; more settings as named."""

    def hook(**settings):
        room.settings["hook"] = HandlerSettings(**{"url": server.url, "allow_private": True, **settings})
        return room.run("hook")

    return hook


def signed(request, material=MATERIAL):
    """Checks a signature as the documentation of Standard Webhooks says."""
    name, moment = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    content = f"{name}.{moment}.".encode() + request.body
    expected = base64.b64encode(hmac.new(material, content, hashlib.sha256).digest()).decode()
    return request.headers["webhook-signature"] == f"v1,{expected}"


# --- what is sent -----------------------------------------------------------------------------------------------------


def test_json_holds_the_facts_the_texts_and_the_run(room, server, hook):
    assert hook().verdict is Verdict.DONE
    [request] = server.requests
    assert request.target == "/hook?a=1"
    assert request.headers["content-type"] == "application/json"
    sent = json.loads(request.body)
    content, run = sent.pop("content"), sent.pop("run")
    assert sent == json.loads((room.spool / "m1" / "message.json").read_bytes())
    assert content == {"text": "Please pay.\n", "html": None, "cut": False}
    assert run == {
        "contract": 1,
        "handler": "hook",
        "key": key(room.work("hook")),
        "attempt": 1,
        "first_at": "2026-11-21T10:00:00+00:00",
        "sha256": room.work("hook").digest,
    }
    assert "webhook-signature" not in request.headers


def test_a_long_text_is_cut_and_that_is_told(room, server, hook):
    folder = room.mail()
    (folder.path / "body.txt").write_text("ä" * 300_000)
    assert hook().verdict is Verdict.DONE
    content = json.loads(server.requests[0].body)["content"]
    assert (len(content["text"]), content["cut"]) == (256 * 1024, True)


def test_multipart_holds_all_files(room, server, hook):
    raw = os.urandom(3_000_000)
    room.mail("m1", raw=raw)
    assert hook(format="multipart", secret=PlainSource(Secret(SECRET))).verdict is Verdict.DONE
    [request] = server.requests
    head = f"Content-Type: {request.headers['content-type']}\r\n".encode()
    parts = email.message_from_bytes(head + request.body, policy=email.policy.HTTP).get_payload()
    told = [(part.get_param("name", header="content-disposition"), part.get_filename()) for part in parts]
    assert told == [("message", "message.json"), ("mail", "message.eml"), ("attachment", "bill.pdf")]
    assert json.loads(parts[0].get_payload(decode=True))["content"]["text"] == "Please pay.\n"
    assert raw in request.body
    assert b"Content-Type: application/pdf\r\n\r\n%PDF-1.4 small\r\n--" in request.body
    assert signed(request)


@pytest.mark.parametrize(
    ("spoil", "verdict"),
    [
        (lambda folder: folder.facts.write_text("{"), Verdict.NEVER),
        (lambda folder: folder.facts.write_text("[]"), Verdict.NEVER),
        (lambda folder: folder.facts.write_text("{}"), Verdict.NEVER),
        (lambda folder: folder.facts.write_text("[" * 100_000), Verdict.NEVER),
        (
            lambda folder: folder.facts.write_text('{"text": "../../x", "html": null, "attachments": [{}]}'),
            Verdict.NEVER,
        ),
        (lambda folder: put(folder.path / "body.txt", os.mkfifo), Verdict.LATER),
        (lambda folder: put(folder.path / "body.txt", lambda path: path.symlink_to("/etc/passwd")), Verdict.LATER),
        (lambda folder: put(folder.path / "body.txt", Path.mkdir), Verdict.LATER),
        (lambda folder: put(folder.attachments / "bill.pdf", os.mkfifo), Verdict.LATER),
        (lambda folder: (folder.attachments / "bill.pdf").unlink(), Verdict.LATER),
    ],
)
def test_a_mail_folder_that_an_earlier_handler_has_spoilt(room, server, hook, spoil, verdict):
    spoil(room.mail())
    outcome = hook(format="multipart", timeout=30)
    assert outcome.verdict is verdict
    assert outcome.reason


def put(path, make):
    path.unlink()
    make(path)


def test_it_is_signed_with_the_key_of_the_run_and_the_time(room, server, hook):
    before = int(time.time())
    assert hook(secret=PlainSource(Secret(SECRET))).verdict is Verdict.DONE
    [request] = server.requests
    assert request.headers["webhook-id"] == key(room.work("hook"))
    assert before <= int(request.headers["webhook-timestamp"]) <= time.time()
    assert signed(request)
    assert not signed(request, bytes(32))


def test_the_published_example_of_standard_webhooks(room):
    """The vector that its libraries test themselves with."""
    parcel = Parcel("application/json", (b'{"test": 2432232314}',))
    secret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    name, moment = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330
    assert signature(secret, name, moment, parcel) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("text", ["secret", "whsec_", "whsec_dG9vIHNob3J0", "whsec_!!!", "whsec_" + "A" * 120])
def test_a_secret_that_is_none_holds_the_mail_and_is_not_told(room, server, hook, text):
    outcome = hook(secret=PlainSource(Secret(text)))
    assert outcome.verdict is Verdict.HOLD
    assert outcome.reason.startswith("the signing secret is none: it must be")
    assert text not in outcome.reason or text in {"secret", "whsec_"}
    assert server.requests == []


def test_a_secret_that_can_not_be_had_holds_the_mail(room, hook):
    outcome = hook(secret=FileSource(room.root / "none", "signing secret"))
    assert (outcome.verdict, outcome.reason.split(": ")[0]) == (
        Verdict.HOLD,
        f"the signing secret file {room.root}/none can't be read",
    )


# --- what an answer means ---------------------------------------------------------------------------------------------

STATED = {
    **dict.fromkeys(range(200, 300), Verdict.DONE),
    **dict.fromkeys(range(300, 400), Verdict.HOLD),
    **dict.fromkeys(range(400, 500), Verdict.NEVER),
    **dict.fromkeys((408, 425, 429, *range(500, 600)), Verdict.LATER),
    **dict.fromkeys((401, 403, 404, 405, 407, 410), Verdict.HOLD),
}


@pytest.mark.parametrize("status", range(200, 600))
def test_each_status_means_what_the_page_says(status):
    ending = judge(Answer(status, "Words", b"first\nsecond\n"), 0.0)
    assert ending.verdict is STATED[status]
    assert bool(ending.reason) == (status >= 300)
    assert ending.output == "first\nsecond\n"


@pytest.mark.parametrize("status", [200, 204, 302, 404, 410, 429, 500, 503])
def test_a_status_over_the_wire(server, hook, status):
    server.usual = Reply(status)
    outcome = hook()
    assert outcome.verdict is STATED[status]
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("text", "delay"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("99999999999999", 999999999.0),
        ("Sun, 22 Nov 2026 12:00:00 GMT", 3600.0),
        ("Sun, 22 Nov 2026 09:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1e9", None),
        ("", None),
        ("²", None),
    ],
)
def test_retry_after(text, delay):
    now = 1795345200.0  # 11:00 of that day
    assert judge(Answer(429, "", b"", retry_after=text), now).delay == delay


def test_a_redirect_is_not_followed(server, hook):
    server.usual = Reply(307, {"Location": "http://169.254.169.254/latest"})
    outcome = hook()
    assert outcome.verdict is Verdict.HOLD
    assert "to http://169.254.169.254/latest; no redirect is followed" in outcome.reason
    assert len(server.requests) == 1


def test_words_of_the_answer_are_made_printable(server, hook):
    server.usual = Reply(409, body=b"no such \x1b[2Jcustomer\nmore")
    outcome = hook()
    assert outcome.reason == "HTTP 409 Conflict: no such \\x1b[2Jcustomer"
    assert outcome.output == "no such \\x1b[2Jcustomer\nmore"


JSON = {"Content-Type": "application/json; charset=utf-8"}


def test_actions_of_the_answer(server, hook):
    wanted = [{"action": "flag", "flag": "$Booked"}, {"action": "note", "text": "as 4711"}]
    server.usual = Reply(200, JSON, json.dumps({"actions": wanted}).encode())
    outcome = hook()
    assert outcome.actions == (Action(Verb.FLAG, "$Booked"),)
    assert outcome.reason == "as 4711"


@pytest.mark.parametrize(
    ("status", "headers", "body", "verdict"),
    [
        (200, JSON, b'{"stop": true}', Verdict.STOP),
        (200, JSON, b'{"ok": true}', Verdict.DONE),
        (200, JSON, b"[]", Verdict.DONE),
        (200, {}, b'{"actions": [{"action": "sing"}]}', Verdict.DONE),  # it does not say that this is JSON
        (500, JSON, b'{"actions": [{"action": "sing"}]}', Verdict.LATER),
        (500, JSON, b'{"stop": true}', Verdict.LATER),
        (500, JSON, b"{", Verdict.LATER),
        (200, JSON, b'{"actions": [{"action": "sing"}]}', Verdict.NEVER),
        (200, JSON, b'{"actions": {}}', Verdict.NEVER),
        (200, JSON, b'{"actions": [1]}', Verdict.NEVER),
        (200, JSON, b"{", Verdict.NEVER),
        (200, JSON, b"[" * 100_000, Verdict.NEVER),
        (200, JSON, b'{"x": "' + b"x" * 300_000 + b'"}', Verdict.NEVER),
    ],
)
def test_an_action_is_never_silently_dropped(server, hook, status, headers, body, verdict):
    server.usual = Reply(status, headers, body)
    assert hook().verdict is verdict


# --- what goes wrong on the way ---------------------------------------------------------------------------------------


def hang(handler, _request):
    handler.server.over.wait(60)


def drip(handler, _request):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(10_000):
        handler.wfile.write(b"X: y\r\n"[:1])
        if handler.server.over.wait(0.05):
            return


def nonsense(handler, _request):
    handler.wfile.write(b"\x00\xff no HTTP\r\n\r\n")


def hang_up(handler, _request):
    handler.connection.shutdown(socket.SHUT_RDWR)


def half(handler, _request):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")


def less_than_nothing(handler, _request):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhalf")


def endless(handler, _request):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while not handler.server.over.is_set():
        handler.wfile.write(b"x" * 65536)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (hang, "no whole answer within 0.5 s"),
        (drip, "no whole answer within 0.5 s"),
        (nonsense, "it gave no whole answer: "),
        (hang_up, "it gave no whole answer: "),
        (half, "it gave no whole answer: IncompleteRead"),
        (less_than_nothing, "it gave no whole answer: "),
    ],
)
def test_no_whole_answer_is_tried_later(server, hook, behaviour, reason):
    server.usual = behaviour
    outcome = hook(timeout=0.5 if behaviour in {hang, drip} else 60)
    assert outcome.verdict is Verdict.LATER
    assert outcome.reason.startswith(reason)
    assert not calls()  # it was cut off, and does not go on behind our back


def calls():
    return [thread for thread in threading.enumerate() if thread.name == "webhook"]


def test_an_endless_answer_is_read_in_part(server, hook):
    server.usual = endless
    outcome = hook()
    assert outcome.verdict is Verdict.DONE
    assert len(outcome.output) < 70_000


def test_an_answer_before_all_was_sent_counts(room, hook):
    """A server that wants nothing so big says so and hangs up."""
    room.mail("m1", raw=bytes(20_000_000))
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse():
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1 << 20):
                    pass

        thread = threading.Thread(target=refuse)
        thread.start()
        outcome = hook(url=f"http://127.0.0.1:{listener.getsockname()[1]}/", format="multipart")
        thread.join()
    assert (outcome.verdict, outcome.reason) == (Verdict.NEVER, "HTTP 413 Too Large")


def test_nobody_there(room, hook):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    outcome = hook(url=f"http://127.0.0.1:{port}/")
    assert outcome.verdict is Verdict.LATER
    assert outcome.reason.endswith("Connection refused")


def test_it_is_cut_off_when_the_daemon_stops_and_uses_no_attempt(room, server, hook):
    begun = threading.Event()

    def wait(handler, _request):
        begun.set()
        handler.server.over.wait(60)

    server.usual = wait
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(hook()))
    thread.start()
    assert begun.wait(30)
    room.dispatcher.close()
    thread.join(30)
    assert outcomes[0].verdict is Verdict.HOLD
    assert outcomes[0].reason.startswith("interrupted")
    assert not calls()


def test_nothing_is_left_open(server, hook):
    hook()
    fds = Path("/proc/self/fd")
    before = len(list(fds.iterdir()))
    for behaviour in (Reply(), Reply(500), hang_up, nonsense):
        server.usual = behaviour
        hook()
    assert len(list(fds.iterdir())) <= before + 1  # the server's own


# --- where it may lead ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["http://hooks.example.org/", "https://127.0.0.1/", "https://[::ffff:10.0.0.1]/x"])
def test_what_can_be_seen_in_the_configuration_is_refused_there(url):
    with pytest.raises(ValueError, match="allow_private = true permits"):
        HandlerSettings(url=url)
    HandlerSettings(url=url, allow_private=True)


def test_a_name_that_leads_into_our_own_network_is_not_connected_to(room):
    """The name is public by its look; what counts is what it is found to be, and that one look-up is what is used."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.3)
        port = listener.getsockname()[1]
        room.settings["hook"] = HandlerSettings(url=f"https://localhost:{port}/")
        outcome = room.run("hook")
        with pytest.raises(TimeoutError):
            listener.accept()
    assert outcome.verdict is Verdict.HOLD
    assert outcome.reason.startswith("localhost has no public address (it is ")
    assert outcome.reason.endswith("allow_private = true permits that")


def test_a_second_look_up_with_another_answer_is_never_made(room, server, hook, monkeypatch):
    """Against a resolver that rebinds: what was checked is what is connected to."""
    asked = []
    ask_the_system = socket.getaddrinfo

    def rebinding(host, *rest, flags=0, **named):
        if host == "rebind.test" and not flags:
            asked.append(host)
            host = "127.0.0.1" if len(asked) == 1 else "127.255.255.255"
        return ask_the_system(host, *rest, flags=flags, **named)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    assert hook(url=f"http://rebind.test:{server.server_port}/").verdict is Verdict.DONE
    assert asked == ["rebind.test"]
    assert server.requests[0].headers["host"] == f"rebind.test:{server.server_port}"


@pytest.mark.parametrize(
    "addresses", [["10.1.2.3", "fd00::1"], ["::ffff:127.0.0.1"], ["64:ff9b::a9fe:a9fe"], ["169.254.169.254"]]
)
def test_all_that_a_name_is_found_to_be_is_checked(room, monkeypatch, addresses):
    ask_the_system = socket.getaddrinfo

    def resolver(host, port, *rest, flags=0, **named):
        if host != "inside.test" or flags:
            return ask_the_system(host, port, *rest, flags=flags, **named)
        return [line for one in addresses for line in ask_the_system(one, port, *rest, **named)]

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    monkeypatch.setattr(names, "_known", {})
    room.settings["hook"] = HandlerSettings(url="https://inside.test/")
    outcome = room.run("hook")
    assert outcome.verdict is Verdict.HOLD
    assert outcome.reason == (
        f"inside.test has no public address (it is {', '.join(addresses)}); allow_private = true permits that"
    )


@pytest.fixture
def secure_server():
    authority = trustme.CA()
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(trust)
    with HookServer(trust) as server:
        server.authority = authority
        yield server


def test_tls_is_verified(room, secure_server):
    url = secure_server.url
    room.settings["hook"] = HandlerSettings(url=url, allow_private=True)
    outcome = room.run("hook")
    assert outcome.verdict is Verdict.HOLD
    assert "the certificate of localhost can't be trusted" in outcome.reason
    ca_file = room.root / "ca.pem"
    secure_server.authority.cert_pem.write_to_path(str(ca_file))
    room.settings["hook"] = HandlerSettings(url=url, allow_private=True, ca_file=ca_file)
    assert room.run("hook").verdict is Verdict.DONE
    room.settings["hook"] = HandlerSettings(
        url=url.replace("localhost", "127.0.0.1"), allow_private=True, ca_file=ca_file
    )
    assert "it is for another" in room.run("hook").reason
    assert len(secure_server.requests) == 1
    assert secure_server.requests[0].headers["host"] == url.split("/")[2]


def test_through_a_proxy_it_goes_to_the_address_that_was_checked(server, hook):
    with ConnectProxy(("127.0.0.1", server.server_port)) as proxy:
        outcome = hook(proxy=Proxy("http", "127.0.0.1", proxy.port))
        assert outcome.verdict is Verdict.DONE
        assert {asked.rpartition(":")[0] for asked in proxy.asked} <= {"127.0.0.1", "[::1]"}
