"""What a log says of presentation contexts: all that is registered, nothing else, and never much."""

from __future__ import annotations

import json

import pytest

from deid.network.context_words import NO_UID, NOT_ANSWERED, NOT_REGISTERED, TAKEN_OTHERWISE, named, negotiated
from deid.network.contexts import SERVICES, VERIFICATION, accept_storage, is_storage, is_understood
from deid.network.negotiation import ABSTRACT_SYNTAX_NOT_SUPPORTED, Proposal, Request
from deid.standard.uids import registered

CT, PRIVATE, FIND = "1.2.840.10008.5.1.4.1.1.2", "1.3.12.2.1107.5.9.1", "1.2.840.10008.5.1.4.1.2.2.1"
IMPLICIT, EXPLICIT, RLE = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5"
BIRTH_DATE = "19570312"
LIKE_A_CLASS, LIKE_A_SYNTAX = f"1.2.840.10008.5.1.4.1.1.{BIRTH_DATE}", "1.2.840.10008.1.2.4.957"


def told(*proposals: Proposal, private: tuple[str, ...] = ()) -> dict[str, object]:
    request = Request("CT1", "DEID", {2 * at + 1: proposal for at, proposal in enumerate(proposals)})
    answer = accept_storage(request, SERVICES, private)
    refused = {**dict.fromkeys(request.proposals, ABSTRACT_SYNTAX_NOT_SUPPORTED), **answer.because}
    return negotiated(request, answer.transfer_syntaxes, refused, private)


@pytest.mark.parametrize(
    ("uid", "expected"),
    [
        (CT, "CT Image Storage"),
        (PRIVATE, PRIVATE),  # of the settings
        (LIKE_A_CLASS, NOT_REGISTERED),
        (f"2.25.{BIRTH_DATE}", NOT_REGISTERED),
        ("", NO_UID),
    ],
)
def test_a_uid_is_said_only_if_it_is_known(uid: str, expected: str) -> None:
    assert named(uid, (PRIVATE,)) == expected


def test_what_is_accepted_comes_in_pairs_and_the_others_by_reason() -> None:
    assert told(
        Proposal(CT, (RLE, EXPLICIT)),
        Proposal(CT, (RLE,)),
        Proposal(VERIFICATION, (IMPLICIT,)),
        Proposal(VERIFICATION, (RLE,)),
        Proposal(PRIVATE, (EXPLICIT,)),
        Proposal(FIND, (IMPLICIT, EXPLICIT)),
        Proposal(CT, ()),
        private=(PRIVATE,),
    ) == {
        "proposed": 7,
        "accepted": [
            ("CT Image Storage", "RLE Lossless"),
            ("Verification SOP Class", "Implicit VR Little Endian"),
            (PRIVATE, "Explicit VR Little Endian"),
        ],
        "refused": {
            TAKEN_OTHERWISE: ["Explicit VR Little Endian"],
            "none of the transfer syntaxes is supported": [
                ("Verification SOP Class", "RLE Lossless"),
                ("CT Image Storage", NO_UID),
            ],
            "the abstract syntax is not supported": [
                "Study Root Query/Retrieve Information Model - FIND",
            ],
        },
    }


def test_whatever_a_peer_makes_up_is_counted_and_not_said() -> None:
    said = told(
        Proposal(f"2.25.{BIRTH_DATE}", (EXPLICIT,)),
        Proposal(f"2.25.1{BIRTH_DATE}", (EXPLICIT,)),
        Proposal(LIKE_A_CLASS, (LIKE_A_SYNTAX, f"2.25.{BIRTH_DATE}")),
        Proposal(CT, (f"2.25.{BIRTH_DATE}", f"2.25.2{BIRTH_DATE}")),
        Proposal("", ("",)),
    )
    assert said["accepted"] == [(NOT_REGISTERED, NOT_REGISTERED)]
    assert said["refused"] == {
        "the abstract syntax is not supported": [f"{NOT_REGISTERED} (2)", NO_UID],
        TAKEN_OTHERWISE: [NOT_REGISTERED],
        "none of the transfer syntaxes is supported": [("CT Image Storage", f"{NOT_REGISTERED} (2)")],
    }
    assert "957" not in json.dumps(said)


@pytest.mark.parametrize("taken", [True, False])
def test_a_line_has_its_bounds(*, taken: bool) -> None:
    """The longest names there are, in as many contexts as there may be, with all transfer syntaxes each."""
    syntaxes = sorted(filter(is_understood, registered()), key=lambda uid: -len(named(uid)))
    longest = sorted(filter(is_storage, registered()), key=lambda uid: -len(named(uid)))
    request = Request("A", "B", {2 * at + 1: Proposal(longest[at], tuple(syntaxes)) for at in range(128)})
    accepted = dict.fromkeys(request.proposals, syntaxes[0]) if taken else {}
    because = {} if taken else dict.fromkeys(request.proposals, 4)
    said = negotiated(request, accepted, because)
    assert len(json.dumps(said)) < 28_000
    assert ("more" in json.dumps(said["refused"])) or taken


@pytest.mark.parametrize("result", [1, 2, 77])
def test_whatever_result_a_destination_gives_is_told(result: int) -> None:
    request = Request("A", "B", {1: Proposal(CT, (EXPLICIT,))})
    refused = negotiated(request, {}, {1: result})["refused"]
    assert isinstance(refused, dict)
    ((reason, said),) = refused.items()
    assert reason.startswith("refused ")
    assert said == ["CT Image Storage"]


def test_what_a_destination_leaves_unanswered_is_not_called_refused() -> None:
    request = Request("A", "B", {1: Proposal(CT, (EXPLICIT,)), 3: Proposal(VERIFICATION, (IMPLICIT,))})
    assert negotiated(request, {1: EXPLICIT}, {})["refused"] == {NOT_ANSWERED: ["Verification SOP Class"]}
