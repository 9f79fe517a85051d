"""Frames in fragments without a codec, or deflated: they stay what they are, and nothing stands behind them."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom.encaps import generate_frames

from deid.errors import Rejected
from deid.pixels.enclosed import DEFLATED, ENCLOSED, decode, encode, without_tail
from deid.pixels.image import Image

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from deid.model import Result

    Run = Callable[..., tuple[Result, Dataset]]

SYNTAXES = (ENCLOSED, DEFLATED)
NAME = b"Quillfeather^Zebulon"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
HELD_THERE = {ENCLOSED: "shorter than their description", DEFLATED: "damaged"}


def deflated(content: bytes) -> bytes:
    return zlib.compress(content, wbits=-15)


def written_on(drawing: Any, text: bool = True) -> NDArray[Any]:  # noqa: FBT001, FBT002
    frames = np.stack([drawing.anatomy(seed) * 180 for seed in range(2)]).astype(np.uint8)
    if text:
        frames[:, drawing.ink()] = 250
    return frames


def held_in(frames: NDArray[Any], syntax: str, tail: bytes = b"") -> list[bytes]:
    return [(deflated(frame.tobytes()) if syntax == DEFLATED else frame.tobytes()) + tail for frame in frames]


def values_of(published: Dataset, syntax: str, like: NDArray[Any]) -> NDArray[Any]:
    found = []
    for part in generate_frames(published.PixelData, number_of_frames=len(like)):
        whole = zlib.decompressobj(-15).decompress(part) if syntax == DEFLATED else part
        found.append(np.frombuffer(whole, like.dtype).reshape(like.shape[1:]))
    return np.stack(found)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_text_is_masked_and_the_syntax_stays(syntax: str, run: Run, drawing: Any) -> None:
    frames = written_on(drawing)
    result, published = run(drawing.compressed(frames, held_in(frames, syntax)), syntax=syntax)
    assert published.file_meta.TransferSyntaxUID == syntax
    assert result.pixels is not None
    assert result.pixels.masked
    after = values_of(published, syntax, frames)
    assert not (after == 250).any()
    assert np.array_equal(after[:, 100:], frames[:, 100:])


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("searched", [True, False])
def test_what_stands_behind_a_frame_goes(syntax: str, searched: bool, run: Run, drawing: Any) -> None:  # noqa: FBT001
    frames = written_on(drawing, text=False)
    more = {} if searched else {"sop_class": SEGMENTATION}
    _, published = run(drawing.compressed(frames, held_in(frames, syntax, NAME), **more), syntax=syntax)
    assert NAME not in published.PixelData
    assert np.array_equal(values_of(published, syntax, frames), frames)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_frames_without_text_keep_their_bytes(syntax: str, run: Run, drawing: Any) -> None:
    frames = written_on(drawing, text=False)
    made = drawing.compressed(frames, held_in(frames, syntax))
    _, published = run(made, syntax=syntax)
    assert published.PixelData == made.PixelData


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(("allocated", "kind"), [(1, "u1"), (8, "u1"), (16, "u2")])
def test_one_frame_and_back(syntax: str, allocated: int, kind: str) -> None:
    frame = np.random.default_rng(1).integers(0, 1 << allocated, (5, 7), kind)
    image = Image(5, 7, 1, "MONOCHROME2", False, allocated, allocated, allocated - 1, False, 1)
    content = encode(frame, image, syntax)
    assert np.array_equal(decode(content, image, syntax), frame)
    assert without_tail(content, image, syntax) is content
    assert without_tail(content + b"\0", image, syntax) == content + b"\0"
    assert without_tail(content + NAME, image, syntax) == content


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_frame_of_another_size_is_a_reason_to_hold(syntax: str, run: Run, drawing: Any) -> None:
    frames = written_on(drawing, text=False)
    with pytest.raises(Rejected, match=HELD_THERE[syntax]):
        run(drawing.compressed(frames, held_in(frames[:, 1:], syntax)), syntax=syntax)


@pytest.mark.parametrize("content", [deflated(bytes(10**6)), deflated(bytes(240 * 320))[:-4], bytes(2), NAME])
def test_what_is_no_deflated_frame_is_refused(content: bytes, run: Run, drawing: Any) -> None:
    made = drawing.compressed(written_on(drawing)[:1], [content], sop_class=SEGMENTATION)
    with pytest.raises(Rejected, match="damaged"):
        run(made, syntax=DEFLATED)
