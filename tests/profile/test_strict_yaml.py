from __future__ import annotations

import pytest

from deid.errors import BadProfile
from deid.profile import strict_yaml

YES_NO = ["yes", "No", "on", "OFF", "y", "N", "true", "null", "~", "="]


def refusal(text: str) -> str:
    with pytest.raises(BadProfile) as error:
        strict_yaml.read(text, "p.yaml")
    return str(error.value)


def fields(text: str) -> dict[str, strict_yaml.Node]:
    return strict_yaml.read(text, "p.yaml").fields("the file", ("a", "b"), required=("a",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "p.yaml:1:1: the file is empty"),
        ("# nothing\n", "p.yaml:1:1: the file is empty"),
        ("a: 1\n---\nb: 2\n", "p.yaml:2:1: a second document in the file is not accepted"),
        ("%YAML 1.1\n---\na: 1\n", "p.yaml:2:1: YAML directives are not accepted"),
        ("a: &x 1\n", "p.yaml:1:4: anchors and aliases are not accepted"),
        ("a: 1\nb: *a\n", "p.yaml:2:4: anchors and aliases are not accepted"),
        ("a: !!str 1\n", "p.yaml:1:4: YAML tags are not accepted"),
        ("a: !!python/object:x 1\n", "p.yaml:1:4: YAML tags are not accepted"),
        ("a: [[[[[[[]]]]]]]\n", "p.yaml:1:9: nested too deeply"),
        ("[" * 100_000, "p.yaml:1:7: nested too deeply"),
        ("a: 1\nb: \x00\n", "p.yaml:2:4: a character that YAML does not allow"),
        ("a: 1\nb: [1\nc: 2\n", "p.yaml:3:2: not valid YAML: "),
        ("a: b: c\n", "p.yaml:1:5: not valid YAML: "),
        ('a: "\\UFFFFFFFF"\n', "p.yaml:1:1: not valid YAML"),
        ("a: " + "x" * 100_000, "p.yaml:1:1: larger than 100000 bytes"),
    ],
)
def test_what_is_refused_and_where(text: str, message: str) -> None:
    assert refusal(text).startswith(message)


@pytest.mark.parametrize(
    "word",
    [*YES_NO, "10", "0010", "0x10", "0o17", "-5", "1_000", "1.5", "1e5", ".inf", "12:30", "2026-01-31", "00100020"],
)
def test_a_word_with_two_meanings_is_text_only_in_quotes(word: str) -> None:
    given = fields(f'a: {word}\nb: "{word}"\n')
    assert given["b"].text("b") == word
    with pytest.raises(BadProfile, match=r"^p\.yaml:1:4: a must be text; quote "):
        given["a"].text("a")


@pytest.mark.parametrize("written", ["010", "0x10", "+1", "1.0", "1_0", '"1"', "one", "[1]", "9999999999", ""])
def test_a_whole_number_is_plain_decimal(written: str) -> None:
    value = fields(f"a: {written}\n")["a"]
    with pytest.raises(BadProfile, match=r"^p\.yaml:\d:\d: a must be a whole number in plain decimal"):
        value.integer("a")


@pytest.mark.parametrize("written", ["yes", "True", "on", "1", '"true"', "[true]"])
def test_a_truth_value_is_said_in_one_way(written: str) -> None:
    value = fields(f"a: {written}\n")["a"]
    with pytest.raises(BadProfile, match=r"^p\.yaml:1:4: a must be true or false$"):
        value.truth("a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "p.yaml:3:1: duplicate key 'a', given before on line 1"),
        ("a: 1\nbb: 2\n", "p.yaml:2:1: unknown key 'bb' in the file; did you mean 'b'?"),
        ("a: 1\nbb: []\n", "p.yaml:2:1: unknown key 'bb' in the file; did you mean 'b'?"),
        ("xyz: 2\n", "p.yaml:1:1: unknown key 'xyz' in the file; valid: a, b"),
        ("{a: (0010,0020)}\n", "p.yaml:1:11: unknown key '0020)' in the file; if it belongs to the value before it,"),
        ("a: 1\n<<: {b: 2}\n", "p.yaml:2:1: merge keys are not accepted"),
        ("? [a]\n: 1\n", "p.yaml:1:3: a key of the file must be a word, not a list"),
        ("b: 1\n", "p.yaml:1:1: the file needs the key 'a'"),
        ("- a\n", "p.yaml:1:1: the file must be a mapping of a, b"),
    ],
)
def test_a_mapping_has_known_keys_once(text: str, message: str) -> None:
    with pytest.raises(BadProfile) as error:
        fields(text)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [("a:", 1, 1), ("a:\n\n# later\nb: 1\n", 1, 1), ("{b: 1, a: }", 1, 8), ("b: 1\na:\n", 2, 1)],
)
def test_a_missing_value_is_reported_at_its_key(text: str, line: int, column: int) -> None:
    with pytest.raises(BadProfile, match=rf"^p\.yaml:{line}:{column}: a has no value$"):
        fields(text)["a"].text("a")


@pytest.mark.parametrize("text", ["a: |\n  two\n  lines\n", 'a: "\\x1b[2J"\n', 'a: "\\u202e"\n'])
def test_text_is_one_printable_line(text: str) -> None:
    value = fields(text)["a"]
    with pytest.raises(BadProfile, match=r"^p\.yaml:1:4: a must be one line without control characters$"):
        value.text("a")


def test_a_byte_order_mark_and_windows_line_ends_are_no_trouble() -> None:
    given = fields("\ufeffa: one\r\nb: -2\r\n")
    assert (given["a"].text("a"), given["b"].integer("b")) == ("one", -2)
