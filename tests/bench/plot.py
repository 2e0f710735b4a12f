"""Bars in SVG, that a page can show: one panel for each thing that was measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from tests.bench.table import number

__all__ = ["Panel", "drawn"]

_WIDTH, _NAMES, _VALUES = 760, 260, 90
_BAR, _GAP, _TITLE = 16, 6, 34
_OURS, _FLOOR, _OTHER = "#0b6e4f", "#b0b7bd", "#7a9cc6"


@dataclass(frozen=True)
class Panel:
    """Bars of one measure."""

    title: str
    bars: tuple[tuple[str, float], ...]  #: who, value
    floors: frozenset[str] = frozenset()  #: who is no peer but the least that is possible


def drawn(panels: Sequence[Panel]) -> str:
    """One picture of all panels, one below the other."""
    parts, top = [], 0
    for panel in panels:
        parts.append(_panel(panel, top))
        top += _height(panel)
    style = "font-family: sans-serif; font-size: 13px; fill: #222"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{top}" style="{style}">\n'
        f'<rect width="{_WIDTH}" height="{top}" fill="#ffffff"/>\n' + "".join(parts) + "</svg>\n"
    )


def _height(panel: Panel) -> int:
    return _TITLE + len(panel.bars) * (_BAR + _GAP) + _GAP


def _panel(panel: Panel, top: int) -> str:
    most = max(value for _, value in panel.bars) or 1.0
    lines = [f'<text x="8" y="{top + 22}" font-weight="bold">{escape(panel.title)}</text>\n']
    for place, (who, value) in enumerate(panel.bars):
        y = top + _TITLE + place * (_BAR + _GAP)
        width = max(1.0, value / most * (_WIDTH - _NAMES - _VALUES))
        colour = _OURS if who.startswith("ours") else _FLOOR if who in panel.floors else _OTHER
        lines.append(
            f'<text x="{_NAMES - 8}" y="{y + 12}" text-anchor="end">{escape(who)}</text>'
            f'<rect x="{_NAMES}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{colour}"/>'
            f'<text x="{_NAMES + width + 6:.1f}" y="{y + 12}">{number(value)}</text>\n'
        )
    return "".join(lines)
