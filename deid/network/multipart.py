"""The body of a STOW-RS request (PS3.18 10.5.1, RFC 2046 5.1): parts one after another, each as it comes.

Whatever the sender does, no more than a window of it stands in memory.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from email.message import Message
from typing import TYPE_CHECKING, Final

from deid.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# RFC 2046 5.1.1 says 70 characters, and Orthanc sends 73.
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,127}[0-9A-Za-z'()+_,./:=?-]", re.ASCII)
_MOST_HEAD: Final = 16 << 10  # bytes of the header fields of a part, and of what comes before the first one
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_MOST_TYPE: Final = 1 << 10  # characters of a Content-Type; to take one apart takes the square of its length
_MOST_PADDING: Final = 256  # bytes behind a boundary (RFC 2046 5.1.1)
_AFTER_BOUNDARY: Final = re.compile(rb"[ \t]{0,256}\r\n")


class BrokenBody(Rejected):
    """The body is not what it is called; nobody knows what else was meant to be in it."""


@dataclass(frozen=True, slots=True)
class MediaType:
    """What a Content-Type says; names of parameters in lower case."""

    name: str  # "multipart/related"
    parameters: Mapping[str, str]


def media_type(said: str) -> MediaType:
    """The media type in a header field; its name is "" where there is none to be found."""
    if len(said) > _MOST_TYPE:
        return MediaType("", {})
    message = Message()
    try:
        message["Content-Type"] = said
        found = message.get_params(failobj=[], unquote=True)
    except (ValueError, LookupError):  # it does not even look like one
        return MediaType("", {})
    name = found[0][0].lower() if found else ""
    return MediaType(name, {key.lower(): value for key, value in found[1:] if isinstance(value, str)})


def boundary_of(kind: MediaType) -> bytes:
    """What is between the parts. Raises BrokenBody where that is not told as RFC 2046 5.1.1 has it."""
    said = kind.parameters.get("boundary", "")
    if not _BOUNDARY.fullmatch(said):
        raise BrokenBody("the Content-Type names no boundary that can be one")
    return said.encode("ascii")


@dataclass(slots=True)
class Part:
    """One part: its header fields by name in lower case, and its content, once."""

    headers: Mapping[str, str]
    content: Iterator[bytes]


@dataclass(slots=True)
class Parts:
    """The parts of a body that comes in chunks of any size."""

    chunks: Iterator[bytes]
    boundary: bytes
    _buffer: bytes = field(default=b"\r\n", init=False)  # the first boundary may stand at the very beginning
    _delimiter: bytes = field(init=False)

    def __post_init__(self) -> None:
        self._delimiter = b"\r\n--" + self.boundary

    def __iter__(self) -> Iterator[Part]:
        """Each part; what nobody has read of it is passed over. Raises BrokenBody, and what the chunks raise."""
        self._pass_over(self._until_boundary(), _MOST_HEAD)
        while not self._is_last():
            part = Part(self._headers(), self._until_boundary())
            yield part
            self._pass_over(part.content)
        for _ in self.chunks:  # RFC 2046 5.1.1: what comes behind the last boundary means nothing
            pass

    def _until_boundary(self) -> Iterator[bytes]:
        """What comes before the next boundary, and then the boundary is behind us."""
        keep = len(self._delimiter) - 1
        while (at := self._buffer.find(self._delimiter)) < 0:
            if len(self._buffer) > keep:
                content, self._buffer = self._buffer[:-keep], self._buffer[-keep:]
                yield content
            self._fill()
        content, self._buffer = self._buffer[:at], self._buffer[at + len(self._delimiter) :]
        if content:
            yield content

    def _is_last(self) -> bool:
        """Whether the boundary was that behind the last part. What else may follow it is a line end."""
        while len(self._buffer) < 2:
            self._fill()
        if self._buffer.startswith(b"--"):
            return True
        while not (found := _AFTER_BOUNDARY.match(self._buffer)):
            if len(self._buffer) > _MOST_PADDING + 1:
                raise BrokenBody("a boundary is followed by something else than the end of its line")
            self._fill()
        self._buffer = self._buffer[found.end() - 2 :]  # its line end, so that a part may be without header fields
        return False

    def _headers(self) -> dict[str, str]:
        while (at := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > _MOST_HEAD:
                raise BrokenBody("the header fields of a part are too long")
            self._fill()
        if at > _MOST_HEAD:
            raise BrokenBody("the header fields of a part are too long")
        head, self._buffer = self._buffer[2:at], self._buffer[at + 4 :]
        # A boundary may follow at once: its line end is the one behind the header fields.
        self._buffer = b"\r\n" + self._buffer if self._starts_with_boundary() else self._buffer
        headers: dict[str, str] = {}
        for line in re.split(rb"\r\n(?![ \t])", head) if head else ():
            name, colon, value = line.partition(b":")
            if not colon or not _NAME.fullmatch(name):
                raise BrokenBody("what comes before the content of a part are no header fields")
            said = value.strip(b" \t").decode("latin-1")
            headers[name.decode("ascii").lower()] = re.sub(r"\r\n[ \t]+", " ", said)
        return headers

    def _starts_with_boundary(self) -> bool:
        dashes = self._delimiter[2:]
        while len(self._buffer) < len(dashes) and dashes.startswith(self._buffer):
            self._fill()
        return self._buffer.startswith(dashes)

    def _fill(self) -> None:
        chunk = next(self.chunks, None)
        if chunk is None:
            raise BrokenBody("the body ends before the boundary behind its last part")
        self._buffer += chunk

    @staticmethod
    def _pass_over(content: Iterable[bytes], most: int | None = None) -> None:
        passed = 0
        for each in content:
            passed += len(each)
            if most is not None and passed > most:
                raise BrokenBody("there is no boundary at the beginning")
