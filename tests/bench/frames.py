"""What the search for text costs where there are many frames: JPEG cines, series that show the same, 2 GB in a file.

    python tests/bench/frames.py [--gigabytes 2] [--work FOLDER]

Whole processes of `deid run` with the default profile, one worker; the start of the program is measured and taken off.
"""

from __future__ import annotations

import argparse
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


def as_jpeg(made: Dataset, frames: NDArray[np.uint8]) -> Dataset:
    coded = [cv2.imencode(".jpg", each, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes() for each in frames]
    if frames.ndim > 3:
        made.PhotometricInterpretation = "YBR_FULL_422"
    made.PixelData = encapsulate(coded)
    made.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    made.LossyImageCompression = "01"
    return made


def series(frame: NDArray[np.uint8], count: int) -> list[Dataset]:
    """Objects that show one picture."""
    made = []
    for number in range(count):
        each = ultrasound(frame[None], 1)
        del each.NumberOfFrames
        each.SOPClassUID = each.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
        each.SOPInstanceUID = each.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        each.InstanceNumber = number + 1
        made.append(each)
    return made


def run(program: Program, objects: list[Dataset], work: Path) -> Run:
    with TemporaryDirectory(dir=work) as folder:
        for number, each in enumerate(objects):
            each.save_as(Path(folder) / f"{number}.dcm", enforce_file_format=True)
        found = measure(program, Path(folder), work)
    if found.released != len(objects):
        say(f"released {found.released} of {len(objects)}: these figures say nothing")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=2)
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache" / "deid-bench")
    wanted = parser.parse_args()
    work: Path = wanted.work
    work.mkdir(parents=True, exist_ok=True)
    program = searching(work)
    started = run(program, series(np.zeros((16, 16), np.uint8), 1), work).cpu
    for number in range(4):
        costs = {}
        for count in FRAMES:
            frames = lasting(number, count)
            costs[count] = run(program, [as_jpeg(ultrasound(frames, number), frames)], work).cpu - started
        few, many = FRAMES
        said = ", ".join(f"{1000 * cost / count:.0f} ms a frame of {count}" for count, cost in costs.items())
        say(f"JPEG cine {number}: {said}; {1000 * (costs[many] - costs[few]) / (many - few):.0f} ms for each more")
    one, *_, last = (run(program, series(cine(0).frames[0], count), work).cpu - started for count in (1, SERIES))
    say(f"a series of {SERIES} that shows one picture: {last:.2f} CPU s, {last / one:.1f} times one of them")
    for side in (1024, 2048):
        count = round(wanted.gigabytes * 1e9 / side**2 / 3)
        frame = np.random.default_rng(1).normal(90, 8, (side, side, 3)).clip(0, 255).astype(np.uint8)
        cv2.putText(frame, "QUILLFEATHER 1971", (60, 90), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (240, 240, 240), 2)
        found = run(program, [ultrasound(np.broadcast_to(frame, (count, *frame.shape)), 7)], work)
        say(f"{count} frames of {side} x {side} in colour: {found.cpu:.0f} CPU s, {found.peak >> 10} MB at most")


if __name__ == "__main__":
    main()
