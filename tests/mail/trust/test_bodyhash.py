"""The hash of a body is that of dkimpy's canonical form, however the body is cut into pieces."""

import hashlib

import pytest
from dkim.canonicalization import Relaxed, Simple
from hypothesis import given
from hypothesis import strategies as st

from watcher.mail.trust.bodyhash import body_hash


def cut(body: bytes, size: int) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


def expected(body: bytes, *, relaxed: bool) -> bytes:
    lines = body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return hashlib.sha256((Relaxed if relaxed else Simple).canonicalize_body(lines)).digest()


@given(
    st.lists(st.sampled_from([b"\r\n", b"\n", b" ", b"\t", b"a", b"bc d"]), max_size=30).map(
        lambda pieces: b"".join(pieces) + b"\r\n"
    ),
    st.integers(1, 7),
    st.booleans(),
)
def test_as_dkimpy_has_it(body, size, relaxed):
    assert body_hash(cut(body, size), relaxed=relaxed) == expected(body, relaxed=relaxed)


#: RFC 6376 3.4.5, and the hashes of the empty body in 3.4.3 and 3.4.4.
@pytest.mark.parametrize(
    ("body", "relaxed", "canonical"),
    [
        (b" C \r\nD \t E\r\n\r\n\r\n", True, b" C\r\nD E\r\n"),
        (b" C \r\nD \t E\r\n\r\n\r\n", False, b" C \r\nD \t E\r\n"),
        (b"", True, b""),
        (b"", False, b"\r\n"),
        (b"\r\n\r\n", True, b""),
        (b"no end", True, b"no end\r\n"),
        (b"bare\rcr \r", True, b"bare\rcr \r\r\n"),
        (b"bare\rcr \r", False, b"bare\rcr \r\r\n"),
    ],
)
def test_the_examples_of_the_rfc(body, relaxed, canonical):
    for size in (1, 2, 1000):
        assert body_hash(cut(body, size), relaxed=relaxed) == hashlib.sha256(canonical).digest()


@pytest.mark.timeout(20)
def test_long_blanks_take_no_long_time():
    """dkimpy's patterns take minutes for each of these."""
    for body in (b" " * 4_000_000, b"a" + b" \t" * 2_000_000 + b"b", b"\r\n" * 2_000_000 + b"x", b" \r\n" * 1_000_000):
        body_hash(cut(body, 1 << 18), relaxed=True)
