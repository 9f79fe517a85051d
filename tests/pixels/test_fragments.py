"""Which fragments of encapsulated pixel data make which frame, or that nobody can tell."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import RLELossless

from deid.errors import Rejected
from deid.pixels.enclosed import DEFLATED, ENCLOSED

if TYPE_CHECKING:
    from collections.abc import Callable


def with_fragments(drawing: Any, parts: list[bytes], frames: int, table: list[int] | None = None) -> Any:
    made = drawing.dataset(np.zeros((frames, 40, 40), np.uint8))
    made.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.5"
    if table is None:
        made.PixelData = encapsulate(parts, has_bot=False)
    else:
        offsets = b"".join(start.to_bytes(4, "little") for start in table)
        body = b"".join(b"\xfe\xff\x00\xe0" + len(part).to_bytes(4, "little") + part for part in parts)
        made.PixelData = b"\xfe\xff\x00\xe0" + len(offsets).to_bytes(4, "little") + offsets + body
    made[0x7FE00010].VR = "OB"
    made[0x7FE00010].is_undefined_length = True
    return made


def test_fragments_are_joined_to_frames(opened: Callable[..., Any], drawing: Any) -> None:
    parts = [b"aa", b"bbbb", b"cc"]
    assert opened(with_fragments(drawing, parts, 3)).frames.encoded(1) == b"bbbb"
    begun = [b"\xff\xd8aa", b"bbbb", b"cc"]
    assert opened(with_fragments(drawing, begun, 1)).frames.encoded(0) == b"\xff\xd8aabbbbcc"
    two = opened(with_fragments(drawing, parts, 2, [0, 22])).frames
    assert (two.encoded(0), two.encoded(1)) == (b"aabbbb", b"cc")


def test_fragments_tell_by_themselves_where_a_frame_begins(opened: Callable[..., Any], drawing: Any) -> None:
    parts = [b"\xff\xd8aa", b"bbbb", b"\xff\xd8cc"]
    found = opened(with_fragments(drawing, parts, 2)).frames
    assert (found.encoded(0), found.encoded(1)) == (b"\xff\xd8aabbbb", b"\xff\xd8cc")


@pytest.mark.parametrize(
    "parts", [[b"\xff\xd8aa", b"\xff\xd8bb"], [b"aa", b"\xff\xd8bb"], [b"\xff\xd8aa", b"b", b"\xff\xd8cc"]]
)
def test_frames_that_the_object_does_not_state_are_refused(
    parts: list[bytes], opened: Callable[..., Any], drawing: Any
) -> None:
    with pytest.raises(Rejected):
        _ = opened(with_fragments(drawing, parts, 1)).frames


@pytest.mark.parametrize("table", [None, [], [0], [0, 7], [0, 0], [10, 22], [0, 22, 30]])
def test_fragments_that_nobody_can_tell_apart_are_refused(
    table: list[int] | None, opened: Callable[..., Any], drawing: Any
) -> None:
    with pytest.raises(Rejected):
        _ = opened(with_fragments(drawing, [b"aa", b"bbbb", b"cc"], 2, table)).frames


def test_more_fragments_than_memory_should_hold_are_refused(
    opened: Callable[..., Any], drawing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deid.pixels.fragments.MOST_FRAMES", 3)
    with pytest.raises(Rejected, match="more than 3 fragments"):
        _ = opened(with_fragments(drawing, [b"aa"] * 5, 1)).frames


@pytest.mark.parametrize("syntax", [RLELossless, ENCLOSED, DEFLATED])
def test_a_frame_that_is_whole_before_its_last_fragment_is_followed_by_another(
    syntax: str, run: Callable[..., Any], drawing: Any
) -> None:
    frames = (np.stack([drawing.anatomy(seed) for seed in range(2)]) * 200).astype(np.uint8)
    one, two = (coded(frame, syntax) for frame in frames)
    half = len(one) // 4 * 2
    with pytest.raises(Rejected, match="more frames"):
        run(drawing.compressed(frames[:1], [even(one), even(two)]), syntax=syntax)
    with pytest.raises(Rejected, match="more frames"):
        run(drawing.compressed(frames[:1], [one[:half], even(one[half:]), even(two)]), syntax=syntax)
    for parts in ([one[:half], even(one[half:])], [even(one), b"\0\0"]):
        result, _ = run(drawing.compressed(frames[:1], parts), syntax=syntax)
        assert result.pixels.searched


def test_boxes_begin_a_frame_of_jpeg_2000(opened: Callable[..., Any], drawing: Any) -> None:
    boxed = b"\0\0\0\x0cjP  \r\n\x87\n"
    found = opened(with_fragments(drawing, [boxed, b"aa", boxed, b"bbbb"], 2)).frames
    assert (found.encoded(0), found.encoded(1)) == (boxed + b"aa", boxed + b"bbbb")
    with pytest.raises(Rejected, match="more frames"):
        _ = opened(with_fragments(drawing, [boxed, boxed], 1)).frames


def even(content: bytes) -> bytes:
    return content + b"\0" * (len(content) % 2)


def coded(frame: Any, syntax: str) -> bytes:
    if syntax != RLELossless:
        content: bytes = frame.tobytes()
        return content if syntax == ENCLOSED else zlib.compress(content, wbits=-15)
    return get_encoder(RLELossless).encode(
        frame, rows=240, columns=320, number_of_frames=1, samples_per_pixel=1, pixel_representation=0,
        photometric_interpretation="MONOCHROME2", planar_configuration=0, bits_allocated=8, bits_stored=8,
    )  # fmt: skip
