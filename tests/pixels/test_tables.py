"""Tables that hold more or less than their descriptors count are held, and all others stay what they are."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID, ImplicitVRLittleEndian

from deid.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable

    from deid.model import Result

    Run = Callable[[Dataset], tuple[Result, Dataset]]

PRESENTATION_STATE, ULTRASOUND = "1.2.840.10008.5.1.4.1.1.11.1", "1.2.840.10008.5.1.4.1.1.6.1"
COLOURS = ("Red", "Green", "Blue")
RAMP = bytes((0, 1, 0, 1, 255, 255))  # one entry, and a line of 255 to white


def words(*numbers: int, order: str = "<") -> bytes:
    return struct.pack(f"{order}{len(numbers)}H", *numbers)


def segmented(drawing: Any, entries: int, bits: int, content: bytes, order: str = "<") -> Dataset:
    """A palette image of which one table is made of these segments, and the others of a good ramp."""
    frame = (drawing.anatomy() * 200).astype(np.uint8)[None]
    made: Dataset = drawing.dataset(frame, "PALETTE COLOR", big_endian=order == ">", sop_class=ULTRASOUND)
    good = RAMP if bits == 8 else words(0, 1, 0, 1, (entries or 65536) - 1, 65535, order=order)
    for colour in COLOURS:
        setattr(made, f"{colour}PaletteColorLookupTableDescriptor", [entries, 0, bits])
        setattr(made, f"Segmented{colour}PaletteColorLookupTableData", content if colour == "Blue" else good)
    return made


def with_lut(drawing: Any, descriptor: list[int] | None, content: bytes, vr: str = "OW") -> Dataset:
    lut = Dataset()
    if descriptor:
        lut.LUTDescriptor = descriptor
    lut.add_new(0x00283006, vr, content if vr == "OW" else list(struct.unpack(f"<{len(content) // 2}H", content)))
    made: Dataset = drawing.dataset((drawing.anatomy() * 200).astype(np.uint8)[None])
    made.VOILUTSequence = [lut]
    return made


@pytest.mark.parametrize("vr", ["OW", "US"])
@pytest.mark.parametrize(
    ("descriptor", "there"),
    [
        ([4096, 0, 16], 8196), ([4096, 0, 16], 8188), ([4096, 0, 16], 4100), ([4096, 0, 8], 6000),
        ([255, 0, 16], 60_000), ([0, 0, 16], 1 << 15), ([256, 0, 16], 516), (None, 2048), ([4096, 0], 8192),
    ],
)  # fmt: skip
def test_lut_data_of_another_length(descriptor: list[int] | None, there: int, vr: str, run: Run, drawing: Any) -> None:
    with pytest.raises(Rejected, match="LUTData"):
        run(with_lut(drawing, descriptor, bytes(there), vr))


@pytest.mark.parametrize("vr", ["OW", "US"])
@pytest.mark.parametrize(
    ("descriptor", "there"),
    [
        ([4096, 0, 16], 8192), ([4096, 0, 12], 8192), ([0, 0, 16], 1 << 17), ([255, 0, 8], 256), ([256, 0, 8], 512),
        ([4096, 0, 8], 4096), ([256, 0, 16], 2), ([1, 0, 16], 2),
        ([4096, 0, 16], 4096), ([4097, 0, 16], 4098), ([0, 0, 16], 1 << 16),
        ([4095, 0, 16], 8192), ([4096, 0, 16], 8190), ([65535, 0, 16], 1 << 17),
    ],
)  # fmt: skip
def test_lut_data_that_are_what_they_state(descriptor: list[int], there: int, vr: str, run: Run, drawing: Any) -> None:
    if vr == "US" and there > 65534:
        vr = "OW"  # longer than explicit VR has room for
    made = with_lut(drawing, descriptor, bytes(there), vr)
    _, published = run(made)
    assert published.VOILUTSequence[0].LUTData == made.VOILUTSequence[0].LUTData


@pytest.mark.parametrize("descriptor", [[0, 0, 0, 16], [0, 1, 0, 16], [1, 0, 0, 16]])
def test_a_large_palette_is_no_larger_than_any(descriptor: list[int], run: Run, drawing: Any) -> None:
    made = drawing.dataset((drawing.anatomy() * 200).astype(np.uint8)[None], sop_class="1.2.3.99.1")
    made.add_new(0x00281111, "US", descriptor)
    made.add_new(0x00281211, "OW", bytes(1 << 17))
    _, published = run(made)
    assert published[0x00281211].value == bytes(1 << 17)
    made.add_new(0x00281211, "OW", bytes((1 << 17) + 2))
    with pytest.raises(Rejected, match="LargeRedPaletteColorLookupTableData has no descriptor"):
        run(made)


def test_no_table_lends_its_descriptor_to_another(run: Run, drawing: Any) -> None:
    made = with_lut(drawing, [4096, 0, 16], bytes(8192))
    second = Dataset()
    second.add_new(0x00283006, "OW", bytes(8192))
    made.VOILUTSequence.append(second)
    with pytest.raises(Rejected, match="LUTData has no descriptor"):
        run(made)


def test_a_table_in_an_object_without_pixels_or_in_implicit_vr(run: Run, drawing: Any) -> None:
    state = with_lut(drawing, [256, 0, 16], bytes(4096))
    del state.PixelData
    shown = Dataset()
    shown.VOILUTSequence = state.VOILUTSequence
    del state.VOILUTSequence
    state.SoftcopyVOILUTSequence = [shown]
    state.SOPClassUID = state.file_meta.MediaStorageSOPClassUID = UID(PRESENTATION_STATE)
    with pytest.raises(Rejected, match="LUTData is longer"):
        run(state)
    plain = with_lut(drawing, [256, 0, 16], bytes(4096))
    plain.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    with pytest.raises(Rejected, match="LUTData is longer"):
        run(plain)


@pytest.mark.parametrize(
    ("bits", "content"),
    [
        (8, RAMP + bytes((0, 2, 1, 1))),  # more
        (8, RAMP + bytes((0, 0))),  # a segment of nothing, and then anything
        (8, RAMP + bytes((7, 7))),
        (8, bytes((0, 200)) + bytes(100)),  # runs past its end
        (8, bytes((0, 2, 1, 1)) + bytes((2, 200, 0, 0, 0, 0)) * 2),  # copies more than there are entries
        (8, bytes((0, 2, 1, 1, 2, 1, 4, 0, 0, 0))),  # copies itself
        (16, words(0, 1, 0, 1, 255, 255, 0, 1000) + bytes(2000)),
        (16, words(0, 1, 0, 1, 255, 255) + b"\x89PNG" * 500),
        (16, words(*(0, 1, 0) * 200)),  # less, in many bytes
        (16, bytes(1 << 20)),
    ],
)
def test_segments_that_do_not_make_the_entries(bits: int, content: bytes, run: Run, drawing: Any) -> None:
    run(segmented(drawing, 256, bits, RAMP if bits == 8 else words(0, 1, 0, 1, 255, 65535)))
    with pytest.raises(Rejected, match=r"SegmentedBluePaletteColorLookupTableData is longer or shorter"):
        run(segmented(drawing, 256, bits, content))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("entries", "content"),
    [
        (256, (0, 1, 0, 1, 255, 65535)),
        (256, (0, 4, 1, 2, 3, 4, 1, 251, 9, 0, 1, 1)),
        (0, (0, 1, 0, 1, 65535, 65535)),
    ],
)
def test_segments_that_do(entries: int, content: tuple[int, ...], order: str, run: Run, drawing: Any) -> None:
    made = segmented(drawing, entries, 16, words(*content, order=order), order)
    _, published = run(made)
    for colour in COLOURS:
        name = f"Segmented{colour}PaletteColorLookupTableData"
        assert getattr(published, name) == getattr(made, name)


@pytest.mark.parametrize(("entries", "holds"), [(254, True), (255, False), (256, False), (257, False)])
def test_segments_may_make_one_entry_more_as_other_tables_have(
    entries: int, *, holds: bool, run: Run, drawing: Any
) -> None:
    made = drawing.dataset((drawing.anatomy() * 200).astype(np.uint8)[None], sop_class=ULTRASOUND)
    made.RedPaletteColorLookupTableDescriptor = [entries, 0, 16]
    made.SegmentedRedPaletteColorLookupTableData = words(0, 1, 0, 1, 255, 65535)
    if holds:
        with pytest.raises(Rejected, match="SegmentedRed"):
            run(made)
    else:
        run(made)


def test_segments_are_copied_from_where_an_indirect_one_says(run: Run, drawing: Any) -> None:
    content = bytes((0, 2, 10, 20, 1, 126, 200, 2, 2)) + (0).to_bytes(4, "little") + bytes(1)
    run(segmented(drawing, 256, 8, content))
