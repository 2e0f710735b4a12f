import pytest

from watcher.config.units import Range, parse_duration, parse_size, parse_size_range


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90s", 90), ("15m", 900), ("2h", 7200), ("7d", 604800), ("1.5h", 5400), ("5 m", 300), (30, 30), (0.25, 0.25)],
)
def test_durations(written, seconds):
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written",
    [
        *("", "fast", "5", "5w", "-5s", "5S", "s", "5m5s", "٣s", "0s", "3651d", "9" * 400 + "s"),
        *(True, None, [], {}, 0, -1, 10**400, float("inf"), float("nan")),
    ],
)
def test_what_is_no_duration(written):
    with pytest.raises(ValueError, match='"90s", "15m", "2h", "7d"'):
        parse_duration(written)


@pytest.mark.parametrize(
    ("written", "size"),
    [
        *(("64k", 65536), ("200M", 209715200), ("1G", 1 << 30), ("2T", 2 << 40), ("1.5k", 1536)),
        *(("10KiB", 10240), ("5b", 5), ("7", 7), ("3 mb", 3 << 20), (1, 1)),
    ],
)
def test_sizes(written, size):
    assert parse_size(written) == size


@pytest.mark.parametrize("written", ["", "big", "-1k", "1X", "0", 0, -5, "0.5", 1.5, True, None, 1 << 62, "9" * 400])
def test_what_is_no_size(written):
    with pytest.raises(ValueError, match='"64k", "200M", "1G"'):
        parse_size(written)


@pytest.mark.parametrize(
    ("written", "inside", "outside"),
    [
        (">1k", [1025, 1 << 40], [0, 1024]),
        (">=1k", [1024], [1023]),
        ("<1k", [0, 1023], [1024]),
        ("<=1k", [1024], [1025]),
        ("1k..2k", [1024, 2048], [1023, 2049]),
        ("1k .. 2k", [1500], [0]),
        ("> 5", [6], [5]),
    ],
)
def test_ranges_of_sizes(written, inside, outside):
    found = parse_size_range(written)
    assert all(size in found for size in inside)
    assert not any(size in found for size in outside)


def test_a_range_without_ends_holds_everything():
    assert 0 in Range()
    assert 1 << 50 in Range()


@pytest.mark.parametrize("written", ["", "1M", "big", "2M..1M", "..", "1M..", "..1M", "<", "=1M", "<>1M", 5, True, []])
def test_what_is_no_range(written):
    with pytest.raises(ValueError, match="is not a range of sizes; allowed are"):
        parse_size_range(written)
