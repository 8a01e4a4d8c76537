"""Authenticated encryption at rest: streams in chunks, small blobs, and data keys under a key-encryption key.

Stream format ``ematerials/vault/v1``: AES-256-GCM chunks without a header, each the ciphertext of at most
``CHUNK_SIZE`` plain bytes followed by its 16-byte tag. A data key encrypts exactly one stream, so the nonce is the
chunk's number. The associated data names the format, the caller's context (which object this is), the chunk's number
and whether it is the last one: a chunk that was changed, moved, dropped, repeated or brought from another object does
not open, and neither does a stream that was cut off or lengthened. An empty stream is one empty last chunk.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from signing.errors import VerificationError

CHUNK_SIZE = 1 << 20
KEY_SIZE = 32
_TAG_SIZE = 16
_NONCE_SIZE = 12
_STREAM = b"ematerials/vault/v1"
_KEY = b"ematerials/vault-key/v1"


class Readable(Protocol):
    """The one method of a binary stream that is needed; it may return less than asked for before the end."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none at the end."""


def encrypt_stream(key: bytes, source: Readable, *, context: str) -> Iterator[bytes]:
    """Yield the ciphertext of ``source`` chunk by chunk; ``key`` is fresh and never used again."""
    cipher = AESGCM(key)
    number, chunk = 0, _read_full(source, CHUNK_SIZE)
    while True:
        following = _read_full(source, CHUNK_SIZE) if len(chunk) == CHUNK_SIZE else b""
        last = not following
        yield cipher.encrypt(_nonce(number), chunk, _chunk_context(context, number, last=last))
        if last:
            return
        number, chunk = number + 1, following


def decrypt_stream(key: bytes, source: Readable, *, context: str) -> Iterator[bytes]:
    """Yield the plain chunks of ``source``, each checked before it is yielded.

    Only a stream that was read to its end is known to be whole: VerificationError ``vault.altered`` may come
    after good chunks.
    """
    cipher = AESGCM(key)
    size = CHUNK_SIZE + _TAG_SIZE
    number, chunk = 0, _read_full(source, size)
    while True:
        following = _read_full(source, size) if len(chunk) == size else b""
        last = not following
        yield _open(cipher, _nonce(number), chunk, _chunk_context(context, number, last=last))
        if last:
            return
        number, chunk = number + 1, following


def seal_blob(key: bytes, plain: bytes, *, context: str) -> bytes:
    """The ciphertext of one small value under a fresh ``key``: a stream of a single chunk."""
    return AESGCM(key).encrypt(_nonce(0), plain, _chunk_context(context, 0, last=True))


def open_blob(key: bytes, sealed: bytes, *, context: str) -> bytes:
    """The value that ``seal_blob`` sealed; VerificationError ``vault.altered`` if anything differs."""
    return _open(AESGCM(key), _nonce(0), sealed, _chunk_context(context, 0, last=True))


def wrap_key(key_encryption_key: bytes, key: bytes, *, context: str, random_bytes: Callable[[int], bytes]) -> bytes:
    """The data key under the key-encryption key (32 bytes, long-lived, hence a random nonce in front)."""
    nonce = random_bytes(_NONCE_SIZE)
    return nonce + AESGCM(key_encryption_key).encrypt(nonce, key, _KEY + context.encode())


def unwrap_key(key_encryption_key: bytes, wrapped: bytes, *, context: str) -> bytes:
    """The data key that ``wrap_key`` wrapped; VerificationError ``vault.altered`` for another key or any change."""
    cipher = AESGCM(key_encryption_key)
    return _open(cipher, wrapped[:_NONCE_SIZE], wrapped[_NONCE_SIZE:], _KEY + context.encode())


def _open(cipher: AESGCM, nonce: bytes, sealed: bytes, context: bytes) -> bytes:
    if len(nonce) != _NONCE_SIZE or len(sealed) < _TAG_SIZE:
        raise VerificationError("vault.altered", "stored ciphertext is too short")
    try:
        return cipher.decrypt(nonce, sealed, context)
    except InvalidTag:
        raise VerificationError("vault.altered", "stored ciphertext does not authenticate") from None


def _nonce(number: int) -> bytes:
    return number.to_bytes(_NONCE_SIZE, "big")


def _chunk_context(context: str, number: int, *, last: bool) -> bytes:
    return b"\n".join((_STREAM, context.encode(), str(number).encode(), b"last" if last else b"more"))


def _read_full(source: Readable, size: int) -> bytes:
    """Exactly ``size`` bytes unless the stream ends first (a raw or network stream may return less at a time)."""
    parts: list[bytes] = []
    missing = size
    while missing and (part := source.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
