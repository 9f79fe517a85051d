"""Sub-keys, one per purpose, from the one project key (HKDF-SHA-256, RFC 5869).

Sites that share a project key get the same pseudonyms; no sub-key tells anything about another one.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from deid.errors import BadState

KEY_BYTES = 32


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """Each field is 32 bytes and serves the purpose it is named after."""

    uids: bytes
    identifiers: bytes
    dates: bytes
    crosswalk: bytes
    ledger: bytes
    audit: bytes


def derive(project_key: bytes) -> Keys:
    """All sub-keys of a project key of 32 bytes. Raises BadState when it has another length."""
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415 - not needed to print help
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415 - not needed to print help

    if len(project_key) != KEY_BYTES:
        raise BadState(f"a project key has {KEY_BYTES} bytes, this one has {len(project_key)}")
    return Keys(
        **{
            field.name: HKDF(SHA256(), KEY_BYTES, salt=None, info=b"deid/1/" + field.name.encode()).derive(project_key)
            for field in fields(Keys)
        }
    )
