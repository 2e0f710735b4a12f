"""Transfer encodings: broken input gives what is readable, and the size of the slices changes nothing."""

import base64
import binascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.mail.transfer import decoded, encoding_of

QP = "quoted-printable"


def decode(data: bytes, encoding: str, step: int | None = None) -> bytes:
    step = step or max(1, len(data))
    return b"".join(decoded((data[at : at + step] for at in range(0, len(data), step)), encoding))


@pytest.mark.parametrize("step", [1, 2, 3, 5, 64, None])
@pytest.mark.parametrize(
    ("encoding", "data", "result"),
    [
        ("base64", b"aGVsbG8=", b"hello"),
        ("base64", b"aGVs\r\nbG8=\r\n", b"hello"),
        ("base64", b"aGVsbG8", b"hello"),
        ("base64", b"aGVsbG8h!!@ \0aGVsbG8h", b"hello!hello!"),
        ("base64", b"aGVsbG8=\r\naGVsbG8=", b"hellohello"),  # segments one after another
        ("base64", b"aGVsbG8=d29ybGQ==", b"helloworld"),
        ("base64", b"aGVsbG8hX", b"hello!"),  # six bits are no byte
        ("base64", b"====", b""),
        ("base64", b"", b""),
        (QP, b"J=C3=BCrgen", "Jürgen".encode()),
        (QP, b"J=c3=bcrgen", "Jürgen".encode()),
        (QP, b"a=\r\nb=\nc", b"abc"),
        (QP, b"a=  \r\nb", b"ab"),
        (QP, b"a  \r\nb\t\nc  ", b"a\r\nb\nc  "),
        (QP, b"100% = 1, =ZZ, =4", b"100% = 1, =ZZ, =4"),
        (QP, b"end=", b"end"),
        ("", b"as\0 it\xff is", b"as\0 it\xff is"),
        ("uuencode", b"begin 644 a.txt\r\n#8V%T\r\n`\r\nend\r\n", b"cat"),
        ("uuencode", b"junk\nbegin 644 a\n#8V%T\nno data here!!\n#8V%T\nend\nrest", b"catcat"),
        ("uuencode", b"no begin at all", b""),
    ],
)
def test_decoding(encoding, data, result, step):
    assert decode(data, encoding, step) == result


@given(st.binary(max_size=2000), st.integers(1, 200))
def test_base64_comes_back(data, step):
    assert decode(base64.encodebytes(data), "base64", step) == data


@given(st.binary(max_size=2000), st.integers(1, 200))
def test_quoted_printable_comes_back(data, step):
    assert decode(binascii.b2a_qp(data, istext=False), QP, step) == data


@given(st.binary(max_size=300), st.sampled_from(["base64", QP, "uuencode"]), st.integers(1, 50))
def test_anything_can_be_decoded_and_slices_do_not_matter(data, encoding, step):
    assert decode(data, encoding, step) == decode(data, encoding)


@pytest.mark.parametrize(
    ("field", "encoding"),
    [
        (b"", ""),
        (b"7bit", ""),
        (b"8-Bit", ""),
        (b"BASE64", "base64"),
        (b"quoted-printable  ", QP),  # F15
        (b"quoted-printable (comment)", QP),
        (b'"base64";', "base64"),
        (b"x-uuencode", "uuencode"),
        (b"x-gzip64", None),
    ],
)
def test_encoding_of(field, encoding):
    assert encoding_of(field) == encoding


def test_a_line_without_end_is_not_held():
    data = b"a" * 5_000_000 + b"=C3"
    assert decode(data, QP, 100_000) == b"a" * 5_000_000 + b"\xc3"
