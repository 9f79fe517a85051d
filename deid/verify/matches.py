"""The words of an original that stand in a text: as it separates them, in one, in parts, and in other letters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from deid.part10.charsets import readings
from deid.part10.texts import NUMERIC, OPAQUE
from deid.verify import spellings
from deid.verify.evidence import Match
from deid.verify.letters import in_ascii
from deid.verify.months import in_numbers
from deid.verify.spellings import pieces_of, words_within
from deid.verify.spellings import words as words_of
from deid.verify.values import SHORTEST_IN_PARTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from deid.part10.texts import Text
    from deid.verify.spellings import Words
    from deid.verify.values import Identifying

NO_TEXT: Final = NUMERIC | {"UI"}
_SHORT_YEAR: Final = 2  # digits, which stand in any text
_BINARY: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")  # what no text has (PS3.5 6.1.3)
_MOST_PARTS: Final = 4  # of a number: more of them in a row are a list
_LONGEST: Final = 64  # letters of a name, which may stand one by one


def words_said(vr: str, value: bytes, values: Identifying) -> list[str]:
    """What a value says that has other letters than those of ASCII, in plain words, and as it is copied to ASCII."""
    if vr in OPAQUE:
        forms_of = values.in_binary(as_ascii=value.isascii())
        return [word for word, forms in forms_of.items() if any(form in value for form in forms)]
    if vr in NO_TEXT or not spellings.is_foreign(value):
        return []
    found = [*(said for each in values.character_sets for said in readings(value, each)), value.decode("latin-1")]
    said = [spellings.plain(each) for each in found]
    return list(dict.fromkeys((*said, *(copied for each in said for copied in in_ascii(each)))))


def matches_in(text: Text, values: Identifying) -> Iterator[Match]:
    """Every word and phrase of the original that stands in a text, whether it says something there or not."""
    tag, vr, value = text
    texts_said = words_said(vr, value, values)
    readings_in_words, in_pieces = _readings(vr, value, texts_said)
    for words in readings_in_words:
        yield from _phrases(tag, vr, (words, in_numbers(words)), values.phrases)
    long = {word: phrases for word, phrases in values.phrases.items() if len(word) > _SHORT_YEAR or not word.isdigit()}
    for words in in_pieces:
        yield from _phrases(tag, vr, (words, in_numbers(words)), long)
    found = {word for words in readings_in_words for word in words}
    for words in in_pieces:
        numbers = [word.lstrip(b"0") for word in words if word[:1] == b"0"]
        found.update(word for word in words + numbers if len(word) >= SHORTEST_IN_PARTS or not word.isdigit())
    if in_pieces:
        found.update(word for words in (*readings_in_words, *in_pieces) for word in _in_parts(words, values))
    for word in found & values.words.keys():
        yield Match(tag, vr, values.words[word], (word,), word in values.doubtful)
    for said in texts_said:
        running = spellings.unspaced(said)
        for form, (parts, source) in values.unspaced.items():
            if form in running:
                yield Match(tag, vr, source, parts)


def _readings(vr: str, value: bytes, texts_said: Iterable[str]) -> tuple[list[list[bytes]], list[list[bytes]]]:
    """The words of a text as it separates them, and in pieces; in binary data chance has words begin anywhere."""
    said = [each.encode() for each in texts_said]
    in_words = [words_of(value), *(each.split() for each in said)]
    if vr in OPAQUE:
        in_words += [words_of(value.replace(b"\0", b"")), words_within(value)]
    is_text = vr not in OPAQUE or not _BINARY.search(value.rstrip(b"\0"))
    return in_words, [pieces_of(each) for each in (value, *said)] if is_text else []


def _phrases(
    tag: int, vr: str, readings_in_words: Iterable[list[bytes]], phrases: Mapping[bytes, list[tuple[Words, int, int]]]
) -> Iterator[Match]:
    for words in readings_in_words:
        for at, word in enumerate(words):
            for phrase, place, source in phrases.get(word, ()):
                begin = at - place
                if begin >= 0 and tuple(words[begin : begin + len(phrase)]) == phrase:
                    yield Match(tag, vr, source, phrase)


def _in_parts(words: list[bytes], values: Identifying) -> Iterator[bytes]:
    """Words of the original that a text writes in several: numbers in groups, names with an apostrophe."""
    beginnings = values.beginnings()
    for at, word in enumerate(words):
        together, parts = word, _MOST_PARTS if word.isdigit() else _LONGEST
        for following in words[at + 1 : at + parts]:
            if together not in beginnings:
                break
            together += following
            if together in values.words and len(together) >= SHORTEST_IN_PARTS:
                yield together
