"""An ICC profile transforms colours as before and says nothing; what is none is refused."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from deid.attributes.icc_profile import bare
from deid.errors import Rejected

NAME = b"Quillfeather^Zebulon"
GAMMA, SMALL_GAMMA = b"curv\0\0\0\0" + struct.pack(">IH", 1, 0x0240), b"curv\0\0\0\0" + struct.pack(">IH", 1, 0x0100)


def point(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


TAGS: dict[bytes, bytes] = {
    b"desc": b"desc\0\0\0\0" + struct.pack(">I", 21) + NAME + bytes(79),
    b"cprt": b"text\0\0\0\0" + NAME,
    b"dmdd": b"desc\0\0\0\0" + struct.pack(">I", 21) + NAME + bytes(79),
    b"wtpt": point(0.9642, 1, 0.8249),
    b"rXYZ": point(0.436, 0.222, 0.014),
    b"gXYZ": point(0.385, 0.717, 0.097),
    b"bXYZ": point(0.143, 0.061, 0.714),
    b"rTRC": GAMMA,
    b"gTRC": GAMMA,
    b"bTRC": SMALL_GAMMA,
    b"tech": b"sig \0\0\0\0dcam",
    b"view": b"text\0\0\0\0" + NAME,  # a known tag, and no type that it can have
    b"Mine": b"data\0\0\0\0" + NAME,
}


def profile(version: int = 2, tags: dict[bytes, bytes] = TAGS) -> bytes:
    header = bytearray(128)
    header[4:8], header[48:52], header[52:56], header[80:84], header[84:100] = (
        b"ZEBU",
        b"ZEBU",
        b"LON ",
        b"ZEBU",
        NAME[:16],
    )
    header[8], header[12:24], header[24:36] = version, b"mntrRGB XYZ ", struct.pack(">6H", 1971, 3, 5, 1, 2, 3)
    header[36:40], header[68:80] = b"acsp", point(0.9642, 1, 0.8249)[8:]
    at, table, data = 128 + 4 + 12 * len(tags), b"", b""
    for tag, content in tags.items():
        table += tag + struct.pack(">II", at + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    header[:4] = (at + len(data)).to_bytes(4, "big")
    return bytes(header) + len(tags).to_bytes(4, "big") + table + data


def shown(content: bytes) -> Any:
    """Colours as a library shows them that is not ours."""
    picture = Image.fromarray(np.arange(3 * 64, dtype=np.uint8).reshape(8, 8, 3))
    ours = ImageCms.ImageCmsProfile(io.BytesIO(content))
    return np.asarray(ImageCms.profileToProfile(picture, ours, ImageCms.createProfile("sRGB")))


@pytest.mark.parametrize("version", [2, 4])
def test_colours_stay_and_nothing_else_is_said(version: int) -> None:
    made = bare(profile(version))
    assert np.array_equal(shown(made), shown(profile(version)))
    assert not np.array_equal(shown(made), shown(profile(version, TAGS | {b"bTRC": GAMMA})))
    for said in (b"Quill", b"Zeb", b"ZEBU", b"LON ", b"Mine", b"dmdd", struct.pack(">H", 1971)):
        assert said not in made
    assert b"sig \0\0\0\0dcam" in made
    assert len(made) == int.from_bytes(made[:4], "big")
    assert ImageCms.ImageCmsProfile(io.BytesIO(made)).profile.profile_description == "ICC profile"
    assert bare(made) == made


def test_what_follows_a_profile_goes() -> None:
    assert bare(profile() + NAME) == bare(profile())


@pytest.mark.parametrize(
    ("tag", "right"),
    [
        (b"wtpt", point(0.9642, 1, 0.8249)),
        (b"chad", b"sf32\0\0\0\0" + bytes(36)),
        (b"tech", b"sig \0\0\0\0dcam"),
        (b"rTRC", b"curv\0\0\0\0" + struct.pack(">I3H", 3, 0, 999, 65535)),
        (b"gTRC", b"curv\0\0\0\0" + bytes(4)),
        (b"bTRC", b"para\0\0\0\0" + bytes(4 + 4)),
        (b"kTRC", b"para\0\0\0\0\0\4\0\0" + bytes(28)),
        (b"chrm", b"chrm\0\0\0\0\0\3\0\1" + bytes(24)),
        (b"cicp", b"cicp\0\0\0\0" + bytes(4)),
        (b"meas", b"meas\0\0\0\0" + bytes(28)),
        (b"view", b"view\0\0\0\0" + bytes(28)),
        (b"A2B0", b"mft1\0\0\0\0\3\3\2\0" + bytes(36) + bytes(768 + 24 + 768)),
        (b"A2B1", b"mft2\0\0\0\0\3\3\2\0" + bytes(36) + b"\0\5\0\7" + bytes(2 * (15 + 24 + 21))),
    ],
)
def test_what_follows_within_a_tag_goes(tag: bytes, right: bytes) -> None:
    made = bare(profile(tags={tag: right}))
    assert right in made
    assert bare(profile(tags={tag: right + NAME})) == made
    assert bare(profile(tags={tag: right[:4] + NAME[:4] + right[8:]})) == made


def test_bits_of_makers_go() -> None:
    content = profile()
    assert bare(content[:44] + NAME[:4] + content[48:])[44:48] == bytes([0, 0, 0, NAME[3] & 3])
    assert bare(content[:56] + NAME[:8] + content[64:])[56:64] == bytes([*[0] * 7, NAME[7] & 15])


@pytest.mark.parametrize(
    "damaged",
    [
        NAME,
        NAME * 20,
        profile()[:100],
        profile()[:-4],
        profile().replace(b"acsp", b"pcsa"),
        profile()[:128] + b"\xff\xff\xff\xff" + profile()[132:],
        profile().replace(b"wtpt", b"rXYZ", 1),
        profile()[:136] + bytes(4) + profile()[140:],  # the first content begins within the header
        profile()[:140] + b"\x7f\xff\xff\xff" + profile()[144:],  # and is longer than all
    ],
)
def test_what_is_no_profile_is_refused(damaged: bytes) -> None:
    with pytest.raises(Rejected, match="no ICC profile"):
        bare(damaged)
