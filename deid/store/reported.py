"""How far the audit trail was reported to an audit repository: a place in it, in a file beside it.

The trail stays the only truth: without the file, all of it is reported again, and nothing is ever lost.
"""

from __future__ import annotations

import hmac
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from deid.errors import BadState, Deferred
from deid.store.audit import Position
from deid.store.seal import keyed_hash
from deid.store.sync import sync_file, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deid.attributes.keys import Keys


class Reported:
    """The file; whoever has no key cannot move the place in it past lines that were not reported."""

    def __init__(self, trail: Path, keys: Keys) -> None:
        self._path = trail.with_name(trail.name + ".reported")
        self._key = keys.audit

    @property
    def exists(self) -> bool:
        """Whether anything was ever reported."""
        return self._path.exists()

    def position(self) -> Position:
        """Up to where everything was reported. Raises BadState when the file was changed."""
        try:
            words = self._path.read_bytes().split()
        except FileNotFoundError:
            return Position()
        except OSError as error:
            raise BadState(f"{self._path} cannot be read: {error.strerror}") from None
        with suppress(ValueError):
            lines, size, chain, mac = words
            at = Position(int(lines), chain, int(size))
            if hmac.compare_digest(mac, self._mac(at)):
                return at
        raise BadState(f"{self._path} was changed: remove it, and the whole audit trail is reported again")

    @contextmanager
    def moved(self, to: Position) -> Iterator[None]:
        """Everything up to this place is reported within; it stays where it was if that raises.

        Raises Deferred before, when it could not be written afterwards: the same would be reported again and again.
        """
        new = self._path.with_name(self._path.name + ".new")
        with self._written():
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(b"%d %d %s %s\n" % (to.lines, to.size, to.chain, self._mac(to)))
            sync_file(new)
        yield
        with self._written():
            new.replace(self._path)
            sync_folder(self._path.parent)

    @contextmanager
    def _written(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Deferred(f"{self._path} cannot be written: {error.strerror}") from None

    def _mac(self, at: Position) -> bytes:
        return keyed_hash(self._key, b"reported", b"%d %d %s" % (at.lines, at.size, at.chain)).hex().encode("ascii")
