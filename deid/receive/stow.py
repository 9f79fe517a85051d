"""STOW-RS (PS3.18 10.5): the objects of one request, each kept as those of C-STORE are, and then one answer for all."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from deid.attributes.uids import is_well_formed
from deid.errors import Deferred, DeidError, Rejected, Unreadable
from deid.network import status
from deid.network.contexts import is_storage
from deid.network.multipart import BrokenBody, media_type
from deid.network.pdu import Ended
from deid.part10.encoding import encoding_of
from deid.part10.identity import Identity
from deid.part10.outline import beginning
from deid.part10.source import WINDOW, Limits, meta_in, open_source
from deid.receive.inlet import Announced, keep

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

    from deid.network.multipart import Part
    from deid.part10.source import Meta
    from deid.receive.inlet import Inlet

DICOM: Final = "application/dicom"
TRANSFER_SYNTAX_NOT_SUPPORTED: Final = 0xC122  # PS3.18 I.2.2

_STUDY: Final = 0x0020000D
_BEFORE_STUDY: Final = Limits(header=1 << 20)  # what may stand before the Study Instance UID; it is short
MOST_PARTS: Final = 10_000  # in one request; the answer tells of each
_OK, _ACCEPTED, _BAD_REQUEST, _CONFLICT, _TOO_LARGE, _UNAVAILABLE = 200, 202, 400, 409, 413, 503


class Sending(NamedTuple):
    """By whom a request is, and what it is for."""

    calling: str
    called: str
    private: Collection[str]  # SOP classes of its manufacturer that are stored as well
    study: str  # the Study Instance UID that all objects must have; "" where any will do
    work: Path  # for an unnamed file with what is deflated


@dataclass(slots=True)
class Answer:
    """What became of the objects of a request (PS3.18 10.5.3). It says nothing of them but their UIDs."""

    stored: list[Identity] = field(default_factory=list)
    failed: list[tuple[Identity, int]] = field(default_factory=list)  # with a Failure Reason (0008,1197)
    others: list[int] = field(default_factory=list)  # the same, of what does not say which object it is
    broken: int = 0  # the status code, where the rest of the body could not be understood,
    because: str = ""  # and why

    @property
    def reasons(self) -> Counter[int]:
        """How often each Failure Reason is given."""
        return Counter([*(reason for _, reason in self.failed), *self.others])

    @property
    def why(self) -> str:
        """Why not all was stored, for a log; "" where it was."""
        counted = (f"{count} with failure reason {reason:04X}" for reason, count in sorted(self.reasons.items()))
        return "; ".join(filter(None, (self.because, *counted)))

    @property
    def code(self) -> int:
        """The status code."""
        if self.broken or not (self.stored or self.reasons):
            return self.broken or _BAD_REQUEST
        if not self.reasons:
            return _OK
        if self.stored:
            return _ACCEPTED
        return _UNAVAILABLE if self.reasons.keys() == {status.OUT_OF_RESOURCES} else _CONFLICT

    @property
    def content(self) -> bytes:
        """The Store Instances Response Module in the DICOM JSON Model (PS3.18 F)."""
        told: dict[str, Any] = {"00081190": {"vr": "UR"}}  # nothing can be retrieved here
        if self.stored:
            told["00081199"] = _sequence({**_reference(each), "00081190": {"vr": "UR"}} for each in self.stored)
        if self.failed:
            told["00081198"] = _sequence({**_reference(each), **_reason(why)} for each, why in self.failed)
        if self.others:
            told["0008119A"] = _sequence(map(_reason, self.others))
        return json.dumps(told).encode()


def store(parts: Iterable[Part], inlet: Inlet, sending: Sending) -> Answer:
    """Take the objects of one request. Raises Ended; what was taken before is safe, and taken again when it is sent."""
    answer = Answer()
    try:
        for number, part in enumerate(parts):
            if number >= MOST_PARTS:
                answer.broken, answer.because = _TOO_LARGE, f"there are more than {MOST_PARTS} parts"
                break
            identity, code = _store(part, inlet, sending)
            if identity is None:
                answer.others.append(code)
            elif code == status.SUCCESS:
                answer.stored.append(identity)
            else:
                answer.failed.append((identity, code))
    except BrokenBody as error:
        answer.broken, answer.because = _BAD_REQUEST, str(error)
    return answer


def _store(part: Part, inlet: Inlet, sending: Sending) -> tuple[Identity | None, int]:
    """Take one object; says which it is, where that can be told, and with which status."""
    found = _begun(part)
    if found is None:
        return None, status.CANNOT_UNDERSTAND
    meta, begun = found
    identity = Identity(meta.media_storage_class, meta.media_storage_instance)
    if not is_storage(identity.sop_class) and identity.sop_class not in sending.private:
        return identity, status.SOP_CLASS_NOT_SUPPORTED
    try:
        encoding_of(meta.transfer_syntax)
    except Rejected:
        return identity, TRANSFER_SYNTAX_NOT_SUPPORTED
    announced = Announced(identity, meta.transfer_syntax, sending.calling, sending.called)
    data_set = chain((begun,), part.content)
    try:
        return identity, keep(inlet, announced, data_set, _is_of(sending) if sending.study else None)
    except (Ended, BrokenBody):
        raise
    except (Deferred, Rejected):
        return identity, status.OUT_OF_RESOURCES


def _begun(part: Part) -> tuple[Meta, bytes] | None:
    """The File Meta Information of a part, and how its data set begins; None where nobody can tell which object it is.

    Preamble and File Meta Information end here: what is kept gets new ones.
    """
    if media_type(part.headers.get("content-type", DICOM)).name != DICOM:
        return None
    head = bytearray()
    for chunk in part.content:
        head += chunk
        if len(head) >= WINDOW:
            break
    try:
        meta = meta_in(bytes(head[:WINDOW]), len(head))
    except (Rejected, Unreadable):
        return None
    if not is_well_formed(meta.media_storage_class) or not is_well_formed(meta.media_storage_instance):
        return None
    return meta, bytes(head[meta.start :])


def _is_of(sending: Sending) -> Callable[[Path], bool]:
    def is_of_the_study(file: Path) -> bool:
        try:
            with closing(open_source(file, _BEFORE_STUDY, sending.work)) as source:
                return beginning(source, _BEFORE_STUDY, _STUDY).text(_STUDY) == sending.study
        except Deferred:
            raise
        except DeidError:
            return False

    return is_of_the_study


def _sequence(items: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {"vr": "SQ", "Value": list(items)}


def _reference(identity: Identity) -> dict[str, Any]:
    return {
        "00081150": {"vr": "UI", "Value": [identity.sop_class]},
        "00081155": {"vr": "UI", "Value": [identity.instance]},
    }


def _reason(code: int) -> dict[str, Any]:
    return {"00081197": {"vr": "US", "Value": [code]}}
