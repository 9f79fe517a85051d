"""Teach the network of deid.pixels.taught to tell text by several looks at a picture, and write it as ONNX.

    python tests/bench/teach.py --minutes 60 --notes FOLDER deid/pixels/taught.onnx

Needs torch, onnx, onnxruntime and nncf. The looks at all pictures take half an hour and 22 GB of the disk, or better of
memory that caches it; they are noted in the folder and read again by the next run. No picture that a test or a
benchmark measures by is among them. Two runs do not give the same weights: see with tests/bench/pixels.py what comes
out.
"""

from __future__ import annotations

import argparse
import math
import time
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import nncf
import numpy as np
import onnx
import torch
from batch import say
from drawn.lessons import lesson, still
from drawn.strings import AWAY, drawn
from onnx import numpy_helper
from torch import nn
from torch.nn import functional

from deid.pixels.detector import looks_at
from deid.pixels.taught import blob_of, halves

if TYPE_CHECKING:
    from collections.abc import Callable

    from drawn.strings import Drawn
    from numpy.typing import NDArray

    Chance = np.random.Generator
    Bytes = NDArray[np.uint8]
    Floats = NDArray[np.float32]

DRAWN = (*range(5000, 5137), *range(6000, 6137), *range(20000, 20500))
LESSONS = range(30000, 35600)
STILLS = range(3000, 3600)
SIDE, BATCH = 384, 8  # pixels of a part, and parts that are looked at together
WIDE = (32, 48, 112, 192)  # planes at a half, a quarter, an eighth and a sixteenth of the picture
FASTEST, SLOWEST, WARM = 2e-3, 1e-5, 200  # of learning, and steps until it is fast
LATER = 3e-4  # as fast where it goes on
NEAR = 0.15  # is what a mistake counts near text; far from it 1, on text 2, on its ink 5
LIKELY = 0.35  # of a square that is text
MEASURED = 100  # pictures, of which the values in the network are seen
LARGEST = 1 << 20  # pixels of one of them


def _drawn(number: int) -> tuple[Drawn, Bytes]:
    made, quality = drawn(number)
    return made, made.picture(quality)


def note(task: tuple[Callable[[int], tuple[Drawn, Bytes]], int, Path]) -> None:
    """Of one picture: itself as large as the first look, the looks, and in squares of 4 x 4 where text and ink are."""
    draw, number, path = task
    if path.exists():
        return
    made, picture = draw(number)
    scaled, looks = looks_at(picture)
    text = np.zeros(picture.shape[:2], np.float32)
    for string in made.strings:
        there = np.nonzero(np.isin(made.letters, list(string.letters)))
        text[tuple(slice(each.min(), each.max() + 1) for each in there)] = 1
    ink = (made.letters > 0).astype(np.float32)
    near = cv2.dilate(ink, np.ones((2 * AWAY + 1, 2 * AWAY + 1), np.uint8))
    rows, columns = scaled.shape[:2]
    squares = [
        cv2.resize(cv2.resize(each, (columns, rows)), (columns // 4, rows // 4), interpolation=cv2.INTER_AREA)
        for each in (text, ink, near)
    ]
    new = path.with_suffix(".new")
    with new.open("wb") as file:
        np.savez(file, scaled, halves(scaled, looks.together()), np.rint(255 * np.stack(squares)).astype(np.uint8))
    new.replace(path)


def notes(folder: Path) -> list[Path]:
    """Of all pictures."""
    kinds = ((_drawn, DRAWN), (lesson, LESSONS), (still, STILLS))
    tasks = [(draw, number, folder / f"{number}.npz") for draw, numbers in kinds for number in numbers]
    with get_context("spawn").Pool() as pool:
        for count, _ in enumerate(pool.imap_unordered(note, tasks, chunksize=4)):
            if count % 100 == 0:
                say(f"{count} of {len(tasks)} pictures")
    return [path for _, _, path in tasks]


def noted(path: Path) -> tuple[Bytes, Bytes, Bytes]:
    """The picture, the looks and the squares of a note."""
    picture, looks, squares = np.load(path).values()
    return picture, looks, squares


def part(known: list[Path], chance: Chance) -> tuple[Floats, Floats, Floats]:
    """A part of a picture, mostly one with text, in other shades; some looks are missing at times."""
    whole, looks, squares = noted(known[int(chance.integers(len(known)))])
    rows, columns = whole.shape[:2]
    top, left = int(chance.integers(max(1, rows - SIDE))), int(chance.integers(max(1, columns - SIDE)))
    text = np.argwhere(squares[0] > 128)
    if len(text) and chance.random() < 0.6:
        at = text[int(chance.integers(len(text)))] * 4 - chance.integers(0, SIDE, 2)
        top, left = (int(np.clip(each, 0, max(0, most - SIDE))) for each, most in zip(at, (rows, columns), strict=True))
    picture = _cut(whole.transpose(2, 0, 1), top // 4 * 4, left // 4 * 4, SIDE)
    seen = _cut(looks, top // 4 * 2, left // 4 * 2, SIDE // 2) / 255
    told = _cut(squares, top // 4, left // 4, SIDE // 4) / 255
    if chance.random() < 0.3:
        picture = 255 - picture
    if chance.random() < 0.5:
        picture = (picture - 128) * chance.uniform(0.6, 1.2) + 128 + chance.uniform(-30, 30)
    if chance.random() < 0.3:
        picture = picture[chance.permutation(3)]
    if chance.random() < 0.15:
        picture = np.repeat(picture.mean(0, keepdims=True), 3, 0)
    if chance.random() < 0.2:
        seen *= (chance.random(len(seen)) > 0.25)[:, None, None]
    turned = slice(None, None, -1 if chance.random() < 0.25 else 1)
    return tuple(each[:, turned, turned].astype(np.float32) for each in (picture.clip(0, 255), seen, told))  # type: ignore[return-value]


def _cut(planes: Bytes, top: int, left: int, side: int) -> Floats:
    made = np.zeros((len(planes), side, side), np.float32)
    there = planes[:, top : top + side, left : left + side]
    made[:, : there.shape[1], : there.shape[2]] = there
    return made


def layer(inside: int, outside: int, step: int = 1, apart: int = 1) -> nn.Sequential:
    folded = nn.Conv2d(inside, outside, 3, step, apart, apart, bias=False)
    return nn.Sequential(folded, nn.BatchNorm2d(outside), nn.ReLU(inplace=True))


class Network(nn.Module):  # type: ignore[misc] # torch is no dependency, and has no types here
    """Down to a sixteenth and back to a quarter, so that it sees a whole line and the edge of a letter."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        half, quarter, eighth, sixteenth = WIDE
        self.in_halves = layer(12 + looks, half)
        self.in_quarters = nn.Sequential(layer(half, quarter, 2), layer(quarter, quarter))
        self.in_eighths = nn.Sequential(layer(quarter, eighth, 2), layer(eighth, eighth))
        around = (layer(sixteenth, sixteenth, 1, apart) for apart in (1, 2, 4))
        self.in_sixteenths = nn.Sequential(layer(eighth, sixteenth, 2), *around)
        self.to_eighth, self.at_eighth = nn.Conv2d(sixteenth, eighth, 1), layer(eighth, eighth)
        self.to_quarter, self.at_quarter = nn.Conv2d(eighth, quarter, 1), layer(quarter, quarter)
        self.text = nn.Conv2d(quarter, 1, 1)

    def forward(self, blob: torch.Tensor) -> torch.Tensor:
        quarter = self.in_quarters(self.in_halves(blob))
        eighth = self.in_eighths(quarter)
        eighth = self.at_eighth(_twice(self.to_eighth(self.in_sixteenths(eighth))) + eighth)
        return self.text(self.at_quarter(_twice(self.to_quarter(eighth)) + quarter))


def begun(network: Network, model: onnx.ModelProto) -> None:
    """Let a network begin with what a written one knows; of looks that are new to it, it thinks nothing yet."""
    known = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in known:
            whole, step = (known[each].astype(np.float32) for each in node.input[:2])
            known[node.output[0]] = whole * step.reshape(-1, 1, 1, 1)
    layers = [each for each in network.modules() if isinstance(each, nn.Conv2d | nn.BatchNorm2d)]
    written = iter(node for node in model.graph.node if node.op_type == "Conv")
    with torch.no_grad():
        for each, after in zip(layers, [*layers[1:], None], strict=True):
            if isinstance(each, nn.BatchNorm2d):
                continue
            weight, bias = (torch.from_numpy(known[name].copy()) for name in next(written).input[1:])
            each.weight.zero_()
            each.weight[:, : weight.shape[1]] = weight
            if isinstance(after, nn.BatchNorm2d) and each.bias is None:
                after.running_var.fill_(1 - after.eps)  # so it adds its bias and does nothing more
                each = after  # noqa: PLW2901 - which holds the bias
            each.bias.copy_(bias)


def _twice(planes: torch.Tensor) -> torch.Tensor:
    return functional.interpolate(planes, scale_factor=2.0, mode="bilinear", align_corners=False)


def taught(known: list[Path], minutes: float, before: onnx.ModelProto | None = None) -> nn.Module:
    """A network that has learned so long: the mean of what it was lately, sure from 0 to 1. It may know something."""
    chance = np.random.default_rng(1)
    network, fastest = Network(len(noted(known[0])[1])).to(memory_format=torch.channels_last), FASTEST
    if before is not None:
        begun(network, before)
        network.eval()  # what is folded into the weights stays as it is
        fastest = LATER
    mean = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998), use_buffers=True
    )
    learner = torch.optim.AdamW(network.parameters(), weight_decay=1e-3)
    began, step = time.monotonic(), 0
    while (done := (time.monotonic() - began) / 60 / minutes) < 1:
        step += 1
        for group in learner.param_groups:
            group["lr"] = SLOWEST + fastest * min(1, step / WARM) * (1 + math.cos(math.pi * done)) / 2
        parts = (part(known, chance) for _ in range(BATCH))
        pictures, seen, told = (torch.from_numpy(np.stack(each)) for each in zip(*parts, strict=True))
        blob = torch.cat([functional.pixel_unshuffle(pictures / 127.5 - 1, 2), seen], 1)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = network(blob.contiguous(memory_format=torch.channels_last)).float()
        text, ink, near = told[:, 0:1], told[:, 1:2], told[:, 2:3]
        counts = torch.where(text > 0.5, 2 + 3 * ink, torch.where(near > 0.5, NEAR, 1.0))
        wrong = functional.binary_cross_entropy_with_logits(found, (text > LIKELY).float(), reduction="none")
        loss = (wrong * counts).mean()
        learner.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        learner.step()
        mean.update_parameters(network)
        if step % 100 == 0:
            say(f"{done:4.0%}, step {step}, loss {loss.item():.4f}")
    return nn.Sequential(mean.module, nn.Sigmoid()).eval()


def in_bytes(model: onnx.ModelProto, known: list[Path]) -> onnx.ModelProto:
    """The same, which counts in 8 bits: half of the time and a quarter of the file, and as much text is found."""
    order = np.random.default_rng(1).permutation(len(known))
    whole = (noted(known[each])[:2] for each in order)
    small = islice(((picture, looks) for picture, looks in whole if picture[..., 0].size < LARGEST), MEASURED)
    blobs = [{"blob": blob_of(picture, looks)} for picture, looks in small]
    mixed = nncf.QuantizationPreset.MIXED
    return nncf.quantize(model, nncf.Dataset(blobs), subset_size=len(blobs), preset=mixed)


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--minutes", type=float, default=60)
    reader.add_argument("--notes", type=Path, required=True)
    reader.add_argument("--on", action="store_true", help="go on from what the model knows already")
    reader.add_argument("model", type=Path)
    given = reader.parse_args()
    given.notes.mkdir(parents=True, exist_ok=True)
    known = notes(given.notes)
    sizes = {2: "rows", 3: "columns"}
    blob = torch.zeros(1, 12 + len(noted(known[0])[1]), 64, 96)
    network = taught(known, given.minutes, onnx.load(given.model) if given.on else None)
    names = {"input_names": ["blob"], "output_names": ["text"], "dynamic_axes": {"blob": sizes}}
    torch.onnx.export(network, (blob,), given.model, opset_version=17, dynamo=False, **names)
    onnx.save(in_bytes(onnx.load(given.model), known), given.model)


if __name__ == "__main__":
    main()
