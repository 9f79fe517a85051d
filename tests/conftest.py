"""Where the real files are: beside the checkout, never inside it."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Folder of real DICOM files; tests that need it are skipped where it is absent."""
    folder = SHARED / "corpus"
    if not folder.is_dir():
        pytest.skip("no corpus of real files beside the checkout (../shared/corpus)")
    return folder
