"""Presentation contexts: which ones we accept, and which ones a batch of objects needs (PS3.8 7.1.1.13, PS3.4 B)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from deid.errors import Rejected
from deid.network.negotiation import (
    ABSTRACT_SYNTAX_NOT_SUPPORTED,
    MOST_CONTEXTS,
    TRANSFER_SYNTAXES_NOT_SUPPORTED,
    Acceptance,
    Proposal,
    Role,
)
from deid.part10.encoding import EXPLICIT_SYNTAX, IMPLICIT_SYNTAX, encoding_of
from deid.standard.uids import name_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from deid.network.negotiation import Request

VERIFICATION: Final = "1.2.840.10008.1.1"
STORAGE_COMMITMENT: Final = "1.2.840.10008.1.20.1"
SERVICES: Final = (VERIFICATION, STORAGE_COMMITMENT)
"""Of which the gateway is SCP beside Storage."""
FALL_BACK: Final = (EXPLICIT_SYNTAX, IMPLICIT_SYNTAX)
"""How objects go to a peer that refuses their own transfer syntax; PS3.5 10.1 makes the last one mandatory."""
LOSSLESS: Final = ("1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90")
"""RLE, JPEG-LS, JPEG 2000: how images go to a peer that refuses these as well, the one with the fewest limits first."""

_STORAGE: Final = "1.2.840.10008.5.1.4.1.1."  # all but a few storage SOP classes, and a few of other services
_OTHERS: Final = "1.2.840.10008.5.1.4."
_OTHER_SERVICES: Final = ("FIND", "MOVE", "GET", "Creation", "Query", "Instance")


def is_storage(abstract_syntax: str) -> bool:
    """Whether this is a storage SOP class of the standard, also one that is newer than our tables."""
    name = name_of(abstract_syntax)
    if abstract_syntax.startswith(_STORAGE):
        return not name.endswith(_OTHER_SERVICES)
    return abstract_syntax.startswith(_OTHERS) and "Storage" in name


def accept_storage(request: Request, services: Collection[str], private: Collection[str] = ()) -> Acceptance:
    """Storage in any registered transfer syntax, as sent, and `services` of other kinds in little endian.

    `private` are SOP classes to be stored that the standard does not know. Of several transfer syntaxes in one context
    the first that we know is taken: it is the one the sender would rather use, and need not convert to.
    """
    chosen: dict[int, str] = {}
    because: dict[int, int] = {}
    for number, asked in request.proposals.items():
        is_stored = is_storage(asked.abstract_syntax) or asked.abstract_syntax in private
        if not is_stored and asked.abstract_syntax not in services:
            because[number] = ABSTRACT_SYNTAX_NOT_SUPPORTED
            continue
        known = (
            syntax for syntax in asked.transfer_syntaxes if syntax in FALL_BACK or (is_stored and is_understood(syntax))
        )
        if syntax := next(known, None):
            chosen[number] = syntax
        else:
            because[number] = TRANSFER_SYNTAXES_NOT_SUPPORTED
    # Who asks to be SCP of Storage Commitment brings its results (PS3.4 J.3.3); elsewhere the requestor is the SCU.
    # One answer for each SOP class of the request (PS3.7 D.3.3.4): with all that may be asked it would be too long.
    proposed = {asked.abstract_syntax for asked in request.proposals.values()}
    roles = {
        asked.abstract_syntax: Role(
            asked.abstract_syntax, asked.scu, asked.scp and asked.abstract_syntax == STORAGE_COMMITMENT
        )
        for asked in request.roles
        if asked.abstract_syntax in proposed
        and (asked.abstract_syntax in services or is_storage(asked.abstract_syntax))
    }
    return Acceptance(chosen, because, tuple(roles.values()))


def accept_services(request: Request, services: Collection[str]) -> Acceptance:
    """Only `services`, and nothing to be stored."""
    asked = {number: asked for number, asked in request.proposals.items() if asked.abstract_syntax in services}
    return accept_storage(replace(request, proposals=asked), services)


def is_understood(transfer_syntax: str) -> bool:
    """Whether objects are stored that are encoded so."""
    try:
        encoding_of(transfer_syntax)
    except Rejected:
        return False
    return True


def propose_storage(needs: Iterable[tuple[str, str]]) -> tuple[Proposal, ...]:
    """One context for each (SOP class, transfer syntax), and one for each fall-back of the SOP class.

    Two transfer syntaxes never share a context: the peer would choose, and what is in the other one had to change.
    As many needs as there is room for, the first ones first. LOSSLESS come with the first need, and with the others as
    far as there is room besides; not when all else was refused: some peers then refuse the association.
    """
    wanted: dict[tuple[str, str], None] = {}
    wished = list(needs)
    all_ways = (*FALL_BACK, *LOSSLESS)
    for some, ways in ((wished[:1], all_ways), (wished, FALL_BACK), (wished, all_ways)):
        for sop_class, transfer_syntax in some:
            more = [(sop_class, syntax) for syntax in dict.fromkeys((transfer_syntax, *ways))]
            if len(wanted.keys() | more) <= MOST_CONTEXTS:
                wanted |= dict.fromkeys(more)
    return tuple(Proposal(sop_class, (syntax,)) for sop_class, syntax in wanted)
