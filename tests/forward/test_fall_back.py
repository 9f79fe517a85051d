from __future__ import annotations

import warnings
from contextlib import closing
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from deid.errors import DeidError, Rejected
from deid.forward.fall_back import convert
from deid.network.contexts import LOSSLESS
from deid.part10.source import Limits, open_source
from deid.pixels import codecs
from deid.pixels.codecs import quiet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEPT = ("SOPInstanceUID", "LossyImageCompression", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation")
RIGHT = {
    str(into): {"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL", *more}
    for into, more in ((RLELossless, ()), (JPEGLSLossless, ()), (JPEG2000Lossless, ("YBR_RCT",)))
}
"""PS3.5 8.2.2 to 8.2.4."""
TARGETS = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)


def converted(path: Path, into: str, work: Path | None = None) -> Dataset:
    with closing(convert(path, into, work)) as source:
        content = source.read(source.start, source.size)
    with quiet():
        made = Dataset(read_dataset(BytesIO(content), into == ImplicitVRLittleEndian, True))
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = UID(into)
    return made


@pytest.mark.parametrize("into", [*TARGETS, *LOSSLESS])
def test_every_frame_of_real_files_keeps_its_stored_values(corpus: Path, into: str) -> None:
    """Whatever pydicom can decode before and after, in every transfer syntax of the corpus."""
    compared: dict[str, int] = {}
    for path in sorted(corpus.rglob("*.dcm")):
        try:
            with closing(open_source(path, Limits())) as source:
                syntax = source.transfer_syntax
            made = converted(path, into)
        except DeidError:
            continue
        with quiet():
            original = dcmread(path, force=True)
            if "PixelData" not in original or not original.get("BitsAllocated"):
                continue
            try:
                before = pixel_array(original, raw=True)
            except Exception:  # noqa: BLE001, S112 - what cannot be decoded, nobody can compare
                continue
            assert np.array_equal(before, pixel_array(made, raw=True)), path
            assert [made.get(name) for name in KEPT] == [original.get(name) for name in KEPT], path
            assert into in TARGETS or made.PhotometricInterpretation in RIGHT[into], path
        compared[syntax] = compared.get(syntax, 0) + 1
    assert len(compared) >= 12
    assert compared[ExplicitVRBigEndian] >= 5


@pytest.mark.parametrize("into", TARGETS)
def test_the_description_of_colours_follows_the_decoder(write: Callable[..., Path], into: str) -> None:
    path = write("1.dcm")
    dataset = dcmread(path)
    colours = np.random.default_rng(2).integers(0, 256, (3, 65, 47, 3), np.uint8)
    dataset.SamplesPerPixel, dataset.PlanarConfiguration, dataset.PhotometricInterpretation = 3, 0, "RGB"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.NumberOfFrames = 7, 3
    dataset.PixelData = colours.tobytes() + b"\0"
    dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.ExtendedOffsetTable = b"\0" * 24
    dataset.ExtendedOffsetTableLengths = b"\0" * 24
    dataset.save_as(path)
    made = converted(path, into)
    assert (made.PlanarConfiguration, made.PhotometricInterpretation) == (0, "RGB")
    assert made.PixelData == colours.tobytes() + b"\0"
    assert into == ImplicitVRLittleEndian or made["PixelData"].VR == "OB"
    assert "ExtendedOffsetTable" not in made


@pytest.mark.parametrize("into", LOSSLESS)
@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL", "YBR_FULL_422"])
def test_the_description_of_colours_follows_the_encoder(
    write: Callable[..., Path], photometric: str, planar: int, into: str
) -> None:
    path = write("1.dcm")
    dataset = dcmread(path)
    colours = np.random.default_rng(2).integers(0, 256, (3, 64, 46, 3), np.uint8)
    value = colours.transpose(0, 3, 1, 2) if planar else colours
    if photometric == "YBR_FULL_422":
        colours[:, :, 1::2, 1:] = colours[:, :, ::2, 1:]  # PS3.3 C.7.6.3.1.2: two pixels share their colour
        y, cb, cr = np.moveaxis(colours, -1, 0)
        value = np.stack((y[..., ::2], y[..., 1::2], cb[..., ::2], cr[..., ::2]), axis=-1)
        dataset.PlanarConfiguration = planar = 0
    dataset.Rows, dataset.Columns = 64, 46
    dataset.SamplesPerPixel, dataset.PlanarConfiguration, dataset.PhotometricInterpretation = 3, planar, photometric
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.NumberOfFrames = 7, 3
    dataset.LossyImageCompression, dataset.LossyImageCompressionRatio = "01", "12.5"
    dataset.PixelData = value.tobytes()
    dataset["PixelData"].VR = "OB"
    dataset.save_as(path)
    made = converted(path, into)
    expected = "YBR_FULL" if photometric == "YBR_FULL_422" else photometric
    assert (made.PlanarConfiguration, made.PhotometricInterpretation) == (int(into == RLELossless), expected)
    assert np.array_equal(pixel_array(made, raw=True), colours)
    for kept in ("PixelData", "PlanarConfiguration", "PhotometricInterpretation"):
        del made[kept], dataset[kept]
    assert made == Dataset(dataset)


def test_what_stands_beside_the_stored_bits_goes_as_rle_alone(write: Callable[..., Path]) -> None:
    path = write("1.dcm")
    dataset = dcmread(path)
    values = np.frombuffer(dataset.PixelData, np.uint16) | 0x4000
    dataset.PixelData = values.tobytes()
    dataset.save_as(path)
    made = converted(path, RLELossless)
    assert np.array_equal(pixel_array(made, raw=True, correct_unused_bits=False).ravel(), values)
    for into in set(LOSSLESS) - {RLELossless}:
        with pytest.raises(Rejected, match="bits beside the stored ones"):
            convert(path, into)


@pytest.mark.parametrize("into", LOSSLESS)
def test_signed_values_keep_their_sign(write: Callable[..., Path], into: str) -> None:
    path = write("1.dcm")
    dataset = dcmread(path)
    values = np.random.default_rng(3).integers(-2048, 2048, (65, 47), np.int16)
    dataset.PixelRepresentation, dataset.PixelData = 1, values.tobytes()
    dataset.save_as(path)
    assert np.array_equal(pixel_array(converted(path, into), raw=True), values)


def test_an_encoder_that_changes_a_value_is_noticed(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = codecs.encode
    monkeypatch.setattr(codecs, "encode", lambda frame, image, into: encode(frame ^ (frame == 500), image, into))
    path = write("1.dcm")
    assert (np.frombuffer(dcmread(path).PixelData, np.uint16) == 500).any()
    with pytest.raises(Rejected, match="other values"):
        convert(path, RLELossless)


def test_big_endian_numbers_are_turned_whatever_their_size(tmp_path: Path, write: Callable[..., Path]) -> None:
    dataset = dcmread(write("1.dcm"))
    lut = np.arange(20_000, dtype=">u2")
    dataset.RedPaletteColorLookupTableData = lut.tobytes()  # large: it stays on disk
    dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    original = dcmread(tmp_path / "1.dcm")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        dcmwrite(tmp_path / "2.dcm", dataset, implicit_vr=False, little_endian=False)
    for into in TARGETS:
        made = converted(tmp_path / "2.dcm", into, tmp_path)
        assert made.PixelData == original.PixelData
        assert made.RedPaletteColorLookupTableData == lut.astype("<u2").tobytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.dcm", "2.dcm"]


def test_what_would_be_lost_or_guessed_is_held(write: Callable[..., Path]) -> None:
    path = write("1.dcm", ImplicitVRLittleEndian)
    for into in (ExplicitVRLittleEndian, *LOSSLESS):
        with pytest.raises(Rejected, match="nobody states its VRs"):
            convert(path, into)
    path = write("2.dcm")
    content = path.read_bytes()
    path.write_bytes(content + b"\xe1\x7f\x10\0LO\4\0ACME")
    with pytest.raises(Rejected, match="behind the Pixel Data would be lost"):
        convert(path, ImplicitVRLittleEndian)
    path.write_bytes(content + b"\xfc\xff\xfc\xffOB\0\0\4\0\0\0\0\0\0\0")  # Data Set Trailing Padding
    original = dcmread(path)
    made = converted(path, ImplicitVRLittleEndian)
    del original[0xFFFCFFFC]
    assert made == Dataset(original)


def test_an_object_without_pixel_data_is_not_compressed(write: Callable[..., Path]) -> None:
    path = write("1.dcm")
    dataset = dcmread(path)
    del dataset.PixelData
    dataset.save_as(path)
    for into in LOSSLESS:
        with pytest.raises(Rejected, match="has no Pixel Data"):
            convert(path, into)


def test_an_icon_that_is_compressed_as_the_object_was_would_be_left_behind(write: Callable[..., Path]) -> None:
    path = write("1.dcm", RLELossless)
    dataset = dcmread(path)
    icon = Dataset()
    icon.add(dataset["PixelData"])
    dataset.IconImageSequence = [icon]
    dataset.save_as(path)
    for into in (*TARGETS, *LOSSLESS):
        with pytest.raises(Rejected, match="compressed inside of an item"):
            convert(path, into)
