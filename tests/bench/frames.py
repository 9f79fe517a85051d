"""What the search for text costs where there are many frames: JPEG cines, series that show the same, 2 GB in a file.

    python tests/bench/frames.py [--gigabytes 2] [--work FOLDER]

Whole processes of `deid run` with the default profile, one worker; the start of the program is measured and taken off.
"""

from __future__ import annotations

import argparse
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import cv2
import numpy as np
from batch import Program, measure, ours, say
from drawn.cines import cine
from objects import ultrasound
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, SecondaryCaptureImageStorage, generate_uid

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch import Run
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

FRAMES = (60, 240)
SERIES = 100
QUALITY = 90


def searching(work: Path) -> Program:
    """`deid run` with one worker, images searched."""
    basic = ours(work)

    def command(source: Path, out: Path, state: Path) -> list[str]:
        return [each if each != "basic" else "default" for each in basic.command(source, out, state)]

    return Program(basic.name, basic.version, command)


def lasting(number: int, count: int) -> NDArray[np.uint8]:
    """A drawn scene played over and over, with the text of its single frames in the first turn alone."""
    frames = cine(number).frames
    still = np.delete(frames, list(cine(number).once), axis=0)
    return np.concatenate([frames, *[still] * (count // len(still) + 1)])[:count]


def jpeg_cine(number: int, count: int) -> list[Dataset]:
    """One drawn scene of so many frames as JPEG Baseline."""
    frames = lasting(number, count)
    made = ultrasound(frames, number)
    coded = [cv2.imencode(".jpg", each, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes() for each in frames]
    if frames.ndim > 3:
        made.PhotometricInterpretation = "YBR_FULL_422"
    made.PixelData = encapsulate(coded)
    made.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    made.LossyImageCompression = "01"
    return [made]


def series(count: int) -> list[Dataset]:
    """Objects that show one picture."""
    made = []
    for number in range(count):
        each = ultrasound(cine(0).frames[:1], 1)
        del each.NumberOfFrames
        each.SOPClassUID = each.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
        each.SOPInstanceUID = each.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        each.InstanceNumber = number + 1
        made.append(each)
    return made


def large(side: int, count: int) -> list[Dataset]:
    """One object of so many frames in colour, with a line of text."""
    frame = np.random.default_rng(1).normal(90, 8, (side, side, 3)).clip(0, 255).astype(np.uint8)
    cv2.putText(frame, "QUILLFEATHER 1971", (60, 90), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (240, 240, 240), 2)
    return [ultrasound(np.broadcast_to(frame, (count, *frame.shape)), 7)]


def nothing() -> list[Dataset]:
    """No object at all."""
    return []


def write(folder: Path, kind: Callable[..., list[Dataset]], given: tuple[int, ...]) -> int:
    objects = kind(*given)
    for number, each in enumerate(objects):
        each.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    return len(objects)


def run(program: Program, work: Path, kind: Callable[..., list[Dataset]], *given: int) -> Run:
    """Of objects that another process makes: the memory of this one would count as that of the program."""
    with TemporaryDirectory(dir=work) as folder:
        with get_context("spawn").Pool(1) as pool:
            count = pool.apply(write, (Path(folder), kind, given))
        found = measure(program, Path(folder), work)
    if found.released != count:
        say(f"released {found.released} of {count}: these figures say nothing")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=2)
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache" / "deid-bench")
    wanted = parser.parse_args()
    work: Path = wanted.work
    work.mkdir(parents=True, exist_ok=True)
    program = searching(work)
    started = run(program, work, nothing).cpu
    for number in range(4):
        costs = (1000 * (run(program, work, jpeg_cine, number, count).cpu - started) / count for count in FRAMES)
        said = ", ".join(f"{cost:.0f} ms a frame of {count}" for cost, count in zip(costs, FRAMES, strict=True))
        say(f"JPEG cine {number}: {said}")
    one, many = (run(program, work, series, count).cpu - started for count in (1, SERIES))
    say(f"a series of {SERIES} that shows one picture: {many:.2f} CPU s, {many / one:.1f} times one of them")
    for side in (1024, 2048):
        count = round(wanted.gigabytes * 1e9 / side**2 / 3)
        found = run(program, work, large, side, count)
        say(f"{count} frames of {side} x {side} in colour: {found.cpu:.0f} CPU s, {found.peak >> 10} MB at most")


if __name__ == "__main__":
    main()
