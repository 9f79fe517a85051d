"""Rewrite an encoded data set: elements without a rule are copied verbatim as merged byte ranges, others are treated.

The walk goes over every element at every depth (PS3.15 E.1.1), in either VR mode and byte order, and never builds
objects. It knows how items, delimiters and private blocks are encoded; what happens to an element is not its business:
`Rules` names the elements to be treated and `Act` treats them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from deid.errors import Rejected
from deid.part10.encoding import (
    FORMS,
    IN_UNKNOWN,
    ITEM,
    SEQUENCE,
    SEQUENCE_DELIMITER,
    SHORT,
    STRANGE,
    UNDEFINED,
    Encoding,
    encode,
)
from deid.part10.output import DESCEND, KEEP, REMOVE, RESERVE, Element, Output
from deid.part10.place import Place, Truncated, named
from deid.standard.dictionary import unstated_vr, vr_of

if TYPE_CHECKING:
    from deid.part10.output import Act, Rules, Verdict

MAX_DEPTH: Final = 100
"""Levels of nesting; the deepest object of a standard IOD stays below 30."""


_MOST_CACHED: Final = 8192  # tags whose rule is remembered: a file with ever new ones must not fill the memory
_EMPTY_ITEMS: Final = b"\xfe\xff\x00\xe0\x0d\xdd"  # the bytes that items and delimiters without content are made of


def is_explicit(buffer: bytes | bytearray, pos: int) -> bool:
    """Whether a data set that should be in implicit VR begins with a VR: other readers would take it for explicit."""
    return buffer[pos + 4 : pos + 6].isupper() and buffer[pos + 4 : pos + 6].isalpha()


_STATED: Final = {vr: vr.decode() for vr in FORMS if vr != b"UN"}
_place: Final = tuple.__new__  # a record without the cost of its constructor: this runs for every treated element


@dataclass(slots=True)
class Walker:
    """One pass over one buffer. Positions are offsets in the buffer."""

    buffer: bytes | bytearray
    act: Act
    path: list[int] = field(default_factory=list)
    private_kept: bool = False  # a private sequence stays, whatever is left in it

    def data_set(
        self, pos: int, end: int, rules: Rules, encoding: Encoding, *, delimited: bool = False
    ) -> tuple[int, bytes | None]:
        """Walk one data set; returns where it ends and its new bytes, None when nothing changed.

        A delimited data set is an item of undefined length: the position returned is that of its delimiter.
        """
        buffer = self.buffer
        explicit = encoding.explicit
        header = encoding.explicit_header.unpack_from if explicit else encoding.implicit_header.unpack_from
        long_length = encoding.length32.unpack_from
        form_of = FORMS.get
        output: Output | None = None
        begin = pos
        while pos < end:
            if pos + 8 > end:
                raise Truncated("a data set ends inside an element's header")
            if explicit:
                group, element, vr, length = header(buffer, pos)
                value = pos + 8
                form = form_of(vr, STRANGE)
                if form:
                    if form == STRANGE:
                        if delimited and group == 0xFFFE and element == 0xE00D and vr == b"\0\0" and not length:
                            break
                        raise Rejected(f"{named(group << 16 | element)} has no valid VR: the encoding is broken here")
                    value = pos + 12
                    if value > end:
                        raise Truncated("a data set ends inside an element's header")
                    length = long_length(buffer, pos + 8)[0]
            else:
                group, element, length = header(buffer, pos)
                value = pos + 8
                vr = b""
                form = SHORT
                if group == 0xFFFE and element == 0xE00D and delimited and not length:
                    break
            tag = group << 16 | element
            rule = rules[tag]
            if rule is None and form < SEQUENCE and group != 0xFFFE:
                after = value + length
                if after <= end:
                    pos = after
                    continue
            if output is None:
                output = Output(buffer, begin)
            after, new = self.element(rule, _place(Place, (tag, vr, pos, value, length, end)), rules, encoding, output)
            if new is not KEEP or group & 1:
                output.put(tag, pos, after, new)
            pos = after
        else:
            if delimited:
                raise Truncated("an item of undefined length has no delimiter")
        if output is None or not output.pieces:
            return pos, None
        output.pieces.append(buffer[output.keep : pos])
        return pos, b"".join(output.pieces)  # type: ignore[arg-type] # spans occur at the top level only

    def element(
        self,
        rule: Any,  # noqa: ANN401 - see Rules
        place: Place,
        rules: Rules,
        encoding: Encoding,
        output: Output,
    ) -> tuple[int, bytes | Verdict]:
        """Treat one element: where it ends, and what takes its place."""
        tag, vr, start, value, length, end = place
        if tag >> 16 == 0xFFFE:
            raise Rejected("a delimiter stands where an element should be: the encoding is broken here")
        after = value + length if length != UNDEFINED else self._end_of_undefined(place, encoding)
        if after > end:
            raise Truncated(f"{named(tag)} runs past the end of its data set")
        if rule is None:
            if vr != b"SQ" and after >= 0:
                return after, KEEP
            rule = DESCEND
        inner = IN_UNKNOWN if vr == b"UN" else encoding
        if rule is not DESCEND:
            known = "SQ" if after < 0 else _STATED.get(vr) or unstated_vr(tag)
            stop = self.sequence(tag, value, after, end, VERBATIM, inner)[0] if after < 0 else after
            content = bytes(self.buffer[value:stop]) if length != UNDEFINED or after < 0 else b""
            creator = output.creator(tag, content) if tag & 0x10000 else ""
            new = self.act(rule, _place(Element, (tag, known, content, creator, tuple(self.path), encoding, inner)))
            if new is not DESCEND:
                if new is RESERVE and (known == "SQ" or length == UNDEFINED):
                    raise Rejected("a private creator holds something that is not text")
                return stop, encode(tag, known, new, encoding) if isinstance(new, bytes) else new
        if vr not in (b"SQ", b"UN", b""):
            raise Rejected(f"{named(tag)} is a sequence, but its VR says otherwise")
        after, items = self.sequence(tag, value, after, end, rules.items_of(tag), inner)
        if tag & 0x10000:
            if items is not None and not items.strip(_EMPTY_ITEMS):
                return after, REMOVE  # nothing was safe in any item of this private sequence
            self.private_kept = True
        if items is None:
            return after, KEEP
        if length == UNDEFINED:
            return after, bytes(self.buffer[start:value]) + items
        return after, bytes(self.buffer[start : value - 4]) + encoding.length32.pack(len(items)) + items

    def sequence(  # noqa: PLR0913 - where it lies and how it is encoded; a record would be made once per sequence
        self, tag: int, pos: int, stop: int, end: int, rules: Rules, encoding: Encoding
    ) -> tuple[int, bytes | None]:
        """Walk the items of a sequence; `stop` is -1 for an undefined length, whose delimiter is part of the bytes."""
        if len(self.path) >= MAX_DEPTH:
            raise Rejected(f"sequences are nested deeper than {MAX_DEPTH} levels")
        self.path.append(tag)
        header = encoding.implicit_header
        buffer = self.buffer
        limit = end if stop < 0 else stop
        pieces: list[bytes | bytearray] = []
        keep = pos
        while pos != stop:
            if pos + 8 > limit:
                raise Truncated("a sequence ends inside an item's header")
            group, element, length = header.unpack_from(buffer, pos)
            found = group << 16 | element
            body = pos + 8
            if found == SEQUENCE_DELIMITER and stop < 0 and not length:
                pos = body
                break
            if found != ITEM:
                raise Rejected(f"{named(tag)} holds something that is not an item: the encoding is broken here")
            if length and encoding is IN_UNKNOWN and is_explicit(buffer, body):
                raise Rejected(f"the items of {named(tag)} (VR UN) are not in implicit VR")
            delimited = length == UNDEFINED
            if not delimited and body + length > limit:
                raise Truncated(f"an item of {named(tag)} runs past the end of its sequence")
            after, new = self.data_set(
                body, limit if delimited else body + length, rules, encoding, delimited=delimited
            )
            if new is not None:
                item = buffer[pos:body] if delimited else header.pack(0xFFFE, 0xE000, len(new))
                pieces += (buffer[keep:pos], item, new)
                keep = after
            pos = after + 8 if delimited else after
        self.path.pop()
        if not pieces:
            return pos, None
        pieces.append(buffer[keep:pos])
        return pos, b"".join(pieces)

    def _end_of_undefined(self, place: Place, encoding: Encoding) -> int:
        """Where an element of undefined length ends; -1 for a sequence, whose items have to be walked to know."""
        tag, vr, _, value, length, end = place
        if vr == b"SQ" or (vr in (b"UN", b"") and vr_of(tag) in ("SQ", None)):
            return -1
        if vr not in (b"OB", b"OW"):
            raise Rejected(f"{named(tag)} has an undefined length, which its VR does not allow")
        # PS3.5 A.4: encapsulated pixel data is a sequence of items that hold fragments, not data sets.
        pos = value
        while pos + 8 <= end:
            group, element, length = encoding.implicit_header.unpack_from(self.buffer, pos)
            pos += 8
            if group == 0xFFFE and element == 0xE0DD and not length:
                return pos
            if group != 0xFFFE or element != 0xE000 or length == UNDEFINED:
                raise Rejected(f"{named(tag)} holds something that is not a fragment: the encoding is broken here")
            pos += length
        raise Truncated(f"the fragments of {named(tag)} have no end")


class Verbatim(dict[int, Any]):
    """Rules that change nothing: used to find where a sequence of undefined length ends."""

    def __missing__(self, tag: int) -> Verdict | None:
        vr = vr_of(tag)
        found = DESCEND if vr == "SQ" else None
        if vr and len(self) < _MOST_CACHED:
            self[tag] = found
        return found

    def items_of(self, tag: int) -> Verbatim:  # noqa: ARG002 - the rules are the same everywhere
        """The same again."""
        return self


VERBATIM: Final = Verbatim()
