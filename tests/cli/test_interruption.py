"""A command that is ended in the midst leaves nothing behind: no process, no copy of a mail."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.waiting import until

SLOW = {
    "slow": "#!/bin/sh\ntouch MARK\nexec sleep 600\n",
    "slow.py": "import os, time\ndef handle(message):\n    os.mkdir('MARK')\n    time.sleep(600)\n",
}


def of_place(place):
    """The processes that know of a directory, by their environment or their arguments."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            texts = (process / "environ").read_bytes(), (process / "cmdline").read_bytes()
        except OSError:
            continue
        found += [process.name for text in texts if os.fsencode(place) in text]
    return found


@pytest.mark.parametrize("name", SLOW)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_nothing_is_left(tmp_path, name, number):
    handler = tmp_path / name
    mark = tmp_path / "running"
    handler.write_text(SLOW[name].replace("MARK", str(mark)))
    handler.chmod(0o755 if name == "slow" else 0o644)
    place = tmp_path / "temporary"
    place.mkdir()
    command = [sys.executable, "-m", "watcher", "try", str(handler), "--json"]
    with subprocess.Popen(command, env={**os.environ, "TMPDIR": str(place)}, cwd=tmp_path) as trial:
        until(mark.exists, 60, "the handler to run")
        trial.send_signal(number)
        assert trial.wait(60) == (130 if number == signal.SIGINT else -number)
    until(lambda: not of_place(place), 60, "its processes to end")
    assert not list(place.iterdir())
