"""Passcodes of users (PS3.7 D.3.3.7): a file with a line for each, a name and a hash that nobody can turn round."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import TYPE_CHECKING, Final

from deid.errors import BadProfile
from deid.network.private_file import read_private

if TYPE_CHECKING:
    from pathlib import Path

_SALT_BYTES: Final = 16
_COST: Final = 1 << 14  # 16 MB and some 50 ms for a guess
_BLOCK: Final = 8
_HASH_BYTES: Final = 32
_LONGEST: Final = 1024  # bytes of a passcode that are looked at
_LINE: Final = re.compile(r"(?P<user>[!-9;-~]{1,64}):scrypt:(?P<salt>[0-9a-f]{32}):(?P<hash>[0-9a-f]{64})")
USER: Final = re.compile(r"[!-9;-~]{1,64}")  # printable, without spaces and colons


class Passcodes:
    """The file, read each time: a passcode changed there holds for the next association."""

    def __init__(self, path: Path) -> None:
        """Look at the file. Raises BadProfile when it cannot be used."""
        self._path = path
        self._read()

    def match(self, user: str, passcode: bytes) -> bool:
        """Whether this is the user's passcode; takes as long for a user that there is not. Raises BadProfile."""
        salt, wanted = self._read().get(user, (bytes(_SALT_BYTES), b""))
        if len(passcode) > _LONGEST:
            return False
        return hmac.compare_digest(_hash(passcode, salt), wanted)

    def _read(self) -> dict[str, tuple[bytes, bytes]]:
        users: dict[str, tuple[bytes, bytes]] = {}
        text = read_private(self._path, "the file of passcodes").decode("latin-1")
        for number, line in enumerate(text.splitlines(), 1):
            found = _LINE.fullmatch(line)
            if not found:
                raise BadProfile(f"{self._path}:{number}: not a line as 'deid settings passcode' prints it")
            if found["user"] in users:
                raise BadProfile(f"{self._path}:{number}: this user has a line already")
            users[found["user"]] = bytes.fromhex(found["salt"]), bytes.fromhex(found["hash"])
        return users


def line(user: str, passcode: bytes) -> str:
    """The line of a user for the file."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return f"{user}:scrypt:{salt.hex()}:{_hash(passcode, salt).hex()}"


def _hash(passcode: bytes, salt: bytes) -> bytes:
    return hashlib.scrypt(passcode, salt=salt, n=_COST, r=_BLOCK, p=1, dklen=_HASH_BYTES)
