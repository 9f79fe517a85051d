"""The quick look at all texts together says "nothing" only where the thorough one finds nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from deid.profile.identifying import kind_of
from deid.profile.plan import load_plan
from deid.standard.dictionary import tag_of
from deid.verify import residue

if TYPE_CHECKING:
    from deid.part10.texts import Text
    from deid.profile.plan import Plan

ORIGINAL = {
    "PatientName": "Müller^Jörg=张^伟".encode(),
    "PatientID": b"MRN-0123456",
    "PatientBirthDate": b"19561203",
    "AccessionNumber": b"7654321",
    "StudyDate": b"20200304",
    "StudyInstanceUID": b"1.2.3.4.5",
    "StationName": "放射線科".encode(),
}
WORDS = (
    "MÜLLER müller 张伟 患者张伟 Jörg jorg mueller 0123456 123456 3DEC1956 1956 12 3 56 195612031200 20200304 1.2.3.4.5"
    " MuellerJoerg jmuller 123 456 7654 321 1.2.3.123456 561203 3dec56 1956338 年 月 Dec X Мюллер Muller1 1.2.3.4.5.6"
)
PIECES = [
    *ORIGINAL.values(),
    *(word.encode(codec) for word in WORDS.split() for codec in ("utf-8", "utf-16-le")),
    *(b"M\xdcLLER", b"\x1b", b"\x1b(B", b"\xff", b"\0", b"0", b"a", b" ", b".", b",", b"^", b"\\", b"-", b"/"),
]
PLANS = [load_plan("basic", options) for options in ((), ("retain-uids", "retain-institution-identity"))]
values = st.lists(st.sampled_from(PIECES), max_size=5).map(b"".join)
texts = st.tuples(
    st.sampled_from([tag_of(word) or 0 for word in ("StudyInstanceUID", "InstitutionName", "SegmentLabel", "LUTData")]),
    st.sampled_from(["LO", "CS", "UI", "IS", "DS", "OB", "DA"]),
    values,
)


@given(st.lists(texts, min_size=1, max_size=3), st.sampled_from(PLANS))
def test_the_quick_look_misses_nothing(seen: list[Text], plan: Plan) -> None:
    original = [(kind_of(tag), tag, value) for word, value in ORIGINAL.items() for tag in [tag_of(word) or 0]]
    values = residue.identifying_values(original, ("ISO_IR 192",), plan)
    if any(residue._survivors(text, values, plan) for text in seen):
        assert residue._may_hold(seen, values)
