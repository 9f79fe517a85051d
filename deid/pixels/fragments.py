"""The fragments of encapsulated pixel data: which of them make a frame, and how they are written (PS3.5 A.4)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from deid.errors import Rejected
from deid.part10.encoding import UNDEFINED
from deid.part10.place import Fresh
from deid.pixels.image import MOST_FRAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from deid.part10.place import Span
    from deid.part10.source import Source
    from deid.part10.target import Piece

    Fragments = tuple[tuple[tuple[int, int], ...], ...]  # for each frame: (offset, length) of its fragments

_BEGINNINGS: Final = (b"\xff\xd8", b"\xff\x4f", b"\0\0\0\x0cjP  ")  # of JPEG and JPEG 2000, without and with boxes


def items_in(source: Source, offset: int, end: int) -> list[tuple[int, int]]:
    """Offset and length of the offset table and of every fragment behind it."""
    items: list[tuple[int, int]] = []
    position = offset
    while position + 8 <= end:
        group_element = source.read(position, 8)
        size = int.from_bytes(group_element[4:], "little")
        if group_element[:4] == b"\xfe\xff\xdd\xe0":
            break
        items.append((position + 8, size))
        if len(items) > MOST_FRAMES:
            raise Rejected(f"the pixel data are in more than {MOST_FRAMES} fragments")
        position += 8 + size
    if not items:
        raise Rejected("the pixel data hold no frame")
    return items


def fragments_of(source: Source, span: Span, frames: int) -> Fragments:
    """Which fragments belong to which frame: one each, by how frames begin, or by the offset table.

    Raises Rejected where nobody can tell, or where there are more frames than `frames`.
    """
    end = span.offset + span.length
    (table_at, table_size), *parts = items_in(source, span.offset, end)
    if len(parts) == frames:
        return tuple((part,) for part in parts)
    beginnings = [at for at, part in enumerate(parts) if source.read(part[0], 8).startswith(_BEGINNINGS)]
    if len(beginnings) > frames:
        raise Rejected("more frames are there than the object states, and nobody would look at them")
    if frames == 1 and not beginnings:
        return (tuple(parts),)
    if len(beginnings) == frames and beginnings[0] == 0:
        return tuple(tuple(parts[low:high]) for low, high in pairwise([*beginnings, len(parts)]))
    table = source.read(table_at, table_size)
    starts = [int.from_bytes(table[at : at + 4], "little") for at in range(0, len(table) - 3, 4)]
    base = parts[0][0] - 8 if parts else 0
    if len(starts) != frames or starts != sorted(set(starts)) or starts[:1] != [0]:
        raise Rejected("nobody can tell which fragments of the pixel data belong to which frame")
    borders = [base + start for start in starts] + [end]
    grouped = [[part for part in parts if low <= part[0] - 8 < high] for low, high in pairwise(borders)]
    if any(not group or group[0][0] - 8 != low for group, low in zip(grouped, borders, strict=False)):
        raise Rejected("the offset table of the pixel data does not fit their fragments")
    return tuple(map(tuple, grouped))


def has_sound_table(source: Source, span: Span, fragments: Fragments) -> bool:
    """Whether the Basic Offset Table is empty, or tells nothing but where frames begin."""
    size = int.from_bytes(source.read(span.offset + 4, 4), "little")
    base = span.offset + 16 + size  # behind the header of the first fragment
    expected = b"".join((frame[0][0] - base).to_bytes(4, "little") for frame in fragments if frame)
    return not size or source.read(span.offset + 8, size) == expected


def encapsulated(frames: Callable[[], Iterable[bytes]]) -> list[Piece]:
    """The element Pixel Data of encoded frames: an empty offset table, then one fragment for each."""
    header = b"\xe0\x7f\x10\x00OB\0\0" + UNDEFINED.to_bytes(4, "little") + b"\xfe\xff\x00\xe0\0\0\0\0"

    def items() -> Iterator[bytes]:
        for content in frames():
            even = content + b"\0" * (len(content) % 2)
            yield b"\xfe\xff\x00\xe0" + len(even).to_bytes(4, "little") + even

    return [header, Fresh(items, None), b"\xfe\xff\xdd\xe0\0\0\0\0"]
