"""Replace UIDs: derived from the project key, the same everywhere, and never a UID that the standard defines."""

from __future__ import annotations

import hmac
import re
from functools import lru_cache
from typing import Final
from uuid import UUID

from deid.standard.uids import is_registered

WELL_FORMED: Final = re.compile(r"[0-9]+(?:\.[0-9]+)+")
LONGEST: Final = 64
_MOST_REMEMBERED: Final = 2 * LONGEST  # bytes of a value: larger ones would fill the memory, and seldom come again


def replace(key: bytes, original: str) -> str:
    """A UUID-derived UID (PS3.5 B.2); not reversible without the crosswalk. Registered UIDs stay (PS3.15 E.3.9)."""
    if is_registered(original):
        return original
    digest = hmac.digest(key, original.encode("latin-1"), "sha256")
    return f"2.25.{UUID(bytes=digest[:16], version=5).int}"  # version bits set: a well-formed UUID


def replace_all(key: bytes, value: bytes) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    """The new value of a UI element, and which UIDs were replaced by which."""
    return (_remembered if len(value) <= _MOST_REMEMBERED else _replaced)(key, value)


def _replaced(key: bytes, value: bytes) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    originals = values_of(value)
    new = [replace(key, uid) if uid else "" for uid in originals]
    replaced = tuple(pair for pair in zip(originals, new, strict=True) if pair[0] != pair[1])
    return "\\".join(new).encode(), replaced


_remembered: Final = lru_cache(maxsize=1 << 14)(_replaced)


def is_well_formed(uid: str) -> bool:
    """Whether the characters and the length are those of a UID (PS3.5 9.1)."""
    return len(uid) <= LONGEST and WELL_FORMED.fullmatch(uid) is not None


def values_of(value: bytes) -> list[str]:
    """The UIDs in the value of a UI element, without padding."""
    return [uid.strip(" \0") for uid in value.decode("latin-1").split("\\")]
