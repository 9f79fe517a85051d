"""Video (PS3.5 8.2.5 and the following): one stream of MPEG-2, H.264 or HEVC holds all frames of an object.

Published is what was decoded of it, in RGB: sound, captions, user data and all else that a stream may hold is in no
frame, and so it is gone. The decoder is told to report damage, for otherwise it would paint over it.
"""

from __future__ import annotations

import io
import logging
from bisect import bisect_right
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deid.errors import DeidError, Rejected
from deid.part10.encoding import UNDEFINED
from deid.pixels.allowance import allowance
from deid.pixels.fragments import items_in
from deid.pixels.frames import Frames
from deid.pixels.image import PIXEL_DATA
from deid.pixels.native import Cells

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deid.part10.outline import Outline
    from deid.part10.source import Source
    from deid.pixels.frames import Frame
    from deid.pixels.image import Image

_UID: Final = "1.2.840.10008.1.2.4.10"  # and one digit more; ".1" behind it allows several fragments
_CODECS: Final = {
    **dict.fromkeys("01", "mpeg2video"),
    **dict.fromkeys("2345", "h264"),  # 6 has a picture for each eye, of which only one would be decoded
    **dict.fromkeys("78", "hevc"),
}
_METHODS: Final = {"mpeg2video": "ISO_13818_2", "h264": "ISO_14496_10", "hevc": "ISO_23008_2"}
"""Lossy Image Compression Method (PS3.3 C.7.6.1.1.5.1)."""
_ELEMENTARY: Final = {"mpeg2video": "mpegvideo", "h264": "h264", "hevc": "hevc"}
_PACKET: Final = 188  # bytes of a transport stream (ISO/IEC 13818-1 2.4.3.2)
_BLOCK: Final = 64  # pixels a side: streams have whole blocks, of which what lies beyond the image is cut off
_UNSPECIFIED: Final = 2  # matrix_coefficients of ISO/IEC 23091-2
_HIGH_DEFINITION: Final = 720  # rows: from here on players take the matrix of ITU-R BT.709 for what does not say
_REMEMBERED: Final = 128 << 20
"""Bytes of frames that were decoded last: single frames of a scene are looked at once more when it has passed."""

HELD: Final = "video is held unless the profile's pixels say 'video: mask' and a device rule masks part of its frames"
logging.getLogger("libav").setLevel(logging.CRITICAL + 1)  # its messages may quote what the stream says


def is_video(transfer_syntax: str) -> bool:
    """Whether the frames of an object are a stream of video."""
    return transfer_syntax.startswith(_UID)


def installed() -> bool:
    """Whether there is something that decodes video."""
    return find_spec("av") is not None


@dataclass(frozen=True, slots=True)
class Video(Frames):
    """The frames of a stream. None of them has bytes of its own; `image` has the colours that they are decoded to."""

    decoded: _Decoded = field(kw_only=True)

    @property
    def method(self) -> str:
        """Lossy Image Compression Method of the stream."""
        return _METHODS[self.decoded.codec]

    def encoded(self, number: int) -> bytes:  # noqa: ARG002 - of no frame
        """Nothing that a written frame could be equal to."""
        return b""

    def stored(self, number: int) -> Frame:
        """A frame in RGB. Raises Rejected where the stream is damaged, or is not what its object says."""
        return self.decoded[number]


def video_of(source: Source, layout: Outline, image: Image) -> Video:
    """The frames of an object in a transfer syntax of video. Raises Rejected where they cannot be decoded here."""
    codec = _CODECS.get(source.transfer_syntax.removeprefix(_UID)[:1])
    if codec is None:
        raise Rejected("stereo video is held: nothing here decodes the pictures for both eyes")
    if not installed():
        raise Rejected("nothing here decodes video: pip install 'deid-gateway[video]'")
    place = next(place for place in layout.places if place.tag == PIXEL_DATA)
    span = layout.spans.get(place.start)
    if span is None or place.length != UNDEFINED:
        raise Rejected("the pixel data are not encapsulated, as their transfer syntax demands (PS3.5 A.4)")
    stands = (image.samples, image.signed, image.high_bit) == (3, False, image.stored - 1)
    if not stands or image.allocated not in (8, 16) or image.photometric == "PALETTE COLOR":
        raise Rejected("the object describes its pixel data otherwise than video can be")
    _, *parts = items_in(source, span.offset, span.offset + span.length)
    as_decoded = replace(image, photometric="RGB", planar=False)
    return Video(
        source=source,
        image=as_decoded,
        transfer_syntax=source.transfer_syntax,
        offset=span.offset,
        length=span.length,
        encapsulated=True,
        cells=Cells(as_decoded, big_endian=False, words=False),
        fragments=(tuple(parts),),
        decoded=_Decoded(source, parts, codec, as_decoded),
    )


class _Decoded:
    """The frames of a stream by their number: read forward, and from the beginning again where one has passed."""

    def __init__(self, source: Source, parts: list[tuple[int, int]], codec: str, image: Image) -> None:
        self.codec = codec
        self._source, self._parts, self._image = source, parts, image
        self._coming: Iterator[Any] = iter(())
        self._next = image.frames  # as behind the last one
        self._recent: OrderedDict[int, Frame] = OrderedDict()

    def __getitem__(self, number: int) -> Frame:
        if number not in self._recent:
            if number < self._next:
                self._coming, self._next = _frames(self._source, self._parts, self.codec, self._image), 0
            while self._next < number:
                self._following()
            self._recent[number] = frame = _colours(self._following(), self._image)
            while len(self._recent) > max(1, _REMEMBERED // frame.nbytes):
                self._recent.popitem(last=False)
        return self._recent[number]

    def _following(self) -> Any:  # noqa: ANN401 - part of an extra
        frame = next(self._coming, None)
        self._next += 1
        if frame is None:
            raise Rejected("the video has fewer frames than the object states")
        if self._next == self._image.frames and next(self._coming, None) is not None:
            raise Rejected("the video has more frames than the object states")
        return frame


def _frames(source: Source, parts: list[tuple[int, int]], codec: str, image: Image) -> Iterator[Any]:
    """All frames as they are decoded. Raises Rejected where the decoder reports damage."""
    import av  # noqa: PLC0415 - part of an extra

    stream = _Stream(source, parts)
    with _decoding():
        with allowance():
            container = av.open(stream, format=_format(stream, codec))
        with container:
            coming = container.decode(_track(container, codec, image))
            while True:
                with allowance():  # tables stand between the frames as well
                    frame = next(coming, None)
                if frame is None:
                    return
                yield _undamaged(frame)


@contextmanager
def _decoding() -> Iterator[None]:
    """Whatever a decoder raises is the object's fault: PyAV's errors are OSErrors, as if the world were not ready."""
    try:
        yield
    except DeidError:
        raise
    except Exception as error:  # noqa: BLE001 - decoders raise anything, and their texts may quote values
        raise Rejected(f"the video cannot be decoded ({type(error).__name__})") from None


def _track(container: Any, codec: str, image: Image) -> Any:  # noqa: ANN401 - part of an extra
    """The only track of pictures, to be decoded strictly and by one core. Raises Rejected where it is none of these."""
    if len(container.streams.video) != 1:
        raise Rejected("the video has not one track of pictures, but none or several")
    (track,) = container.streams.video
    if track.codec_context is None or track.codec_context.name != codec:
        raise Rejected("the video is none of its transfer syntax")
    track.codec_context.thread_count = 1
    most = (image.columns + _BLOCK) * (image.rows + _BLOCK)
    track.codec_context.options = {"err_detect": "crccheck+explode", "max_pixels": str(most)}
    return track


def _undamaged(frame: Any) -> Any:  # noqa: ANN401 - part of an extra
    if frame.is_corrupt:
        raise Rejected("the video is damaged")
    return frame


def _colours(frame: Any, image: Image) -> Frame:  # noqa: ANN401 - part of an extra
    """A decoded frame in RGB of its own depth, by the matrix and the range that the stream states."""
    from av.video.reformatter import Colorspace, Interpolation  # noqa: PLC0415 - part of an extra

    if (frame.height, frame.width) != (image.rows, image.columns):
        raise Rejected("a frame has not the size that the object states")
    bits = max(component.bits for component in frame.format.components)
    if bits != image.stored or bits not in (8, 10):
        raise Rejected("a frame has not the bits that the object states")
    usual = Colorspace.ITU709 if image.rows >= _HIGH_DEFINITION else Colorspace.ITU601
    exact = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.BITEXACT
    with _decoding():  # there are matrices that nothing here knows
        colours = frame.reformat(
            format="rgb24" if bits == 8 else "gbrp10le",
            src_colorspace=usual if frame.colorspace == _UNSPECIFIED else None,
            interpolation=Interpolation.BILINEAR | exact,
            threads=1,
        )
    values = np.ascontiguousarray(colours.to_ndarray(), f"u{image.allocated // 8}")
    values.setflags(write=False)  # it is given out again
    return values


def _format(stream: _Stream, codec: str) -> str:
    """What FFmpeg calls the form of a stream. It is never left to guess: some forms name files and addresses."""
    head = stream.read(5 * _PACKET)
    stream.seek(0)
    if head[4:8] == b"ftyp":
        return "mov"
    if any(head[at :: _PACKET + at].startswith(b"\x47\x47\x47\x47") for at in (0, 4)):
        return "mpegts"
    begins = head.lstrip(b"\0")
    if not head.startswith(b"\0\0") or begins[:1] != b"\1":
        raise Rejected("the video is neither an elementary stream, nor MP4, a transport stream or a program stream")
    return "mpeg" if begins[1:2] == b"\xba" else _ELEMENTARY[codec]


class _Stream:
    """The fragments of an object as one file."""

    def __init__(self, source: Source, parts: list[tuple[int, int]]) -> None:
        self._source, self._parts = source, parts
        self._begin = [0, *accumulate(length for _, length in parts)]
        self._at = 0

    def tell(self) -> int:
        """Where it is read next."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Read from there next."""
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._begin[-1]}[whence])
        return self._at

    def read(self, size: int = -1) -> bytes:
        """The next bytes, no more of them than a fragment has; none at the end."""
        number = bisect_right(self._begin, self._at) - 1
        if number >= len(self._parts):
            return b""
        offset, length = self._parts[number]
        within = self._at - self._begin[number]
        found = self._source.read(offset + within, min(length - within, size) if size >= 0 else length - within)
        self._at += len(found)
        return found
