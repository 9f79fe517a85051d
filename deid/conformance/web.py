"""DICOMweb and media."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from deid.conformance.markdown import table
from deid.forward.media import MEDIA
from deid.network import status
from deid.receive.stow import DICOM, MOST_PARTS, TRANSFER_SYNTAX_NOT_SUPPORTED
from deid.standard.dictionary import name_of

ANSWERS: Final = {
    200: "all objects are stored",
    202: "some objects are stored",
    400: "the body or the request cannot be understood, or holds no object",
    401: "the peer has a user, who has not named himself with his passcode as bearer token",
    403: "no peer, or more than one, has this certificate and address",
    404: "another resource was asked for",
    405: "another method was asked for",
    408: "the request did not come in time",
    409: "no object is stored",
    413: "there are too many objects in one request",
    415: "the body is of another media type",
    503: "there is no room now, for objects or for the connection",
}
"""What a request is answered, besides what is said of requests that are no HTTP/1.1."""

FAILURES: Final = {
    status.OUT_OF_RESOURCES: "there is no room, or it cannot be kept for now",
    status.DATA_SET_MISMATCH: "the data set is not the object of its File Meta Information, or not of the study",
    status.CANNOT_UNDERSTAND: "nobody can tell which object it is",
    status.SOP_CLASS_NOT_SUPPORTED: "the SOP class is not one that is stored",
    TRANSFER_SYNTAX_NOT_SUPPORTED: "the transfer syntax is not one of section 2.3",
}
"""Why an object of a request is not stored."""

_FAILURE_REASON: Final = 0x00081197


def web() -> str:
    """The section on DICOMweb."""
    answers = ((code, HTTPStatus(code).phrase, when) for code, when in ANSWERS.items())
    failures = ((f"{reason:04X}", when) for reason, when in FAILURES.items())
    return (
        "## 3 DICOMweb\n\n"
        "### 3.1 Origin server\n\n"
        "Of the Studies Service (PS3.18 10) the gateway offers the Store Transaction (10.5), where its settings have a"
        " listener with `dicomweb`, and no other transaction. HTTP/1.1, over TLS as in section 6.\n\n"
        + table(
            ("Property", "Value"),
            (
                ("Resources", "`POST {path}/studies` and `POST {path}/studies/{study}`"),
                ("Media type of the request", f'multipart/related; type="{DICOM}", without content coding'),
                ("Media type of the answer", "application/dicom+json"),
                ("Objects of one request, at most", MOST_PARTS),
                ("SOP classes and transfer syntaxes", "those of the Storage SCP, sections 2.2 and 2.3"),
            ),
        )
        + "\n\n"
        + table(("Status code", "Phrase", "When"), answers)
        + "\n\nWhat is no HTTP/1.1, or too long for a request line and header fields, gets the status code that HTTP"
        " knows for it."
        + "\n\n"
        + table((f"{name_of(_FAILURE_REASON)} (0008,1197)", "When"), failures)
        + "\n\n### 3.2 User agent\n\n"
        "A destination with `url` gets each object by the Store Transaction, in a request of its own, in its own"
        f" transfer syntax, as {DICOM}; answers in application/dicom+json are understood. It has the object"
        " when it answers 200 or 202 and names it among those stored, without a failure. Redirections are not followed."
        " A bearer token (RFC 6750) is sent where the settings name one."
    )


def media() -> str:
    """The section on media."""
    return (
        "## 4 Media interchange\n\n"
        "`deid run` and `deid send` read files of PS3.10; what has no File Meta Information is not guessed at. Files"
        " that are written have new File Meta Information and an empty preamble. As file-set creator, `deid run"
        f" --dicomdir` writes a folder {MEDIA} with a DICOMDIR. No application profile of PS3.11 is claimed."
    )
