"""`python -m deid.samples FOLDER` writes the samples there."""

import sys
from pathlib import Path

from deid.samples import make

if len(sys.argv) != 2:
    sys.exit("usage: python -m deid.samples FOLDER")
for path in make(Path(sys.argv[1])):
    print(path)  # noqa: T201  # the list is what this program is for
