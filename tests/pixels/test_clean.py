"""One object from door to door: text is masked in the published bytes, all else is as it was, or nothing is there."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.pixels.utils import compress, pixel_array
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless, RLELossless

from deid.errors import DeidError, Rejected
from deid.part10 import target
from deid.pixels import codecs, codes, detector, looks, taught

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from deid.model import Result

PUBLISHED = "published"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"


def raw(made: Dataset) -> NDArray[Any]:
    """What pydicom decodes, apart from all of ours."""
    content = io.BytesIO()
    made.save_as(content)
    content.seek(0)
    return pixel_array(content, raw=True)


def written_on(drawing: Any, kind: str = "u1", samples: int = 1, number: int = 1) -> NDArray[Any]:
    highest = np.iinfo(kind).max
    body = np.stack([drawing.anatomy(seed) for seed in range(number)]) * 0.6
    body[:, drawing.ink()] = 0.95
    made = (body * highest).astype(kind)
    return made[..., None].repeat(samples, axis=3) if samples > 1 else made


FORMS: list[tuple[str, str, int, dict[str, Any]]] = [
    ("MONOCHROME2", "u1", 1, {}),
    ("MONOCHROME1", "u1", 1, {}),
    ("MONOCHROME2", "u2", 1, {}),
    ("MONOCHROME2", "i2", 1, {}),
    ("MONOCHROME2", "u2", 1, {"big_endian": True}),
    ("RGB", "u1", 3, {}),
    ("YBR_FULL", "u1", 3, {}),
]


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize(("photometric", "kind", "samples", "more"), FORMS)
def test_uncompressed(
    photometric: str, kind: str, samples: int, more: dict[str, Any], number: int,
    run: Callable[..., tuple[Result, Dataset]], drawing: Any,
) -> None:  # fmt: skip
    made = drawing.dataset(written_on(drawing, kind, samples, number), photometric, **more)
    judge(made, *run(made), drawing.ink())


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize(
    ("photometric", "kind", "samples"), [("MONOCHROME2", "u1", 1), ("MONOCHROME2", "u2", 1), ("RGB", "u1", 3)]
)
def test_compressed_without_loss(
    photometric: str, kind: str, samples: int, syntax: str, number: int,
    run: Callable[..., tuple[Result, Dataset]], drawing: Any,
) -> None:  # fmt: skip
    made = drawing.dataset(written_on(drawing, kind, samples, number), photometric)
    compress(made, syntax, generate_instance_uid=False)
    result, published = run(made)
    assert published.file_meta.TransferSyntaxUID == syntax
    judge(made, result, published, drawing.ink())


def judge(made: Dataset, result: Result, published: Dataset, ink: NDArray[np.bool_]) -> None:
    before, after = (each.reshape(-1, *each.shape[-2:]) if made.SamplesPerPixel == 1 else
                     each.reshape(-1, *each.shape[-3:]) for each in (raw(made), raw(published)))  # fmt: skip
    assert before.shape == after.shape
    assert result.pixels is not None
    assert [(each.first, each.after) for each in result.pixels.masked] == [(n, n + 1) for n in range(len(before))]
    for one, other, masked in zip(before, after, result.pixels.masked, strict=True):
        boxes = np.zeros(ink.shape, np.bool_)
        for x, y, width, height in masked.boxes:
            boxes[y : y + height, x : x + width] = True
        assert boxes[ink].mean() > 0.99
        assert np.array_equal(one[~boxes], other[~boxes])
        black = {tuple(np.atleast_1d(value)) for value in other[boxes & ink]}
        assert len(black) == 1
    assert 0 < result.pixels.share < 0.2
    assert published.BurnedInAnnotation == "NO"
    assert "113101" in [item.CodeValue for item in published.DeidentificationMethodCodeSequence]


def test_where_nothing_is_written_pixel_data_are_the_same_bytes(
    run: Callable[..., tuple[Result, Dataset]], drawing: Any
) -> None:
    made = drawing.dataset((drawing.anatomy() * 255).astype(np.uint8)[None])
    result, published = run(made)
    assert published.PixelData == made.PixelData
    assert result.pixels is not None
    assert (result.pixels.searched, result.pixels.masked) == (True, ())
    assert published.BurnedInAnnotation == "NO"


def test_what_is_not_searched_makes_no_claim(run: Callable[..., tuple[Result, Dataset]], drawing: Any) -> None:
    made = drawing.dataset(
        written_on(drawing), sop_class=SEGMENTATION, BurnedInAnnotation="YES"
    )  # fmt: skip
    result, published = run(made)
    assert result.pixels is not None
    assert not result.pixels.searched
    assert published.BurnedInAnnotation == "YES"
    assert "113101" not in [item.CodeValue for item in published.DeidentificationMethodCodeSequence]


@pytest.mark.parametrize(("side", "said"), [(31, False), (32, True)])
def test_a_picture_too_small_to_be_looked_at_makes_no_claim(
    side: int,
    said: bool,  # noqa: FBT001
    run: Callable[..., tuple[Result, Dataset]],
    drawing: Any,
) -> None:
    made = drawing.dataset((drawing.anatomy(rows=side, columns=20) * 150).astype(np.uint8)[None])
    result, published = run(made)
    assert result.pixels is not None
    assert (result.pixels.searched, result.pixels.masked) == (said, ())
    assert ("fewer than 32 pixels" in result.pixels.because) is not said
    assert bool(result.pixels.engine) is said
    assert ("BurnedInAnnotation" in published) is said
    assert ("113101" in [item.CodeValue for item in published.DeidentificationMethodCodeSequence]) is said
    assert published.PixelData == made.PixelData


@pytest.mark.parametrize("shows", ["LABEL", "VOLUME"])
def test_a_small_label_is_masked_nevertheless(
    shows: str, run: Callable[..., tuple[Result, Dataset]], drawing: Any
) -> None:
    values = np.arange(400, dtype=np.uint8).reshape(1, 20, 20)
    made = drawing.dataset(values, sop_class="1.2.840.10008.5.1.4.1.1.77.1.6")
    made.ImageType = ["ORIGINAL", "PRIMARY", shows, "NONE"]
    result, published = run(made)
    assert result.pixels is not None
    assert result.pixels.searched is (shows == "LABEL")
    assert (len(np.unique(raw(published))) == 1) is (shows == "LABEL")


def test_letters_that_fill_a_small_picture_are_masked(run: Callable[..., tuple[Result, Dataset]], drawing: Any) -> None:
    values = np.full((64, 64), 40, np.uint8)
    ink = np.zeros(values.shape, np.uint8)
    cv2.putText(ink, "ZEB", (4, 40), cv2.FONT_HERSHEY_SIMPLEX, 17 / 21, 255, 1)
    values[ink > 0] = 220
    _, published = run(drawing.dataset(values[None]))
    assert (raw(published)[ink > 0] == raw(published).min()).mean() > 0.98


def test_computed_numbers_are_searched_where_the_profile_says_all_and_never_masked(
    run: Callable[..., tuple[Result, Dataset]], drawing: Any, tmp_path: Path
) -> None:
    plain = drawing.dataset((drawing.anatomy() * 255).astype(np.uint8)[None], sop_class=SEGMENTATION)
    result, published = run(plain, "{scope: all}")
    assert published.PixelData == plain.PixelData
    assert published.BurnedInAnnotation == "NO"
    assert result.pixels is not None
    assert result.pixels.searched
    with pytest.raises(Rejected, match="among computed numbers"):
        run(drawing.dataset(written_on(drawing), sop_class=SEGMENTATION), "{scope: all}")
    assert not (tmp_path / PUBLISHED).exists()


def test_only_the_page_that_is_written_on_changes(run: Callable[..., tuple[Result, Dataset]], drawing: Any) -> None:
    body = (np.stack([drawing.anatomy(seed) for seed in range(3)]) * 150).astype(np.uint8)
    body[1][drawing.ink()] = 240
    made = drawing.dataset(body)
    compress(made, RLELossless, generate_instance_uid=False)
    result, published = run(made)
    assert [each.first for each in (result.pixels.masked if result.pixels else ())] == [1]
    before, after = (
        list(pydicom.encaps.generate_frames(each.PixelData, number_of_frames=3)) for each in (made, published)
    )
    assert (before[0], before[2]) == (after[0], after[2])
    assert before[1] != after[1]


def broken(*_: object, **__: object) -> None:
    raise RuntimeError("QUILLFEATHER")


@pytest.mark.parametrize(
    ("room", "function"),
    [
        (looks, "_network"),
        (taught, "_network"),
        (detector, "text_mask"),
        (codes, "code_mask"),
        (pydicom.pixels, "get_encoder"),
        (pydicom.pixels, "get_decoder"),
    ],
)
def test_when_anything_fails_nothing_is_published(
    room: Any, function: str, run: Callable[..., Any], drawing: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = drawing.dataset(written_on(drawing))
    compress(made, RLELossless, generate_instance_uid=False)
    monkeypatch.setattr(room, function, broken)
    with pytest.raises((DeidError, RuntimeError)):
        run(made)
    assert not (tmp_path / PUBLISHED).exists()


def test_one_damaged_frame_holds_the_object(run: Callable[..., Any], drawing: Any, tmp_path: Path) -> None:
    made = drawing.dataset(written_on(drawing, number=3))
    compress(made, JPEG2000Lossless, generate_instance_uid=False)
    parts = list(pydicom.encaps.generate_frames(made.PixelData, number_of_frames=3))
    parts[1] = parts[1][:60] + b"\0" * (len(parts[1]) - 60)
    made.PixelData = pydicom.encaps.encapsulate(parts)
    with pytest.raises(Rejected, match="cannot be decoded"):
        run(made)
    assert not (tmp_path / PUBLISHED).exists()


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize("share", [0.5, 0.98])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("end", [b"", b"\xff\xd9"])
def test_a_frame_that_is_cut_off_holds_the_object(
    syntax: str,
    share: float,
    padded: bool,  # noqa: FBT001 - with zeros in place of the rest
    end: bytes,
    run: Callable[..., Any],
    drawing: Any,
) -> None:
    made = drawing.dataset(written_on(drawing))
    compress(made, syntax, generate_instance_uid=False)
    (whole,) = pydicom.encaps.generate_frames(made.PixelData, number_of_frames=1)
    cut = whole[: int(len(whole) * share)] + end
    made.PixelData = pydicom.encaps.encapsulate([cut.ljust(len(whole), b"\0") if padded else cut])
    with pytest.raises(Rejected, match="cannot be decoded"):
        run(made)


@pytest.mark.parametrize("syntax", [None, RLELossless])
def test_a_disk_that_is_full_before_the_last_masked_frame_leaves_nothing(
    syntax: Any, run: Callable[..., Any], drawing: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = drawing.dataset(written_on(drawing, number=3))
    if syntax:
        compress(made, syntax, generate_instance_uid=False)
    write_all, room = target._write_all, len(made.PixelData) // 2
    sizes = []

    def until_full(descriptor: int, content: bytes) -> None:
        sizes.append((tmp_path / PUBLISHED).stat().st_size)
        if sizes[-1] + len(content) > room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_all(descriptor, content)

    with monkeypatch.context() as full:
        full.setattr(target, "_write_all", until_full)
        with pytest.raises(OSError, match="No space left"):
            run(made)
    assert sizes[-1] > 0
    assert not (tmp_path / PUBLISHED).exists()
    result, published = run(made)
    judge(made, result, published, drawing.ink())


def test_a_frame_that_is_written_otherwise_than_meant_is_seen(
    run: Callable[..., Any], drawing: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = codecs.encode

    def with_a_fault(frame: NDArray[Any], *rest: Any) -> bytes:
        frame[100, 100] ^= 1
        return encode(frame, *rest)

    made = drawing.dataset(written_on(drawing))
    compress(made, RLELossless, generate_instance_uid=False)
    monkeypatch.setattr(codecs, "encode", with_a_fault)
    with pytest.raises(Rejected, match="not what it should be"):
        run(made)
    assert not (tmp_path / PUBLISHED).exists()


def test_video_is_held(run: Callable[..., Any], drawing: Any) -> None:
    made = drawing.dataset(written_on(drawing))
    made.PixelData = pydicom.encaps.encapsulate([b"\0\0\1\xb3" * 30])
    made[0x7FE00010].VR = "OB"
    made[0x7FE00010].is_undefined_length = True
    made.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.102"
    with pytest.raises(Rejected, match="video"):
        run(made)


def with_overlay(drawing: Any, position: int) -> Dataset:
    """Twelve bits of anatomy, and a text in a bit above them that an overlay plane claims."""
    values = (drawing.anatomy() * 4000).astype(np.uint16)
    values[drawing.ink(at=(12, 200))] |= 1 << 12
    made: Dataset = drawing.dataset(values[None], BitsStored=12)
    made.add_new(0x60000010, "US", made.Rows)
    made.add_new(0x60000011, "US", made.Columns)
    made.add_new(0x60000040, "CS", "G")
    made.add_new(0x60000050, "SS", [1, 1])
    made.add_new(0x60000100, "US", 16)
    made.add_new(0x60000102, "US", position)
    return made


@pytest.mark.parametrize("syntax", [None, RLELossless])
def test_overlays_in_unused_bits_are_cleared(
    syntax: str | None, run: Callable[..., tuple[Result, Dataset]], drawing: Any
) -> None:
    made = with_overlay(drawing, 12)
    before = raw(made)
    if syntax:
        compress(made, syntax, generate_instance_uid=False)
    _, published = run(made)
    assert np.array_equal(raw(published), before & 0x0FFF)


def test_unused_bits_that_no_overlay_claims_stay(run: Callable[..., tuple[Result, Dataset]], drawing: Any) -> None:
    made = with_overlay(drawing, 0)
    made.PixelData = ((drawing.anatomy() * 4000).astype(np.uint16) | 1 << 12).tobytes()
    assert run(made)[1].PixelData == made.PixelData


def slide(drawing: Any, shows: str) -> Dataset:
    made: Dataset = drawing.dataset(written_on(drawing, samples=3), "RGB", sop_class="1.2.840.10008.5.1.4.1.1.77.1.6")
    made.ImageType = ["ORIGINAL", "PRIMARY", shows, "NONE"]
    return made


@pytest.mark.parametrize("shows", ["LABEL", "OVERVIEW"])
def test_the_label_of_a_slide_is_masked_as_a_whole(
    shows: str, run: Callable[..., tuple[Result, Dataset]], drawing: Any
) -> None:
    result, published = run(slide(drawing, shows))
    assert not raw(published).any()
    assert result.pixels is not None
    assert result.pixels.share == 1


def test_the_specimen_on_a_slide_is_not_searched(run: Callable[..., tuple[Result, Dataset]], drawing: Any) -> None:
    made = slide(drawing, "VOLUME")
    assert run(made)[1].PixelData == made.PixelData


def jpeg(drawing: Any, *segments: bytes) -> Dataset:
    picture = (drawing.anatomy() * 255).astype(np.uint8)
    encoded = cv2.imencode(".jpg", picture)[1].tobytes()
    made: Dataset = drawing.dataset(picture[None])
    made.PixelData = pydicom.encaps.encapsulate([encoded[:2] + b"".join(segments) + encoded[2:]])
    made[0x7FE00010].VR = "OB"
    made[0x7FE00010].is_undefined_length = True
    made.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    made.LossyImageCompression = "01"
    return made


def segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2, "big") + content


def test_comments_in_a_frame_go_and_its_pixels_stay(run: Callable[..., tuple[Result, Dataset]], drawing: Any) -> None:
    plain = jpeg(drawing)
    assert run(plain)[1].PixelData == plain.PixelData
    name = b"Quillfeather^Zebulon"
    made = jpeg(drawing, segment(0xFE, name), segment(0xE1, b"Exif\0\0" + name), segment(0xE0, b"JFXX\0" + name))
    _, published = run(made)
    assert published.file_meta.TransferSyntaxUID == JPEGBaseline8Bit
    assert name not in published.PixelData
    assert np.array_equal(raw(published), raw(made))
    (left,), (never_there,) = (
        pydicom.encaps.generate_frames(each.PixelData, number_of_frames=1) for each in (published, plain)
    )
    assert left.rstrip(b"\0") == never_there.rstrip(b"\0")


@pytest.mark.parametrize("tail", [b"Quillfeather", b"\xff\xd8second\xff\xd9"])
def test_what_stands_behind_a_frame_goes(tail: bytes, run: Callable[..., tuple[Result, Dataset]], drawing: Any) -> None:
    made = jpeg(drawing)
    (content,) = pydicom.encaps.generate_frames(made.PixelData, number_of_frames=1)
    made.PixelData = pydicom.encaps.encapsulate([content.rstrip(b"\0") + tail])
    _, published = run(made)
    assert tail not in published.PixelData
    assert np.array_equal(raw(published), raw(made))


def test_an_offset_table_that_says_something_else_goes(
    run: Callable[..., tuple[Result, Dataset]], drawing: Any
) -> None:
    made = jpeg(drawing)
    name = b"QUILLFEATHER"
    made.PixelData = b"\xfe\xff\x00\xe0" + len(name).to_bytes(4, "little") + name + made.PixelData[12:]
    _, published = run(made)
    assert name not in published.PixelData
    assert np.array_equal(raw(published), raw(made))


def test_where_one_scene_is_drawn_on_the_others_are_searched_too(
    run: Callable[..., tuple[Result, Dataset]], drawing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    glances = iter([True, False, False])
    monkeypatch.setattr("deid.pixels.search._glance", lambda *_: next(glances))
    frames_ = (np.stack([drawing.anatomy(seed) for seed in range(2)]) * 3000).astype(np.uint16)
    frames_[:, drawing.ink()] = 3900
    made = drawing.dataset(frames_, sop_class="1.2.840.10008.5.1.4.1.1.2.1", InstanceNumber=2)
    made.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    result, _ = run(made)
    assert [each.first for each in (result.pixels.masked if result.pixels else ())] == [0, 1]


def test_comments_go_from_frames_that_are_not_searched_as_well(
    run: Callable[..., tuple[Result, Dataset]], drawing: Any
) -> None:
    name = b"Quillfeather^Zebulon"
    made = jpeg(drawing, segment(0xFE, name))
    del made.LossyImageCompression
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
    made.ImageType, made.InstanceNumber, made.Modality = ["ORIGINAL", "PRIMARY", "AXIAL"], 2, "CT"
    result, published = run(made)
    assert result.pixels is not None
    assert not result.pixels.searched
    assert name not in published.PixelData
    assert "BurnedInAnnotation" not in published


def test_text_of_few_grey_levels_is_seen(run: Callable[..., tuple[Result, Dataset]], drawing: Any) -> None:
    values = np.zeros((1, 240, 320), np.uint8)
    values[0][drawing.ink()] = 3
    result, published = run(drawing.dataset(values, BitsStored=2))
    assert result.pixels is not None
    assert result.pixels.masked
    assert not raw(published)[drawing.ink()].any()


def test_an_overlay_below_the_stored_bits_is_a_reason_to_hold(run: Callable[..., Any], drawing: Any) -> None:
    made = with_overlay(drawing, 3)
    made.HighBit = 15
    with pytest.raises(Rejected, match="below the stored"):
        run(made)


def with_region(made: Dataset, left: int, top: int, right: int, bottom: int) -> Dataset:
    region = pydicom.Dataset()
    region.RegionLocationMinX0, region.RegionLocationMinY0 = left, top
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = right, bottom
    made.SequenceOfUltrasoundRegions = [region]
    return made


OUTSIDE = "{outside_ultrasound_regions: mask}"


@pytest.mark.parametrize("syntax", [None, RLELossless, JPEG2000Lossless])
@pytest.mark.parametrize("number", [1, 12])
def test_what_lies_outside_the_regions_goes_in_every_frame_and_text_inside_as_well(
    number: int, syntax: str | None, run: Callable[..., tuple[Result, Dataset]], drawing: Any
) -> None:
    made = with_region(drawing.dataset(written_on(drawing, number=number)), 10, 0, 319, 199)
    if syntax:
        compress(made, syntax, generate_instance_uid=False)
    result, published = run(made, OUTSIDE)
    before, after = (raw(each).reshape(number, 240, 320) for each in (made, published))
    outside = np.ones((240, 320), np.bool_)
    outside[:200, 10:] = False
    assert [len(np.unique(frame[outside])) for frame in after] == [1] * number
    assert all(len(np.unique(frame[drawing.ink()])) == 1 for frame in after)
    away = np.zeros((240, 320), np.bool_)
    away[60:200, 10:] = True  # inside, and away from the text
    assert np.array_equal(before[:, away], after[:, away])
    assert result.pixels is not None
    assert "outside its ultrasound regions" in result.pixels.because
    for masked in result.pixels.masked:
        boxes = np.zeros((240, 320), np.bool_)
        for x, y, width, height in masked.boxes:
            boxes[y : y + height, x : x + width] = True
        assert boxes[outside].all()
        assert not boxes[away].any()


def test_what_lies_outside_goes_from_coded_blocks_too(run: Callable[..., tuple[Result, Dataset]], drawing: Any) -> None:
    made = with_region(jpeg(drawing), 10, 0, 319, 195)  # neither border is one of coded blocks
    result, published = run(made, OUTSIDE)
    assert published.file_meta.TransferSyntaxUID == JPEGBaseline8Bit
    before, after = raw(made), raw(published)
    assert len(np.unique(np.concatenate([after[192:].ravel(), after[:, :16].ravel()]))) == 1
    assert np.array_equal(before[:192, 16:], after[:192, 16:])
    assert result.pixels is not None
    assert [masked.boxes for masked in result.pixels.masked] == [((0, 0, 16, 192), (0, 192, 320, 48))]


def test_colour_of_pairs_is_masked_as_pairs_beside_a_region(
    run: Callable[..., tuple[Result, Dataset]], drawing: Any
) -> None:
    made = with_region(drawing.dataset(np.full((1, 240, 320, 2), 99, np.uint8), "YBR_FULL_422"), 11, 0, 319, 239)
    made.SamplesPerPixel = 3
    _, published = run(made, OUTSIDE)
    pairs = np.frombuffer(published.PixelData, np.uint8).reshape(240, 160, 4)
    assert (pairs[:, :6] == (0, 0, 128, 128)).all()
    assert (pairs[:, 6:] == 99).all()


def test_slices_are_searched_where_something_is_masked_without_a_search(
    run: Callable[..., tuple[Result, Dataset]], drawing: Any
) -> None:
    made = with_region(drawing.dataset((drawing.anatomy() * 3000).astype(np.uint16)[None]), 0, 20, 319, 239)
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
    made.ImageType, made.InstanceNumber, made.Modality = ["ORIGINAL", "PRIMARY", "AXIAL"], 2, "CT"
    result, _ = run(made, OUTSIDE)
    assert result.pixels is not None
    assert result.pixels.searched
    assert [masked.boxes for masked in result.pixels.masked] == [((0, 0, 320, 20),)]


def test_computed_numbers_have_no_regions(run: Callable[..., tuple[Result, Dataset]], drawing: Any) -> None:
    made = with_region(drawing.dataset(written_on(drawing), sop_class=SEGMENTATION), 0, 20, 319, 239)
    assert run(made, OUTSIDE)[1].PixelData == made.PixelData


def test_the_title_bar_of_a_known_device_goes(run: Callable[..., tuple[Result, Dataset]], drawing: Any) -> None:
    values = (drawing.anatomy(rows=480, columns=640) * 200 + 20).astype(np.uint8)
    made = drawing.dataset(values[None], Manufacturer="ALOKA CO., LTD.", ManufacturerModelName="SSD-4000")
    made.ImageType, made.InstanceNumber = ["ORIGINAL", "PRIMARY"], 2
    result, published = run(made, "{devices: ultrasound}")
    after = raw(published)
    assert len(np.unique(after[:24])) == 1
    assert np.array_equal(after[24:], values[24:])
    assert result.pixels is not None
    assert [masked.boxes for masked in result.pixels.masked] == [((0, 0, 640, 24),)]
    assert "masked by a rule for Aloka SSD-4000, 640 x 480" in result.pixels.because
    made.ManufacturerModelName = "SSD-5500"
    assert run(made, "{devices: ultrasound}")[1].PixelData == made.PixelData
