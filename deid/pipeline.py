"""One object, from its file to verified bytes under a hidden name: read, rewrite, write, read back, check."""

from __future__ import annotations

import io
import os
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deid.attributes.keys import derive
from deid.attributes.rewrite import AS_IT_WAS, SOP_CLASS, SOP_INSTANCE, Rewritten, rewrite
from deid.errors import Leak, Rejected, Unreadable
from deid.model import Change, Finding, Replacement, Result
from deid.part10.charsets import distinct
from deid.part10.identity import DIRECTORY
from deid.part10.outline import Outline, outline
from deid.part10.source import Limits, open_source
from deid.part10.target import file_meta, length_of, write
from deid.part10.texts import character_sets
from deid.standard.dictionary import name_of
from deid.verify.residue import identifying_values, search

if TYPE_CHECKING:
    from pydicom import Dataset

    from deid.attributes.keys import Keys
    from deid.attributes.treatment import Treatment
    from deid.part10.source import Source
    from deid.pixels.clean import Cleaned
    from deid.profile.plan import Plan
    from deid.profile.rule import Rule


_AUDIO: Final = frozenset(f"1.2.840.10008.5.1.4.1.1.9.4.{number}" for number in (1, 2))
"""Basic Voice and General Audio Waveform Storage."""


class MediaDirectory(Unreadable):
    """A DICOMDIR: never copied (PS3.15 E.1.1 step 9). It describes files and is no object to be released."""


class Survived(Leak):
    """Verification found identifying values; the findings name the attributes."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        attributes = ", ".join(sorted({finding.attribute for finding in findings}))
        super().__init__(f"an identifying value survives in {attributes}")
        self.findings = findings


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What all objects of a run have in common."""

    plan: Plan
    keys: Keys
    limits: Limits
    work: Path | None = None  # for inflated data sets, which are identified data: no other user may read there

    def deidentify(self, source: Path, unpublished: Path, accepted: frozenset[str] = frozenset()) -> Result:
        """De-identify a file into `unpublished`, which must not exist and is complete and verified on return.

        Raises Unreadable, Rejected or Leak; then no file is left. Findings in `accepted` attributes were judged by a
        person before and pass.
        """
        before = _state_of(source)
        original = open_source(source, self.limits, self.work)
        try:
            layout = outline(original, self.limits)
            _refuse_directory(original, layout)
            _refuse_voice(layout)
            cleaned = self._clean(original, layout)
            new = rewrite(layout, self.plan, self.keys, cleaned.instead if cleaned else AS_IT_WAS)
            syntax = cleaned.transfer_syntax if cleaned else original.transfer_syntax
            try:
                write(unpublished, original, file_meta(new.sop_class, new.instance, syntax), new.pieces)
                self._verify(layout, unpublished, new, cleaned, accepted)
                _refuse_change(source, before)
            except BaseException:
                unpublished.unlink(missing_ok=True)
                raise
            return _result(layout, new, cleaned)
        finally:
            original.close()

    def _clean(self, original: Source, layout: Outline) -> Cleaned | None:
        policy = self.plan.pixels
        if policy is None:
            return None
        from deid.pixels.clean import clean  # noqa: PLC0415 - numpy, OpenCV and a neural network

        return clean(original, layout, policy)

    def _verify(
        self, layout: Outline, unpublished: Path, new: Rewritten, cleaned: Cleaned | None, accepted: frozenset[str]
    ) -> None:
        """Read the written bytes as a stranger would. Raises Rejected when they are no valid object, or Leak."""
        written = open_source(unpublished, self.limits, self.work)
        try:
            published = outline(written, self.limits)
            expected = length_of(new.pieces)
            if expected not in (None, written.size - written.start) or published.trailing:
                raise Rejected("the written file is not as long as it should be")
            if published.text(SOP_INSTANCE) != new.instance or published.text(SOP_CLASS) != new.sop_class:
                raise Rejected("the written file does not hold the object it should hold")
            if cleaned:
                cleaned.verify(written, published)
            values = identifying_values(new.treatment.identifying, distinct(character_sets(layout)), self.plan)
            found = search(published, values, self.plan, written)
        finally:
            written.close()
        findings = tuple(finding for finding in found if finding.attribute not in accepted)
        if findings:
            raise Survived(findings)


def _refuse_directory(original: Source, layout: Outline) -> None:
    if original.media_storage_class != DIRECTORY:
        return
    if layout.value(SOP_CLASS) is not None:
        raise Rejected("the File Meta Information calls this object a media directory, which it is not")
    raise MediaDirectory("a media directory is never copied")


def _refuse_voice(layout: Outline) -> None:
    """A voice identifies whose it is, and may say a name; one of these classes is for dictations."""
    if layout.text(SOP_CLASS) in _AUDIO:
        raise Rejected("sound may be a voice that says names, and nobody would listen to it")


def _refuse_change(source: Path, before: tuple[int, ...]) -> None:
    """What was read while somebody wrote may be half of one object and half of another."""
    if _state_of(source) != before:
        raise Unreadable("the file changed while it was read; the next run takes it again")


def _state_of(source: Path) -> tuple[int, ...]:
    """What differs after anybody has written to a file."""
    try:
        found = source.stat()
    except OSError:
        return ()
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _result(layout: Outline, new: Rewritten, cleaned: Cleaned | None) -> Result:
    return Result(
        sop_class=new.sop_class,
        original_instance=layout.text(SOP_INSTANCE),
        path="/".join((*new.folders, f"{new.instance}.dcm")),
        changes=_changes(new.treatment),
        replacements=tuple(Replacement(kind, old, value) for (kind, old), value in new.treatment.replaced.items()),
        pixels=cleaned.pixels if cleaned else None,
    )


def _changes(treatment: Treatment) -> tuple[Change, ...]:
    """What was done, sorted; the objects of a series say the same, so it is put into words once."""
    done = frozenset(treatment.changes)
    found = _in_words.get(done)
    if found is None:
        found = tuple(
            Change(".".join(map(name_of, (*path, tag))), rule.action.value, rule.because)
            for path, tag, rule in sorted(done, key=lambda change: (*change[0], change[1]))
        )
        if len(_in_words) >= _MOST_IN_WORDS:
            _in_words.clear()
        _in_words[done] = found
    return found


_MOST_IN_WORDS: Final = 64
_in_words: Final[dict[frozenset[tuple[tuple[int, ...], int, Rule]], tuple[Change, ...]]] = {}


def deidentify_file(source: Path, target: Path, plan: Plan, key: bytes) -> Result:
    """De-identify one file with a project key of 32 bytes. `target` appears complete, verified, synced, or not at all.

    Raises Unreadable, Rejected or Leak, and OSError when `target` cannot be written; the source is never changed.
    """
    if target.exists() and target.samefile(source):
        raise Rejected("the source is never overwritten: name another target")
    unpublished = target.with_name(f".{target.name}.part")
    unpublished.unlink(missing_ok=True)  # of a call that was killed
    result = Pipeline(plan, derive(key), Limits()).deidentify(source, unpublished)
    with unpublished.open("rb") as file:
        os.fsync(file.fileno())
    unpublished.rename(target)
    return result


def deidentify(dataset: Dataset, plan: Plan, key: bytes) -> Dataset:
    """De-identify a pydicom Dataset with the same engine; it must say its transfer syntax, and is not changed.

    Raises Rejected or Leak.
    """
    from pydicom import dcmread  # noqa: PLC0415 - pydicom costs more than de-identifying hundreds of files
    from pydicom.filewriter import dcmwrite  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they quote values
        source, target = Path(folder) / "source", Path(folder) / "target"
        try:
            dcmwrite(source, dataset, enforce_file_format=True)
        except Exception as error:  # noqa: BLE001 - its text may quote a value
            raise Rejected(f"pydicom cannot encode the data set ({type(error).__name__})") from None
        deidentify_file(source, target, plan, key)
        with target.open("rb") as file:
            return dcmread(io.BytesIO(file.read()))
