"""Keyed pseudonyms for Patient ID, Accession Number and Study ID: stable across runs and sites that share a key."""

from __future__ import annotations

import hmac
from functools import lru_cache
from typing import Final

SH_DIGITS: Final = 16
"""As many characters as an SH has (PS3.5 6.2)."""


def normal(value: bytes) -> str:
    """An identifier as it is compared: leading and trailing padding is not significant (PS3.5 6.2, LO and SH)."""
    return value.decode("latin-1").strip(" \0")


@lru_cache(maxsize=1 << 12)
def pseudonym(key: bytes, kind: str, original: str, prefix: str, digits: int) -> str:
    """Prefix and decimal digits derived from the original. Different kinds of one value tell nothing of each other."""
    digest = hmac.digest(key, f"{kind}:{original}".encode(), "sha256")
    return f"{prefix}{int.from_bytes(digest, 'big') % 10**digits:0{digits}d}"


def shift_in_days(key: bytes, patient: str, lowest: int, highest: int) -> int:
    """By how many days all dates of one patient move (PS3.15 E.3.6): the same for all objects of the patient."""
    digest = hmac.digest(key, patient.encode(), "sha256")
    return lowest + int.from_bytes(digest[:8], "big") % (highest - lowest + 1)
