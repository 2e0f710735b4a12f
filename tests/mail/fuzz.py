"""
A fuzzer over taking mail apart, led by which of its code a mail reaches: `python -m tests.mail.fuzz -runs=1000 SEEDS`.
The arguments are those of libFuzzer. Ends with another code than 0, and the mail in a file, if something does not hold.
"""

import sys

import atheris

with atheris.instrument_imports(include=["watcher.mail"]):
    from tests.mail.soundness import assert_found, assert_sound


def one_input(data: bytes) -> None:
    """The first letter decides: a mail as it is, or the content and name of a file in a mail that is sound."""
    if data[:1] == b"\0":
        preamble, _, content = data[1:].partition(b"\0")
        if b"b-4711-b" not in preamble:
            assert_found(content, content[:40].decode("utf-8", "replace"), preamble)
    else:
        assert_sound(data)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
