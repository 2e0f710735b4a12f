"""One event, one line, in text and in JSON; what it is about; no secret."""

import json
import logging
import subprocess
import sys
from collections.abc import Mapping

import pytest

from watcher.config.secret import Secret
from watcher.model import Place
from watcher.service.logs import JsonLine, OneLine, fields_of

PLACE = Place("support", "INBOX", 7, 42)


def record(text: str, *arguments: object, level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord("watcher.inbox.receive", level, __file__, 1, text, arguments, None)


def test_a_line_can_be_searched_by_what_it_is_about() -> None:
    line = json.loads(JsonLine("%(message)s").format(record("%s: %d bytes", PLACE, 7)))
    assert line["message"] == "support/INBOX UID 42: 7 bytes"
    assert (line["account"], line["folder"], line["uid"]) == ("support", "INBOX", 42)
    assert (line["level"], line["room"]) == ("info", "inbox.receive")
    assert line["time"].endswith("+00:00")


@pytest.mark.parametrize("arguments", [(), ("words",), (5,), ({"a": 1},)])
def test_a_line_about_nothing_in_particular_has_no_fields(arguments: tuple[object, ...]) -> None:
    text = "all" if not arguments or isinstance(arguments[0], Mapping) else "%s"
    assert fields_of(record(text, *arguments)) == {}


@pytest.mark.parametrize("form", [OneLine("%(message)s"), JsonLine("%(message)s")])
@pytest.mark.parametrize(
    "words",
    ["a\nb", "a\r\n2026-11-22 ERROR forged", "\x1b[31mred", "\u2028", "\u202eabc", "\x00", "\x85", "\ud800"],
)
def test_an_event_is_one_printable_line(form: logging.Formatter, words: str) -> None:
    line = form.format(record("%s says %s", PLACE, words))
    assert line.isprintable()


@pytest.mark.parametrize("form", [OneLine("%(message)s"), JsonLine("%(message)s")])
def test_a_line_is_bounded(form: logging.Formatter) -> None:
    assert len(form.format(record("%s", "x" * 100_000))) < 3000


@pytest.mark.parametrize("form", [OneLine("%(message)s"), JsonLine("%(message)s")])
def test_no_secret_is_logged_not_even_by_a_bug(form: logging.Formatter) -> None:
    secret = Secret("canary-7531")
    try:
        int(f"LOGIN ann {secret.reveal()}")
    except ValueError:
        event = record("it broke: %s", "canary-7531", level=logging.ERROR)
        event.exc_info = sys.exc_info()
    assert "canary-7531" not in form.format(event)
    assert "***" in form.format(event)


def test_where_standard_error_is_no_journal_it_is_a_stream() -> None:
    code = (
        "from watcher.service.logs import start_log; start_log('info', 'json'); import logging; logging.info('hello')"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert json.loads(done.stderr)["message"] == "hello"
