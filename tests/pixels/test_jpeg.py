"""A frame of JPEG Baseline after its mask: other blocks where it was touched, and to the last coefficient no others."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from deid.errors import Rejected
from deid.pixels import jpeg, turbojpeg
from deid.pixels.codestream import without_comments
from deid.pixels.image import Image
from deid.pixels.mask import in_cells

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

ROWS, COLUMNS = 90, 141  # no multiple of any MCU
BLACK = np.array((0, 128, 128), np.uint8)
SHARED = {"444": 0x111111, "422": 0x211111, "420": 0x221111, "440": 0x121111, "411": 0x411111}
ADOBE = b"\xff\xee\x00\x0eAdobe\0\x64\0\0\0\0\0"

pytestmark = pytest.mark.skipif(turbojpeg.installed() is None, reason="needs libturbojpeg (Debian: libturbojpeg0)")


def picture(samples: int = 3) -> NDArray[np.uint8]:
    chance = np.random.default_rng(5)
    smooth = cv2.resize(
        chance.integers(0, 255, (9, 14, samples), np.uint8), (COLUMNS, ROWS), interpolation=cv2.INTER_CUBIC
    )
    return np.asarray(smooth, np.uint8)


def encoded(samples: int = 3, shared: str = "444", *more: int) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, 85, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SHARED[shared], *more]
    return cv2.imencode(".jpg", picture(samples), options)[1].tobytes()


def without_jfif(content: bytes) -> bytes:
    assert content[2:4] == b"\xff\xe0"
    return content[:2] + content[20:]


def named(content: bytes, names: bytes) -> bytes:
    """Other identifiers of the components, in the frame header and in that of the scan."""
    made = bytearray(content)
    frame, scan = content.index(b"\xff\xc0"), content.index(b"\xff\xda")
    for number, name in enumerate(names):
        made[frame + 10 + 3 * number] = made[scan + 5 + 2 * number] = name
    return bytes(made)


def in_three_scans() -> bytes:
    """Scans of one component each, as a grey image has them."""
    parts = []
    for plane in cv2.split(picture()):
        content = cv2.imencode(".jpg", plane)[1].tobytes()
        frame, scan = content.index(b"\xff\xc0"), content.index(b"\xff\xda")
        parts.append((content[20:frame], content[frame + 13 : scan], content[scan + 10 : -2]))
    frame_header = b"\xff\xc0\x00\x11\x08" + bytes((0, ROWS, 0, COLUMNS, 3)) + b"\1\x11\0\2\x11\0\3\x11\0"
    scans = (
        b"\xff\xda\x00\x08\x01" + bytes((number, 0, 0, 63, 0)) + data for number, (_, _, data) in enumerate(parts, 1)
    )
    return b"".join((b"\xff\xd8", parts[0][0], frame_header, parts[0][1], *scans, b"\xff\xd9"))


VARIANTS: dict[str, tuple[Callable[[], bytes], str]] = {
    **{name: (partial(encoded, 3, name), "YBR_FULL_422") for name in SHARED},
    "grey": (lambda: encoded(1), "MONOCHROME2"),
    "restarts": (lambda: encoded(3, "420", cv2.IMWRITE_JPEG_RST_INTERVAL, 3), "YBR_FULL_422"),
    "tables of its own": (lambda: encoded(3, "420", cv2.IMWRITE_JPEG_OPTIMIZE, 1), "YBR_FULL_422"),
    "RGB that nothing in it tells": (lambda: without_jfif(encoded()), "RGB"),
    "RGB by Adobe": (lambda: ADOBE.join((b"\xff\xd8", without_jfif(encoded())[2:])), "RGB"),
    "RGB by letters": (lambda: named(without_jfif(encoded()), b"RGB"), "RGB"),
    "YBR that nothing in it tells": (lambda: named(without_jfif(encoded(3, "422")), b"\0\1\2"), "YBR_FULL_422"),
    "three scans": (in_three_scans, "YBR_FULL"),
}


def image(samples: int = 3, photometric: str = "YBR_FULL_422", **more: Any) -> Image:
    described = {"rows": ROWS, "columns": COLUMNS, "allocated": 8, "stored": 8, "high_bit": 7, "frames": 1} | more
    return Image(samples=samples, photometric=photometric, planar=False, signed=False, **described)


def coding_of(content: bytes, photometric: str) -> jpeg.Coding:
    found = jpeg.coding_of(content, image(1 if photometric.startswith("MONO") else 3, photometric))
    assert found is not None
    return found


def mask() -> NDArray[np.bool_]:
    made = np.zeros((ROWS, COLUMNS), np.bool_)
    made[20:30, 35:70] = made[85:, 130:] = True
    return made


def fill_of(coding: jpeg.Coding) -> NDArray[np.uint8]:
    return BLACK if coding.photometric == "YBR_FULL" else np.zeros(len(coding.sampling), np.uint8)


def shown(content: bytes) -> NDArray[np.uint8]:
    return np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED), np.uint8)


def blocks(content: bytes, coding: jpeg.Coding) -> list[NDArray[np.int16]]:
    return turbojpeg.coefficients(content, coding.size, coding.shapes)


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> tuple[bytes, jpeg.Coding]:
    make, photometric = VARIANTS[request.param]
    content = make()
    return content, coding_of(content, photometric)


def test_coefficients_are_those_of_the_pixels() -> None:
    content = encoded(1)
    (found,) = blocks(content, coding_of(content, "MONOCHROME2"))
    tables = content[content.index(b"\xff\xdb") + 5 :][:64]
    grey = shown(content).astype(np.float32) - 128
    for row, column in product(range(ROWS // 8), range(COLUMNS // 8)):
        exact = cv2.dct(grey[8 * row : 8 * row + 8, 8 * column : 8 * column + 8])
        assert abs(float(exact[0, 0]) - int(found[row, column, 0]) * tables[0]) < 4
        assert abs(float(exact[0, 1]) - int(found[row, column, 1]) * tables[1]) < 4
        assert abs(float(exact[1, 0]) - int(found[row, column, 8]) * tables[2]) < 4


def test_only_touched_blocks_change(variant: tuple[bytes, jpeg.Coding]) -> None:
    content, coding = variant
    made = jpeg.masked(content, coding, coding.touched(mask()), fill_of(coding))
    cells = in_cells(mask(), coding.cell)
    across, down = coding.sampling[0]
    for number, (before, after) in enumerate(zip(blocks(content, coding), blocks(made, coding), strict=True)):
        height, width = (8, 8) if number == 0 else (8 * down, 8 * across)
        there = np.zeros(before.shape[:2], np.bool_)
        for row, column in np.ndindex(there.shape):
            there[row, column] = cells[row * height :, column * width :][:height, :width].any()
        assert np.array_equal(before[~there], after[~there])
        assert not after[there, 1:].any()
        assert len(np.unique(after[there, 0])) == 1
        assert before[there, 1:].any()


def test_what_is_shown_is_black_and_beside_it_as_it_was(variant: tuple[bytes, jpeg.Coding]) -> None:
    content, coding = variant
    made = jpeg.masked(content, coding, coding.touched(mask()), fill_of(coding))
    before, after = shown(content), shown(made)
    cells = in_cells(mask(), coding.cell)
    rim = np.ones([2 * shared - 1 for shared in coding.sampling[0][::-1]], np.uint8)  # where colours are interpolated
    apart = cv2.dilate(cells.astype(np.uint8), rim) == 0
    inside = cv2.erode(cells.astype(np.uint8), rim) > 0
    assert apart.mean() > 0.8
    assert np.array_equal(before[apart], after[apart])
    decoded = jpeg.decode(made, coding)[inside].reshape(-1, len(coding.sampling))
    assert np.array_equal(np.unique(decoded, axis=0), fill_of(coding)[None])


def test_markers_stay_but_for_comments(variant: tuple[bytes, jpeg.Coding]) -> None:
    content, coding = variant
    comment = b"\xff\xfe\x00\x0eQuillfeather"
    exif = b"\xff\xe1\x00\x14Exif\0\0Quillfeather"
    made = jpeg.masked(content[:2] + comment + exif + content[2:], coding, coding.touched(mask()), fill_of(coding))
    assert b"Quillfeather" not in made
    assert coding_of(made, coding.photometric) == coding
    for marker in (b"JFIF\0", b"Adobe"):
        assert made.count(marker) == content.count(marker)
    assert (content[2:4] == b"\xff\xe0") == (made[2:4] == b"\xff\xe0")
    assert without_comments(made) == made


def test_white_is_white_and_black_is_black_whatever_the_steps() -> None:
    for quality, value in product((5, 50, 77, 100), (0, 255)):
        content = encoded(1, "444", cv2.IMWRITE_JPEG_QUALITY, quality)
        coding = coding_of(content, "MONOCHROME1")
        made = jpeg.masked(content, coding, coding.touched(mask()), np.array(value, np.uint8))
        assert set(shown(made)[mask()].tolist()) == {value}


def test_what_is_written_is_recognised(variant: tuple[bytes, jpeg.Coding]) -> None:
    content, coding = variant
    touched, fill = coding.touched(mask()), fill_of(coding)
    made = jpeg.masked(content, coding, touched, fill)

    def recognised(written: bytes) -> bool:
        return jpeg.is_masked(written, content, coding, touched, fill)

    assert recognised(made)
    assert recognised(made + b"\0")
    assert not recognised(content)
    assert not recognised(made[:2] + b"\xff\xfe\x00\x04ab" + made[2:])
    assert not recognised(made[:2] + ADOBE + made[2:])
    at = made.index(b"\xff\xdb") + 30
    assert not recognised(made[:at] + bytes((made[at] ^ 1,)) + made[at + 1 :])


@pytest.mark.parametrize("masked", [True, False])
def test_one_other_coefficient_is_seen(masked: bool, variant: tuple[bytes, jpeg.Coding]) -> None:  # noqa: FBT001
    content, coding = variant
    touched, fill = coding.touched(mask()), fill_of(coding)
    made = jpeg.masked(content, coding, touched, fill)
    for number, there in enumerate(touched):
        found = blocks(made, coding)
        row, column = np.argwhere(there == masked)[-1]
        found[number][row, column, 5] += 1
        other = turbojpeg.with_coefficients(made, coding.size, found)
        assert not jpeg.is_masked(other, content, coding, touched, fill)


def test_decoded_as_others_decode(variant: tuple[bytes, jpeg.Coding]) -> None:
    content, coding = variant
    found = jpeg.decode(content, coding)
    if coding.photometric == "YBR_FULL":
        found = np.asarray(cv2.cvtColor(np.ascontiguousarray(found[..., (0, 2, 1)]), cv2.COLOR_YCrCb2BGR), np.uint8)
        expected = shown(named(content, b"\1\2\3"))
    elif coding.photometric == "RGB":
        found = found[..., ::-1]
        jfif = content[:20] if content[2:4] == b"\xff\xe0" else content[:2]
        expected = shown(named(jfif + ADOBE + content[len(jfif) :], b"RGB"))
    else:
        expected = shown(content)
    most = {1: 0, 2: 12, 4: 60}[max(coding.sampling[0])]  # libjpeg repeats a colour that four pixels share
    apart = np.abs(found.astype(int) - expected)
    assert apart.max() <= (max(most, 3) if coding.photometric == "YBR_FULL" else 0)
    assert apart.mean() < (0.6 if most < 60 else 8)


SIZE_IN_FRAME = b"\xff\xc0\x00\x11\x08"


@pytest.mark.parametrize(
    "content",
    [
        encoded(3, "444", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        encoded().replace(b"\xff\xc0", b"\xff\xc1"),  # sequential, not baseline
        encoded().replace(b"\xff\xc0", b"\xff\xc9"),  # arithmetic
        encoded().replace(SIZE_IN_FRAME, SIZE_IN_FRAME[:-1] + b"\x0c"),  # 12 bits
        encoded().replace(SIZE_IN_FRAME + bytes((0, ROWS)), SIZE_IN_FRAME + bytes((0, ROWS + 1))),
        encoded(1),
        encoded().replace(b"\1\x11\0\2\x11\1", b"\1\x11\0\2\x21\1"),  # colours finer than luminance
        encoded().replace(b"\1\x11\0", b"\1\x31\0"),
        encoded().replace(b"\1\x11\0", b"\1\x11\3"),  # a table that is not there
        encoded().replace(b"\xff\xdb\x00\x43\x00", b"\xff\xdb\x00\x43\x10"),  # steps of 16 bits
        encoded()[:200],
        encoded()[:-9] + b"\xff\xdb\x00\x02" + encoded()[-9:],
        b"",
        b"RIFF",
    ],
)
def test_what_cannot_be_masked_in_its_blocks_has_no_coding(content: bytes) -> None:
    assert jpeg.coding_of(encoded(), image()) is not None
    assert jpeg.coding_of(content, image()) is None


@pytest.mark.parametrize("more", [{"allocated": 16}, {"stored": 7}, {"samples": 1}, {"rows": 91}, {"columns": 64}])
def test_an_object_that_says_something_else_has_no_coding(more: dict[str, Any]) -> None:
    assert jpeg.coding_of(encoded(), image(**more)) is None


@pytest.mark.parametrize(
    ("change", "photometric", "found"),
    [
        (encoded, "RGB", "YBR_FULL"),  # JFIF says so
        (lambda: ADOBE.join((b"\xff\xd8", without_jfif(encoded())[2:])), "YBR_FULL", "RGB"),
        (lambda: (ADOBE[:-1] + b"\1").join((b"\xff\xd8", without_jfif(encoded())[2:])), "RGB", "YBR_FULL"),
        (lambda: b"\xff\xee\x00\x07Adobe".join((b"\xff\xd8", without_jfif(encoded())[2:])), "RGB", "RGB"),
        (lambda: named(without_jfif(encoded()), b"RGB"), "YBR_FULL", "RGB"),
    ],
)
def test_colours_are_what_the_frame_says(change: Callable[[], bytes], photometric: str, found: str) -> None:
    assert coding_of(change(), photometric).photometric == found


def test_without_the_library_there_is_no_coding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turbojpeg, "installed", lambda: None)
    assert jpeg.coding_of(encoded(), image()) is None


@pytest.mark.parametrize("kept", [0.5, 0.95])
def test_a_damaged_frame_is_a_reason_to_hold(kept: float, variant: tuple[bytes, jpeg.Coding]) -> None:
    content, coding = variant
    short = content[: int(len(content) * kept)]
    touched, fill = coding.touched(mask()), fill_of(coding)
    with pytest.raises(Rejected, match="damaged"):
        jpeg.decode(short, coding)
    with pytest.raises(Rejected, match=r"damaged|not coded"):
        jpeg.masked(short, coding, touched, fill)
    made = jpeg.masked(content, coding, touched, fill)
    with pytest.raises(Rejected, match="damaged"):
        jpeg.is_masked(made[: int(len(made) * kept)], content, coding, touched, fill)


def test_a_frame_is_no_larger_than_what_was_asked_for() -> None:
    content = encoded(3, "420")
    coding = coding_of(content, "YBR_FULL_422")
    rows, columns = coding.size
    for size in ((rows - 1, columns), (rows, columns + 1)):
        with pytest.raises(Rejected):
            turbojpeg.coefficients(content, size, coding.shapes)
        with pytest.raises(Rejected):
            turbojpeg.planes(content, size, [(rows, columns + 1), (45, 71), (45, 71)])
    with pytest.raises(Rejected):
        turbojpeg.planes(content, coding.size, [(rows, columns)] * 3)
    with pytest.raises(Rejected):
        turbojpeg.planes(content, coding.size, [(rows, columns + 1)])
    with pytest.raises(Rejected):
        turbojpeg.planes(encoded(1), coding.size, [(rows, columns)] * 2)
    with pytest.raises(Rejected):
        turbojpeg.coefficients(content, coding.size, coding.shapes[:1])
    with pytest.raises(Rejected):
        turbojpeg.coefficients(content, coding.size, [(4, 4)] * 3)
