"""File digests: SHA-256 and SM3 over the same bytes, in one pass."""

import hashlib
import io
from dataclasses import dataclass
from typing import BinaryIO

from cryptography.hazmat.primitives.hashes import SM3, Hash

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class FileDigests:
    """SHA-256 (FIPS 180-4) and SM3 (GB/T 32905) of one file, 32 bytes each, and its size in bytes."""

    sha256: bytes
    sm3: bytes
    size: int


def sha256(data: bytes) -> bytes:
    """SHA-256 of ``data``, 32 bytes."""
    return hashlib.sha256(data).digest()


def digest_stream(stream: BinaryIO) -> FileDigests:
    """Read ``stream`` to its end, in bounded memory, and return both digests. Raises what ``stream.read`` raises."""
    sha, sm3, size = hashlib.sha256(), Hash(SM3()), 0
    while chunk := stream.read(_CHUNK):
        sha.update(chunk)
        sm3.update(chunk)
        size += len(chunk)
    return FileDigests(sha.digest(), sm3.finalize(), size)


def digest_bytes(data: bytes) -> FileDigests:
    """Both digests of bytes already in memory."""
    return digest_stream(io.BytesIO(data))
