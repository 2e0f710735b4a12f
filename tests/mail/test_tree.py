"""The tree of parts: every leaf once, with its exact bytes, whatever was done to the boundaries."""

import pytest

from tests.mail.mails import lines, multipart, part
from watcher.limits import USUAL, Limits
from watcher.mail.defects import Defects
from watcher.mail.raw import Raw
from watcher.mail.tree import leaves, whole


def found(raw: bytes, limits: Limits = USUAL) -> list[tuple[str, bytes]]:
    defects = Defects(limits.defects)
    mail = whole(Raw(raw), limits, defects)
    return [(leaf.content.type, b"".join(leaf.slices())) for leaf in leaves(mail, limits, defects)]


PLAIN = "Content-Type: text/plain"
PNG = "Content-Type: image/png"


def test_parts_keep_their_exact_bytes():
    raw = multipart(part("one\r\ntwo", PLAIN), part(b"\x89PNG\r\n\x1a\n\r\n", PNG))
    assert found(raw) == [("text/plain", b"one\r\ntwo"), ("image/png", b"\x89PNG\r\n\x1a\n\r\n")]


def test_nested_multiparts_give_their_leaves_in_order():
    inner = multipart(part("a", PLAIN), part("<b>", "Content-Type: text/html"), kind="alternative", boundary="b1")
    assert [kind for kind, _ in found(multipart(inner, part("x", PNG)))] == ["text/plain", "text/html", "image/png"]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"], ids=["LF", "CR", "CRLF"])
def test_any_line_end(end):
    raw = multipart(part("a", PLAIN), part("b", PNG)).replace(b"\r\n", end)
    assert found(raw) == [("text/plain", b"a"), ("image/png", b"b")]


def test_doubled_carriage_returns():
    raw = multipart(part("a", PLAIN), part("b", PNG)).replace(b"\r\n", b"\r\r\n")
    assert [(kind, body.strip()) for kind, body in found(raw)] == [("text/plain", b"a"), ("image/png", b"b")]


def test_a_boundary_that_begins_like_another():
    inner = multipart(part("a", PLAIN), part("b", PNG), boundary="b0x")
    assert [body for _, body in found(multipart(inner, part("c", PNG)))] == [b"a", b"b", b"c"]


def test_an_inner_boundary_that_looks_like_the_end_of_the_outer():
    inner = multipart(part("a", PLAIN), part("b", PNG), boundary="b0--")
    assert [body for _, body in found(multipart(inner, part("c", PNG)))] == [b"a", b"b", b"c"]


def test_inner_multipart_with_the_boundary_of_the_outer():
    inner = multipart(part("a", PLAIN), part("b", PNG))
    assert [body for _, body in found(multipart(inner))] == [b"a", b"b"]


def test_boundary_within_a_line_or_with_text_behind_it_is_none():
    body = b"see --b0\r\n--b0 or so\r\n --b0"
    assert found(multipart(part(body, PLAIN))) == [("text/plain", body)]


def test_blanks_behind_a_boundary():
    raw = multipart(part("a", PLAIN), part("b", PNG)).replace(b"--b0\r\n", b"--b0 \t \r\n")
    assert [body for _, body in found(raw)] == [b"a", b"b"]


def test_preamble_and_epilogue_are_no_parts():
    raw = multipart(part("a", PLAIN)).replace(b"--b0\r\n", b"preamble\r\n--b0\r\n", 1) + b"epilogue\r\n"
    assert found(raw) == [("text/plain", b"a")]


def test_truncated_mail_gives_what_there_is():
    raw = multipart(part("a", PLAIN), part("bcdef", PNG))
    assert found(raw[: raw.index(b"def")]) == [("text/plain", b"a"), ("image/png", b"bc")]


def test_inner_multipart_cut_off_before_its_first_boundary():
    # F1: the outer one is not closed either; stdlib and mail-parser fail here.
    inner = lines('Content-Type: multipart/mixed; boundary="b1"', "", "text before")
    raw = multipart(part("a", PLAIN), inner)
    assert found(raw[: raw.index(b"text before") + 4]) == [("text/plain", b"a"), ("text/plain", b"text")]


def test_inner_multipart_ends_where_the_outer_goes_on():
    inner = multipart(part("a", PLAIN), boundary="b1").removesuffix(b"\r\n--b1--\r\n")
    assert [body for _, body in found(multipart(inner, part("b", PNG)))] == [b"a", b"b"]


@pytest.mark.parametrize("parameter", ["", "boundary=", 'boundary=""', "boundary=other", "boundary=" + 3000 * "x"])
def test_multipart_without_its_boundary_is_text(parameter):
    raw = lines(f"Content-Type: multipart/mixed; {parameter}", "", "--b0", PLAIN, "", "hello", "--b0--")
    ((kind, body),) = found(raw)
    assert kind == "text/plain"
    assert b"hello" in body


def test_multipart_without_parts_has_no_text():
    assert found(lines("Content-Type: multipart/mixed; boundary=x", "", "", "")) == []
    assert found(lines("Content-Type: multipart/mixed; boundary=x", "", "", "text" * 999)) != []


def test_boundary_folded_within_its_quotes():
    # F12
    raw = multipart(part("a", PLAIN), part("b", PNG), boundary="=_x_y")
    raw = raw.replace(b'boundary="=_x_y"', b'boundary="=_x\r\n _y"')
    assert [body for _, body in found(raw)] == [b"a", b"b"]


def test_first_of_two_content_types_counts():
    raw = b"Content-Type: text/plain\r\n" + multipart(part("a", PNG))
    assert [kind for kind, _ in found(raw)] == ["text/plain"]


def test_encoded_multipart():
    # F11: RFC 2045 forbids it.
    raw = multipart(part("a", PLAIN), part(b"\x00\x01", PNG))
    head, _, body = raw.partition(b"\r\n\r\n")
    encoded = body.hex("=").upper().encode()
    raw = head + b"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=" + encoded
    assert found(raw) == [("text/plain", b"a"), ("image/png", b"\x00\x01")]


def test_multipart_that_only_says_it_is_encoded():
    raw = b"Content-Transfer-Encoding: base64\r\n" + multipart(part("a", PLAIN), part("b", PNG))
    assert [body for _, body in found(raw)] == [b"a", b"b"]


def test_attached_message_is_one_leaf_with_its_very_bytes():
    message = lines("From: a@example.com", "") + multipart(part("inner", PLAIN), boundary="b9")
    assert found(multipart(part("outer", PLAIN), part(message, "Content-Type: message/rfc822"))) == [
        ("text/plain", b"outer"),
        ("message/rfc822", message),
    ]


@pytest.mark.parametrize(
    ("encoding", "encoded"), [("base64", "RnJvbTogYQoKeA=="), ("quoted-printable", "From=3A a\n\nx")]
)
def test_encoded_message_comes_decoded(encoding, encoded):
    # F10
    inner = part(encoded, "Content-Type: message/rfc822", f"Content-Transfer-Encoding: {encoding}")
    assert found(multipart(inner)) == [("message/rfc822", b"From: a\n\nx")]


def test_message_that_only_says_it_is_encoded():
    inner = part("From: a\r\n\r\nx", "Content-Type: message/rfc822", "Content-Transfer-Encoding: base64")
    assert found(multipart(inner)) == [("message/rfc822", b"From: a\r\n\r\nx")]


def test_parts_of_a_digest_are_messages():
    raw = multipart(part("From: a\r\n\r\nx"), kind="digest")
    assert found(raw) == [("message/rfc822", b"From: a\r\n\r\nx")]


def test_depth_is_limited_and_the_deep_part_kept():
    raw = part("deep", PLAIN)
    for level in range(60):
        raw = multipart(raw, boundary=f"b{level}")
    ((kind, body),) = found(raw)
    assert kind == "multipart/mixed"
    assert b"deep" in body


def test_ten_thousand_levels():
    raw = b"".join(
        multipart(boundary=f"b{level}").partition(b"--b")[0] + b"--b%d\r\n" % level for level in range(10_000)
    )
    assert len(found(raw)) == 1


def test_number_of_parts_is_limited():
    raw = multipart(*(part("a", PLAIN) for _ in range(700)))
    assert len(found(raw)) == 499  # the multipart itself counts


def test_lines_that_only_look_like_boundaries_cost_little():
    raw = lines('Content-Type: multipart/mixed; boundary="-"', "") + b"----\r\n" * 200_000
    assert [kind for kind, _ in found(raw)] == ["text/plain"]
