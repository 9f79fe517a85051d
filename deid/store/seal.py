"""How a value that identifies is written down: encrypted (AES-256-GCM) or as keyed hash (HMAC-SHA-256)."""

from __future__ import annotations

import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from deid.errors import BadState

NONCE_BYTES = 12  # 96 random bits, NIST SP 800-38D 8.2.2: good for 2^32 values under one key
HASH_BYTES = 16  # 128 bits of the HMAC: no collision among any number of objects, half the index


def keyed_hash(key: bytes, purpose: bytes, value: bytes) -> bytes:
    """32 bytes that tell nothing about `value` without the key; equal only for equal purpose and value."""
    return hmac.digest(key, purpose + b"\0" + value, "sha256")


class Seal:
    """Seals and hashes for one room of the vault; the room's key is never used twice for different things."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(keyed_hash(key, b"seal", b""))
        self._hash_key = keyed_hash(key, b"hash", b"")
        self.digest_key = keyed_hash(key, b"digest", b"")

    def hash(self, purpose: bytes, value: bytes) -> bytes:
        """A short keyed hash, to find a value again without writing it down."""
        return keyed_hash(self._hash_key, purpose, value)[:HASH_BYTES]

    def seal(self, value: bytes, row: bytes) -> bytes:
        """`value` encrypted; it can be opened only together with the identity of its row."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, value, row)

    def open(self, sealed: bytes, row: bytes) -> bytes:
        """What was sealed for this row. Raises BadState when it was changed, moved or sealed with another key."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], row)
        except (InvalidTag, ValueError):
            raise BadState("a sealed value of the ledger was changed, or belongs to another row or key") from None
