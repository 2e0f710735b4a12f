"""Secrets are masked by value: whatever text one of them gets into, it does not get out."""

import base64
import threading
from collections import Counter
from collections.abc import Iterator

__all__ = ["mask", "protect", "release"]

MASK = "***"
SHORTEST = 4  #: characters; a shorter secret stands in every other word

_lock = threading.RLock()  # the last holder of a secret may be cleared away in the midst of anything
_held: Counter[str] = Counter()
#: The forms of all secrets by their first characters, so that a line costs the same for one as for ten thousand.
_index: dict[str, frozenset[str]] = {}


def forms(secret: str) -> Iterator[str]:
    """How a secret may stand in a text: as it is, and in base64."""
    if not secret:
        return
    yield secret
    data = secret.encode()
    yield base64.b64encode(data).decode()
    # Within a longer text base64 depends on where the secret begins, modulo 3; its first and last letters on what is
    # around it. What is left of a short one would hide half of every other word.
    for before in range(3):
        inner = base64.b64encode(bytes(before) + data).decode().rstrip("=")[before and before + 1 : -1]
        if len(inner) >= 6:
            yield inner


def protect(secret: str) -> None:
    """From now on `mask` hides it."""
    with _lock:
        _held[secret] += 1
        for form in forms(secret) if _held[secret] == 1 else ():
            if len(form) >= SHORTEST:
                _index[form[:SHORTEST]] = _index.get(form[:SHORTEST], frozenset()) | {form}


def release(secret: str) -> None:
    """Once for each `protect`: nobody knows it any more."""
    with _lock:
        _held[secret] -= 1
        if _held[secret]:
            return
        del _held[secret]
        for form in forms(secret):
            left = _index.pop(form[:SHORTEST], frozenset()) - {form}
            if left:
                _index[form[:SHORTEST]] = left


def mask(text: str) -> str:
    """`text` without any secret that is known to this process, in any of its forms."""
    if _index.keys().isdisjoint([text[start : start + SHORTEST] for start in range(len(text) - SHORTEST + 1)]):
        return text
    found = {
        form
        for start in range(len(text) - SHORTEST + 1)
        for form in _index.get(text[start : start + SHORTEST], ())
        if text.startswith(form, start)
    }
    for form in sorted(found, key=len, reverse=True):
        text = text.replace(form, MASK)
    return text
