"""The contests run: a few mails through the floor, a loop and ourselves, on a real server."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.contestants import FLOOR, SCRIPT, TUNED_PARSING, WARM, Contestant
from tests.bench.latency import DISK, delays_of, figures
from tests.bench.throughput import fill, run
from tests.bench.workbench import prompt_dovecot, workbench
from tests.system.mails import mails

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
WHO = [FLOOR, WARM, SCRIPT, TUNED_PARSING]


def test_all_get_every_mail_one_at_a_time(capfd):
    absent = Contestant("nobody", lambda seat: [sys.executable, "-c", "raise SystemExit('not today')"])
    with workbench() as bench:
        delays = delays_of(bench, [*WHO[:2], absent, *WHO[2:]], mails=2)
    assert {name: len(taken) for name, taken in delays.items()} == {DISK: 2, **{who.name: 2 for who in WHO}}
    assert all(0 < one.sent < 60 for taken in delays.values() for one in taken)
    assert {figure.who for figure in figures(delays)} == set(delays)
    assert re.search(r"nobody is left out, .*: not today\n", capfd.readouterr().err)


def test_dovecot_is_without_its_wait():
    with workbench() as bench, prompt_dovecot(bench, ["alice"]) as server, server.imap("alice") as link:
        link.select()
        maps = [Path(f"/proc/{pid}/maps").read_text() for pid in server.processes()]
        assert any(str(bench.prompt) in each and "libdovecot-storage" in each for each in maps)


def test_a_full_inbox_is_worked_off():
    with workbench() as bench, prompt_dovecot(bench, ["full"]) as server:
        sizes = fill(server, "full", mails(100))
        for who in (FLOOR, WARM):
            done = run(bench, server, "full", who, sizes)
            assert done is not None, who.name
            assert (done.mails, done.size) == (100, sum(sizes.values()))
            assert done.seconds > 0
            assert done.peak.rss > 0


def test_the_command_tells_how_far_it_is_and_judges_no_rough_numbers():
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "B1"],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "QUICK": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\d\d:\d\d B1: ours, warm Python: ", done.stderr, re.MULTILINE)
    assert re.search(r"^B1 +ours, warm Python +peak RSS +\d+ MB +under 150$", done.stdout, re.MULTILINE)
