"""The smallest valid documents, one per MIME type, in place of encapsulated ones (PS3.15 E.1.1 note 15)."""

from __future__ import annotations

from functools import cache
from typing import Final

_XML: Final = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b'<ClinicalDocument xmlns="urn:hl7-org:v3"><title>Removed</title></ClinicalDocument>\n'
)
_PLAIN: Final[dict[str, bytes]] = {
    "text/xml": _XML,
    "application/xml": _XML,
    "model/stl": b"removed".ljust(80, b" ") + b"\0\0\0\0",  # binary STL: a header of 80 bytes and no facets
    "application/sla": b"removed".ljust(80, b" ") + b"\0\0\0\0",
    "model/obj": b"# removed\n",
    "model/mtl": b"# removed\n",
}


@cache
def minimal(mime_type: str) -> bytes:
    """A document of this type that says nothing; two zero bytes for a type that is not known. Even length."""
    content = _pdf() if mime_type == "application/pdf" else _PLAIN.get(mime_type, b"\0\0")
    return content + b"\n" * (len(content) % 2)


def _pdf() -> bytes:
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Resources<<>>>>",
    )
    body = b"%PDF-1.4\n"
    offsets = []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj%s endobj\n" % (number, content)
    table = b"xref\n0 4\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return body + table + b"trailer<</Size 4/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(body)
