"""PS3.16 CID 7050: the codes by which an object says how it was de-identified (0012,0064)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deid.standard import data_files

if TYPE_CHECKING:
    from collections.abc import Mapping

# "basic", the profile itself, and every option by its name -> code value in scheme DCM, code meaning.
CODES: Final[Mapping[str, tuple[str, str]]] = {
    row["option"]: (row["code"], row["meaning"]) for row in data_files.rows("cid_7050.csv")
}
