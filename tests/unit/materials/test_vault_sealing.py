"""Encryption at rest: any changed, moved, missing or extra byte is noticed."""

import io
import os
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from materials.sealing import CHUNK_SIZE, decrypt_stream, encrypt_stream, open_blob, seal_blob, unwrap_key, wrap_key
from signing import VerificationError

KEY = bytes(range(32))
SEALED_CHUNK = CHUNK_SIZE + 16


def seal(plain: bytes, context: str = "object") -> bytes:
    return b"".join(encrypt_stream(KEY, io.BytesIO(plain), context=context))


def unseal(sealed: bytes, context: str = "object") -> bytes:
    return b"".join(decrypt_stream(KEY, io.BytesIO(sealed), context=context))


@pytest.mark.parametrize("size", [0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 2 * CHUNK_SIZE, 2 * CHUNK_SIZE + 5])
def test_a_stream_comes_back(size: int) -> None:
    plain = os.urandom(size)
    sealed = seal(plain)
    assert unseal(sealed) == plain
    assert len(sealed) == size + 16 * max(1, -(-size // CHUNK_SIZE))


def test_short_reads_make_no_difference() -> None:
    class Trickle(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 1, 70_001))

    plain = os.urandom(CHUNK_SIZE + 99)
    sealed = b"".join(encrypt_stream(KEY, Trickle(plain), context="object"))
    assert sealed == seal(plain)
    assert b"".join(decrypt_stream(KEY, Trickle(sealed), context="object")) == plain


@given(st.binary(max_size=64), st.data())
@settings(max_examples=200)
def test_any_changed_byte_is_noticed(plain: bytes, data: st.DataObject) -> None:
    sealed = bytearray(seal(plain))
    position = data.draw(st.integers(0, len(sealed) - 1))
    sealed[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(VerificationError, match="authenticate"):
        unseal(bytes(sealed))


THREE = seal(bytes(3 * CHUNK_SIZE))
CHUNKS = [THREE[n * SEALED_CHUNK : (n + 1) * SEALED_CHUNK] for n in range(3)]


@pytest.mark.parametrize(
    "sealed",
    [
        b"",
        THREE[:-1],
        THREE[:SEALED_CHUNK],
        b"".join(CHUNKS[:2]),
        b"".join(CHUNKS[1:]),
        CHUNKS[0] + CHUNKS[2],
        CHUNKS[1] + CHUNKS[0] + CHUNKS[2],
        THREE + CHUNKS[2],
        THREE + b"\0",
        THREE[:15],
    ],
)
def test_chunks_can_not_be_cut_moved_or_added(sealed: bytes) -> None:
    with pytest.raises(VerificationError) as altered:
        unseal(sealed)
    assert altered.value.code == "vault.altered"


def test_a_stream_belongs_to_its_context() -> None:
    with pytest.raises(VerificationError):
        unseal(seal(b"x", "one"), "other")


def test_wrapped_keys_and_blobs_are_bound_to_key_and_context() -> None:
    wrapped = wrap_key(KEY, b"k" * 32, context="a", random_bytes=os.urandom)
    assert unwrap_key(KEY, wrapped, context="a") == b"k" * 32
    assert open_blob(KEY, seal_blob(KEY, b"secret", context="a"), context="a") == b"secret"
    wrong: list[Callable[[], bytes]] = [
        lambda: unwrap_key(KEY, wrapped, context="b"),
        lambda: unwrap_key(bytes(32), wrapped, context="a"),
        lambda: open_blob(KEY, seal_blob(KEY, b"secret", context="a"), context="b"),
        *(lambda n=n: unwrap_key(KEY, wrapped[:n], context="a") for n in range(len(wrapped))),
        *(lambda n=n: unwrap_key(KEY, _flip(wrapped, n), context="a") for n in range(len(wrapped))),
    ]
    for attempt in wrong:
        with pytest.raises(VerificationError):
            attempt()


def _flip(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]
