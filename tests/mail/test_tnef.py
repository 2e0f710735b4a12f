"""A winmail.dat opened: names, types, bytes, texts, messages within; damaged and hostile ones end soon, with a note."""

import struct
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.limits import USUAL, Limits
from watcher.mail.defects import Defects
from watcher.mail.raw import Raw
from watcher.mail.rtf import decompressed_rtf
from watcher.mail.tnef import enclosed_files
from watcher.mail.words import cleaned

DAMAGED = "a winmail.dat is damaged: what could be read was taken out of it"
MESSAGE_OBJECT = bytes.fromhex("0703020000000000C000000000000046")

#: The example of MS-OXRTFCP 4.1.1.
RTF = bytes.fromhex(
    "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
)


@dataclass(frozen=True)
class File:
    name: str | None
    type: str
    content: bytes
    content_id: str | None = None
    body: bool = False


def opened(data: bytes, limits: Limits = USUAL) -> tuple[list[File], tuple[str, ...]]:
    defects = Defects(50)
    files = [
        File(file.name, file.type, b"".join(file.pieces()), file.content_id, file.body)
        for file in enclosed_files(Raw(data), limits, defects)
    ]
    return files, defects.listed()


# --- a writer of winmail.dat ----------------------------------------------------------------------------------------


def winmail(*attributes: bytes) -> bytes:
    return struct.pack("<IH", 0x223E9F78, 7) + b"".join(attributes)


def attribute(level: int, name: int, data: bytes) -> bytes:
    return struct.pack("<BHHI", level, name, 6, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)


def padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def properties(*rows: bytes) -> bytes:
    return struct.pack("<I", len(rows)) + b"".join(rows)


def sized(name: int, data: bytes, kind: int = 0x102) -> bytes:
    return struct.pack("<HHII", kind, name, 1, len(data)) + padded(data)


def text(name: int, value: str) -> bytes:
    return sized(name, value.encode("utf-16-le") + b"\0\0", 0x1F)


def file(title: bytes, data: bytes, *rows: bytes) -> bytes:
    return (
        attribute(2, 0x9002, b"\0" * 14)
        + attribute(2, 0x8010, title + b"\0")
        + attribute(2, 0x800F, data)
        + (attribute(2, 0x9005, properties(*rows)) if rows else b"")
    )


CODE_PAGE = attribute(1, 0x9007, struct.pack("<II", 1252, 0))


# --- what is in it --------------------------------------------------------------------------------------------------


def test_files_come_out_with_their_bytes():
    data = bytes(range(256)) * 10 + b"\0\0\0"
    files, defects = opened(winmail(CODE_PAGE, file(b"one.pdf", data), file(b"", b"")))
    assert files == [
        File("one.pdf", "application/octet-stream", data),
        File(None, "application/octet-stream", b""),
    ]
    assert defects == ()


def test_properties_tell_more_than_the_title():
    rows = (
        struct.pack("<HHI", 3, 0x0E21, 5),  # a number
        struct.pack("<HHH", 0xB, 0x7FFE, 1) + b"\0\0",  # a truth, filled up
        struct.pack("<HH", 0x40, 0x3007) + b"\0" * 8,  # a time
        struct.pack("<HH16sII", 3, 0x8001, b"g" * 16, 0, 9) + b"\0" * 4,  # named by a number
        struct.pack("<HH16sII", 3, 0x8002, b"g" * 16, 1, 6) + padded("abc".encode("utf-16-le")) + b"\0" * 4,
        struct.pack("<HHI", 0x1003, 0x4001, 3) + b"\0" * 12,  # several numbers
        struct.pack("<HHI", 0x101F, 0x4002, 2) + struct.pack("<I", 4) + b"a\0b\0" + struct.pack("<I", 2) + b"c\0\0\0",
        text(0x3707, "Grüße an alle.pdf"),
        sized(0x3704, b"GRE~1.PDF\0", 0x1E),
        text(0x370E, "application/PDF"),
        text(0x3712, "<pic@them>"),
    )
    files, defects = opened(winmail(file(b"GRE~1.PDF", b"%PDF", *rows)))
    assert files == [File("Grüße an alle.pdf", "application/pdf", b"%PDF", "pic@them")]
    assert defects == ()


@pytest.mark.parametrize(
    ("page", "octets", "name"),
    [
        (1252, b"Gr\xfc\xdfe", "Grüße"),
        (1251, b"\xcf\xf0\xe8", "При"),
        (932, b"\x93\xfa\x96{", "日本"),
        (9999, b"a\xfc", "aü"),
    ],
)
def test_a_title_is_in_the_code_page_of_the_file(page, octets, name):
    files, _ = opened(winmail(attribute(1, 0x9007, struct.pack("<II", page, 0)), file(octets, b"")))
    assert files[0].name == name


def test_names_are_printable_and_kept_as_sent():
    files, _ = opened(winmail(file(b"../../a\x1b[31m\x07.exe", b""), file(b"x" * 100_000, b"")))
    assert files[0].name == "../../a[31m.exe"
    assert len(files[1].name) == 1000


def test_texts_come_out_as_bodies():
    rows = (text(0x1000, "Grüße"), sized(0x1013, b"<p>Gr\xfc\xdfe"), sized(0x1009, RTF))
    files, defects = opened(winmail(CODE_PAGE, attribute(1, 0x9003, properties(*rows))))
    assert files == [
        File("body.txt", "text/plain", "Grüße".encode(), body=True),
        File("body.html", "text/html", b"<p>Gr\xfc\xdfe", body=True),
        File("body.rtf", "application/rtf", rb"{\rtf1\ansi\ansicpg1252\pard hello world}" + b"\r\n", body=True),
    ]
    assert defects == ()
    assert opened(winmail(CODE_PAGE, attribute(1, 0x800C, b"Gr\xfc\xdfe\0")))[0][0].content == "Grüße".encode()


def test_a_message_within_gives_its_files_and_its_text_as_a_file():
    inner = winmail(attribute(1, 0x800C, b"inner\0"), file(b"in.txt", b"in"))
    rows = (sized(0x3701, MESSAGE_OBJECT + inner, 0xD),)
    files, _ = opened(winmail(file(b"mail", b"", *rows), file(b"out.txt", b"out")))
    assert [(found.name, found.content, found.body) for found in files] == [
        ("body.txt", b"inner", False),
        ("in.txt", b"in", False),
        ("out.txt", b"out", False),
    ]


def test_bytes_behind_the_end_are_left_out():
    assert opened(winmail(file(b"a", b"b")) + b"\r\n" * 20)[1] == ()


def test_large_files_are_read_where_they_lie(tmp_path):
    data = b"0123456789" * 1_000_000
    path = tmp_path / "winmail.dat"
    path.write_bytes(winmail(file(b"big", data)))
    with path.open("rb") as handle:
        raw = Raw.of_file(handle.fileno())
        (found,) = enclosed_files(raw, USUAL, Defects(1))
        assert b"".join(found.pieces()) == data
        raw.close()


# --- damaged and hostile --------------------------------------------------------------------------------------------


def test_what_is_cut_off_comes_as_far_as_it_is_there():
    whole = winmail(file(b"one", b"1" * 100), file(b"two", b"2" * 100))
    files, defects = opened(whole[:-50])
    assert [(found.name, len(found.content)) for found in files] == [("one", 100), ("two", 52)]
    assert defects == (DAMAGED,)


@pytest.mark.parametrize("data", [b"", b"no", b"PK\x03\x04" * 10, struct.pack("<I", 0x223E9F78)])
def test_what_is_no_winmail_gives_nothing(data):
    assert opened(data) == ([], (DAMAGED,))


def test_too_many_files_are_noted():
    files, defects = opened(winmail(*(file(b"x", b"x") for _ in range(30))), Limits(parts=10))
    assert len(files) == 10
    assert defects == ("a winmail.dat with more than 10 files: the later ones are only in it",)


def nested(depth: int) -> bytes:
    data = winmail(file(b"deepest", b"x"))
    for _ in range(depth):
        data = winmail(file(b"m", b"", sized(0x3701, MESSAGE_OBJECT + data, 0xD)))
    return data


HOSTILE = {
    "four billion properties": winmail(attribute(1, 0x9003, b"\xff" * 4) + b"\0" * 20),
    "four billion values": winmail(
        attribute(1, 0x9003, struct.pack("<IHHI", 1, 0x101F, 0x1000, 0xFFFFFFFF) + b"\0" * 99)
    ),
    "a million recipients": winmail(attribute(1, 0x9004, struct.pack("<I", 1_000_000))),
    "a million attributes": winmail() + attribute(1, 0x8006, b"") * 1_000_000,
    "a million files": winmail() + attribute(2, 0x9002, b"") * 1_000_000,
    "a million properties": winmail(attribute(1, 0x9003, properties(*[struct.pack("<HHI", 3, 1, 1)] * 1_000_000))),
    "thousands of texts": winmail(*[attribute(1, 0x9003, properties(sized(0x1009, RTF)))] * 5000),
    "messages within messages": nested(200),
    "a bomb of references": winmail(
        attribute(
            1,
            0x9003,
            properties(sized(0x1009, struct.pack("<IIII", 9, 1 << 30, 0x75465A4C, 0) + b"\xff\0\x1f" * 99_999)),
        )
    ),
    "a size beyond the end": winmail(struct.pack("<BHHI", 1, 0x9003, 6, 0xFFFFFFFF) + b"\0" * 20),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_winmail_takes_long_or_much(data):
    files, defects = opened(data)
    assert sum(len(found.content) for found in files) <= max(len(data), 1 << 20)
    assert defects or len(files) <= 2


WHOLE = winmail(
    *(CODE_PAGE, attribute(1, 0x9003, properties(text(0x1000, "Grüße"), sized(0x1009, RTF)))),
    file(b"one", b"1" * 50, text(0x3707, "one.txt"), sized(0x3701, MESSAGE_OBJECT + nested(1), 0xD)),
)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(6, len(WHOLE) - 1), st.integers(0, 255)), max_size=12), st.integers(0, len(WHOLE))
)
def test_no_change_of_bytes_raises(changes, stop):
    data = bytearray(WHOLE)
    for at, value in changes:
        data[at] = value
    files, _ = opened(bytes(data[:stop]))
    assert all(found.name is None or found.name == cleaned(found.name) for found in files)


def test_rtf_in_other_forms():
    assert decompressed_rtf(struct.pack("<IIII", 9, 5, 0x414C454D, 0) + b"{rtf}", 100) == b"{rtf}"
    assert decompressed_rtf(struct.pack("<IIII", 9, 5, 0x414C454D, 0) + b"{rtf}", 3) == b"{rt"
    assert decompressed_rtf(b"what", 100) == b"what"
    assert decompressed_rtf(RTF, 10) == rb"{\rtf1\ans"
    for stop in range(16, len(RTF)):
        assert rb"{\rtf1\ansi\ansicpg1252\pard hello world}".startswith(decompressed_rtf(RTF[:stop], 100).rstrip())
