import pickle

import pytest

from watcher.config.patterns import Pattern, parse_pattern


@pytest.mark.parametrize(
    ("glob", "fitting", "others"),
    [
        ("invoice", ["invoice", "INVOICE"], ["my invoice", "invoices", ""]),
        ("*invoice*", ["invoice", "Your INVOICE no. 5", "a\nb invoice\nc"], ["inv oice"]),
        ("*.pdf", [".pdf", "A.PDF", "a.pdf.pdf"], ["a.pdfx", "apdf"]),
        ("?.pdf", ["a.pdf", "发.pdf"], [".pdf", "ab.pdf"]),
        ("a**b", ["ab", "axxb"], ["b"]),
        ("[abc]x", ["ax", "Bx"], ["dx", "x"]),
        ("[a-c]x", ["bx"], ["dx", "-x"]),
        ("[!a-c]x", ["dx"], ["bx"]),
        ("[]x]", ["]", "x"], ["[]x]"]),
        ("[!]]", ["x"], ["]"]),
        ("[^a]", ["^", "a"], ["b"]),
        ("[[]tag] *", ["[tag] news", "[TAG] "], ["t news"]),
        ("[tag", ["[tag"], ["t"]),
        ("[]", ["[]"], [""]),
        (r"a\*", ["a\\b"], ["a*"]),
        ("a.b(c)+{2}|^$", ["a.b(c)+{2}|^$"], ["axb(c)+{2}|^$", "a.bc"]),
        ("[a&&b]", ["&", "a"], ["c"]),
        ("[\\d]", ["\\", "d"], ["5"]),
        ("Ärger*", ["ärger im büro", "ÄRGER"], ["arger"]),
        ("发票*", ["发票.pdf"], ["票.pdf"]),
        ("café", ["cafe\u0301"], ["cafe"]),  # as macOS sends it
        ("cafe\u0301", ["café"], ["cafe"]),
        ("*", ["", "x", "\ud800", "\x00"], []),
    ],
)
def test_globs_fit_the_whole_value_and_are_case_blind(glob, fitting, others):
    pattern = Pattern(glob)
    assert [value for value in fitting if not pattern.fits(value)] == []
    assert [value for value in others if pattern.fits(value)] == []


@pytest.mark.parametrize(
    ("expression", "fitting", "others"),
    [
        (r"order \d+", ["Your ORDER 66 is here"], ["order x"]),
        (r"^order", ["order"], ["my order"]),
        (r"(?m)^order", ["a\norder"], ["a order"]),
        (r"a.b", ["a-b"], ["a\nb"]),
        (r"(?-i)URGENT", ["URGENT"], ["urgent"]),
        (r"(红|绿)包", ["发红包"], ["包"]),
        (r"\bfree\b", ["is free!"], ["freedom"]),
    ],
)
def test_expressions_fit_anywhere_and_are_case_blind(expression, fitting, others):
    pattern = Pattern(expression, regex=True)
    assert [value for value in fitting if not pattern.fits(value)] == []
    assert [value for value in others if pattern.fits(value)] == []


@pytest.mark.parametrize("expression", ["a(?=b)", "a(?!b)", "(?<=a)b", "(?<!a)b", "(?>a+)b", "(?P<n>a)(?P=n)"])
def test_look_around_is_refused_in_words(expression):
    with pytest.raises(ValueError, match="look-around and the like are not known"):
        Pattern(expression, regex=True)


def test_back_references_are_refused_in_words():
    with pytest.raises(ValueError, match="back-references are not known"):
        Pattern(r"(a)\1", regex=True)


@pytest.mark.parametrize(
    "expression", ["(a", "a)", "*", "a**", "[z-a]", "a{2,1}", "\\", "[a", r"\p{Foo}", "a{1001}", "((a{99}){99}){99}"]
)
def test_broken_and_huge_expressions_are_refused_in_words(expression):
    with pytest.raises(ValueError, match=r"no usable pattern .* allowed is the syntax of RE2"):
        Pattern(expression, regex=True)


@pytest.mark.parametrize("pattern", [("", False), ("", True), ("[z-a]", False)])
def test_globs_that_say_nothing_are_refused(pattern):
    with pytest.raises(ValueError, match="pattern"):
        Pattern(*pattern)


#: Each makes a backtracking engine take time exponential or of high power in the length of its text.
EVIL = [
    (r"^(a+)+$", "a"),
    (r"^(a*)*$", "a"),
    (r"^(a|a)*$", "a"),
    (r"^(a|aa)+$", "a"),
    (r"^(a|a?)+$", "a"),
    (r"^(.*a){20}$", "a"),
    (r"^([a-zA-Z]+)*$", "a"),
    (r"^(([a-z])+.)+[A-Z]([a-z])+$", "a"),
    (r"(x+x+)+y", "x"),
    (r"(a?){50}a{50}b", "a"),
    (r"(.*)*=(.*)*;", "="),
    (r"(.+)+\.(.+)+@(.+)+z", "a.a@"),
    (r"^(\w+\s?)*$", "aaaa "),
    (r"^(\d+)*x", "1"),
    (r"(\s*\n)*\s*x", " \n"),
    (r"\s+$", " x "),
    (r"^\s+|\s+$", "  a"),
    (r"(<[^>]*>)*x", "<a>"),
    (r"(a|b|ab)*c", "ab"),
    (r"(.*?,){30}P", "1,"),
    (r"^(?:(?:a|b)+)+c", "ab"),
    (r"(?:.*,)*x", ",,"),
    (r"^([\w.-]+)+@([\w-]+\.)+\w+$", "a."),
    (r"^(([^<>()]+)*)*@x", "a"),
    (r"^(https?://)?([\da-z.-]+)*\.([a-z.]{2,6})([/\w .-]*)*/?$", "a/"),
    (r"(\[[^]]*\])*x", "[a]"),
    (r"(\(.*\))*x", "()"),
    (r"(0|[1-9]\d*)*\.", "10"),
    (r"(?:x{1,100}){1,10}y", "x"),
    (r"(.{1,30}){1,30}z$", "a"),
]


def test_there_are_thirty_evil_patterns():
    assert len(EVIL) == 30


@pytest.mark.parametrize(("expression", "piece"), EVIL)
def test_evil_patterns_are_linear(expression, piece):
    """
    By construction: RE2 has no backtracking. A backtracking engine would not end in the age of the universe here, so
    the only thing asked is that it ends; the time-out of the test is the limit.
    """
    pattern = Pattern(expression, regex=True)
    pattern.fits(piece * (50_000 // len(piece)) + "!")


def test_evil_globs_are_linear():
    assert not Pattern("*" + "a*" * 100 + "b").fits("a" * 50_000)


def test_a_pattern_is_a_value():
    glob, expression = Pattern("a*"), Pattern("a*", regex=True)
    assert glob == Pattern("a*") != expression
    assert pickle.loads(pickle.dumps(expression)) == expression
    assert pickle.loads(pickle.dumps(glob)).fits("axe")
    assert repr(glob) == "Pattern(text='a*', regex=False)"


@pytest.mark.parametrize("value", [5, None, True, {}, {"regex": 5}, {"regex": "a", "x": 1}, {"glob": "a"}, ["a"]])
def test_what_is_no_pattern(value):
    with pytest.raises(ValueError, match="is no pattern; allowed is"):
        parse_pattern(value)


def test_patterns_as_written():
    assert parse_pattern("Re: *") == Pattern("Re: *")
    assert parse_pattern({"regex": "^x"}) == Pattern("^x", regex=True)
