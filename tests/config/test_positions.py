import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.config.positions import positions

TEXT = '''\
# [decoy]
top = 1

[account.support]            # [account.decoy]
address = "a#b = [c]"
"quoted key" = 'x = "1"'
'lit.eral' = 1979-05-27 07:32:00
dotted . "inner key".x = """
[decoy]
decoy = "1" \\"""
""""
folders = [ "INBOX",  # "decoy"
  "Orders", [ 1,
  { y = 2 } ],
]
inline = { a = 1, b.c = { d = [ 5 ] }, e = \'\'\'
decoy = 1
\'\'\', f = true }

[[rule]]
name = "one"
[rule.when]
from = "x"
[[rule.when.any]]
to = "y"
[[rule.when.any]]
to = "z"

[[rule]]
name = "two"
[rule.when.header]
X-A = "\\u005d"
'''


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("top",), 2),
        (("account",), 4),
        (("account", "support"), 4),
        (("account", "support", "address"), 5),
        (("account", "support", "quoted key"), 6),
        (("account", "support", "lit.eral"), 7),
        (("account", "support", "dotted"), 8),
        (("account", "support", "dotted", "inner key", "x"), 8),
        (("account", "support", "folders"), 12),
        (("account", "support", "folders", 0), 12),
        (("account", "support", "folders", 1), 13),
        (("account", "support", "folders", 2, 0), 13),
        (("account", "support", "folders", 2, 1, "y"), 14),
        (("account", "support", "inline", "a"), 16),
        (("account", "support", "inline", "b", "c", "d", 0), 16),
        (("account", "support", "inline", "e"), 16),
        (("account", "support", "inline", "f"), 18),
        (("rule",), 20),
        (("rule", 0), 20),
        (("rule", 0, "name"), 21),
        (("rule", 0, "when"), 22),
        (("rule", 0, "when", "from"), 23),
        (("rule", 0, "when", "any", 0, "to"), 25),
        (("rule", 0, "when", "any", 1), 26),
        (("rule", 0, "when", "any", 1, "to"), 27),
        (("rule", 1), 29),
        (("rule", 1, "name"), 30),
        (("rule", 1, "when", "header", "X-A"), 32),
    ],
)
def test_where_things_are(key, line):
    assert positions(TEXT)[key] == line


def ways(value, key=()):
    """Every way into a parsed document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield (*key, name)
        yield from ways(inner, (*key, name))


def test_nothing_is_left_out_and_nothing_made_up():
    assert set(positions(TEXT)) == set(ways(tomllib.loads(TEXT)))


def test_windows_ends_of_lines():
    assert positions(TEXT.replace("\n", "\r\n")) == positions(TEXT)


STRINGS = [
    '"a"',
    "'b'",
    '"[x] # = \\" \\\\"',
    '"""\n[z]\nz = 1\n"""',
    "'''\n# z\n'''",
    '""""q"""""',
    "''",
    '""',
    "''''''",
]
SCALARS = st.sampled_from([*STRINGS, "1", "-1.5e3", "true", "2026-11-01", "1979-05-27 07:32:00", "inf"])
BLANKS = st.sampled_from(["", " ", "\t ", "\n", " # z = [\n", "\n\n"])
QUOTES = st.sampled_from(["{}", '"{}"', "'{}'"])


@st.composite
def documents(draw):
    """Valid TOML whose keys have names of their own, k1, k2, …, so that each can be looked for in the text."""
    names = iter(f"k{number}" for number in range(10_000))

    def name():
        return draw(QUOTES).format(next(names))

    def value(depth=0):
        kind = draw(st.sampled_from(["scalar", "scalar", "list", "table"])) if depth < 3 else "scalar"
        size = draw(st.integers(0, 3))
        if kind == "list":
            items = [draw(BLANKS) + value(depth + 1) + draw(BLANKS) for _ in range(size)]
            return f"[{','.join(items)}{draw(BLANKS)}]"
        if kind == "table":
            return "{ " + ", ".join(f"{name()} = {value(depth + 1)}" for _ in range(size)) + " }"
        return draw(SCALARS)

    lines = []
    headers = []
    for _ in range(draw(st.integers(0, 8))):
        match draw(st.sampled_from(["key", "key", "dotted", "table", "array", "sub"])):
            case "key":
                lines.append(f"{name()} = {value()}")
            case "dotted":
                lines.append(f"{name()} . {name()}.{name()}={value()}")
            case "table":
                headers.append(name())
                lines.append(f"[ {headers[-1]} ]")
            case "array":
                headers.append(name())
                lines += [f"[[{headers[-1]}]]"] * draw(st.integers(1, 3))
            case "sub" if headers:
                headers.append(f"{draw(st.sampled_from(headers))}.{name()}")
                lines.append(f"[{headers[-1]}]")
        lines.append(draw(BLANKS).strip(" \t"))
    return "\n".join(lines) + "\n"


@given(documents())
def test_any_valid_document(text):
    found = positions(text)
    data = tomllib.loads(text)
    assert set(found) == set(ways(data))
    lines = text.split("\n")
    for key, line in found.items():
        if isinstance(key[-1], str):
            first = next(number for number, content in enumerate(lines, 1) if holds(content, key[-1]))
            assert line == first


def holds(line, name):
    return any(f"{before}{name}{after}" in f" {line} " for before in " \"'.[{," for after in " \"'.]=")


@given(st.text(alphabet="ab[]{}\"'.=,#\n \\1"))
def test_what_is_no_toml_does_no_harm(text):
    assert all(1 <= line <= text.count("\n") + 1 for line in positions(text).values())
