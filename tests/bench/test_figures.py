"""Statistics, tables, the page and the picture: what is measured is shown as it is."""

import json
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from tests.bench.frame import Figure, judged, spread
from tests.bench.page import Measured, filled, panels, write
from tests.bench.plot import Panel, drawn
from tests.bench.table import number, shown, tables
from tests.bench.throughput import mixed

FIGURES = (
    Figure("L1", "p50", 2.5, "ms", who="raw TLS socket"),
    Figure("L1", "p50", 5.25, "ms", who="ours, script"),
    judged("L1", "p50 / floor", 2.1, "x", "ours, script", 2.0),
    Figure("mail", "small", 1234.5, "ms", "under 2000", met=True),
)
PAGE = """Words.
<!-- L1: written by `make bench` -->
old
<!-- end -->
More words.
<!-- targets: written by `make bench` -->
<!-- end -->
<!-- T1: written by `make bench` -->
kept
<!-- end -->
"""


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([7.0], (7.0, 7.0, 7.0)),
        ([2.0, 1.0], (1.0, 2.0, 2.0)),
        (range(1, 101), (50, 95, 99)),
        (range(1, 1001), (500, 950, 990)),
    ],
)
def test_percentiles_are_measured_values(values, expected):
    found = spread(values)
    assert (found.p50, found.p95, found.p99) == expected


@pytest.mark.parametrize(("value", "most", "met"), [(2.0, 2.0, True), (2.01, 2.0, False), (9.0, None, None)])
def test_a_figure_is_judged_only_by_what_is_asked(value, most, met):
    figure = judged("L1", "p50", value, "ms", "ours", most)
    assert figure.met is met
    assert bool(figure.target) is (met is not None)


@pytest.mark.parametrize(
    ("value", "text"), [(0.01234, "0.0123"), (2.5, "2.5"), (99.94, "99.9"), (1234.5, "1,234"), (-150, "-150")]
)
def test_numbers_have_three_digits(value, text):
    assert number(value) == text


def test_who_took_part_stands_down_and_what_was_measured_across():
    first, second = tables(FIGURES)
    assert first.head == ("", "p50, ms", "p50 / floor, x")
    assert first.rows == (("raw TLS socket", "2.5", "-"), ("ours, script", "5.25", "2.1"))
    assert second.rows == (("small", "1,234 ms"),)


def test_a_terminal_sees_every_target_and_a_program_every_figure():
    *lines, last = shown(FIGURES).splitlines()
    assert any(line.split()[-4:] == ["at", "most", "2", "MISSED"] for line in lines)
    assert any(line.split()[-3:] == ["under", "2000", "met"] for line in lines)
    assert [Figure(**row) for row in json.loads(last)] == list(FIGURES)


def test_the_page_keeps_what_people_wrote_and_what_was_not_measured():
    page = filled(PAGE, [Measured("L1", "2026-11-22", "a machine", FIGURES[:3])], "a 1.0")
    assert page.startswith("Words.\n")
    assert "More words." in page
    assert "kept" in page
    assert "old" not in page
    assert "2026-11-22, a machine" in page
    assert "| ours, script | 5.25 | 2.1 |" in page
    assert "| L1 | ours, script | p50 / floor | 2.1 x | at most 2 | MISSED |" in page
    assert filled(page, [Measured("L1", "2026-11-22", "a machine", FIGURES[:3])], "a 1.0") == page


def test_scenarios_that_did_not_run_keep_their_figures(tmp_path):
    (tmp_path / "performance.md").write_text(PAGE)
    write(FIGURES[:3], "a 1.0", tmp_path)
    write([Figure("T1", "rate", 300.0, "mails/s")], "a 1.1, b 2", tmp_path)
    page = (tmp_path / "performance.md").read_text()
    assert "| ours, script | 5.25 | 2.1 |" in page
    assert "| rate | 300 mails/s |" in page
    assert "kept" not in page


def test_bars_are_as_long_as_their_values():
    panel = Panel("one & two", (("raw", 1.0), ("ours", 2.0), ("<peer>", 4.0)), frozenset({"raw"}))
    picture = ET.fromstring(drawn([panel, panel]))
    _, *bars = picture.iter("{http://www.w3.org/2000/svg}rect")
    widths = [float(bar.attrib["width"]) for bar in bars]
    assert widths[1] == pytest.approx(2 * widths[0], abs=0.2)
    assert widths[2] == pytest.approx(4 * widths[0], abs=0.2)
    assert len({bar.attrib["fill"] for bar in bars}) == 3
    tops = [float(bar.attrib["y"]) for bar in bars]
    assert all(above + float(bars[0].attrib["height"]) <= below for above, below in pairwise(tops))
    words = [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert words[:3] == ["one & two", "raw", "1"]


def test_the_picture_shows_only_what_was_measured():
    assert [panel.bars for panel in panels(FIGURES)] == [(("raw TLS socket", 2.5), ("ours, script", 5.25))]


def test_the_mix_is_always_the_same_and_as_large_as_said():
    mails = list(mixed(100))
    assert [one.case for one in mails] == list(range(100))
    assert mails[:20] == list(mixed(20))
    assert 300_000 < sum(len(one.raw) for one in mails) / len(mails) < 540_000
