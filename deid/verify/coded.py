"""Text in compressed pixel data, where no decoder shows it: behind coded data, in tables that nothing uses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from deid.part10.encoding import UNDEFINED
from deid.part10.outline import PIXELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deid.part10.outline import Outline
    from deid.part10.source import Source
    from deid.part10.texts import Text
    from deid.verify.spellings import Words
    from deid.verify.values import Identifying

_CODESTREAMS: Final = "1.2.840.10008.1.2.4."  # of JPEG in all its forms
_CHUNK: Final = 1 << 20
_OVERLAP: Final = 1 << 8  # of chunks, so that no phrase falls between them
_SHORTEST: Final = 6  # bytes of a word: chance writes shorter ones into coded data
_IN_MOST_TABLES: Final = b"56789:CDEFGHIJSTUVWXYZcdefghijstuvwxyz"
"""What a Huffman table of the standard says (ITU-T T.81 Tables K.5 and K.6), and perhaps the ID of a patient."""
_KINDS: Final = b"\2" + bytes(0x20 <= byte <= 0x7E for byte in range(1, 256))
_OTHER: Final = re.compile(b"[^\1]")
_RUN, _WIDE = b"\1" * 8, b"\1\2" * 7 + b"\1"  # of ASCII, in bytes and in UTF-16


def texts_in_frames(published: Outline, written: Source, values: Identifying, *, all_of_them: bool) -> list[Text]:
    """What reads like text in compressed pixel data and says a long word of the original.

    Only their offset table is read where a profile leaves frames alone, which then are copied unread, and where they
    are no codestreams: pixels as they are, in RLE too, count up through the digits of a number where they are smooth.
    """
    in_frames = all_of_them and written.transfer_syntax.startswith(_CODESTREAMS)
    coded = [place for place in published.places if place.tag in PIXELS and place.length == UNDEFINED]
    if not coded:
        return []
    single = (*values.words, *values.dates, *(uid.encode("latin-1") for uid in values.uids))
    phrases = {(word,) for word in single} | {words for each in values.phrases.values() for words, _, _ in each}
    ours = [words for words in phrases if sum(map(len, words)) >= _SHORTEST]
    foreign = [form for forms in values.in_binary().values() for form in forms if len(form) >= _SHORTEST]
    found: list[Text] = []
    for place in coded:
        offset, length = published.spans[place.start]
        if not in_frames:
            length = 8 + int.from_bytes(written.read(offset + 4, 4), "little")
        for begin in range(0, length, _CHUNK):
            content = written.read(offset + begin, min(_CHUNK + _OVERLAP, length - begin))
            content = content.replace(_IN_MOST_TABLES, b"\0")
            runs = list(_runs(content))
            telling = [form for form in foreign if form in content] + _telling(runs, ours)
            if telling:
                found.append((place.tag, "OB", b" \\ ".join(telling)))
    return found


def _telling(runs: list[bytes], ours: Iterable[Words]) -> list[bytes]:
    """The runs that hold all words of a phrase."""
    together = b" ".join(runs).lower()
    there = [words for words in ours if all(word in together for word in words)]
    return [run for run in runs if any(all(word in run.lower() for word in words) for words in there)]


def _runs(content: bytes) -> Iterator[bytes]:
    """Runs of printable ASCII."""
    kinds = content.translate(_KINDS)
    at = kinds.find(_RUN)  # ten times as fast as an expression that looks for all runs
    while at >= 0:
        found = _OTHER.search(kinds, at)
        end = found.start() if found else len(kinds)
        yield content[at:end]
        at = kinds.find(_RUN, end)
    if _WIDE in kinds:
        yield from _runs(content.replace(b"\0", b""))
