from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from deid.attributes.documents import minimal

MIME_TYPES = "application/pdf text/xml application/xml model/stl application/sla model/obj model/mtl".split()


@pytest.mark.parametrize("mime_type", [*MIME_TYPES, "", "image/x-unknown"])
def test_a_document_has_an_even_length_and_is_not_empty(mime_type: str) -> None:
    assert minimal(mime_type)
    assert len(minimal(mime_type)) % 2 == 0


def test_the_pdf_says_where_its_objects_are() -> None:
    pdf = minimal("application/pdf")
    assert pdf.startswith(b"%PDF-1.")
    start = re.search(rb"startxref\n(\d+)\n%%EOF", pdf)
    assert start
    assert pdf[int(start[1]) :].startswith(b"xref\n0 4\n")
    for number, offset in enumerate(re.findall(rb"(\d{10}) 00000 n", pdf), 1):
        assert pdf[int(offset) :].startswith(b"%d 0 obj" % number)


def test_the_xml_is_well_formed() -> None:
    assert ET.fromstring(minimal("text/xml").decode().encode()).tag.endswith("ClinicalDocument")  # noqa: S314 - our own


def test_the_binary_stl_has_a_header_and_no_facets() -> None:
    assert len(minimal("model/stl")) == 84
    assert minimal("model/stl")[80:] == b"\0\0\0\0"
