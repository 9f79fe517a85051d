"""What libraries have to say about pixels and data sets stays unsaid."""

from __future__ import annotations

import subprocess
import sys

SAID = """
import logging
logging.basicConfig(level=logging.DEBUG)
import deid.pixels.codecs
import pydicom
for name in ("pydicom", "pydicom.dataset", "pylibjpeg", "libjpeg", "openjpeg"):
    logging.getLogger(name).critical("QUILLFEATHER")
logging.getLogger("other").critical("heard")
"""


def test_no_library_logs_what_it_reads_whenever_it_is_imported() -> None:
    said = subprocess.run([sys.executable, "-c", SAID], capture_output=True, check=True, text=True).stderr
    assert said == "CRITICAL:other:heard\n"
