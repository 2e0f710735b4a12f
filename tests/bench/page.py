"""
`docs/performance.md`: the text in it is written by hand, and what stands between a pair of marks by the bench. Beside
it are a picture, and all figures as JSON, from which both are made; a scenario that did not run keeps its last ones.
"""

import json
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.bench import peers
from tests.bench.contestants import FLOOR
from tests.bench.crowds import BARE
from tests.bench.frame import Figure
from tests.bench.latency import DISK
from tests.bench.plot import Panel, drawn
from tests.bench.table import Table, asked, tables
from tests.system.dovecot import DOVECOT

__all__ = ["Measured", "filled", "machine", "panels", "programs", "write"]

_DOCS = Path(__file__).parents[2] / "docs"
_MARK = "<!-- {name}: written by `make bench` -->"
_END = "<!-- end -->"

_LOAD = os.getloadavg()[0]  # as the bench starts
_FLOORS = frozenset({FLOOR.name, BARE})

#: What the picture shows: scenario, measure, title.
_SHOWN = (
    ("L1", "p50", "L1: from delivery to handler, median, ms (less is better)"),
    ("L1", "p99", "L1: the same, p99, ms (less is better)"),
    ("T1", "rate", "T1: 2,000 waiting mails, mails/s (more is better)"),
    ("T1", "peak RSS", "T1: peak memory meanwhile, MB (less is better)"),
    ("B1", "peak RSS", "B1: peak memory with a mail of 50 MB, MB (less is better)"),
    ("M1 5,000", "memory of each", "M1: memory of each of 5,000 idle mailboxes, kB (less is better)"),
    ("M1 5,000", "paced p99", "M1: a mail to each of them, p99, ms (less is better)"),
)


@dataclass(frozen=True)
class Measured:
    """The figures of one scenario."""

    scenario: str
    when: str  #: date
    where: str  #: the machine, in words
    figures: tuple[Figure, ...]


def machine() -> str:
    """Processor, memory, system, Python and what else went on, in words."""
    processor = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    name = processor[1] if processor else platform.machine()
    system = f"Linux {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores of {name}, {memory:.0f} GiB, {system}, load {_LOAD:.1f} before it began"


def programs() -> str:
    """What took part, with versions, in words."""
    server = subprocess.run([DOVECOT, "--version"], capture_output=True, text=True, check=True).stdout.split()[0]
    own = {name: version(name) for name in ("imapclient", "mail-parser")}
    return ", ".join(f"{name} {number}" for name, number in {"Dovecot": server, **own, **peers.versions()}.items())


def write(figures: Sequence[Figure], programs: str, docs: Path = _DOCS) -> None:
    """Put the figures into the page, the picture and the JSON."""
    kept = {one.scenario: one for one in _read(docs / "performance.json")}
    for scenario in dict.fromkeys(one.scenario for one in figures):
        those = tuple(one for one in figures if one.scenario == scenario)
        kept[scenario] = Measured(scenario, f"{datetime.now(UTC):%Y-%m-%d}", machine(), those)
    page = docs / "performance.md"
    page.write_text(filled(page.read_text(), kept.values(), programs))
    found = tuple(one for each in kept.values() for one in each.figures)
    (docs / "performance.svg").write_text(drawn(panels(found)))
    (docs / "performance.json").write_text(json.dumps([asdict(one) for one in kept.values()], indent=1) + "\n")


def filled(page: str, measured: Iterable[Measured], programs: str) -> str:
    """The page with the tables of these; marks of which nothing is known keep what they hold."""
    those = list(measured)
    texts = {one.scenario: f"{one.when}, {one.where}\n\n" + _table(tables(one.figures)[0]) for one in those}
    texts["programs"] = programs
    texts["targets"] = _table(asked(figure for one in those for figure in one.figures))
    for name, text in texts.items():
        mark = _MARK.format(name=name)
        page = re.sub(
            f"{re.escape(mark)}.*?{re.escape(_END)}",
            lambda _, new=f"{mark}\n{text}\n{_END}": new,
            page,
            flags=re.DOTALL,
        )
    return page


def panels(figures: Iterable[Figure]) -> list[Panel]:
    """Those of the picture of which there are figures."""
    those = list(figures)
    found = []
    for scenario, what, title in _SHOWN:
        bars = tuple(
            (one.who, one.value) for one in those if (one.scenario, one.what) == (scenario, what) and one.who != DISK
        )
        if bars:
            found.append(Panel(title, bars, _FLOORS))
    return found


def _read(file: Path) -> list[Measured]:
    if not file.exists():
        return []
    rows = json.loads(file.read_text())
    return [Measured(**{**row, "figures": tuple(Figure(**one) for one in row["figures"])}) for row in rows]


def _table(table: Table) -> str:
    """In Markdown."""
    lines = [table.head, ("---",) * len(table.head), *table.rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
