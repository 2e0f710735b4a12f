"""The pages for machines: what they say, and that nobody else gets to hear it."""

import http.client
import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.system.waiting import until
from watcher.config.listening import Listening, parse_listening
from watcher.errors import ConfigError
from watcher.inbox.pulse import Pulse, State
from watcher.model import Kind, Outcome, Place, Status, Verdict, Work
from watcher.outbox.canary import Song
from watcher.service import exposure
from watcher.service.exposure import MOST, Exposure
from watcher.service.heart import Heart
from watcher.service.metrics import MOST_ACCOUNTS, Metrics, Readings
from watcher.service.systemd import ServiceManager

PULSES = [
    Pulse("ann", "INBOX", State.LIVE, heard_at=1.0, answered=True),
    Pulse("bob", "INBOX", State.REFUSED, trouble="wrong password", answered=True),
]
SONGS = [Song("ann", 1.0, 2.5, ""), Song("bob", None, None, "it was sent 20 minutes ago")]


class Part:
    moved_at = 100.0


@pytest.fixture
def metrics() -> Metrics:
    made = Metrics()
    counts = {"job": {"dead": 2, "waiting": 1}}
    made.registry.register(Readings(lambda: PULSES, lambda: counts, lambda: 4096, lambda: SONGS))
    return made


def values(metrics: Metrics) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


def work(attempt: int = 1) -> Work:
    place, now = Place("ann", "INBOX", 7, 42), datetime.now(UTC)
    return Work(1, Kind.JOB, "book", "", 1, "key", place, now, "", attempt, attempt, 0, 0.0)


def test_metrics_are_read_by_prometheus(metrics: Metrics) -> None:
    with metrics.run("book"):
        metrics.ended(work(), Outcome(Verdict.DONE), Status.DONE)
    metrics.ended(work(2), Outcome(Verdict.HOLD, "paused"), Status.WAITING)
    told = values(metrics)
    assert told["imap_watcher_folders", ("live",)] == 1
    assert told["imap_watcher_folders", ("refused",)] == 1
    assert told["imap_watcher_folders", ("polling",)] == 0
    assert told["imap_watcher_account_up", ("ann",)] == 1
    assert told["imap_watcher_account_up", ("bob",)] == 0
    assert told["imap_watcher_work", ("job", "dead")] == 2
    assert told["imap_watcher_spool_free_bytes", ()] == 4096
    assert told["imap_watcher_canaries_missing", ()] == 1
    assert told["imap_watcher_canary_round_trip_seconds", ("ann",)] == 2.5
    assert told["imap_watcher_canary_age_seconds", ("ann",)] > 1e9
    assert ("imap_watcher_canary_age_seconds", ("bob",)) not in told
    assert told["imap_watcher_attempts_total", ("job", "done")] == 1
    assert told["imap_watcher_attempts_total", ("job", "held")] == 1
    assert told["imap_watcher_handler_run_seconds_count", ("book",)] == 1
    assert told["imap_watcher_mail_lag_seconds_count", ()] == 1


def test_many_accounts_make_no_label_each() -> None:
    metrics = Metrics()
    pulses = [Pulse(f"a{number}", "INBOX", State.LIVE) for number in range(MOST_ACCOUNTS + 1)]
    metrics.registry.register(Readings(lambda: pulses, dict, lambda: 1, list))
    told = values(metrics)
    assert told["imap_watcher_folders", ("live",)] == MOST_ACCOUNTS + 1
    assert not [name for name, _ in told if name.startswith("imap_watcher_account")]


@pytest.fixture
def heart() -> Heart:
    return Heart(ServiceManager(), lambda: PULSES, {"jobs": Part()}, lambda: 0, begun=lambda: None, now=100.0)


@pytest.fixture
def page(metrics: Metrics, heart: Heart) -> Iterator[Exposure]:
    pages = {"/metrics": lambda: (200, metrics.text()), "/healthz": heart.health, "/readyz": heart.readiness}
    opened = Exposure(Listening("127.0.0.1", 0), pages)
    yield opened
    opened.close()


def get(page: Exposure, path: str) -> tuple[int, str]:
    link = http.client.HTTPConnection("127.0.0.1", page.server.server_address[1], timeout=30)
    link.request("GET", path)
    answer = link.getresponse()
    told = answer.status, answer.read().decode()
    link.close()
    return told


def test_the_pages(page: Exposure, heart: Heart) -> None:
    heart.beat(101.0)
    assert get(page, "/healthz") == (200, "well\n")
    assert get(page, "/readyz") == (503, "bob/INBOX: refused: wrong password\n")
    assert get(page, "/metrics")[0] == 200
    assert get(page, "/secret")[0] == 404
    heart.beat(1000.0)
    assert get(page, "/healthz") == (503, "jobs has not moved for 900 s\n")


def test_all_accounts_watched_is_ready(page: Exposure, heart: Heart) -> None:
    heart.pulses = lambda: PULSES[:1]
    heart.beat(101.0)
    assert get(page, "/readyz") == (200, "1 live\n")


def test_a_socket_in_the_file_system_in_the_place_of_a_dead_one(tmp_path: Path, metrics: Metrics) -> None:
    path = tmp_path / "metrics.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    opened = Exposure(Listening(path=path), {"/metrics": lambda: (200, metrics.text())})
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(30)
        line.connect(str(path))
        line.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert line.recv(15) == b"HTTP/1.0 200 OK"
    opened.close()
    assert not path.exists()


def test_the_socket_of_another_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "metrics.sock"
    opened = Exposure(Listening(path=path), {})
    with pytest.raises(ConfigError, match="another process listens there"):
        Exposure(Listening(path=path), {})
    assert path.stat().st_mode & 0o777 == 0o666
    path.rename(tmp_path / "away")
    path.write_text("something else")
    opened.close()
    assert path.read_text() == "something else"


@pytest.mark.parametrize("dribble", [b"", b"GET /metrics HTTP/1.1\r\nX: "])
def test_a_crowd_costs_few_threads_and_is_outlived(page: Exposure, dribble: bytes) -> None:
    address = page.server.server_address[:2]
    before = threading.active_count()
    with ExitStack() as stack:
        for _ in range(200):
            line = stack.enter_context(socket.create_connection(address, timeout=30))
            with suppress(OSError):
                line.sendall(dribble)
        assert threading.active_count() <= before + MOST
    until(lambda: answers(page), 30, "an answer again")


def test_who_sends_a_byte_at_a_time_keeps_no_place(page: Exposure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposure, "LONGEST", 0.5)
    address, over = page.server.server_address[:2], threading.Event()

    def dribble(line: socket.socket) -> None:
        with suppress(OSError):
            while not over.wait(0.05):
                line.sendall(b"x")

    with ExitStack() as stack:
        lines = [stack.enter_context(socket.create_connection(address, timeout=30)) for _ in range(MOST)]
        threads = [threading.Thread(target=dribble, args=(line,)) for line in lines]
        for thread in threads:
            thread.start()
        until(lambda: answers(page), 30, "an answer beside them")
        over.set()
        for thread in threads:
            thread.join(30)


def answers(page: Exposure) -> bool:
    with suppress(OSError, http.client.HTTPException):
        return get(page, "/metrics")[0] == 200
    return False


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:9187", 200),
        ("localhost", 200),
        ("[::1]:9187", 200),
        ("LOCALHOST:1", 200),
        ("", 200),
        ("rebound.example", 421),
        ("127.0.0.1.example:9187", 421),
        ("10.0.0.1", 421),
    ],
)
def test_a_name_that_was_made_to_point_here_gets_nothing(page: Exposure, host: str, status: int) -> None:
    link = http.client.HTTPConnection("127.0.0.1", page.server.server_address[1], timeout=30)
    link.request("GET", "/metrics", headers={"Host": host})
    answer = link.getresponse()
    assert (answer.status, b"imap_watcher" in answer.read()) == (status, status == 200)
    link.close()


def test_a_place_that_is_taken_is_told(page: Exposure) -> None:
    port = page.server.server_address[1]
    with pytest.raises(
        ConfigError, match=rf"watcher\.metrics: can't listen on 127\.0\.0\.1:{port}: Address already in use"
    ):
        Exposure(Listening("127.0.0.1", port), {})
    assert urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30).status == 200


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("127.0.0.1:9187", Listening("127.0.0.1", 9187)),
        ("[::1]:9187", Listening("::1", 9187)),
        ("/run/x/metrics.sock", Listening(path=Path("/run/x/metrics.sock"))),
    ],
)
def test_places_to_listen(text: str, place: Listening) -> None:
    assert parse_listening(text) == place
    assert str(place) == text


@pytest.mark.parametrize(
    "text", ["0.0.0.0:9187", "10.0.0.1:80", "[::]:1", "localhost:1", "127.0.0.1:99999", "x", 5, True]
)
def test_places_where_others_could_hear(text: object) -> None:
    with pytest.raises(ValueError, match="loopback"):
        parse_listening(text)
