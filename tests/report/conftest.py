"""A batch of samples and the report of it, read as a browser would."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from deid import batch, samples
from deid.profile.plan import load_plan
from deid.report import output
from deid.store.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VOID = frozenset({"meta", "img", "br", "rect"})


@dataclass
class Page(HTMLParser):
    """What stands in a page; refuses tags that do not match."""

    source: str
    words: list[str] = field(default_factory=list)
    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def jpegs(self) -> list[bytes]:
        sources = [str(attributes["src"]) for tag, attributes in self.elements if tag == "img"]
        return [base64.b64decode(source.removeprefix("data:image/jpeg;base64,"), validate=True) for source in sources]

    @property
    def without_pictures(self) -> str:
        """Base64 may spell anything by chance."""
        return re.sub(r"base64,[A-Za-z0-9+/=]*", "", self.source)


@pytest.fixture
def read() -> Callable[[Path], Page]:
    return lambda path: Page(path.read_text("utf-8"))


@dataclass(frozen=True)
class Batch:
    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def target(self) -> Path:
        return self.folder / "out"

    def run(self, profile: str = "default", *options: str) -> Any:
        words = {"state": self.state, "key": None, "jobs": 1, "progress": lambda *_: None, "stopped": lambda _: None}
        plan = load_plan(profile, options)
        return batch.run(source=self.folder / "in", target=self.target, plan=plan, **words)  # type: ignore[arg-type]

    def report(self, out: Path | None = None) -> Page:
        with Vault.open(self.state) as vault:
            output.make(vault, out or self.state, 1, lambda *_: None)
        return Page(((out or self.state) / output.PAGE).read_text("utf-8"))


@pytest.fixture
def new_batch(tmp_path: Path) -> Batch:
    """Nothing is in its input folder yet."""
    (tmp_path / "in").mkdir()
    return Batch(tmp_path)


@pytest.fixture(scope="module")
def batch_of_samples(tmp_path_factory: pytest.TempPathFactory) -> Batch:
    """Was run with the default profile, and must not be changed."""
    made = Batch(tmp_path_factory.mktemp("batch"))
    samples.make(made.folder / "in")
    summary = made.run()
    assert summary.released == summary.received
    return made
