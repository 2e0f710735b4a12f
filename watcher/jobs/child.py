"""
The other side of `host`: the process that holds one Python handler and calls it, mail by mail.

Standard input is the link to the daemon: one packet for each run, with the end of a pipe for what the run prints;
one packet back. End of file is the order to end. It imports little, as there may be many of these.
"""

import json
import os
import socket
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.machinery import SourceFileLoader
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import TextIO

from watcher.jobs.author import Later, Message, Reject, Stop

__all__ = ["Handle", "attempt", "load", "load_entry", "main"]

Handle = Callable[..., object]  #: its one argument: a Message, or a list of them
Answer = dict[str, object]  #: as JSON: `run`, the number of it, `verdict` or `exit`, `reason`, `delay`

#: The module of the handler: no library has this name, whatever the handler is called.
NAME = "__handler__"

#: Code whose lines tell an author nothing.
OURS = (__file__, "<frozen importlib")

#: Bytes of one packet at most; what the kernel lets through a socket by default.
PACKET = 200 * 1024


def main() -> None:
    """Load the handler named in argv, say whether that worked, then serve until the daemon hangs up."""
    link = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    os.dup2(null, 0)
    sys.stdout, sys.stderr = _stream(1), _stream(2)
    itself = os.getpid()
    try:
        handle = load(Path(sys.argv[1])) if sys.argv[1].startswith("/") else load_entry(sys.argv[1])
    except BaseException as error:  # noqa: BLE001 - whatever its code raises is the handler's fault, SystemExit too
        _say(link, null, {"run": 0, "verdict": "hold", "reason": f"can't be loaded: {_told(error)}"})
        return
    _end_if_not(itself)
    _say(link, null, {"run": 0, "verdict": "done"})
    serve(link, null, handle)


def load(program: Path) -> Handle:
    """The function `handle` of a handler's file. Raises whatever the file raises, or TypeError if it has none."""
    sys.path.append(str(program.parent))  # it may import its neighbours; last, so that they can't hide a library
    module = ModuleType(NAME)
    module.__file__ = str(program)
    sys.modules[NAME] = module
    SourceFileLoader(NAME, str(program)).exec_module(module)
    handle = getattr(module, "handle", None)
    if not callable(handle):
        raise TypeError(f"{program.name} has no function handle(message), and is no executable script")
    return handle  # type: ignore[no-any-return] # its author's to type


def load_entry(target: str) -> Handle:
    """The function named by an entry point, "package.module:function". Raises whatever its import raises."""
    module, _, attribute = target.partition(":")
    handle = attrgetter(attribute.split("[")[0].strip())(import_module(module.strip()))  # extras mean nothing any more
    if not callable(handle):
        raise TypeError(f"{target} is no function")
    return handle  # type: ignore[no-any-return] # its author's to type


def serve(link: socket.socket, null: int, handle: Handle) -> None:
    """Answer each packet with what came of the run."""
    itself = os.getpid()
    while True:
        packet, fds, _, _ = socket.recv_fds(link, PACKET, 1)
        if not packet:
            return
        request = json.loads(packet)
        _redirect(fds[0])
        os.close(fds[0])
        sys.stdout, sys.stderr = _stream(1), _stream(2)  # the handler may have closed the last ones
        os.environ.clear()
        os.environ.update(request["environment"])
        if "tempfile" in sys.modules:
            vars(sys.modules["tempfile"])["tempdir"] = None  # it remembers the directory of the last run
        os.chdir(request["folder"])
        answer = attempt(handle, Path(request["folder"]))
        _end_if_not(itself)
        _say(link, null, {"run": request["run"], **answer})
        os.chdir("/")


def attempt(handle: Handle, folder: Path) -> Answer:
    """Call the handler once; what came of it."""
    try:
        result = handle(_given(folder))
    except (Later, Stop, Reject) as raised:
        result = raised
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return {"exit": (error.code or 0) & 0xFF}
        sys.stderr.write(f"{error.code}\n")
        return {"exit": 1}
    except BaseException as error:  # noqa: BLE001 - the daemon is told, the process lives on for the next mail
        return {"verdict": "later", "reason": _told(error)}
    match result:
        case None:
            return {"verdict": "done"}
        case Later():
            return {"verdict": "later", "reason": _cut(result.reason), "delay": result.delay}
        case Stop():
            return {"verdict": "stop", "reason": _cut(result.reason)}
        case Reject():
            return {"verdict": "never", "reason": _cut(result.reason)}
    returned = type(result).__name__
    return {"verdict": "never", "reason": f"handle() returned {returned}; it returns None, Later, Stop or Reject"}


def _given(folder: Path) -> Message | list[Message]:
    """What the handler is called with: a mail, or if it has `batch` a list of them."""
    listed = os.environ.get("WATCHER_BATCH")
    if listed is None:
        return Message(folder, os.environ)
    shared = {name: os.environ[name] for name in ("WATCHER_ACTIONS", "WATCHER_ATTEMPT")}
    return [Message(path, shared) for path in Path(listed).read_text().splitlines()]


def _told(error: BaseException) -> str:
    """Print the trace, from the handler's own code on, as the interpreter would; the last line of it."""
    while (trace := error.__traceback__) and trace.tb_frame.f_code.co_filename.startswith(OURS):
        error.__traceback__ = trace.tb_next
    sys.excepthook(type(error), error, error.__traceback__)
    return _cut(f"{type(error).__name__}: {error}")


def _cut(reason: object) -> str:
    """What surely fits into a packet; the daemon keeps less."""
    return str(reason)[:1000]


def _say(link: socket.socket, null: int, answer: Answer) -> None:
    """Let go of what the run had open, then answer: who has the answer has all output."""
    for stream in (sys.stdout, sys.stderr):
        if not stream.closed:
            stream.flush()
    _redirect(null)
    link.send(json.dumps(answer, default=str).encode())


def _end_if_not(itself: int) -> None:
    """A handler that forks and forgets to end the copy lets that return too; it must not answer in our place."""
    if os.getpid() != itself:
        os._exit(0)


def _redirect(fd: int) -> None:
    os.dup2(fd, 1)
    os.dup2(fd, 2)


def _stream(fd: int) -> TextIO:
    return os.fdopen(fd, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


if __name__ == "__main__":
    main()
