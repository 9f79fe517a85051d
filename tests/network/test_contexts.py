from __future__ import annotations

import pytest

from deid.network.associate import decode_acceptance, decode_request, encode_acceptance, encode_request
from deid.network.contexts import (
    LOSSLESS,
    STORAGE_COMMITMENT,
    VERIFICATION,
    accept_storage,
    is_storage,
    propose_storage,
)
from deid.network.negotiation import Proposal, Request, Role
from deid.pixels.codecs import RLE, syntax_after

CT, PRIVATE, FIND = "1.2.840.10008.5.1.4.1.1.2", "1.3.12.2.1107.5.9.1", "1.2.840.10008.5.1.4.1.2.2.1"
IMPLICIT, EXPLICIT, BIG, JPEG = (f"1.2.840.10008.1.2{end}" for end in ("", ".1", ".2", ".4.50"))


@pytest.mark.parametrize(
    ("uid", "expected"),
    [
        (CT, True),
        ("1.2.840.10008.5.1.4.1.1.481.3", True),
        ("1.2.840.10008.5.1.4.1.1.999.1", True),  # newer than any table
        ("1.2.840.10008.5.1.4.34.7", True),  # RT Beams Delivery Instruction Storage
        (VERIFICATION, False),
        (STORAGE_COMMITMENT, False),
        (FIND, False),
        ("1.2.840.10008.5.1.4.1.1.201.2", False),  # Inventory - FIND
        ("1.2.840.10008.5.1.4.1.1.201.1.1", False),  # Storage Management SOP Instance
        ("1.2.840.10008.1.3.10", False),  # Media Storage Directory Storage
        (PRIVATE, False),
        ("", False),
    ],
)
def test_what_is_stored(uid: str, expected: bool) -> None:  # noqa: FBT001
    assert is_storage(uid) == expected


def decided(*proposals: Proposal, roles: tuple[Role, ...] = ()) -> tuple[dict[int, str], dict[int, int]]:
    request = Request("A", "B", {2 * at + 1: asked for at, asked in enumerate(proposals)}, roles)
    answer = accept_storage(request, {VERIFICATION}, {PRIVATE})
    return dict(answer.transfer_syntaxes), dict(answer.because)


def test_objects_are_taken_as_their_sender_would_rather_send_them() -> None:
    assert decided(Proposal(CT, (JPEG, EXPLICIT)), Proposal(CT, (IMPLICIT, JPEG)), Proposal(CT, (BIG,))) == (
        {1: JPEG, 3: IMPLICIT, 5: BIG},
        {},
    )


def test_what_nobody_here_can_read_is_refused_with_the_right_reason() -> None:
    private_syntax, jpip_like = "1.2.840.113619.5.2", "1.2.840.10008.1.2.1.98.1"
    assert decided(
        Proposal(FIND, (IMPLICIT,)),
        Proposal(CT, (private_syntax, jpip_like)),
        Proposal(VERIFICATION, (BIG, JPEG)),
        Proposal("", ()),
        Proposal(CT, ()),
    ) == ({}, {1: 3, 3: 4, 5: 4, 7: 3, 9: 4})
    assert decided(Proposal(CT, (private_syntax, IMPLICIT)), Proposal(PRIVATE, (EXPLICIT,))) == (
        {1: IMPLICIT, 3: EXPLICIT},
        {},
    )


def test_only_results_of_commitment_are_brought_by_who_asks_for_the_association() -> None:
    roles = tuple(Role(uid, scu=True, scp=True) for uid in (CT, STORAGE_COMMITMENT, FIND))
    proposals = {1: Proposal(CT, (IMPLICIT,)), 3: Proposal(STORAGE_COMMITMENT, (IMPLICIT,))}
    request = Request("A", "B", proposals, roles)
    assert accept_storage(request, {STORAGE_COMMITMENT}).roles == (
        Role(CT, scu=True, scp=False),
        Role(STORAGE_COMMITMENT, scu=True, scp=True),
    )


def test_however_many_roles_are_asked_for_the_answer_can_be_sent() -> None:
    """All that fits into a request: an item's length has 16 bits, and the answer adds what we say of ourselves."""
    classes = [f"1.2.840.10008.5.1.4.1.1.{number}" for number in range(1700)]
    roles = tuple(Role(uid, scu=True, scp=False) for uid in (*classes, CT, CT))
    request = Request("A", "B", {1: Proposal(CT, (IMPLICIT,)), 3: Proposal(classes[7], (IMPLICIT,))}, roles)
    asked = decode_request(memoryview(encode_request(request, 16384))[6:])
    assert isinstance(asked, Request)
    assert asked.roles == roles
    answer = accept_storage(asked, {VERIFICATION})
    assert {role.abstract_syntax for role in answer.roles} == {CT, classes[7]}
    answered = decode_acceptance(memoryview(encode_acceptance(asked, answer, 16384))[6:], asked)
    assert answered.roles == answer.roles


def test_each_syntax_has_a_context_of_its_own_with_the_fall_backs_beside() -> None:
    proposals = propose_storage([(CT, RLE), (CT, EXPLICIT), (CT, RLE), (PRIVATE, IMPLICIT)])
    assert proposals == (
        Proposal(CT, (RLE,)),
        Proposal(CT, (EXPLICIT,)),
        Proposal(CT, (IMPLICIT,)),
        *(Proposal(CT, (syntax,)) for syntax in LOSSLESS if syntax != RLE),
        Proposal(PRIVATE, (IMPLICIT,)),
        Proposal(PRIVATE, (EXPLICIT,)),
        *(Proposal(PRIVATE, (syntax,)) for syntax in LOSSLESS),
    )


def test_there_are_128_contexts_and_the_first_needs_get_them() -> None:
    needs = [(f"1.2.{at}", JPEG) for at in range(60)]
    proposals = propose_storage([*needs, ("1.2.0", BIG), ("1.2.1", EXPLICIT)])
    assert len(proposals) == 127
    assert {asked.abstract_syntax for asked in proposals} == {f"1.2.{at}" for at in range(41)}
    assert Proposal("1.2.0", (BIG,)) in proposals


def test_lossless_ones_are_for_the_first_need_and_for_others_where_there_is_room() -> None:
    needs = [(f"1.2.{at}", JPEG) for at in range(40)]
    proposals = propose_storage(needs)
    assert len(proposals) == 126
    compressed = [asked.abstract_syntax for asked in proposals if asked.transfer_syntaxes[0] in LOSSLESS]
    assert compressed == ["1.2.0"] * len(LOSSLESS) + ["1.2.1"] * len(LOSSLESS)


def test_lossless_ones_are_those_that_frames_are_written_in() -> None:
    assert [syntax_after(syntax) for syntax in LOSSLESS] == list(LOSSLESS)
