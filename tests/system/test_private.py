"""No other process of the same user reads the memory of the daemon; handlers may be such."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.system

#: As a user that permissions bind: whether a child can read what is its parent's alone, before and after.
PROGRAM = """
import ctypes, os, subprocess
from watcher.house import keep_memory_private
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # as it is after a start as that user
def spied():
    words = ["cat", f"/proc/{os.getpid()}/environ"]
    return subprocess.run(words, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True).stderr
"""


@pytest.mark.parametrize(("call", "words"), [("None", ""), ("keep_memory_private()", "Permission denied")])
def test_memory_is_closed_to_others(call, words):
    program = f"{PROGRAM}\n{call}\nprint(spied())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert (words in done.stdout) if words else not done.stdout.strip(), done.stdout


def test_no_core_is_written(tmp_path):
    program = f"{PROGRAM}\nkeep_memory_private()\nimport resource\nprint(resource.getrlimit(resource.RLIMIT_CORE))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "(0, 0)"
