"""Pages that commands print, held to what a person has read and found good: the files in `snapshots/`."""

import os
import re
from pathlib import Path

__all__ = ["masked", "same_as_read"]

#: What differs from run to run, and what stands for it.
MASKS = (
    (r" *( \d+) ms ", lambda found: f"{'# ms':>{len(found[0]) - 1}} "),
    (r"/[^\s\"]*/test_[^/\s]+/|/tmp/tmp[^/\s]+/", "DIR/"),
    (r"(127\.0\.0\.1|localhost|::1)(:| port )\d+", r"\1\2PORT"),
    (r"^port = \d+", "port = PORT"),
    (r"UIDVALIDITY \d+", "UIDVALIDITY #"),
    (r" \([\d.]+ \+ [\d.]+ secs\)", ""),
    (r"trustme v[\d.]+", "trustme"),
    (r"in \d+ days", "in # days"),
    (r"within [123] s$", "within # s"),
)


def masked(page: str) -> str:
    for pattern, stands_for in MASKS:
        page = re.sub(pattern, stands_for, page, flags=re.MULTILINE)
    return page


def same_as_read(page: str, name: str) -> None:
    """Fails if the page is another one. With SNAPSHOTS=write the file is written anew: read it, then commit it."""
    path = Path(__file__).parent / "snapshots" / f"{name}.txt"
    if os.environ.get("SNAPSHOTS") == "write":
        path.write_text(masked(page), "utf-8")
    assert masked(page) == path.read_text("utf-8")
