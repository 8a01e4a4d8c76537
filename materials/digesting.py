"""Both digests of bytes that pass by in pieces, for those who can't hand over a stream."""

import hashlib

from cryptography.hazmat.primitives.hashes import SM3, Hash

from signing import FileDigests


class FileDigester:
    """Takes the pieces of one file in order; ``finish`` gives what ``signing.digest_stream`` gives for the whole."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._sm3 = Hash(SM3())
        self._size = 0

    def update(self, piece: bytes) -> None:
        """Take the next piece."""
        self._sha256.update(piece)
        self._sm3.update(piece)
        self._size += len(piece)

    def finish(self) -> FileDigests:
        """Both digests and the size; call it once."""
        return FileDigests(self._sha256.digest(), self._sm3.finalize(), self._size)
