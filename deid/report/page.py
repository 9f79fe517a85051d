"""A report as one page that needs nothing else: no network, no script, no font, no file beside it."""

from __future__ import annotations

import base64
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from deid.report import words

if TYPE_CHECKING:
    from jinja2 import Template

_TEMPLATES: Final = Path(__file__).with_name("templates")


def page(template: str, **content: object) -> str:
    """The page that a template makes of its content. Every text in it is escaped, whoever wrote it."""
    return _template(template).render(words=words, **content)


@cache
def _template(name: str) -> Template:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": _count, "percent": _percent, "base64": _base64}
    return environment.get_template(name)


def _count(number: int, one: str = "", more: str = "") -> str:
    """A number with its thousands apart, and what is counted, if that is named."""
    return f"{number:,} {one if number == 1 else more or one + 's'}" if one else f"{number:,}"


def _percent(share: float) -> str:
    """Never 0 for something, never 100 for less than all."""
    if 0 < share < 0.001:
        return "less than 0.1 %"
    return f"{min(share, 0.999) if share < 1 else share:.1%}".replace("%", " %")


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def write(path: Path, text: str) -> None:
    """Make the file for its owner alone, in place of an earlier one, complete or not at all. Raises OSError."""
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.unlink(missing_ok=True)  # of a call that was killed
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
