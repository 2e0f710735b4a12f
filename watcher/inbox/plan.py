"""How the folders of one account share its links. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Sharing", "share"]


@dataclass(frozen=True, slots=True)
class Sharing:
    """Which folders get a link of their own, in IDLE, and which share one."""

    own: tuple[str, ...]
    shared: tuple[str, ...]


def share(folders: Sequence[str], links: int, *, notify: bool) -> Sharing:
    """
    `links`: connections that the account may have at once, after-actions included; `notify`: one link can be told of
    news in all folders (RFC 5465), which is as quick as IDLE and costs least.
    """
    if notify:
        return Sharing((), tuple(folders))
    for_watching = max(1, links - 1)  # one is kept free for after-actions
    if len(folders) <= for_watching:
        return Sharing(tuple(folders), ())
    return Sharing(tuple(folders[: for_watching - 1]), tuple(folders[for_watching - 1 :]))
