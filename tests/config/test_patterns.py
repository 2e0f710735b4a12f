import pickle
import random
import time

import pytest

from watcher.config.patterns import Pattern, parse_pattern
from watcher.rules.sight import BODY_LIMIT


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
    with pytest.raises(ValueError, match="look-around and its like are unknown"):
        Pattern(expression, regex=True)


def test_back_references_are_refused_in_words():
    with pytest.raises(ValueError, match="back-references are not known"):
        Pattern(r"(a)\1", regex=True)


@pytest.mark.parametrize(
    "expression", ["(a", "a)", "*", "a**", "[z-a]", "a{2,1}", "\\", "[a", r"\p{Foo}", "a{1001}", "((a{99}){99}){99}"]
)
def test_broken_expressions_are_refused_in_words(expression):
    with pytest.raises(ValueError, match=r"not a usable pattern .* allowed is the syntax of RE2"):
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
    (r"(.{1,10}){1,10}z$", "a"),
]


#: Each makes the automaton that takes the place of backtracking grow without bound.
HUNGRY = [
    (r"(a|b)*a(a|b){12}x", "ab"),
    (r"(?:a|b)*a(?:a|b){16}c", "aab"),
    (r"[ab]*a[ab]{200}c", "abba"),
    (r"(?s).{0,50}a.{0,50}z", "ax"),
    (r"(x{1,30}){1,10}y", "x"),
    (r"[^a]{1,60}b.{1,60}c", "bé"),
]
GREEDY = ["*" + "a*" * 100 + "b", "*a" + "?" * 20 + "*", "*a" + "?" * 150 + "b*", "*[ab]?[ab]??[ab]*x"]


def test_there_are_thirty_evil_patterns():
    assert len(EVIL) == 30


def texts(piece, size):
    """Long texts that are hard: regular, irregular, and with long letters."""
    rnd = random.Random(1)
    letters = [*piece, "a", "b"]
    yield (piece * (size // len(piece) + 1))[: size - 1] + "!"
    yield "".join(rnd.choices(letters, k=size))
    yield "".join(rnd.choices([*letters, "\U0001f600"], k=size))


def slowest(pattern, piece):
    """Seconds of processor time for the worst of the largest texts that a rule holds against a pattern."""
    took = 0.0
    for text in texts(piece, BODY_LIMIT):
        before = time.thread_time()
        pattern.fits(text)
        took = max(took, time.thread_time() - before)
    return took


@pytest.mark.parametrize(("expression", "piece"), [*EVIL, *HUNGRY])
def test_no_expression_takes_long(expression, piece):
    """Usually under 20 ms; a backtracking engine would not end in the age of the universe, an automaton in seconds."""
    took = slowest(Pattern(expression, regex=True), piece)
    print(f"{took * 1000:.1f} ms: {expression}")  # noqa: T201
    assert took < 1.0, "not a measure: only what has no bound gets here"


@pytest.mark.parametrize("glob", GREEDY)
def test_no_glob_takes_long(glob):
    assert slowest(Pattern(glob), "ab") < 1.0


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("(.{1,30}){1,30}z$", "needs 8104 steps for each letter"),
        ("(.{0,100}a){10}x", "needs 9015 steps for each letter"),
        (r"(\pL{1,9}@){1,9}x", "steps for each letter|too large a pattern"),
        (r"((\pL|\pN){1,300}@){2}x", "too large a pattern"),
    ],
)
def test_what_would_take_long_is_refused_in_words(expression, words):
    with pytest.raises(ValueError, match=words) as refused:
        Pattern(expression, regex=True)
    assert "repeat less" in str(refused.value)


def test_a_costly_pattern_sees_less_of_a_text():
    cheap, costly = Pattern("*x*"), Pattern(r".{0,90}x.{0,90}y", regex=True)
    assert cheap.reach > BODY_LIMIT > costly.reach > 1000
    for letter in ("a", "\u00e4", "\u53d1", "\U0001f600"):
        reach = costly.reach // len(letter.encode())
        assert costly.fits(letter * (reach - 2) + "xy")
        assert not costly.fits(letter * (reach + 2) + "xy")
        assert Pattern("*").fits(letter * 10 * BODY_LIMIT), "no letter is cut in two"


def test_a_pattern_is_a_value():
    glob, expression = Pattern("a*"), Pattern("a*", regex=True)
    assert glob == Pattern("a*") != expression
    assert pickle.loads(pickle.dumps(expression)) == expression
    assert pickle.loads(pickle.dumps(glob)).fits("axe")
    assert repr(glob) == "Pattern(text='a*', regex=False)"


@pytest.mark.parametrize("value", [5, None, True, {}, {"regex": 5}, {"regex": "a", "x": 1}, {"glob": "a"}, ["a"]])
def test_what_is_no_pattern(value):
    with pytest.raises(ValueError, match="is not a pattern; allowed is"):
        parse_pattern(value)


def test_patterns_as_written():
    assert parse_pattern("Re: *") == Pattern("Re: *")
    assert parse_pattern({"regex": "^x"}) == Pattern("^x", regex=True)
