"""What the walk asks of an element, what can be answered, and the new bytes of a data set that come of the answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from deid.errors import Rejected

if TYPE_CHECKING:
    from deid.part10.encoding import Encoding
    from deid.part10.place import Fresh, Span


class Verdict(Enum):
    """What a rule or an act can say besides new bytes."""

    KEEP = "copy the element as it is"
    DESCEND = "keep the sequence and treat what is in its items"
    REMOVE = "leave the element out"
    RESERVE = "a private creator: stays only if an element of its block stays"


KEEP, DESCEND, REMOVE, RESERVE = Verdict.KEEP, Verdict.DESCEND, Verdict.REMOVE, Verdict.RESERVE


class Element(NamedTuple):
    """What an act sees of an element; the value of a sequence is its items, b"" stands for what was left on disk."""

    tag: int
    vr: str
    value: bytes
    creator: str  # of the private block, "" for public elements and blocks that nobody reserved
    path: tuple[int, ...]  # tags of the sequences around it
    encoding: Encoding
    inner: Encoding  # of the items, if it is a sequence


class Rules(Protocol):
    """Which elements of one data set are treated: None copies, DESCEND recurses, anything else goes to the act."""

    def __getitem__(self, tag: int, /) -> Any: ...  # noqa: ANN401 - the walk hands it to the act unseen

    def items_of(self, tag: int, /) -> Rules:
        """The rules that hold in the items of a sequence."""
        ...


Act = Callable[[Any, Element], "bytes | Verdict"]


@dataclass(slots=True)
class Output:
    """The new bytes of one data set: what is kept is merged into ranges of the buffer, the rest is put between them."""

    buffer: bytes | bytearray
    keep: int  # where the range that is being kept begins
    pieces: list[bytes | bytearray | Span | Fresh] = field(default_factory=list)
    creators: dict[int, tuple[str, bytes, int]] = field(default_factory=dict)  # tag: name, element, place in pieces

    def put(self, tag: int, start: int, after: int, new: bytes | Verdict) -> None:
        """Replace buffer[start:after] by the new bytes, or as the verdict says."""
        if new is not KEEP:
            self.pieces.append(self.buffer[self.keep : start])
            self.keep = after
            if isinstance(new, bytes):
                self.pieces.append(new)
            elif new is RESERVE:
                self.creators[tag] = (self.creators[tag][0], bytes(self.buffer[start:after]), len(self.pieces))
                self.pieces.append(b"")
        if tag & 0x10000 and (new is KEEP or isinstance(new, bytes)):
            _, element, place = self.creators.get(tag & 0xFFFF0000 | (tag & 0xFFFF) >> 8, ("", b"", 0))
            if element:
                self.pieces[place] = element

    def mark(self, start: int) -> int:
        """Keep a place among the pieces, before buffer[start], for an element that is not in the source."""
        self.pieces.append(self.buffer[self.keep : start])
        self.keep = start
        self.pieces.append(b"")
        return len(self.pieces) - 1

    def creator(self, tag: int, value: bytes) -> str:
        """The private creator of an element, or of the block that a creator element reserves (PS3.5 7.8.1)."""
        if 0x10 <= tag & 0xFFFF <= 0xFF:
            if tag in self.creators:
                raise Rejected("a private block is reserved twice, so nobody can say whose elements it holds")
            self.creators[tag] = (value.decode("latin-1").strip(" \0"), b"", 0)
            return self.creators[tag][0]
        return self.creators.get(tag & 0xFFFF0000 | (tag & 0xFFFF) >> 8, ("", b"", 0))[0]
