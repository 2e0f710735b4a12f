"""
Child processes that load nothing but what they run.

Python's `spawn` imports the main program again in each child: for a command that is all of the daemon with its
libraries, twice the memory and time of a child that only takes mails apart.
"""

import sys
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.popen_spawn_posix import Popen
from multiprocessing.process import BaseProcess
from threading import Lock
from types import ModuleType
from typing import Any
from weakref import WeakSet

__all__ = ["LeanContext"]

_hiding = Lock()


class _LeanPopen(Popen):
    def _launch(self, process_obj: BaseProcess) -> None:
        # `multiprocessing.spawn.get_preparation_data` tells the child to import what it finds here, if it has a file.
        with _hiding:
            main = sys.modules["__main__"]
            sys.modules["__main__"] = ModuleType("__main__")
            try:
                super()._launch(process_obj)  # type: ignore[misc]
            finally:
                sys.modules["__main__"] = main


class _LeanProcess(SpawnProcess):
    @staticmethod
    def _Popen(process_obj: BaseProcess) -> Popen:  # noqa: N802 - the hook of multiprocessing
        return _LeanPopen(process_obj)


class LeanContext(SpawnContext):
    """As `multiprocessing.get_context("spawn")`, but its children don't import our main program, and can be killed."""

    def __init__(self) -> None:
        self._children: WeakSet[_LeanProcess] = WeakSet()

    def Process(self, **how: Any) -> _LeanProcess:  # type: ignore[override]  # noqa: N802 - stands for the class
        """A child that is not yet started."""
        child = _LeanProcess(**how)
        self._children.add(child)
        return child

    def kill(self) -> None:
        """Kill all children at once, those too that are just starting."""
        for child in list(self._children):
            if child.pid is not None:
                child.kill()
