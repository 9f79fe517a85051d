"""No code stays readable in what is released, whatever its kind, and nothing is taken for a code that is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
import zxingcpp
from drawn.strings import drawn
from zxingcpp import BarcodeFormat as Kind

from deid.errors import Rejected
from deid.pixels import codes, detector, stripes

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]

SAYS = {
    Kind.Code39: "4711-0815",
    Kind.Code93: "QUILL-1971",
    Kind.Code128: "1971020347110815",
    Kind.Codabar: "A4711081519A",
    Kind.ITF: "19710203471108",
    Kind.EAN13: "400638133393",
    Kind.EAN8: "4006381",
    Kind.UPCA: "03600029145",
    Kind.DataBarOmni: "0950110153001",
    Kind.DataBarExpStk: "[01]09501101530010",
    Kind.Telepen: "QUILL-1971",
    Kind.PDF417: "QUILLFEATHER ZEB 1971",
    Kind.MicroPDF417: "QUILLFEATHER ZEB 1971",
    Kind.Aztec: "QUILLFEATHER ZEB 1971",
    Kind.DataMatrix: "QUILLFEATHER ZEB 1971",
    Kind.QRCode: "QUILLFEATHER ZEB 1971",
    Kind.MicroQRCode: "QUILL-1971",
    Kind.RMQRCode: "QUILL-1971",
}
LINEAR = frozenset(zxingcpp.barcode_formats_list(zxingcpp.BarcodeFormats([Kind.AllLinear]))) - {Kind.DataBarExpStk}
ROWS, COLUMNS = 400, 640


@dataclass
class Symbol:
    """One code to be drawn: its kind, pixels of a module and, if it is linear, of its bars, and how it is turned."""

    kind: Kind = Kind.Code39
    module: int = 2
    height: int = 60
    angle: float = 0
    dark: int = 10
    bright: int = 245
    quiet: int = 10  # modules

    def shades(self) -> NDArray[np.float32]:
        made = zxingcpp.create_barcode(SAYS[self.kind], self.kind)
        image = np.array(zxingcpp.write_barcode_to_image(made, scale=self.module, add_quiet_zones=False), np.uint8)
        if self.kind in LINEAR:
            image = np.repeat(image[len(image) // 3][None], self.height, axis=0)
        image = np.pad(image, self.quiet * self.module, constant_values=255)
        return np.where(image < 128, np.float32(self.dark), np.float32(self.bright))

    def onto(self, page: NDArray[Any], centre: tuple[float, float] = (COLUMNS // 2, ROWS // 2)) -> NDArray[np.bool_]:
        """Drawn on the page; where it is now."""
        shades = self.shades()
        rows, columns = shades.shape
        move = cv2.getRotationMatrix2D((columns / 2 - 0.5, rows / 2 - 0.5), self.angle, 1)
        move[:, 2] += np.array(centre) - (columns // 2, rows // 2)
        size = page.shape[1], page.shape[0]
        there = cv2.warpAffine(np.ones((rows, columns), np.float32), move, size) > 0.5
        shown = cv2.warpAffine(shades, move, size, borderMode=cv2.BORDER_REPLICATE)
        page[there] = shown[there].astype(page.dtype)
        return np.asarray(there, np.bool_)


def ground(drawing: Any, name: str) -> Picture:
    if name == "white":
        return np.full((ROWS, COLUMNS), 255, np.uint8)
    return np.asarray(drawing.anatomy(1, ROWS, COLUMNS) * {"bright": 200, "dark": 110}[name], np.uint8)


def read(shades: NDArray[Any], angle: float = 0) -> list[str]:
    """What can be read by one who enlarges it and holds it upright or on its head, be its bars dark or bright."""
    picture = shades.astype(np.uint8)
    move = cv2.getRotationMatrix2D((picture.shape[1] / 2, picture.shape[0] / 2), -angle, 1)
    upright = cv2.warpAffine(picture, move, picture.shape[::-1], flags=cv2.INTER_CUBIC)
    pages = [each for page in (picture, upright) for each in (page, 255 - page, np.ascontiguousarray(page[::-1, ::-1]))]
    pages += [cv2.resize(page, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC) for page in pages]
    return [each.text for page in pages for each in zxingcpp.read_barcodes(page)]


def coloured(grey: Picture) -> Picture:
    return np.repeat(grey[:, :, None], 3, axis=2)


@pytest.fixture
def unreadable(run: Callable[..., Any], drawing: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """That what can be read in an object cannot be read in what is released, though nothing looks like text."""

    def sees_no_text(picture: Picture, **_: bool) -> NDArray[np.bool_]:
        return np.zeros(picture.shape[:2], np.bool_)

    monkeypatch.setattr(detector, "text_mask", sees_no_text)

    def check(page: NDArray[Any], angle: float = 0, window: Callable[[Any], Any] = np.asarray) -> None:
        assert read(window(page), angle), "nobody can read it before"
        _, published = run(drawing.dataset(page[None]))
        assert not read(window(published.pixel_array), angle)
        assert published.BurnedInAnnotation == "NO"
        assert (published.pixel_array != page).mean() < 0.5

    return check


@pytest.mark.parametrize("kind", SAYS)
def test_no_code_of_any_kind_is_readable_in_what_is_released(
    kind: Kind, unreadable: Callable[..., None], drawing: Any
) -> None:
    page = ground(drawing, "bright")
    Symbol(kind, 3).onto(page)
    unreadable(page)


@pytest.mark.parametrize("name", ["bright", "dark", "white"])
@pytest.mark.parametrize("height", [25, 90])
@pytest.mark.parametrize("module", [1, 2])
@pytest.mark.parametrize("kind", [Kind.Code39, Kind.Code128])
def test_nor_one_of_any_size_on_any_ground(
    kind: Kind, module: int, height: int, name: str, unreadable: Callable[..., None], drawing: Any
) -> None:
    page = ground(drawing, name)
    Symbol(kind, module, height).onto(page)
    unreadable(page)


@pytest.mark.parametrize("angle", [90, 180, 270, 4, -5, 30, 45, 120])
def test_nor_one_that_is_turned(angle: float, unreadable: Callable[..., None], drawing: Any) -> None:
    page = ground(drawing, "bright")
    Symbol(Kind.Code128, angle=angle).onto(page)
    unreadable(page, angle)


@pytest.mark.parametrize("kind", [Kind.DataMatrix, Kind.MicroQRCode])
def test_nor_one_on_a_slant_that_is_small(kind: Kind, unreadable: Callable[..., None], drawing: Any) -> None:
    page = ground(drawing, "bright")
    Symbol(kind, angle=45).onto(page)
    unreadable(page, 45)


@pytest.mark.parametrize(
    ("kind", "module", "angle", "between"),
    [
        (Kind.PDF417, 3, 180, 0.5),
        (Kind.MicroPDF417, 3, 90, 0),
        (Kind.DataMatrix, 1, 0, 0),
        (Kind.DataMatrix, 2, 0, 0.5),
    ],
)
def test_nor_one_that_lies_between_pixels_or_on_its_head(
    kind: Kind, module: int, angle: float, between: float, unreadable: Callable[..., None]
) -> None:
    symbol = Symbol(kind, module, angle=angle, quiet=2)
    side = int(np.hypot(*symbol.shades().shape)) + 40
    page = np.full((side, side), 60, np.uint8)
    symbol.onto(page, (side // 2 + between, side // 2 + between))
    unreadable(page, angle)


@pytest.mark.parametrize("kind", [Kind.Code39, Kind.QRCode])
def test_nor_one_of_bright_bars(kind: Kind, unreadable: Callable[..., None], drawing: Any) -> None:
    page = ground(drawing, "bright")
    Symbol(kind, dark=240, bright=20).onto(page)
    unreadable(page)


@pytest.mark.parametrize("module", [1, 2])
def test_nor_one_that_was_compressed(module: int, unreadable: Callable[..., None], drawing: Any) -> None:
    page = ground(drawing, "bright")
    Symbol(Kind.Code128, module).onto(page)
    unreadable(cv2.imdecode(cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, 75])[1], cv2.IMREAD_GRAYSCALE))


def test_nor_one_of_many(unreadable: Callable[..., None], drawing: Any) -> None:
    page = ground(drawing, "bright")
    Symbol(Kind.Code39, 1, 40).onto(page, (130, 50))
    Symbol(Kind.Code128, 2, 30, 90).onto(page, (50, 250))
    Symbol(Kind.QRCode, 3).onto(page, (500, 100))
    Symbol(Kind.PDF417, 2).onto(page, (300, 330))
    Symbol(Kind.DataMatrix, 3).onto(page, (580, 330))
    Symbol(Kind.Code39, 1, 40).onto(page, (280, 170))
    unreadable(page)


@pytest.mark.parametrize(("dark", "bright"), [(100, 3000), (900, 1300)])
def test_nor_one_among_16_bits(dark: int, bright: int, unreadable: Callable[..., None], drawing: Any) -> None:
    page = (drawing.anatomy(1, ROWS, COLUMNS) * 4000).astype(np.uint16)
    Symbol(Kind.Code39, dark=dark, bright=bright).onto(page)
    page[0, 0] = 65535
    unreadable(page, window=lambda values: np.clip((values - float(dark)) / (bright - dark), 0, 1) * 255)


def test_nor_what_a_line_of_text_divides(unreadable: Callable[..., None], drawing: Any) -> None:
    page = ground(drawing, "white")
    Symbol(Kind.Code39, 2, 120).onto(page)
    page[190:210, 100:540] = 255
    cv2.putText(page, "4711-0815", (240, 207), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 0, 1)
    unreadable(page)


@pytest.mark.parametrize("angle", [0, 90, 4, 45])
def test_all_of_the_bars_are_marked_and_little_else(angle: float, drawing: Any) -> None:
    """A reader needs one line across them; what it tells of their height may be less than there is."""
    page = ground(drawing, "bright")
    there = Symbol(height=120, angle=angle).onto(page)
    before = page.copy()
    across = np.s_[:, ::40] if angle == 90 else np.s_[::40]
    page[across][there[across]] = 245  # lines that no reader follows
    mask = codes.code_mask(coloured(page))
    assert mask[there & (before < 100)].mean() > 0.999
    assert not mask[~cv2.dilate(there.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)].any()


@pytest.mark.parametrize("turns", range(4))
def test_bars_that_were_read_beyond_an_edge_are_marked_up_to_it(turns: int) -> None:
    """What is cut out for the reader is drawn out there, and so are bars that an edge cuts on a slant."""
    page = np.full((ROWS, ROWS), 128, np.uint8)
    there = np.rot90(Symbol(height=60).onto(page, (ROWS // 2, ROWS - 20)), turns)
    far = [(60, ROWS + 20), (340, ROWS + 20), (340, ROWS + 22), (60, ROWS + 22)]
    turned = np.linalg.matrix_power(np.array([(0, -1), (1, 0)]), turns)
    middle = (ROWS - 1) / 2
    corners = stripes.whole(np.ascontiguousarray(np.rot90(page, turns)), (np.array(far) - middle) @ turned + middle)
    marked = cv2.fillConvexPoly(np.zeros((ROWS, ROWS), np.uint8), np.rint(corners).astype(np.int32), 1) > 0
    assert marked[there].mean() > 0.5


def test_what_cannot_be_read_to_its_end_is_marked_where_it_is_a_code(drawing: Any) -> None:
    page = ground(drawing, "bright")
    there = Symbol(Kind.QRCode, 6).onto(page)
    top, left = np.argwhere(there).min(axis=0) + 60
    page[top + 54 : top + 150, left + 90 : left + 144] = 10  # more than its redundancy makes good
    assert not read(page)
    mask = codes.code_mask(coloured(page))
    assert mask[there].mean() > 0.25  # without its quiet zone
    assert not mask[~there].any()


def test_nothing_is_marked_where_no_code_is(drawing: Any) -> None:
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    chance = np.random.default_rng(7)
    without = [
        (columns // 5 % 2 * 255),
        ((columns + rows) // 6 % 2 * 255),
        (columns // 8 % 2 ^ rows // 8 % 2) * 255,
        np.where((columns % 10 == 0) & (rows < 12 + 8 * (columns % 50 == 0)), 255, 20),
        (np.sin(columns**2 / 900) > 0) * 255,
        np.where((columns % 16 == 0) | (rows % 16 == 0), 200, 30),
        np.repeat(chance.integers(0, 2, COLUMNS // 4).repeat(4)[None], ROWS, axis=0) * 200,
        chance.integers(0, 256, (ROWS, COLUMNS)),
        drawing.anatomy(1, ROWS, COLUMNS) * 255,
    ]
    for number, page in enumerate(without):
        assert not codes.code_mask(coloured(page.astype(np.uint8))).any(), number
    for number in range(0, 136, 8):
        made, quality = drawn(number)
        assert not codes.code_mask(made.picture(quality)).any(), number


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (3, 5), (17, 15), (40, 3000)])
def test_pictures_of_any_shape_are_searched(shape: tuple[int, int]) -> None:
    assert codes.code_mask(np.zeros((*shape, 3), np.uint8)).shape == shape


def test_a_reader_that_fails_does_not_say_what_it_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("QUILLFEATHER")

    monkeypatch.setattr(zxingcpp, "read_barcodes", fails)
    with pytest.raises(Rejected) as said:
        codes.code_mask(np.zeros((50, 50, 3), np.uint8))
    assert str(said.value) == "the search for bar codes failed (RuntimeError)"
