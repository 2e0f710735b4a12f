"""What holds for every handler of the distribution: what its head says, and what no mail may bring it to."""

import ast
import re

import pytest

from tests.handlers.conftest import SHIPPED
from watcher.cli.handlers.shipped import find_shipped
from watcher.config import load
from watcher.jobs.conformance import CASES, conform
from watcher.model import Verdict

FILES = sorted(path for path in SHIPPED.iterdir() if path.is_file())

#: Handler -> settings with which it works; DIR stands for a directory of its own, PORT for that of a web server.
SETTINGS = {
    "auto-reply": {"TEXT": "I am away.", "ADDRESSES": "support@example.com", "ANYBODY": "yes"},
    "bounce-report": {"FILE": "DIR/bounces.jsonl"},
    "calendar-to-ics-folder": {"TO": "DIR/calendar", "ANYBODY": "yes"},
    "dmarc-report": {"FILE": "DIR/dmarc.csv"},
    "forward": {"TO": "ann@example.org"},
    "invoice-pdf": {"TO": "DIR/invoices"},
    "notify-chat": {"URLS_FILE": "DIR/chats"},
    "notify-desktop": {"PATH": "DIR/bin:/usr/bin:/bin"},
    "otp-to-clipboard-or-file": {"TO": "DIR/otp", "ANYBODY": "yes"},
    "run-command-on-subject": {"COMMANDS": "DIR/commands.toml", "SENDERS": "ann@example.org"},
    "save-attachments": {"TO": "DIR/saved"},
    "to-jsonl": {"FILE": "DIR/mail.jsonl"},
    "to-maildir": {"TO": "DIR/maildir"},
    "to-sqlite": {"FILE": "DIR/mail.db"},
    "unsubscribe": {},
    "webhook": {"URL": "http://127.0.0.1:PORT/in"},
}
UNSET = sorted(set(SETTINGS) - {"notify-desktop", "unsubscribe"})

#: Those that must not take a mail for which they have nothing to do as done.
CHOOSY = {"run-command-on-subject", "unsubscribe", "invoice-pdf", "dmarc-report"}

#: The rest is much the same for all.
ODDEST = {"ordinary", "repeated", "empty", "broken words", "name", "terminal"}


def test_each_is_known_here():
    assert [path.stem for path in FILES] == sorted(SETTINGS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_its_head_says_what_it_does_how_it_is_set_and_how_it_is_used(path, tmp_path):
    text = path.read_text()
    header = text[: text.index("An example:") + 500]
    for name in re.findall(r"(?:\benviron(?:\.get\(|\[)['\"]|\$\{)([A-Z_]+)\b", text):
        assert name.startswith("WATCHER") or re.search(rf"^[# ]+{name}(,| )", header, re.MULTILINE), name
    assert f'run = ["{path.stem}"]' in header
    assert f"[handler.{path.stem}]" in header
    if text.startswith("#!/usr/bin/env python3") or path.suffix == ".py":
        ast.parse(text)
    assert bool(path.stat().st_mode & 0o100) == text.startswith("#!")
    assert max(map(len, text.splitlines())) <= 120
    assert len(text.splitlines()) <= 125

    file = tmp_path / "config.toml"
    account = '[account.x]\naddress = "x@example.com"\npassword = { env = "X" }\nfolders = ["INBOX", "Unwanted"]\n'
    file.write_text(account + find_shipped(path.stem).example)
    file.chmod(0o600)
    assert path.stem in load(file).handlers


@pytest.mark.parametrize("name", UNSET)
def test_one_that_is_not_set_holds_its_mail(shop, letter, name):
    shop.install(name)
    outcome = shop.run(name, letter())
    assert outcome.verdict is Verdict.HOLD
    assert f"[handler.{name}] env = " in outcome.reason


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_it_keeps_to_the_contract_on_the_oddest_mails(shop, desk, name):
    (shop.out / "bin").mkdir()
    (shop.out / "bin" / "notify-send").write_text("#!/bin/sh\nexit 0\n")
    (shop.out / "bin" / "notify-send").chmod(0o755)
    (shop.out / "chats").write_text(f"json://127.0.0.1:{desk.port}/in\n")
    (shop.out / "commands.toml").write_text('"Invoice 7" = ["true"]\n')
    environment = {key: value.replace("DIR", str(shop.out)) for key, value in SETTINGS[name].items()}
    shop.install(name, **{key: value.replace("PORT", str(desk.port)) for key, value in environment.items()})
    cases = [case for case in CASES if case.name in ODDEST]
    faults = {found.case.name: found.fault for found in conform(shop.dispatcher, shop.root / "spool", name, cases)}
    faults = {case: fault for case, fault in faults.items() if fault}
    if name in CHOOSY:
        faults = {case: fault for case, fault in faults.items() if "refuses a mail that has nothing odd" not in fault}
    assert faults == {}
    assert len(cases) == len(ODDEST)
