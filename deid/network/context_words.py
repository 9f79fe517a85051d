"""Presentation contexts in words, for a log: which were proposed, which accepted, and which not and why.

A UID that is not registered is not said: whoever proposes one may write anything into it. However much is proposed,
what is said of it has its bounds.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from deid.network.negotiation import ABSTRACT_SYNTAX_NOT_SUPPORTED, TRANSFER_SYNTAXES_NOT_SUPPORTED
from deid.standard.uids import is_registered, name_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from deid.network.negotiation import Request

    Said = str | tuple[str, str]

NOT_REGISTERED: Final = "private or not registered"
NO_UID: Final = "no UID"
TAKEN_OTHERWISE: Final = "another transfer syntax of the same context was accepted"
_RESULTS: Final[Mapping[int, str]] = {  # PS3.8 Table 9-18
    1: "refused by the user of the service",
    2: "refused for no reason",
    ABSTRACT_SYNTAX_NOT_SUPPORTED: "the abstract syntax is not supported",
    TRANSFER_SYNTAXES_NOT_SUPPORTED: "none of the transfer syntaxes is supported",
}
NOT_ANSWERED: Final = "not answered"
_NO_RESULT: Final = "refused for a reason that the standard does not know"
_MOST: Final = 32  # of those that were refused for one reason


def named(uid: str, known: Collection[str] = ()) -> str:
    """What PS3.6 calls it; one that it does not know is said only if it is one of those that are `known`."""
    if is_registered(uid):
        return name_of(uid)
    if uid in known:
        return uid
    return NOT_REGISTERED if uid else NO_UID


def negotiated(
    request: Request, accepted: Mapping[int, str], because: Mapping[int, int], known: Collection[str] = ()
) -> dict[str, object]:
    """What became of a request, as fields of the log: the accepted ones as pairs, the others by reason.

    `accepted` has their transfer syntaxes and `because` the results of the others, by presentation context ID.
    `known` are private SOP classes that our settings name.
    """
    taken: dict[tuple[str, str], None] = {}
    refused: dict[str, list[Said]] = {}
    for number, (abstract_syntax, transfer_syntaxes) in request.proposals.items():
        what = named(abstract_syntax, known)
        syntaxes = [named(syntax) for syntax in transfer_syntaxes]
        if chosen := accepted.get(number):
            taken[what, named(chosen)] = None
            others = [said for syntax, said in zip(transfer_syntaxes, syntaxes, strict=True) if syntax != chosen]
            refused.setdefault(TAKEN_OTHERWISE, []).extend(others)
            continue
        result = because.get(number)
        why = NOT_ANSWERED if result is None else _RESULTS.get(result, _NO_RESULT)
        pairs = [(what, syntax) for syntax in syntaxes or [NO_UID]]
        refused.setdefault(why, []).extend(pairs if result == TRANSFER_SYNTAXES_NOT_SUPPORTED else [what])
    return {
        "proposed": len(request.proposals),
        "accepted": list(taken),
        "refused": {why: _bounded(said) for why, said in refused.items() if said},
    }


def _bounded(said: Iterable[Said]) -> list[Said]:
    counted = Counter(said)
    listed = [_counted(each, count) for each, count in counted.items()]
    more = len(listed) - _MOST
    return [*listed[:_MOST], f"{more} more"] if more > 0 else listed


def _counted(said: Said, count: int) -> Said:
    """How many there were of what has no name, which may be others."""
    if isinstance(said, tuple):
        what, syntax = said
        return what, str(_counted(syntax, count))
    return f"{said} ({count})" if said in (NOT_REGISTERED, NO_UID) and count > 1 else said
