"""Handlers that talk to somebody: a web server, a chat, a desktop, the sender; or run a command."""

import json
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
import trustme

from tests.handlers.conftest import Desk
from watcher.model import Verdict

# --- web servers ----------------------------------------------------------------------------------------------------


def test_webhook(shop, desk, letter):
    (shop.out / "token").write_text("t0k3n\n")
    shop.install("webhook", URL=f"http://127.0.0.1:{desk.port}/in", TOKEN_FILE=str(shop.out / "token"))
    mail = letter()
    for attempt in (1, 2):
        assert shop.run("webhook", mail, attempt).verdict is Verdict.DONE
    [(path, head, body), (_, again, _)] = desk.got
    assert (path, json.loads(body)["subject"], head["authorization"]) == ("/in", "Invoice 7", "Bearer t0k3n")
    assert head["idempotency-key"] == again["idempotency-key"]
    assert len(head["idempotency-key"]) == 32


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [(204, Verdict.DONE), (302, Verdict.NEVER), (404, Verdict.NEVER), (429, Verdict.LATER), (503, Verdict.LATER)],
)
def test_what_a_web_server_answers(shop, desk, letter, answer, verdict):
    desk.answer = answer
    shop.install("webhook", URL=f"http://127.0.0.1:{desk.port}/in")
    assert shop.run("webhook", letter()).verdict is verdict
    assert len(desk.got) == 1


def test_nobody_answers(shop, letter):
    shop.install("webhook", URL="http://127.0.0.1:9/in")
    assert shop.run("webhook", letter()).verdict is Verdict.LATER


def test_who_answers_speaks_no_http(shop, letter):
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor() as pool:

        def serve():
            caller, _ = server.accept()
            with caller:
                caller.recv(100_000)
                caller.sendall(b"220 smtp.example ready\r\n")

        served = pool.submit(serve)
        shop.install("webhook", URL=f"http://127.0.0.1:{server.getsockname()[1]}/in")
        outcome = shop.run("webhook", letter())
        served.result(30)
    assert outcome.verdict is Verdict.LATER
    assert "no answer: 220 smtp.example" in outcome.reason


def test_notify_chat(shop, desk, letter):
    (shop.out / "chats").write_text(f"# ours\njson://127.0.0.1:{desk.port}/chat\n")
    shop.install("notify-chat", URLS_FILE=str(shop.out / "chats"))
    assert shop.run("notify-chat", letter(verified=False)).verdict is Verdict.DONE
    [(path, _, body)] = desk.got
    told = json.loads(body)
    assert path.startswith("/chat")
    assert (told["title"], told["message"]) == ("ann@example.org (not verified): Invoice 7", "Please pay.")
    assert shop.run("notify-chat", letter("@everyone, look: <!channel> a@b.example")).verdict is Verdict.DONE
    assert json.loads(desk.got[1][2])["title"].endswith(": @\u200beveryone, look: <\u200b!channel> a@b.example")
    desk.answer = 500
    assert shop.run("notify-chat", letter()).verdict is Verdict.LATER
    (shop.out / "chats").write_text("nonsense://x\n")
    assert shop.run("notify-chat", letter()).verdict is Verdict.HOLD


@pytest.fixture
def secure():
    """The same server over TLS, and the authority of its certificate."""
    authority = trustme.CA()
    with Desk() as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server, authority
        server.shutdown()
        thread.join()


SIGNED = "v=1; a=rsa-sha256; d=example.org; s=x; h=From:Subject:List-Unsubscribe:List-Unsubscribe-Post; bh=eA==; b=eA=="

HALF, FOREIGN = SIGNED.replace(":List-Unsubscribe-Post", ""), SIGNED.replace("d=example.org", "d=evil.net")


def newsletter(letter, link, **more):
    fields = {
        "DKIM_Signature": SIGNED,
        "List_Unsubscribe": f"<mailto:leave@example.org>, <{link}>",
        "List_Unsubscribe_Post": "List-Unsubscribe=One-Click",
        **more,
    }
    return letter("News", **fields)


def test_unsubscribe(shop, secure, letter):
    server, authority = secure
    authority.cert_pem.write_to_path(shop.out / "ca.pem")
    shop.install("unsubscribe", ALLOW_PRIVATE="yes", SSL_CERT_FILE=str(shop.out / "ca.pem"))
    mail = newsletter(letter, f"https://localhost:{server.port}/leave?who=you%40x")
    assert shop.run("unsubscribe", mail).verdict is Verdict.DONE
    [(path, head, body)] = server.got
    assert (path, body) == ("/leave?who=you%40x", b"List-Unsubscribe=One-Click")
    assert head["content-type"] == "application/x-www-form-urlencoded"
    assert "cookie" not in head
    server.answer = 302
    assert shop.run("unsubscribe", mail).verdict is Verdict.NEVER
    assert len(server.got) == 2, "no redirect is followed"


@pytest.mark.parametrize("genuine", [HALF, HALF.replace("d=example.org", "d=news.example.org")])
def test_a_forged_signature_beside_a_genuine_one_covers_nothing(shop, secure, letter, genuine):
    """Who only passes on a signed mail could add the way to unsubscribe, and a signature that claims to cover it."""
    server, authority = secure
    authority.cert_pem.write_to_path(shop.out / "ca.pem")
    shop.install("unsubscribe", ALLOW_PRIVATE="yes", SSL_CERT_FILE=str(shop.out / "ca.pem"))
    mail = newsletter(letter, f"https://localhost:{server.port}/x")
    mail["DKIM-Signature"] = genuine
    outcome = shop.run("unsubscribe", mail)
    assert outcome.verdict is Verdict.NEVER
    assert "covers the way" in outcome.reason
    assert server.got == []
    mail = newsletter(letter, f"https://localhost:{server.port}/x")
    mail["DKIM-Signature"] = HALF.replace("d=example.org", "d=sender.net")
    assert shop.run("unsubscribe", mail).verdict is Verdict.DONE, "a service that sends for others signs what it likes"


@pytest.mark.parametrize(
    ("link", "more", "reason"),
    [
        ("http://localhost:PORT/x", {}, "no one-click way over https"),
        ("https://localhost:PORT/x", {"List_Unsubscribe_Post": None}, "no one-click way over https"),
        ("https://localhost:99999/x", {}, "no address"),
        ("https://localhost:PORT/\u00e4", {}, "no address"),
        (f"https://{'a' * 64}.example/x", {}, "no address"),
        ("https://[localhost/x", {}, "no address"),
        ("https://localhost:PORT/x", {"verified": False}, "its sender is"),
        ("https://localhost:PORT/x", {"DKIM_Signature": HALF}, "covers the way"),
        ("https://localhost:PORT/x", {"DKIM_Signature": FOREIGN}, "covers the way"),
        ("https://localhost:PORT/x", {}, "in a private network"),
    ],
)
def test_where_not_to_unsubscribe(shop, secure, letter, link, more, reason):
    server, _ = secure
    shop.install("unsubscribe")
    outcome = shop.run("unsubscribe", newsletter(letter, link.replace("PORT", str(server.port)), **more))
    assert outcome.verdict is Verdict.NEVER
    assert reason in outcome.reason
    assert server.got == []


# --- mail -----------------------------------------------------------------------------------------------------------


def test_forward(shop, letter):
    shop.install("forward", TO="ann@example.org, bob@example.org", TEXT="For you")
    assert shop.run("forward", letter()).verdict is Verdict.DONE
    [request] = shop.letters
    assert (request.action, request.to, request.text) == ("forward", ("ann@example.org", "bob@example.org"), "For you")
    assert shop.run("forward", letter("Out of office", Auto_Submitted="auto-replied")).verdict is Verdict.DONE
    assert len(shop.letters) == 1


def test_auto_reply_once_for_each_sender(shop, letter):
    shop.install("auto-reply", TEXT="I am away.", ADDRESSES="you@you.example", DAYS="7")
    first = letter()
    eve = letter(sender="eve@example.org", Reply_To="Eve <office@EXAMPLE.org>")
    for mail, replies in ((first, 1), (letter("another"), 1), (first, 2), (eve, 3)):
        assert shop.run("auto-reply", mail).verdict is Verdict.DONE
        assert len(shop.letters) == replies, "only a repeat of the same run answers again"
    assert {(request.action, request.text) for request in shop.letters} == {("reply", "I am away.")}


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"verified": False}, "its sender is failed"),
        ({"Auto_Submitted": "auto-generated"}, "sent by a machine"),
        ({"List_Id": "<l.example.org>"}, "sent by a machine, or over a list"),
        ({"Precedence": "bulk"}, "sent by a machine"),
        ({"sender": "noreply@example.org"}, "wants no answer"),
        ({"sender": "owner-talk@example.org"}, "wants no answer"),
        ({"To": "everybody@you.example"}, "does not name you"),
        ({"Reply_To": "ann@example.org, victim@example.net"}, "for which nobody vouches"),
    ],
)
def test_what_is_not_answered(shop, letter, more, reason):
    shop.install("auto-reply", TEXT="I am away.", ADDRESSES="you@you.example")
    outcome = shop.run("auto-reply", letter(**more))
    assert outcome.verdict is Verdict.DONE
    assert reason in outcome.output
    assert shop.letters == []


@pytest.mark.parametrize("dates", [{"FROM": "2099-01-01"}, {"UNTIL": "2020-01-01"}])
def test_only_while_away(shop, letter, dates):
    shop.install("auto-reply", TEXT="I am away.", ADDRESSES="you@you.example", **dates)
    assert "not answered: your absence" in shop.run("auto-reply", letter()).output


# --- this machine ---------------------------------------------------------------------------------------------------


def test_notify_desktop(shop, letter):
    tool = shop.out / "notify-send"
    tool.write_text(f'#!/bin/sh\nprintf "%s\\n" "$DBUS_SESSION_BUS_ADDRESS" "$@" > "{shop.out}/shown"\n')
    tool.chmod(0o755)
    shop.install("notify-desktop", PATH=f"{shop.out}:/usr/bin:/bin", DBUS_SESSION_BUS_ADDRESS="unix:path=/x")
    assert shop.run("notify-desktop", letter("<b>-rf</b>", verified=False)).verdict is Verdict.DONE
    shown = (shop.out / "shown").read_text().splitlines()
    assert shown[0] == "unix:path=/x"
    assert shown[-4:] == ["--", "Ann (not verified)", "&lt;b&gt;-rf&lt;/b&gt;", "Please pay."]


@pytest.fixture
def command(shop):
    """A table of two commands that leave a trace."""
    table = shop.out / "commands.toml"
    table.write_text(f'"go" = ["sh", "-c", "echo $# >> {shop.out}/ran"]\n"fail" = ["false"]\n')
    shop.install("run-command-on-subject", COMMANDS=str(table), SENDERS="ann@example.org")
    return shop.out / "ran"


def test_run_command_once(shop, command, letter):
    mail = letter("go")
    assert shop.run("run-command-on-subject", mail).verdict is Verdict.DONE
    repeated = shop.run("run-command-on-subject", mail, 2)
    assert repeated.verdict is Verdict.NEVER
    assert "it was begun before" in repeated.reason
    assert command.read_text() == "0\n", "it ran twice, or with something of the mail"
    assert shop.run("run-command-on-subject", letter("fail")).verdict is Verdict.NEVER


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"verified": False}, "its sender is failed"),
        ({"sender": "eve@example.org"}, "none of SENDERS"),
        ({"subject": "go; rm -rf /"}, "in no line of the table"),
        ({"Date": datetime.now(UTC) - timedelta(hours=2)}, "too old"),
        ({"Date": datetime.now(UTC) + timedelta(hours=2)}, "from the future"),
        ({"Message_ID": None, "Message-ID": None}, "no Message-ID"),
    ],
)
def test_who_may_not_run_it(shop, command, letter, more, reason):
    outcome = shop.run("run-command-on-subject", letter(**{"subject": "go", **more}))
    assert outcome.verdict is Verdict.NEVER
    assert reason in outcome.reason
    assert not command.exists()
