"""Video is held, or a region of its frames is filled, the rest searched, and all written without loss."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID

from deid.errors import Rejected
from deid.model import Masked
from deid.part10.source import Limits
from deid.pixels import codecs, video
from deid.pixels.image import image_of
from deid.pixels.sheet import sheet_of
from deid.pixels.video import video_of

av = pytest.importorskip("av", reason="needs the extra [video]")

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from deid.model import Result

ENDOSCOPIC = "1.2.840.10008.5.1.4.1.1.77.1.1.1"
VIDEO = "1.2.840.10008.1.2.4.10"
JPEG_LS = "1.2.840.10008.1.2.4.80"
COUNT, LATE = 14, (5, 6)  # frames, and those in which a text stands
BAR = 40  # rows
FORMS = {
    "elementary stream of MPEG-2": ("mpeg2video", "mpeg2video", "0"),
    "program stream": ("mpeg2video", "vob", "1"),
    "transport stream": ("mpeg2video", "mpegts", "0"),
    "elementary stream of H.264": ("libx264", "h264", "2"),
    "MP4": ("libx264", "mp4", "3"),
    "transport stream of H.264": ("libx264", "mpegts", "4"),
    "elementary stream of HEVC": ("libx265", "hevc", "7"),
}
METHODS = {"mpeg2video": "ISO_13818_2", "libx264": "ISO_14496_10", "libx265": "ISO_23008_2"}


def shown(drawing: Any) -> list[NDArray[np.uint8]]:
    """A bar that changes in each frame, anatomy, and a text that comes late and goes soon."""
    frames = []
    for number in range(COUNT):
        grey = (drawing.anatomy(number % 3) * 200).astype(np.uint8)
        grey[:BAR] = 40 + 10 * number
        if number in LATE:
            grey[drawing.ink(at=(30, 120))] = 255
        frames.append(np.repeat(grey[:, :, None], 3, axis=2))
    return frames


def coded(
    frames: list[NDArray[Any]],
    codec: str,
    form: str,
    *,
    pixels: str = "yuv420p",
    given: str = "rgb24",
    sound: bool = False,
    digests: bool = False,
    tracks: int = 1,
    stated: dict[str, int] | None = None,
) -> bytes:
    """A stream of these frames."""
    made = io.BytesIO()
    with av.open(made, "w", format=form) as container:
        streams = [container.add_stream(codec, rate=25) for _ in range(tracks)]
        for stream in streams:
            planar = given != "rgb24"
            stream.height = frames[0].shape[0] * 2 // 3 if planar else frames[0].shape[0]
            stream.width, stream.pix_fmt, stream.bit_rate = frames[0].shape[1], pixels, 4_000_000
            if codec == "libx265":
                stream.codec_context.options = {"x265-params": f"log-level=none:hash={int(digests)}"}
            for name, value in (stated or {}).items():
                setattr(stream.codec_context, name, value)
        voice = container.add_stream("mp2", rate=48000) if sound else None
        for stream in streams:
            for values in frames:
                picture = av.VideoFrame.from_ndarray(values, format=given)
                for name, value in (stated or {}).items():
                    setattr(picture, name, value)
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
        if voice is not None:
            heard = av.AudioFrame.from_ndarray(np.zeros((1, 1152 * 2), np.int16), format="s16", layout="stereo")
            heard.sample_rate = 48000
            container.mux(voice.encode(heard))
            container.mux(voice.encode(None))
    return made.getvalue()


def seen(stream: bytes) -> NDArray[np.uint8]:
    """What another reader than ours sees in a stream."""
    with av.open(io.BytesIO(stream)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


@pytest.fixture
def around(drawing: Any) -> Callable[..., Dataset]:
    """An object around a stream, in so many fragments; `digits` end its transfer syntax."""

    def call(stream: bytes, digits: str = "2", fragments: int = 1, **more: Any) -> Dataset:
        blank = np.zeros((2, drawing.anatomy().shape[0], drawing.anatomy().shape[1], 3), np.uint8)
        size = -(-len(stream) // fragments)
        size += size % 2
        parts = [stream[at : at + size] for at in range(0, len(stream), size)]
        more = {"NumberOfFrames": COUNT, "Modality": "ES", "sop_class": ENDOSCOPIC} | more
        made: Dataset = drawing.compressed(blank, parts, "YBR_PARTIAL_420", **more)
        made.file_meta.TransferSyntaxUID = UID(VIDEO + digits)
        return made

    return call


@pytest.fixture
def rules(tmp_path: Path) -> Callable[..., str]:
    """What a profile says of pixels where a device rule names a region of video."""

    def call(mask: str = f"[[0, 0, 320, {BAR}]]", match: str = "[]") -> str:
        path = tmp_path / "rules.yaml"
        path.write_text(f"version: 1\ndevices:\n  - {{name: tower, match: {match}, mask: {mask}}}\n")
        return f"{{video: mask, devices: {path}}}"

    return call


@pytest.mark.parametrize("fragments", [1, 3])
@pytest.mark.parametrize("form", FORMS)
def test_the_region_is_filled_and_the_rest_searched_in_every_frame(
    form: str,
    fragments: int,
    run: Callable[..., tuple[Result, Dataset]],
    around: Callable[..., Dataset],
    rules: Callable[..., str],
    drawing: Any,
) -> None:
    codec, container, digit = FORMS[form]
    stream = coded(shown(drawing), codec, container)
    digits = f"{digit}.1" if fragments > 1 and codec != "libx265" else digit
    result, published = run(around(stream, digits, fragments), rules())
    assert published.file_meta.TransferSyntaxUID == JPEG_LS
    assert (published.NumberOfFrames, published.PhotometricInterpretation) == (COUNT, "RGB")
    assert published.PlanarConfiguration == 0
    assert published.LossyImageCompression == "01"
    assert published.LossyImageCompressionMethod == METHODS[codec]
    size = 240 * 320 * 3 * COUNT
    assert published.LossyImageCompressionRatio == pytest.approx(size / len(stream), rel=0.001)
    assert published.BurnedInAnnotation == "NO"
    assert result.pixels is not None
    assert "masked by a rule for tower" in result.pixels.because
    pixels, before = published.pixel_array, seen(stream)
    assert not pixels[:, :BAR].any()
    ink = drawing.ink(at=(30, 120))
    assert all(before[number][ink].mean() > 150 for number in LATE)
    assert not pixels[:, ink].any()
    below = pixels[:, BAR + 110 :].astype(int)
    assert below.any()
    assert np.abs(below - before[:, BAR + 110 :]).max() <= 4


def test_what_was_decoded_is_written_without_loss(
    run: Callable[..., tuple[Result, Dataset]],
    around: Callable[..., Dataset],
    rules: Callable[..., str],
    opened: Callable[..., Any],
    drawing: Any,
) -> None:
    made = around(coded(shown(drawing), "libx264", "mp4"))
    _, published = run(made, rules())
    file = opened(made)
    frames = video_of(file.source, file.layout, image_of(file.layout))
    pixels = published.pixel_array
    outside = pixels.any(axis=(0, 3))
    assert outside.mean() > 0.5
    for number in range(COUNT):
        assert np.array_equal(pixels[number][outside], frames.stored(number)[outside])


def test_a_written_frame_that_is_not_what_was_decoded_is_noticed(
    run: Callable[..., Any],
    around: Callable[..., Dataset],
    rules: Callable[..., str],
    drawing: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    encode = codecs.encode

    def with_a_fault(frame: NDArray[Any], *rest: Any) -> bytes:
        frame[200, 100] ^= 1
        return encode(frame, *rest)

    monkeypatch.setattr(codecs, "encode", with_a_fault)
    with pytest.raises(Rejected, match="not what it should be"):
        run(around(coded(shown(drawing), "libx264", "mp4")), rules())
    assert not (tmp_path / "published").exists()


def test_video_of_computed_numbers_is_held(
    run: Callable[..., Any], around: Callable[..., Dataset], rules: Callable[..., str], drawing: Any
) -> None:
    numbers = {"sop_class": "1.2.840.10008.5.1.4.1.1.30", "Modality": "MR", "PhotometricInterpretation": "MONOCHROME2"}
    with pytest.raises(Rejected, match="nobody can look at them"):
        run(around(coded(shown(drawing), "libx264", "mp4"), **numbers), rules())


def test_frames_are_given_in_any_order(
    around: Callable[..., Dataset], opened: Callable[..., Any], drawing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = coded(shown(drawing), "libx264", "h264")
    made = around(stream)
    file = opened(made)
    frames = video_of(file.source, file.layout, image_of(file.layout))
    expected = [frames.stored(number) for number in range(COUNT)]
    monkeypatch.setattr(video, "_REMEMBERED", 1)
    again = video_of(file.source, file.layout, image_of(file.layout))
    for number in (13, 2, 2, 7, 6, 0, 13):
        assert np.array_equal(again.stored(number), expected[number])
    assert not np.array_equal(expected[6], expected[7])


def test_sound_goes_with_what_described_it(
    run: Callable[..., tuple[Result, Dataset]],
    around: Callable[..., Dataset],
    rules: Callable[..., str],
    drawing: Any,
) -> None:
    stream = coded(shown(drawing), "libx264", "mpegts", sound=True)
    with av.open(io.BytesIO(stream)) as container:
        assert len(container.streams.audio) == 1
    made = around(stream)
    made.add_new(0x003A0300, "SQ", [])
    _, published = run(made, rules())
    assert 0x003A0300 not in published
    assert len(published.pixel_array) == COUNT


def test_rotation_that_a_container_asks_for_turns_nothing(
    run: Callable[..., tuple[Result, Dataset]],
    around: Callable[..., Dataset],
    rules: Callable[..., str],
    drawing: Any,
) -> None:
    stream = bytearray(coded(shown(drawing), "libx264", "mp4"))
    _, as_it_was = run(around(bytes(stream)), rules())
    matrix = stream.index(b"tkhd") + 44  # ISO/IEC 14496-12 8.3.2
    assert stream[matrix : matrix + 4] == stream[matrix + 16 : matrix + 20] == b"\0\1\0\0"
    stream[matrix : matrix + 4] = stream[matrix + 16 : matrix + 20] = b"\xff\xff\0\0"
    _, published = run(around(bytes(stream)), rules())
    assert np.array_equal(published.pixel_array, as_it_was.pixel_array)


def test_ten_bits_stay_ten_bits(
    run: Callable[..., tuple[Result, Dataset]],
    around: Callable[..., Dataset],
    rules: Callable[..., str],
    drawing: Any,
) -> None:
    stream = coded(shown(drawing), "libx265", "hevc", pixels="yuv420p10le")
    made = around(stream, "8", BitsAllocated=16, BitsStored=10, HighBit=9)
    _, published = run(made, rules())
    assert (published.BitsAllocated, published.BitsStored) == (16, 10)
    pixels = published.pixel_array
    assert not pixels[:, :BAR].any()
    assert 255 < pixels.max() < 1024
    below = pixels[:, BAR + 110 :].astype(int)
    assert np.abs(below / 4 - seen(stream)[:, BAR + 110 :]).max() <= 4


@pytest.mark.parametrize(
    ("luminance", "stated"),
    [
        ((88, 118, 196), {}),
        ((88, 118, 196), {"colorspace": 5, "color_range": 1}),
        ((73, 125, 197), {"colorspace": 1, "color_range": 1}),
        ((84, 117, 205), {"colorspace": 5, "color_range": 2}),
    ],
)
def test_colours_are_those_of_the_matrix_and_range_that_the_stream_states(
    luminance: tuple[int, int, int],
    stated: dict[str, int],
    around: Callable[..., Dataset],
    opened: Callable[..., Any],
) -> None:
    planes = np.concatenate(
        [np.full(size, value, np.uint8) for size, value in zip((240 * 320, 60 * 320, 60 * 320), luminance, strict=True)]
    )
    frames = [planes.reshape(360, 320)] * COUNT
    made = around(coded(frames, "libx264", "mp4", given="yuv420p", stated=stated))
    file = opened(made)
    frame = video_of(file.source, file.layout, image_of(file.layout)).stored(3)
    assert np.abs(frame.astype(int) - (191, 32, 63)).max() <= 3


@pytest.mark.parametrize(
    ("pixels", "match", "mask"),
    [
        ("{}", "", ""),
        ("{devices: ultrasound}", "", ""),
        ("", '[{attribute: Columns, equals: "640"}]', "[[0, 0, 320, 40]]"),
        ("", "[]", "[[320, 0, 10, 10], [0, 240, 10, 10]]"),
    ],
    ids=["nothing said", "rules for others", "no rule matches", "all rectangles lie outside"],
)
def test_video_without_a_region_is_held(
    pixels: str,
    match: str,
    mask: str,
    run: Callable[..., Any],
    around: Callable[..., Dataset],
    rules: Callable[..., str],
    drawing: Any,
) -> None:
    stream = coded(shown(drawing), "libx264", "h264")
    with pytest.raises(Rejected, match="held unless the profile's pixels say 'video: mask' and a device rule masks"):
        run(around(stream), pixels or rules(mask, match))


def test_what_lies_outside_ultrasound_regions_is_no_region_of_a_device_rule(
    run: Callable[..., Any], around: Callable[..., Dataset], rules: Callable[..., str], drawing: Any
) -> None:
    region = Dataset()
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 0, BAR
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 319, 239
    made = around(coded(shown(drawing), "libx264", "h264"), SequenceOfUltrasoundRegions=[region])
    said = "{outside_ultrasound_regions: mask, " + rules("[[320, 0, 10, 10]]")[1:]
    with pytest.raises(Rejected, match="and a device rule masks"):
        run(made, said)


def test_a_region_is_cut_off_at_the_edge_of_the_frames(
    run: Callable[..., tuple[Result, Dataset]],
    around: Callable[..., Dataset],
    rules: Callable[..., str],
    drawing: Any,
) -> None:
    stream = coded(shown(drawing), "libx264", "h264")
    _, published = run(around(stream), rules("[[300, -20, 1000, 1000], [0, 0, 320, 40]]"))
    pixels = published.pixel_array
    assert not pixels[:, -20:, 300:].any()
    assert pixels[:, -20:, 250:300].any()
    assert pixels[:, BAR:-20, 310:].any()


@pytest.mark.parametrize(("stated", "message"), [(COUNT + 1, "fewer frames"), (COUNT - 1, "more frames")])
def test_another_number_of_frames_is_held(
    stated: int,
    message: str,
    run: Callable[..., Any],
    around: Callable[..., Dataset],
    rules: Callable[..., str],
    drawing: Any,
) -> None:
    stream = coded(shown(drawing), "libx264", "mp4")
    with pytest.raises(Rejected, match=message):
        run(around(stream, NumberOfFrames=stated), rules())


@pytest.mark.parametrize("form", [form for form in FORMS if "HEVC" not in form])
def test_damage_is_held_and_nothing_is_said_of_it(
    form: str,
    run: Callable[..., Any],
    around: Callable[..., Dataset],
    rules: Callable[..., str],
    drawing: Any,
    capfd: pytest.CaptureFixture[str],
) -> None:
    codec, container, digit = FORMS[form]
    stream = bytearray(coded(shown(drawing), codec, container))
    middle = len(stream) // 2
    chance = np.random.default_rng(7)
    stream[middle : middle + 2000] = chance.integers(0, 256, 2000, np.uint8).tobytes()
    with pytest.raises(Rejected, match="video"):
        run(around(bytes(stream), digit), rules())
    assert capfd.readouterr() == ("", "")


def test_the_digests_that_a_stream_of_hevc_may_have_are_compared(
    run: Callable[..., Any], around: Callable[..., Dataset], rules: Callable[..., str], drawing: Any
) -> None:
    stream = bytearray(coded(shown(drawing), "libx265", "hevc", digests=True))
    run(around(bytes(stream), "7"), rules())
    stream[len(stream) // 2] ^= 0x10
    with pytest.raises(Rejected, match=r"cannot be decoded|damaged"):
        run(around(bytes(stream), "7"), rules())


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"Rows": 238}, "not the size"),
        ({"BitsAllocated": 16, "BitsStored": 10, "HighBit": 9}, "not the bits"),
        ({"SamplesPerPixel": 1}, "otherwise than video"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "otherwise than video"),
    ],
)
def test_what_is_not_as_the_object_says_is_held(
    more: dict[str, int],
    message: str,
    run: Callable[..., Any],
    around: Callable[..., Dataset],
    rules: Callable[..., str],
    drawing: Any,
) -> None:
    stream = coded(shown(drawing), "libx264", "mp4")
    with pytest.raises(Rejected, match=message):
        run(around(stream, **more), rules())


def test_a_high_bit_beyond_the_stored_ones_is_held(
    run: Callable[..., Any], around: Callable[..., Dataset], rules: Callable[..., str], drawing: Any
) -> None:
    made = around(coded(shown(drawing), "libx264", "mp4"), BitsAllocated=16, BitsStored=8)
    made.HighBit = 15  # what is written stands in the lower bits, and the header would say otherwise
    with pytest.raises(Rejected, match="otherwise than video"):
        run(made, rules())


def test_another_codec_than_the_transfer_syntax_says_is_held(
    run: Callable[..., Any], around: Callable[..., Dataset], rules: Callable[..., str], drawing: Any
) -> None:
    stream = coded(shown(drawing), "libx264", "mp4")
    with pytest.raises(Rejected, match="none of its transfer syntax"):
        run(around(stream, "0"), rules())


def test_several_tracks_of_pictures_are_held(
    run: Callable[..., Any], around: Callable[..., Dataset], rules: Callable[..., str], drawing: Any
) -> None:
    stream = coded(shown(drawing), "libx264", "mp4", tracks=2)
    with pytest.raises(Rejected, match="none or several"):
        run(around(stream), rules())


@pytest.mark.parametrize(
    "content",
    [b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:1,\nfile:///etc/hostname\n", b"ffconcat version 1.0\nfile /etc/hostname\n"],
)
def test_no_form_is_guessed_that_names_other_files(
    content: bytes, run: Callable[..., Any], around: Callable[..., Dataset], rules: Callable[..., str]
) -> None:
    with pytest.raises(Rejected, match="neither an elementary stream"):
        run(around(content * 40), rules())


@pytest.mark.parametrize("matrix", [8, 14])  # YCgCo, and ICtCp
def test_colours_by_a_matrix_that_nobody_here_knows_are_held_and_not_tried_for_ever(
    matrix: int, run: Callable[..., Any], around: Callable[..., Dataset], rules: Callable[..., str], drawing: Any
) -> None:
    filtered = io.BytesIO()
    stream = coded(shown(drawing), "libx264", "h264")
    with av.open(io.BytesIO(stream), format="h264") as before, av.open(filtered, "w", format="h264") as after:
        track = before.streams.video[0]
        said = av.BitStreamFilterContext(f"h264_metadata=matrix_coefficients={matrix}", track)
        other = after.add_stream_from_template(track)
        for packet in before.demux(track):
            for changed in said.filter(packet if packet.size else None):
                changed.stream = other
                after.mux(changed)
    with pytest.raises(Rejected, match="cannot be decoded"):
        run(around(filtered.getvalue()), rules())


def test_tables_of_gigabytes_that_a_small_file_claims_are_not_made(
    run: Callable[..., Any], around: Callable[..., Dataset], rules: Callable[..., str], drawing: Any
) -> None:
    stream = bytearray(coded(shown(drawing), "libx264", "mp4"))
    most = (50_000_000).to_bytes(4, "big")
    for table, at, said in (
        (b"stts", 12, most),
        (b"stsc", 16, most),
        (b"stsz", 8, (1).to_bytes(4, "big")),  # of all samples
        (b"stsz", 12, most),
    ):
        begin = stream.index(table) + at
        stream[begin : begin + 4] = said
    process = Path("/proc/self")
    before = int((process / "statm").read_text("ascii").split()[1]) * 4
    (process / "clear_refs").write_text("5", "ascii")  # proc(5): the peak is counted from now on
    with pytest.raises(Rejected, match="video"):
        run(around(bytes(stream)), rules())
    (peak,) = [line for line in (process / "status").read_text("ascii").splitlines() if line.startswith("VmHWM")]
    assert int(peak.split()[1]) - before < 1_100_000  # kB


def test_stereo_is_held(
    run: Callable[..., Any], around: Callable[..., Dataset], rules: Callable[..., str], drawing: Any
) -> None:
    stream = coded(shown(drawing), "libx264", "h264")
    with pytest.raises(Rejected, match="both eyes"):
        run(around(stream, "6"), rules())


def test_pixel_data_without_fragments_are_held(opened: Callable[..., Any], drawing: Any, tmp_path: Path) -> None:
    made = drawing.dataset(np.zeros((2, 240, 320, 3), np.uint8), "YBR_PARTIAL_420")
    made.save_as(tmp_path / "native", enforce_file_format=True)
    content = bytearray((tmp_path / "native").read_bytes())
    said = b"\x02\0\x10\0UI\x14\x001.2.840.10008.1.2.1\0"
    at = content.index(said)
    content[at : at + len(said)] = b"\x02\0\x10\0UI\x18\x001.2.840.10008.1.2.4.102\0"
    (tmp_path / "native").write_bytes(content)
    file = opened(tmp_path / "native")
    with pytest.raises(Rejected, match="not encapsulated"):
        video_of(file.source, file.layout, image_of(file.layout))


def test_without_the_extra_video_is_held(
    run: Callable[..., Any],
    around: Callable[..., Dataset],
    rules: Callable[..., str],
    drawing: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(video, "installed", lambda: False)
    with pytest.raises(Rejected, match=r"pip install 'deid-gateway\[video\]'"):
        run(around(coded(shown(drawing), "libx264", "h264")), rules())


def test_originals_are_shown_to_people(around: Callable[..., Dataset], drawing: Any, tmp_path: Path) -> None:
    around(coded(shown(drawing), "libx264", "mp4")).save_as(tmp_path / "source", enforce_file_format=True)
    masked = [Masked(0, COUNT, ((0, 0, 320, BAR),))]
    sheet = sheet_of(tmp_path / "source", masked, 3, Limits())
    (picture,) = sheet.pictures
    assert (picture.frame, picture.boxes, sheet.because) == (0, ((0, 0, 320, BAR),), "")


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="needs dicom3tools")
def test_dciodvfy_minds_nothing_of_the_image(
    run: Callable[..., tuple[Result, Dataset]],
    around: Callable[..., Dataset],
    rules: Callable[..., str],
    drawing: Any,
    tmp_path: Path,
) -> None:
    run(around(coded(shown(drawing), "libx264", "mp4")), rules())
    done = subprocess.run(
        ["dciodvfy", tmp_path / "published"], capture_output=True, encoding="latin-1", errors="replace", check=False
    )
    said = [line for line in done.stderr.splitlines() if line.startswith("Error")]
    assert not [line for line in said if any(word in line for word in ("Photometric", "Lossy", "Planar", "PixelData"))]
    assert "VideoEndoscopicImage" in done.stderr
