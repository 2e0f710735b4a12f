"""Room for many IDLE links: Dovecot needs one inotify instance for each, and the kernel's default is 128 a user."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["inotify_room"]

INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")


@contextmanager
def inotify_room(instances: int) -> Iterator[None]:
    """Raise the limit to `instances` while this is open. Only root can; else Dovecot looks for news every second."""
    before = int(INSTANCES.read_text())
    if before >= instances or os.geteuid() != 0 or not os.access(INSTANCES, os.W_OK):
        yield
        return
    INSTANCES.write_text(str(instances))
    try:
        yield
    finally:
        if int(INSTANCES.read_text()) == instances:  # else another run has set it meanwhile
            INSTANCES.write_text(str(before))
