"""What a profile says about pixels, under its key `pixels`: where is looked, how, and what is masked; read strictly.

What this version cannot carry out is refused, never ignored: somebody would rely on it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from deid.profile import devices
from deid.profile.options import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deid.profile.devices import DeviceRule
    from deid.profile.strict_yaml import Node


@dataclass(frozen=True, slots=True)
class PixelPolicy:
    """How Clean Pixel Data (PS3.15 E.3.1) is carried out; each field has the name of its key."""

    scope: str = "default"
    search: str = "strict"
    engine: str = "rapidocr"
    mask: str = "all"
    outside_ultrasound_regions: str = "search"
    video: str = "hold"
    devices: tuple[DeviceRule, ...] = ()

    def __str__(self) -> str:
        words = [f"{key} {getattr(self, key)}" for key in WORDS]
        return ", ".join((*words, f"devices {len(self.devices)} rules"))


USUAL: Final = PixelPolicy()
"""What holds for a profile that says nothing of pixels."""
WORDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "scope": ("default", "all"),
        "search": ("strict", "fast"),
        "engine": ("rapidocr", "easyocr", "tesseract"),
        "mask": ("all", "phi"),
        "outside_ultrasound_regions": ("search", "mask"),
        "video": ("hold", "mask"),
    }
)
"""The values of each key; the first of them holds where nothing is said."""


def read(node: Node, inherited: PixelPolicy, folder: Path) -> PixelPolicy:
    """The policy under `pixels` of a profile in this folder; what it does not say is inherited. Raises BadProfile."""
    given = node.fields("pixels", (*WORDS, "devices"))
    rules = devices.load(given.pop("devices"), folder) if "devices" in given else ()
    chosen = {}
    for key, value in given.items():
        word = value.text(key)
        if word not in WORDS[key]:
            raise value.place.bad(f"unknown {key} {word!r}{nearest(word, WORDS[key])}")
        chosen[key] = word
    policy = replace(inherited, **chosen, devices=(*inherited.devices, *rules))
    if policy.search == "fast" and policy.engine != "rapidocr":
        raise node.place.bad(f"search 'fast' is a way of engine 'rapidocr', and not of {policy.engine!r}")
    if policy.video == "mask" and not policy.devices:
        raise given["video"].place.bad(
            "video 'mask' needs devices: their rules name the rectangles that are masked in video"
        )
    return policy
