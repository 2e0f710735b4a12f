"""Figures as tables: of each scenario who took part against what was measured, and what was asked."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from tests.bench.frame import Figure

__all__ = ["Table", "asked", "number", "shown", "tables"]

_MARKS = {True: "met", False: "MISSED", None: ""}


@dataclass(frozen=True)
class Table:
    """One that is to be shown."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def number(value: float) -> str:
    """With three digits, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def tables(figures: Iterable[Figure]) -> list[Table]:
    """One for each scenario, in order."""
    by_scenario: dict[str, list[Figure]] = {}
    for figure in figures:
        by_scenario.setdefault(figure.scenario, []).append(figure)
    return [_table(scenario, those) for scenario, those in by_scenario.items()]


def asked(figures: Iterable[Figure]) -> Table:
    """Everything that has a target."""
    rows = [
        (one.scenario, one.who, one.what, f"{number(one.value)} {one.unit}", one.target, _MARKS[one.met])
        for one in figures
        if one.target
    ]
    return Table("targets", ("scenario", "who", "what", "measured", "target", ""), tuple(rows))


def shown(figures: Sequence[Figure]) -> str:
    """All tables for a terminal or a log, and behind them the figures as one line of JSON."""
    texts = [_plain(table) for table in (*tables(figures), asked(figures)) if table.rows]
    return "\n\n".join([*texts, json.dumps([asdict(one) for one in figures])])


def _table(scenario: str, figures: Sequence[Figure]) -> Table:
    """Those who took part down, what was measured across; with one alone, what was measured down."""
    names = list(dict.fromkeys(one.who for one in figures))
    if len(names) == 1:
        return Table(
            scenario, ("what", "measured"), tuple((one.what, f"{number(one.value)} {one.unit}") for one in figures)
        )
    columns = list(dict.fromkeys((one.what, one.unit) for one in figures))
    values = {(one.who, one.what, one.unit): number(one.value) for one in figures}
    head = ("", *(f"{what}, {unit}" if unit else what for what, unit in columns))
    rows = ((name, *(values.get((name, *column), "-") for column in columns)) for name in names)
    return Table(scenario, head, tuple(rows))


def _plain(table: Table) -> str:
    lines = [table.head, *table.rows]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([table.title, *text])
