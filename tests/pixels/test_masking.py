"""Compressed objects from door to door: JPEG Baseline stays what it is, and what stands beside pixels goes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.utils import compress, pixel_array
from pydicom.uid import UID, JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless, RLELossless

from deid.errors import Rejected
from deid.pixels import codecs, detector, jpeg, turbojpeg

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from deid.model import Result

    Run = Callable[[Dataset], tuple[Result, Dataset]]

needs_library = pytest.mark.skipif(turbojpeg.installed() is None, reason="needs libturbojpeg (Debian: libturbojpeg0)")


def written_on(drawing: Any, samples: int, number: int) -> NDArray[np.uint8]:
    body = np.stack([drawing.anatomy(seed) * 0.6 for seed in range(number)])
    body[:, drawing.ink()] = 0.95
    grey = (body * 255).astype(np.uint8)
    return grey[..., None].repeat(samples, axis=3) if samples > 1 else grey


def encode(picture: NDArray[np.uint8], *options: int) -> bytes:
    return cv2.imencode(".jpg", picture, options)[1].tobytes()


def object_of(drawing: Any, parts: Sequence[bytes], number: int, photometric: str) -> Dataset:
    samples = 1 if photometric.startswith("MONO") else 3
    made: Dataset = drawing.dataset(written_on(drawing, samples, number), photometric)
    made.PixelData = encapsulate(list(parts), has_bot=False)
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    made.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    made.LossyImageCompression, made.LossyImageCompressionRatio = "01", "12.5"
    made.LossyImageCompressionMethod = "ISO_10918_1"
    return made


def written(drawing: Any, number: int = 1, photometric: str = "YBR_FULL_422", *options: int) -> Dataset:
    pictures = written_on(drawing, 1 if photometric.startswith("MONO") else 3, number)
    contents = [encode(picture, *options) for picture in pictures]
    if photometric == "RGB":
        contents = [content[:2] + content[20:] for content in contents]  # no JFIF: nothing tells of other colours
    return object_of(drawing, contents, number, photometric)


def decoded(made: Dataset) -> NDArray[Any]:
    """What pydicom decodes, apart from all of ours."""
    content = io.BytesIO()
    made.save_as(content)
    content.seek(0)
    frames = pixel_array(content, raw=True, correct_unused_bits=False)
    return frames.reshape(-1, made.Rows, made.Columns, made.SamplesPerPixel)


def masks_of(result: Result, shape: tuple[int, ...]) -> list[NDArray[np.bool_]]:
    assert result.pixels is not None
    made = []
    for masked in result.pixels.masked:
        mask = np.zeros(shape, np.bool_)
        for x, y, width, height in masked.boxes:
            mask[y : y + height, x : x + width] = True
        made += [mask] * (masked.after - masked.first)
    return made


FORMS: list[tuple[str, list[int], list[int]]] = [
    ("MONOCHROME2", [], [8, 8]),
    ("MONOCHROME1", [], [8, 8]),
    ("YBR_FULL", [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111], [8, 8]),
    ("YBR_FULL_422", [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x211111], [16, 8]),
    ("YBR_FULL_422", [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x221111], [16, 16]),
    ("RGB", [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111], [8, 8]),
]


@needs_library
@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize(("photometric", "options", "cell"), FORMS)
def test_it_stays_what_it_is(
    photometric: str, options: list[int], cell: list[int], number: int, run: Run, drawing: Any
) -> None:
    made = written(drawing, number, photometric, *options)
    result, published = run(made)
    for keyword in ("PhotometricInterpretation", "PlanarConfiguration", "BitsStored", "LossyImageCompression",
                    "LossyImageCompressionRatio", "LossyImageCompressionMethod"):  # fmt: skip
        assert published.get(keyword) == made.get(keyword)
    assert published.file_meta.TransferSyntaxUID == JPEGBaseline8Bit
    assert published.BurnedInAnnotation == "NO"
    assert "113101" in [item.CodeValue for item in published.DeidentificationMethodCodeSequence]
    ink, fill = drawing.ink(), {"MONOCHROME2": [0], "MONOCHROME1": [decoded(made)[0].max()], "RGB": [0, 0, 0]}
    for before, after, mask in zip(
        decoded(made), decoded(published), masks_of(result, ink.shape), strict=True
    ):  # fmt: skip
        assert mask[ink].all()
        rim = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        assert np.array_equal(before[~rim], after[~rim])
        left = {tuple(value) for value in after[mask & ink]}
        assert left == {tuple(fill.get(photometric, [0, 128, 128]))}
    assert result.pixels is not None
    assert 0 < result.pixels.share < 0.2
    for box in (box for masked in result.pixels.masked for box in masked.boxes):
        assert not any(place % size for place, size in zip(box, cell * 2, strict=True))


@needs_library
def test_no_text_is_found_in_what_is_published(run: Run, drawing: Any) -> None:
    result, published = run(written(drawing, 1, "YBR_FULL_422", cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x221111))
    (content,) = generate_frames(published.PixelData, number_of_frames=1)
    (mask,) = masks_of(result, (published.Rows, published.Columns))
    shown = np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR), np.uint8)
    assert mask.any()
    assert not detector.text_mask(shown).any()


@needs_library
def test_pages_without_text_keep_their_bytes(run: Run, drawing: Any) -> None:
    plain = (drawing.anatomy(4) * 255).astype(np.uint8)
    pages = [encode(plain), encode(written_on(drawing, 1, 1)[0]), encode(plain.T[::-1].T.copy())]
    result, published = run(object_of(drawing, pages, 3, "MONOCHROME2"))
    assert [each.first for each in (result.pixels.masked if result.pixels else ())] == [1]
    found = list(generate_frames(published.PixelData, number_of_frames=3))
    assert [content.rstrip(b"\0") == page for content, page in zip(found, pages, strict=True)] == [True, False, True]


@needs_library
def test_frames_in_several_fragments(run: Run, drawing: Any) -> None:
    made = written(drawing, 2)
    parts = []
    for content in generate_frames(made.PixelData, number_of_frames=2):
        parts += [content[at : at + 2000] for at in range(0, len(content), 2000)]
    result, published = run(object_of(drawing, parts, 2, "YBR_FULL_422"))
    _, expected = run(made)
    assert len(parts) > 4
    assert result.pixels is not None
    assert len(result.pixels.masked) == 2
    assert published.PixelData == expected.PixelData


def test_comments_go_with_the_mask(run: Run, drawing: Any) -> None:
    (content,) = generate_frames(written(drawing).PixelData, number_of_frames=1)
    comment = b"\xff\xfe\x00\x0eQuillfeather"
    _, published = run(object_of(drawing, [content[:2] + comment + content[2:]], 1, "YBR_FULL_422"))
    assert b"Quillfeather" not in published.PixelData
    assert not decoded(published)[0][drawing.ink()][:, 0].any()


@pytest.mark.parametrize("why", ["no library", "progressive", "two codings"])
def test_what_cannot_be_masked_in_its_blocks_is_coded_without_loss(
    why: str, run: Run, drawing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = written(drawing, 2, "YBR_FULL", cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111,
                   cv2.IMWRITE_JPEG_PROGRESSIVE, int(why == "progressive"))  # fmt: skip
    if why == "no library":
        monkeypatch.setattr(turbojpeg, "installed", lambda: None)
    if why == "two codings":
        first, _ = generate_frames(made.PixelData, number_of_frames=2)
        other = encode(written_on(drawing, 3, 1)[0], cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x221111)
        made.PixelData = encapsulate([first, other])
    result, published = run(made)
    assert published.file_meta.TransferSyntaxUID == JPEGLSLossless
    assert published.LossyImageCompression == "01"
    for before, after, mask in zip(decoded(made), decoded(published), masks_of(result, (240, 320)), strict=True):
        assert np.array_equal(before[~mask], after[~mask])
        assert mask[drawing.ink()].mean() > 0.99


@needs_library
@pytest.mark.parametrize("cut", [0.3, 0.9])
def test_one_damaged_frame_holds_the_object(cut: float, run: Run, drawing: Any, tmp_path: Path) -> None:
    parts = list(generate_frames(written(drawing, 3).PixelData, number_of_frames=3))
    parts[1] = parts[1][: int(len(parts[1]) * cut)]
    with pytest.raises(Rejected, match=r"damaged|decoded"):
        run(object_of(drawing, parts, 3, "YBR_FULL_422"))
    assert not (tmp_path / "published").exists()


@needs_library
@pytest.mark.parametrize("fault", ["not masked", "one bit more", "coded again", "nothing", "not found", "failed"])
def test_a_frame_that_is_written_otherwise_than_meant_is_seen(
    fault: str, run: Run, drawing: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask = jpeg.masked

    def with_a_fault(content: bytes, coding: jpeg.Coding, touched: list[NDArray[np.bool_]], fill: Any) -> bytes:
        made = mask(content, coding, touched, fill)
        if fault == "not masked":
            return content
        if fault == "one bit more":
            found = turbojpeg.coefficients(made, coding.size, coding.shapes)
            found[0][-1, -1, 63] += 1
            return turbojpeg.with_coefficients(made, coding.size, found)
        if fault == "coded again":
            shown = cv2.imdecode(np.frombuffer(made, np.uint8), cv2.IMREAD_COLOR)
            return encode(np.asarray(shown, np.uint8))
        if fault == "failed":
            raise RuntimeError("QUILLFEATHER")
        return b"" if fault == "nothing" else made[: len(made) // 2]

    monkeypatch.setattr(jpeg, "masked", with_a_fault)
    with pytest.raises((Rejected, RuntimeError)):
        run(written(drawing, 2))
    assert not (tmp_path / "published").exists()


def with_comment(content: bytes) -> bytes:
    return content[:2] + b"\xff\xfe\x00\x0eQuillfeather" + content[2:]


def tiles(drawing: Any, *contents: bytes) -> Dataset:
    made = object_of(drawing, contents, len(contents), "MONOCHROME2")
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.77.1.6")
    made.Modality = "SM"
    made.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    return made


def test_comments_go_from_what_is_never_searched(run: Run, drawing: Any) -> None:
    plain = [encode(page) for page in written_on(drawing, 1, 3)]
    result, published = run(tiles(drawing, plain[0], with_comment(plain[1]), plain[2]))
    assert result.pixels is not None
    assert not result.pixels.searched
    assert published.PixelData == encapsulate(plain, has_bot=False)
    assert published.file_meta.TransferSyntaxUID == JPEGBaseline8Bit
    assert "BurnedInAnnotation" not in published
    assert "113101" not in [item.CodeValue for item in published.DeidentificationMethodCodeSequence]


def test_what_is_never_searched_and_holds_no_comments_keeps_its_bytes(run: Run, drawing: Any) -> None:
    made = tiles(drawing, *(encode(page) for page in written_on(drawing, 1, 2)))
    made.PixelData = encapsulate(list(generate_frames(made.PixelData, number_of_frames=2)))
    assert run(made)[1].PixelData == made.PixelData


def test_a_comment_that_takes_pixels_with_it_is_a_reason_to_hold(
    run: Run, drawing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = encode(written_on(drawing, 1, 2)[1])
    monkeypatch.setattr("deid.pixels.frames.without_comments", lambda _content: other)
    with pytest.raises(Rejected, match="not what it should be"):
        run(tiles(drawing, encode(written_on(drawing, 1, 1)[0])))


@pytest.mark.parametrize("searched", [True, False])
def test_tails_of_rle_frames_go(searched: bool, run: Run, drawing: Any) -> None:  # noqa: FBT001
    made: Dataset = drawing.dataset((drawing.anatomy() * 255).astype(np.uint8)[None])
    compress(made, RLELossless, generate_instance_uid=False)
    plain = made.PixelData
    (content,) = generate_frames(plain, number_of_frames=1)
    made.PixelData = encapsulate([content + b"QUILLFEATHER"])
    if not searched:
        made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.66.4")
        made.Modality = "SEG"
    result, published = run(made)
    assert result.pixels is not None
    assert result.pixels.searched == searched
    assert b"QUILLFEATHER" not in published.PixelData
    assert np.array_equal(decoded(published), decoded(made))


def with_noise(drawing: Any, text: bool, hidden: bool) -> Dataset:  # noqa: FBT001
    """Twelve stored bits, and noise in the four above them; a name in either."""
    values = (drawing.anatomy() * 2000).astype(np.uint16)
    ink = drawing.ink()
    values[ink] = 3900 if text else values[ink]
    noise = np.random.default_rng(9).integers(0, 8, values.shape).astype(np.uint16)
    values |= noise << 12
    values[ink] |= np.uint16(hidden << 15)
    made: Dataset = drawing.dataset(values[None], BitsStored=12)
    return made


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("syntax", [None, RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_text_in_stored_and_in_other_bits(syntax: str | None, hidden: bool, run: Run, drawing: Any) -> None:  # noqa: FBT001
    made = with_noise(drawing, not hidden, hidden)
    if syntax:
        made.BitsStored = 16  # so that the encoder takes all of them
        compress(made, syntax, generate_instance_uid=False)
        made.BitsStored = 12
    result, published = run(made)
    ((mask,), (before,), (after,)) = masks_of(result, (240, 320)), decoded(made), decoded(published)
    assert mask[drawing.ink()].mean() > 0.99
    assert np.array_equal(before[~mask], after[~mask])
    assert len(np.unique(after[mask & drawing.ink()])) == 1
    assert published.BurnedInAnnotation == "NO"


def test_noise_in_other_bits_stays(run: Run, drawing: Any) -> None:
    made = with_noise(drawing, text=False, hidden=False)
    result, published = run(made)
    assert result.pixels is not None
    assert result.pixels.masked == ()
    assert published.PixelData == made.PixelData


def test_nothing_is_coded_again_with_loss() -> None:
    assert JPEGBaseline8Bit not in codecs._BECOMES.values()


@pytest.mark.parametrize("said", [None, "00", "01"])
def test_what_was_compressed_with_loss_says_so_where_its_syntax_does_no_more(
    said: str | None, run: Run, drawing: Any
) -> None:
    made = written(drawing, 1, "MONOCHROME2", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    if said != "01":
        del made.LossyImageCompressionMethod, made.LossyImageCompressionRatio
    made.LossyImageCompression = said
    _, published = run(made)
    assert published.file_meta.TransferSyntaxUID == JPEGLSLossless
    assert published.LossyImageCompression == "01"
    assert published.LossyImageCompressionMethod == "ISO_10918_1"
    size = len(next(generate_frames(made.PixelData, number_of_frames=1)))
    expected = made.Rows * made.Columns / size
    assert published.LossyImageCompressionRatio == (12.5 if said == "01" else pytest.approx(expected, 1e-4))


def test_what_was_compressed_without_loss_says_nothing_of_loss(run: Run, drawing: Any) -> None:
    made = drawing.dataset(written_on(drawing, 1, 1))
    compress(made, JPEG2000Lossless, generate_instance_uid=False)
    made.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.4.91")
    _, published = run(made)
    assert published.file_meta.TransferSyntaxUID == JPEG2000Lossless
    assert "LossyImageCompression" not in published
