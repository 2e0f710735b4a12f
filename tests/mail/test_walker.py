"""Any mail at all: nothing escapes, every leaf's bytes are found again, names stay inside."""

import tempfile
from pathlib import Path
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.mail.mails import lines, multipart, part, taken_apart
from tests.mail.soundness import assert_sound, encoded

#: Pieces of which broken mail is made.
SCRAPS = st.sampled_from(
    [
        *(b"\r\n", b"\n", b"\r", b"--b0", b"--b0--", b"--b1", b"--", b"\0", b"\xff\xfe", b"=?utf-8?Q?=C3?=", b"\x1b$B"),
        *(b"Content-Type: multipart/mixed; boundary=b0", b"Content-Type: multipart/digest; boundary=b1"),
        *(b"Content-Type: text/html; charset=utf-16", b"Content-Type: message/rfc822", b"Content-Type: ;;=\"'"),
        *(b"Content-Transfer-Encoding: base64", b"Content-Transfer-Encoding: quoted-printable", b"=3D=\r\n", b"AA=="),
        *(b"Content-Disposition: attachment; filename*0*=utf-8''%2e%2e%2f", b"; filename*1=x", b"From ", b"From: <"),
        *(
            b"Subject: ",
            b"To: a@b, (",
            b"Date: 99",
            b"begin 644 ../x\n#8V%T\n`\nend\n",
            b"charset",
            b":",
            b"\t",
            b"<p>",
        ),
    ]
)
BROKEN = st.lists(SCRAPS | st.binary(max_size=30), max_size=60).map(b"".join)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
LEAVES = st.lists(
    st.tuples(st.binary(max_size=400), st.sampled_from(["base64", "quoted-printable"]), NAMES), max_size=8
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(BROKEN)
def test_broken_mail_is_taken_apart(raw):
    assert_sound(raw)


@settings(max_examples=100, deadline=None)
@given(LEAVES, st.integers(0, 4))
def test_every_leaf_is_found_again(leaves, depth):
    raw = multipart(
        *(
            part(
                encoded(data, encoding),
                "Content-Type: application/x",
                f"Content-Transfer-Encoding: {encoding}",
                f"Content-Disposition: attachment; filename*=utf-8''{quote(name)}",
            )
            for data, encoding, name in leaves
        )
    )
    for level in range(depth):
        raw = multipart(lines("Content-Type: text/plain", "", "text"), raw, boundary=f"outer{level}")
    with tempfile.TemporaryDirectory() as place:
        found = taken_apart(Path(place, "m"), raw)
        assert found.files == [data for data, _, _ in leaves]
        assert [item.path.count("/") for item in found.message.attachments] == [1] * len(leaves)


@settings(max_examples=100, deadline=None)
@given(LEAVES, st.data())
def test_a_truncated_mail_gives_the_parts_before_the_cut(leaves, data):
    parts = [
        part(encoded(content, encoding), "Content-Type: a/b", f"Content-Transfer-Encoding: {encoding}")
        for content, encoding, _ in leaves
    ]
    raw = multipart(*parts)
    cut = data.draw(st.integers(0, len(raw)))
    whole = multipart(*parts)[:cut].count(b"\r\n--b0") - 1
    with tempfile.TemporaryDirectory() as place:
        files = taken_apart(Path(place, "m"), raw[:cut]).files
        assert files[: max(whole, 0)] == [content for content, _, _ in leaves][: max(whole, 0)]
