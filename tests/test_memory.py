"""What the daemon sets once for the memory of its process."""

import ctypes
import subprocess
import sys

from watcher.house import keep_memory_small

MB = 1 << 20
FIELDS = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"


class Mallinfo2(ctypes.Structure):
    """mallinfo(3): of glibc's one heap."""

    _fields_ = tuple((name, ctypes.c_size_t) for name in FIELDS.split())


def beside_the_heap() -> int:
    """Bytes of large pieces, each of which goes back to the system when it is free."""
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = Mallinfo2
    return mallinfo2().hblkhd


def test_nothing_large_comes_into_the_heap_after_something_larger_was_free():
    asked = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=True, timeout=60)
    assert int(asked.stdout) >= MB


if __name__ == "__main__":
    keep_memory_small()
    bytes(8 * MB)
    before = beside_the_heap()
    held = bytes(MB)
    sys.stdout.write(str(beside_the_heap() - before))
