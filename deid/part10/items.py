"""What stands in the items of a sequence at the top level of a data set, for those who decide by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deid.part10.encoding import IN_UNKNOWN, ITEM, UNDEFINED
from deid.part10.output import KEEP
from deid.part10.place import Truncated, named
from deid.part10.walk import VERBATIM, Verbatim, Walker

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from deid.part10.outline import Outline
    from deid.part10.output import Element, Verdict


class _Wanted(Verbatim):
    """Shows the wanted elements of an item to the act, and nothing of what is nested in it."""

    def __init__(self, tags: Collection[int]) -> None:
        super().__init__((tag, True) for tag in tags)

    def items_of(self, tag: int) -> Verbatim:  # noqa: ARG002 - nothing is wanted from any of them
        """The rules below."""
        return VERBATIM


def items_of(layout: Outline, tag: int, wanted: Collection[int]) -> Iterator[dict[int, bytes]]:
    """For each item of a sequence, the values of the wanted elements that it has, as they are encoded.

    Raises Rejected where the items cannot be walked.
    """
    place = next((place for place in layout.places if place.tag == tag), None)
    if place is None or place.start in layout.spans:
        return
    encoding = IN_UNKNOWN if place.vr == b"UN" else layout.encoding
    rules, pos = _Wanted(wanted), place.value
    while pos + 8 <= place.end:
        group, element, length = encoding.implicit_header.unpack_from(layout.buffer, pos)
        if group << 16 | element != ITEM:
            return
        delimited, found = length == UNDEFINED, _Found()
        end = place.end if delimited else pos + 8 + length
        if end > place.end:
            raise Truncated(f"an item of {named(tag)} runs past the end of its sequence")
        after, _ = Walker(layout.buffer, found.take).data_set(pos + 8, end, rules, encoding, delimited=delimited)
        yield found
        pos = after + 8 if delimited else after


class _Found(dict[int, bytes]):
    def take(self, rule: Any, element: Element) -> Verdict:  # noqa: ANN401, ARG002 - see Walker
        self[element.tag] = element.value
        return KEEP
