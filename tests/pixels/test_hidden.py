"""Text that a viewer does not show, or where nobody looks for pixels: it is masked, or the object is held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import UID, JPEG2000Lossless, JPEGLSLossless

from deid.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from deid.model import Result

    Run = Callable[..., tuple[Result, Dataset]]

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
DOSE, MAP = "1.2.840.10008.5.1.4.1.1.481.2", "1.2.840.10008.5.1.4.1.1.30"
SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
EXTENDED, LENGTHS = 0x7FE00001, 0x7FE00002
FORMS = ((0x7FE00008, "OF"), (0x7FE00009, "OD"), (0x7F000010, "OW"), (0x7FDE0010, "OW"))


def left(published: Dataset, ink: NDArray[np.bool_]) -> int:
    """How many values stand where the text stood."""
    return len(np.unique(published.pixel_array[ink].reshape(int(ink.sum()), -1), axis=0))


def coloured(drawing: Any, kind: str = "u1") -> NDArray[Any]:
    made = np.repeat((drawing.anatomy()[..., None] * 5).astype(kind), 3, axis=2)
    made[drawing.ink()] = 250
    return made


@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_colours_have_no_sign(kind: str, run: Run, drawing: Any) -> None:
    frame = coloured(drawing, kind)
    if kind == "u2":
        frame[drawing.ink()] = 65500
    _, published = run(drawing.dataset(frame[None], "RGB", PixelRepresentation=1))
    assert left(published, drawing.ink()) == 1


def test_one_bright_pixel_hides_no_text_in_colours_of_16_bits(run: Run, drawing: Any) -> None:
    frame = coloured(drawing, "u2")
    frame[200, 200] = 65535
    result, published = run(drawing.dataset(frame[None], "RGB"))
    assert result.pixels is not None
    assert result.pixels.masked
    assert left(published, drawing.ink()) == 1
    assert published.pixel_array[drawing.ink()].max() == 0


def test_text_below_the_stored_bits_goes(run: Run, drawing: Any) -> None:
    frame = (drawing.anatomy() * 3000).astype(np.uint16) << 4
    frame[drawing.ink()] |= 15
    made = drawing.dataset(frame[None], BitsStored=12)
    made.HighBit = 15
    _, published = run(made)
    stored = np.frombuffer(published.PixelData, "<u2").reshape(frame.shape)
    assert not (stored[drawing.ink()] & 15).any()
    assert np.array_equal(stored[100:], frame[100:])


def test_text_in_values_of_one_colour_goes(run: Run, drawing: Any) -> None:
    frame = np.where(drawing.ink(), 2, 1).astype(np.uint8)
    made = drawing.dataset(frame[None], "PALETTE COLOR")
    for colour in ("Red", "Green", "Blue"):
        setattr(made, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 8])
        setattr(made, f"{colour}PaletteColorLookupTableData", bytes(256))
    _, published = run(made)
    assert not (published.pixel_array == 2).any()


@pytest.mark.parametrize("photometric", ["PALETTE COLOR", "MONOCHROME2"])
@pytest.mark.parametrize(("entries", "there"), [(256, 516), (256, 240 * 320), (0, (1 << 17) + 4)])
def test_a_palette_with_more_than_its_entries_is_held(
    entries: int, there: int, photometric: str, run: Run, drawing: Any
) -> None:
    made = drawing.dataset((drawing.anatomy() * 200).astype(np.uint8)[None], photometric)
    for colour in ("Red", "Green", "Blue"):
        setattr(made, f"{colour}PaletteColorLookupTableDescriptor", [entries, 0, 8])
        setattr(made, f"{colour}PaletteColorLookupTableData", bytes(2 * (entries or 1 << 16)))
    run(made)
    made.BluePaletteColorLookupTableData = drawing.ink().tobytes()[: there + there % 2].ljust(there + there % 2, b"\0")
    with pytest.raises(Rejected, match="PaletteColorLookupTableData is longer"):
        run(made)


@pytest.mark.parametrize(
    ("tag", "vr", "beside"),
    [
        *[(tag, vr, beside) for tag, vr in FORMS for beside in (True, False)],
        (0x7FE00020, "OW", False),  # behind Pixel Data it is removed
    ],
)
def test_pixels_in_forms_that_nobody_looks_at_hold_an_object(
    tag: int,
    vr: str,
    beside: bool,  # noqa: FBT001 - Pixel Data
    run: Run,
    drawing: Any,
) -> None:
    made = drawing.dataset((drawing.anatomy() * 100).astype(np.uint8)[None])
    made.add_new(tag, vr, drawing.ink().astype("<f8").tobytes())
    if not beside:
        del made.PixelData
    with pytest.raises(Rejected, match=r"nobody can look at them|pixel data of two kinds"):
        run(made)


def test_the_length_of_the_group_is_no_pixel_data(run: Run, drawing: Any) -> None:
    made = drawing.dataset((drawing.anatomy() * 100).astype(np.uint8)[None])
    made.add_new(0x7FE00000, "UL", len(made.PixelData) + 12)
    result, _ = run(made)
    assert result.pixels is not None
    assert result.pixels.searched


@pytest.mark.parametrize("form", ["native", "compressed", "not searched"])
def test_extended_offset_tables_go_for_anything_may_stand_in_them(form: str, run: Run, drawing: Any) -> None:
    never = {"sop_class": SEGMENTATION} if form == "not searched" else {}
    made = drawing.dataset((drawing.anatomy() * 100).astype(np.uint8)[None], **never)
    if form == "compressed":
        made.compress(pydicom.uid.RLELossless)
    for tag in (EXTENDED, LENGTHS):
        made.add_new(tag, "OV", drawing.ink().tobytes())
    _, published = run(made)
    assert EXTENDED not in published
    assert LENGTHS not in published


def encoded(frame: NDArray[Any], syntax: UID) -> bytes:
    """As its own shape says."""
    rows, columns, samples = (*frame.shape, 1)[:3]
    bits = frame.itemsize * 8
    return get_encoder(syntax).encode(
        np.ascontiguousarray(frame), rows=rows, columns=columns, number_of_frames=1, samples_per_pixel=samples,
        photometric_interpretation="MONOCHROME2" if samples == 1 else "RGB", pixel_representation=0,
        planar_configuration=0, bits_allocated=bits, bits_stored=bits,
    )  # fmt: skip


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless])
@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ("turned", "not the size"),
        ("in other lines", "not the size"),
        ("higher", "not the size"),
        ("in three components", "not the size"),
        ("in higher bits", "more bits"),
    ],
)
def test_a_frame_that_says_other_things_of_itself_than_its_object_is_held(
    form: str, reason: str, syntax: UID, run: Run, drawing: Any
) -> None:
    frame = (drawing.anatomy() * 200).astype(np.uint8)
    written = frame.copy()
    written[drawing.ink()] = 250
    content = {
        "turned": written.T,
        "in other lines": written.reshape(120, 640),
        "higher": np.concatenate([frame, written]),
        "in three components": np.stack([frame, written, written], axis=2),
        "in higher bits": frame | (drawing.ink().astype(np.uint16) << 14),
    }[form]
    made = drawing.compressed(frame[None], [encoded(content, syntax)])
    made.file_meta.TransferSyntaxUID = syntax
    with pytest.raises(Rejected, match=reason):
        run(made)


@pytest.mark.parametrize(
    "syntax", ["1.2.840.10008.1.2.4.53", "1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.110"]
)
@pytest.mark.parametrize("searched", [True, False])
def test_frames_that_nobody_can_decode_are_held_whatever_they_show(
    searched: bool,  # noqa: FBT001
    syntax: str,
    run: Run,
    drawing: Any,
) -> None:
    more = {} if searched else {"sop_class": SEGMENTATION}
    made = drawing.compressed(np.zeros((1, 240, 320), np.uint8), [b"QUILLFEATHER"], **more)
    with pytest.raises(Rejected, match=r"cannot be (decoded|searched)|video is held"):
        run(made, syntax=syntax)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.4.204"])
def test_pixel_data_that_a_provider_keeps_elsewhere_are_a_reason_to_hold(syntax: str, run: Run, drawing: Any) -> None:
    made = drawing.dataset(np.zeros((1, 240, 320), np.uint8), PixelDataProviderURL="https://pacs.example/1")
    del made.PixelData
    with pytest.raises(Rejected, match="elsewhere"):
        run(made, syntax=syntax)


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless])
def test_frames_that_are_no_frames_are_held_although_nobody_searches_them(syntax: UID, run: Run, drawing: Any) -> None:
    made = drawing.compressed(np.zeros((1, 240, 320), np.uint8), [b"QUILLFEATHER"], sop_class=SEGMENTATION)
    made.file_meta.TransferSyntaxUID = syntax
    with pytest.raises(Rejected, match="damaged"):
        run(made)


def test_more_frames_than_stated_are_held_although_nobody_searches_them(run: Run, drawing: Any) -> None:
    made = drawing.dataset((drawing.anatomy() * 200).astype(np.uint8)[None], sop_class=SEGMENTATION)
    made.PixelData += drawing.ink().tobytes()
    with pytest.raises(Rejected, match="more pixel data"):
        run(made)


def twelve_bits(drawing: Any, sop_class: str, kind: str = "u2", **more: Any) -> tuple[Dataset, NDArray[Any]]:
    """Computed numbers or a part of a slide in cells of 16 bits, with the last of two frames to be written in."""
    values = np.stack([(drawing.anatomy(seed) * 2000 - 500 * (kind == "i2")).astype(kind) for seed in range(2)])
    shows = {"ImageType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]} if sop_class == SLIDE else {}
    return drawing.dataset(values, sop_class=sop_class, BitsStored=12, **shows, **more), values


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("sop_class", [SEGMENTATION, DOSE, MAP])
def test_text_beside_the_bits_of_numbers_holds_them(
    sop_class: str,
    compressed: bool,  # noqa: FBT001
    run: Run,
    drawing: Any,
) -> None:
    made, values = twelve_bits(drawing, sop_class)
    values[1][drawing.ink()] |= 1 << 12
    made.PixelData = values.tobytes()
    if compressed:
        made.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
    with pytest.raises(Rejected, match="among computed numbers"):
        run(made)


def test_text_beside_the_bits_of_a_slide_goes(run: Run, drawing: Any) -> None:
    made, values = twelve_bits(drawing, SLIDE)
    values[1][drawing.ink()] |= 1 << 12
    made.PixelData = values.tobytes()
    result, published = run(made)
    assert result.pixels is not None
    assert result.pixels.masked
    assert not (np.frombuffer(published.PixelData, "<u2") >> 12).any()


@pytest.mark.parametrize("sop_class", [SEGMENTATION, SLIDE])
def test_an_overlay_beside_the_bits_of_what_nobody_searches_is_cleared(sop_class: str, run: Run, drawing: Any) -> None:
    made, values = twelve_bits(drawing, sop_class)
    made.PixelData = (values | drawing.ink().astype(np.uint16) << 12).tobytes()
    made.add_new(0x60000100, "US", 16)
    made.add_new(0x60000102, "US", 12)
    _, published = run(made)
    assert published.PixelData == values.tobytes()


def test_noise_beside_the_bits_of_numbers_is_looked_at_and_stays(run: Run, drawing: Any) -> None:
    made, values = twelve_bits(drawing, SEGMENTATION)
    values[1, 200, 200] |= 1 << 13
    made.PixelData = values.tobytes()
    result, published = run(made)
    assert result.pixels is not None
    assert result.pixels.searched
    assert "bits beside" in result.pixels.because
    assert published.PixelData == made.PixelData


@pytest.mark.parametrize("kind", ["u2", "i2"])
@pytest.mark.parametrize("sop_class", [SEGMENTATION, SLIDE])
def test_nobody_looks_where_nothing_stands_beside_the_bits(kind: str, sop_class: str, run: Run, drawing: Any) -> None:
    made, _ = twelve_bits(drawing, sop_class, kind)
    result, published = run(made)
    assert result.pixels is not None
    assert not result.pixels.searched
    assert published.PixelData == made.PixelData
