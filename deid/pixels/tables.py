"""Tables that turn values into others, LUT Data and palettes: they hold what their descriptors count, and no more.

Nobody looks at tables, so a picture would pass for one if nobody counted its entries.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from deid.errors import Rejected
from deid.part10.output import KEEP
from deid.part10.walk import Verbatim, Walker
from deid.standard.dictionary import name_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deid.part10.encoding import Encoding
    from deid.part10.outline import Outline
    from deid.part10.output import Element, Verdict
    from deid.part10.source import Source

_SEGMENTED: Final = frozenset(range(0x00281221, 0x00281225))
_LARGE: Final = range(0x00281211, 0x00281214)
"""Large Palette Color Lookup Table Data, retired: four numbers describe them, and PS3.3 no longer says how."""
_DESCRIPTOR_OF: Final = (
    {tag: tag - 0x100 for tag in (*range(0x00281200, 0x00281205), *_LARGE)}
    | {tag: tag - 0x120 for tag in _SEGMENTED}
    | {tag: tag - 1 for tag in (0x00281408, 0x00701808)}
    | {0x00283006: 0x00283002}
)
"""Gray, Palette Color, Blending, Weighting Lookup Table and LUT Data, and what counts their entries."""
_DESCRIPTORS: Final = frozenset(_DESCRIPTOR_OF.values())
_WANTED: Final = Verbatim((tag, True) for tag in (*_DESCRIPTOR_OF, *_DESCRIPTORS))
_MOST_ENTRIES: Final = 1 << 16  # 0 in a descriptor (PS3.3 C.7.6.3.1.5 and C.11.1.1)
_SMALL: Final = 1 << 10
"""Bytes; a picture of fewer shows hardly a word, and some writers leave tables without entries."""
_DISCRETE, _LINEAR, _INDIRECT = range(3)


def refuse_uncounted_tables(layout: Outline, source: Source) -> None:
    """Raises Rejected for a table, at any depth, that holds more than its descriptor counts, or less if it is large."""
    orders = "<>" if layout.encoding.big_endian else "<"  # VR UN holds little endian (PS3.5 6.2.2)
    names = (struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF) for order in orders for tag in _DESCRIPTOR_OF)
    if not any(name in layout.buffer for name in names):
        return
    tables = _Tables()
    walker = Walker(layout.buffer, tables.take)
    for place in layout.places:
        span = layout.spans.get(place.start)
        if span is None:
            walker.data_set(place.start, place.end, _WANTED, layout.encoding)
        elif place.tag in _DESCRIPTOR_OF:
            content = source.read(span.offset, min(span.length, 4 * _MOST_ENTRIES))
            tables.check(place.tag, content, span.length, (), layout.encoding)


class _Tables:
    """The tables of one object; a descriptor stands before its table (PS3.5 7.1), and counts for one alone."""

    def __init__(self) -> None:
        self._descriptors: dict[tuple[tuple[int, ...], int], bytes] = {}

    def take(self, rule: Any, element: Element) -> Verdict:  # noqa: ANN401, ARG002 - see Walker
        tag, _, value, _, path, encoding, _ = element
        if tag in _DESCRIPTORS:
            self._descriptors[path, tag] = value
        else:
            self.check(tag, value, len(value), path, encoding)
        return KEEP

    def check(self, tag: int, content: bytes, length: int, path: tuple[int, ...], encoding: Encoding) -> None:
        """Raises Rejected where a table is not what is said of it. `content` is the beginning of a large one."""
        descriptor = self._descriptors.pop((path, _DESCRIPTOR_OF[tag]), b"")
        if len(descriptor) != struct.calcsize("HHH"):
            is_large = tag in _LARGE and len(descriptor) == struct.calcsize("HHHH")
            if length > (2 * _MOST_ENTRIES if is_large else _SMALL):
                raise Rejected(f"{name_of(tag)} has no descriptor, and nobody would look at what it holds")
            return
        order = ">" if encoding.big_endian else "<"
        stated, _, bits = struct.unpack(f"{order}HHH", descriptor)
        entries = stated or _MOST_ENTRIES
        near = range(entries - 1, entries + 2)  # some writers count the last number, others from 0
        if tag in _SEGMENTED:
            width = 1 if bits <= 8 else 2
            found = _expanded(content, width, order, near[-1]) if length == len(content) else near[-1] + 1
            more, less = found > near[-1], found < near[0]
        else:
            more = length > 2 * near[-1]
            less = all(length not in (2 * count, count + count % 2) for count in near)  # of 16 bits some write 8
        if more or (less and length > _SMALL):
            raise Rejected(f"{name_of(tag)} is longer or shorter than its descriptor says, and nobody would look at it")


def _expanded(data: bytes, width: int, order: str, most: int) -> int:
    """How many entries the segments make (PS3.3 C.7.9.2); where that is no number, or larger than `most`, one more."""
    units = data if width == 1 else struct.unpack(f"{order}{len(data) // 2}H", data[: len(data) & ~1])
    total = at = 0
    while at + 1 < len(units):  # a single one at the end is padding
        kind, count = units[at : at + 2]
        at += 2
        if kind == _INDIRECT:
            low, high = struct.unpack(f"{order}HH", data[at * width : at * width + 4].ljust(4, b"\xff"))
            count = _copied(units, (high << 16 | low) // width, count, most)
            at += 4 // width
        else:
            at += _size(kind, count)
        total += count
        if not count or total > most or at > len(units):
            return most + 1
    return total


def _copied(units: Sequence[int], at: int, segments: int, most: int) -> int:
    """How many entries those segments make that an indirect one names; 0 where it names none of the other kinds."""
    total = 0
    for _ in range(segments):
        kind, count = (*units[at : at + 2], _INDIRECT, 0)[:2]
        if kind == _INDIRECT or not count or total > most:
            return 0
        total += count
        at += 2 + _size(kind, count)
    return total


def _size(kind: int, count: int) -> int:
    """Of what follows the head of a segment; more than there can be for a kind that is none."""
    return {_DISCRETE: count, _LINEAR: 1}.get(kind, _MOST_ENTRIES << 2)
