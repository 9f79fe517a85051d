"""Tells an object that arrives again from another one: of its transfer syntax and the bytes of its data set."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import GCM

from deid.store.seal import NONCE_BYTES

FORMER_BYTES = 32


class Digest:
    """A keyed one, which takes a twentieth of the time of SHA-256: that took longer than the syncs.

    Whoever has not got the key cannot make two objects that have the same one. For that GMAC (NIST SP 800-38D) must
    never be seen: it is written down as a keyed hash alone. It authenticates nothing, so one nonce does for all.
    """

    def __init__(self, key: bytes, transfer_syntax: str) -> None:
        self._mac = Cipher(AES(key), GCM(bytes(NONCE_BYTES))).encryptor()
        self.update(transfer_syntax.encode() + b"\0")

    def update(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take up the next bytes of the data set."""
        self._mac.authenticate_additional_data(chunk)

    def end(self) -> bytes:
        """16 bytes, once."""
        self._mac.finalize()
        return self._mac.tag


class FormerDigest:
    """SHA-256: what arrived before there was the other one is known by it, and so is what comes under its UID again."""

    def __init__(self, transfer_syntax: str) -> None:
        self._hash = hashlib.sha256(transfer_syntax.encode() + b"\0")

    def update(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take up the next bytes of the data set."""
        self._hash.update(chunk)

    def end(self) -> bytes:
        """32 bytes."""
        return self._hash.digest()
