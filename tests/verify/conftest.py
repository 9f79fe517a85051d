"""What is found of an original in a published data set, element by element."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest

from deid.part10.encoding import EXPLICIT_LITTLE, encode
from deid.part10.outline import Outline
from deid.part10.place import place_at
from deid.profile.identifying import kind_of
from deid.profile.plan import load_plan
from deid.standard.dictionary import tag_of, vr_of
from deid.verify.residue import identifying_values, search

Values: TypeAlias = dict[str, bytes]
Survives: TypeAlias = Callable[..., set[str]]


def _tag(name: str) -> int:
    tag = tag_of(name)
    assert tag is not None
    return tag


def _published(elements: Values, vr: str) -> Outline:
    found = Outline(EXPLICIT_LITTLE)
    for tag, value in sorted((_tag(name), value) for name, value in elements.items()):
        start = len(found.buffer)
        found.buffer += encode(tag, vr or (vr_of(tag) or "UN").split()[0], value, EXPLICIT_LITTLE)
        place = place_at(found.buffer, start, len(found.buffer), EXPLICIT_LITTLE)
        found.places.append(place._replace(end=len(found.buffer)))
    return found


@pytest.fixture(scope="session")
def survives() -> Survives:
    """The attributes of `published` in which verification finds something of `original`."""

    def found(original: Values, published: Values, *options: str, charset: str = "", vr: str = "") -> set[str]:
        plan = load_plan("basic", options)
        seen = [(kind_of(tag), tag, value) for name, value in original.items() for tag in [_tag(name)]]
        values = identifying_values(seen, (charset,), plan)
        return {finding.attribute for finding in search(_published(published, vr), values, plan)}

    return found
