"""What a running daemon tells of itself, in words."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["age", "counted", "lines_of", "name_of", "troubles"]


def lines_of(told: Mapping[str, Any]) -> Sequence[str]:
    """All of it, a line each."""
    lines = [line_of(folder) for folder in told["folders"]]
    lines += [canary(song) for song in told.get("canaries", ()) if not song["missing"]]
    lines += [f"{kind}: {counted(states)}" for kind, states in told["work"].items()]
    return [*lines, *troubles(told)]


def troubles(told: Mapping[str, Any]) -> Iterator[str]:
    """What concerns more than one folder."""
    if told.get("ledger"):
        yield f"the ledger can't be written, all waits: {told['ledger']}"
    yield from (f"not in force: {problem}" for problem in told.get("configuration", {}).get("refused", ()))
    yield from (canary(song) for song in told.get("canaries", ()) if song["missing"])
    yield from (f"handler {name}: {trouble}" for name, trouble in handlers(told).items())


def handlers(told: Mapping[str, Any]) -> Mapping[str, str]:
    """Those that are not as they should be, and why."""
    paused = {name: f"paused; `imap-watcher resume {name}` ends it" for name in told.get("paused", ())}
    return {**told.get("handlers", {}), **paused}


def line_of(folder: Mapping[str, Any]) -> str:
    trouble = f"  {folder['trouble']}" if folder["trouble"] else ""
    silent = f", NOT WATCHED: {folder['silence']}" if folder.get("silence") else ""
    facts = ", ".join(filter(None, (folder["state"], heard(folder), looked(folder), mails(folder), newest(folder))))
    return f"{name_of(folder)}: {facts}{silent}{trouble}"


def canary(song: Mapping[str, Any]) -> str:
    """One account whose canaries fly."""
    came = "has not come in yet"
    if song["age"] is not None:
        came = f"came in {age(song['age'])} ago, after {age(song['took'])}"
    missing = f"; MISSING: {song['missing']}" if song["missing"] else ""
    return f"{song['account']}: the canary {came}{missing}"


def name_of(folder: Mapping[str, Any]) -> str:
    return f"{folder['account']}/{folder['folder']}"


def heard(folder: Mapping[str, Any]) -> str:
    seconds = folder["age"]["heard"]
    return "never heard" if seconds is None else f"heard {age(seconds)} ago"


def looked(folder: Mapping[str, Any]) -> str:
    seconds = folder["age"]["scanned"]
    return "" if seconds is None else f"looked through {age(seconds)} ago"


def newest(folder: Mapping[str, Any]) -> str:
    last = folder.get("newest")
    if last is None:
        return ""
    handled = "" if last["lag"] is None else f", handled within {age(last['lag'])}"
    return f"the newest {age(last['age'])} old{handled}"


def age(seconds: float) -> str:
    """As a person says it: two figures are enough."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds:.1f} s"


def mails(folder: Mapping[str, Any]) -> str:
    left = folder["left_out"]
    return f"{folder['mails']} mails" + (f", {left} left out" if left else "")


def counted(states: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
