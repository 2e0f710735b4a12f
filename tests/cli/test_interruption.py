"""A command that is ended in the midst leaves nothing behind: no process, no copy of a mail."""

import os
import signal
import subprocess
import sys

import pytest

from tests.system.processes import using
from tests.system.waiting import until

SLOW = {
    "slow": "#!/bin/sh\ntouch MARK\nexec sleep 600\n",
    "slow.py": "import os, time\ndef handle(message):\n    os.mkdir('MARK')\n    time.sleep(600)\n",
}


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
    until(lambda: not using(place), 60, "its processes to end")
    assert not list(place.iterdir())
