"""De-identify DICOM by PS3.15 and verify every byte before it is released.

`load_plan(profile, options)` compiles a profile; `deidentify_file(source, target, plan, key)` and
`deidentify(dataset, plan, key)` apply it with a project key of 32 bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deid.version import __version__

if TYPE_CHECKING:
    from deid.pipeline import deidentify, deidentify_file
    from deid.profile.plan import load_plan

__all__ = ["__version__", "deidentify", "deidentify_file", "load_plan"]


def __getattr__(name: str) -> object:
    """Load the engine when it is asked for: the command's help does not need it."""
    if name == "load_plan":
        from deid.profile import plan  # noqa: PLC0415

        return plan.load_plan
    if name in __all__:
        from deid import pipeline  # noqa: PLC0415

        return getattr(pipeline, name)
    raise AttributeError(name)
