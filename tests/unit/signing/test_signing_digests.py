"""SHA-256 and SM3: published vectors, one pass, bounded memory."""

import io
import json
import tracemalloc
from pathlib import Path

import pytest

from signing import digest_bytes, digest_stream, sha256

_VECTORS = json.loads((Path(__file__).parents[2] / "vectors/signing_standards.json").read_text())["digests"]


@pytest.mark.parametrize("vector", _VECTORS, ids=lambda vector: f"{vector['text']}x{vector['repeat']}")
def test_published_vectors(vector: dict) -> None:
    data = vector["text"].encode() * vector["repeat"]
    digests = digest_bytes(data)
    assert digests.sha256.hex() == vector["sha256"]
    assert digests.sm3.hex() == vector["sm3"]
    assert digests.size == len(data)
    assert sha256(data) == digests.sha256


class _Generated(io.RawIOBase):
    """A stream of zeros that can be read once and not sought, and hands out short reads."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, size: int = -1) -> bytes:
        assert size > 0, "the whole file was asked for at once"
        taken = min(self.left, max(1, size - 7))
        self.left -= taken
        return bytes(taken)


def test_big_stream_in_one_pass_and_bounded_memory() -> None:
    size = 40_000_000
    tracemalloc.start()
    digests = digest_stream(_Generated(size))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert digests == digest_bytes(bytes(size))
    assert peak < 8_000_000


def test_read_errors_pass_through() -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        digest_stream(Broken())
