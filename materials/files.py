"""What a statement says of one file: both digests, media type, size. Always inside a disclosure, never in the open."""

import re
from dataclasses import dataclass, field
from typing import Final

from signing.digests import FileDigests
from signing.errors import MalformedError
from signing.strict_json import JsonValue, json_int, json_object, json_str

MAX_FILE_BYTES: Final = 2**40
_HEX_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}")


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file: SHA-256 and SM3 (32 bytes each), media type (RFC 6838, lower case, no parameters), size in bytes."""

    sha256: bytes = field(repr=False)
    sm3: bytes = field(repr=False)
    media_type: str
    size: int

    @classmethod
    def of(cls, digests: FileDigests, media_type: str) -> "FileRecord":
        """The record of a file that was digested."""
        return cls(digests.sha256, digests.sm3, media_type, digests.size)


def file_to_json(record: FileRecord) -> dict[str, JsonValue]:
    """The value in the disclosure; digests in lower-case hex, as ``sha256sum`` prints them."""
    return {
        "media_type": record.media_type,
        "sha256": record.sha256.hex(),
        "size": record.size,
        "sm3": record.sm3.hex(),
    }


def file_from_json(value: JsonValue) -> FileRecord:
    """Read what ``file_to_json`` writes; raises MalformedError (``form.file`` and the reader's codes)."""
    members = json_object(value, what="file", required=("media_type", "sha256", "size", "sm3"))
    media_type = json_str(members["media_type"], what="file media_type")
    if not _MEDIA_TYPE.fullmatch(media_type):
        raise MalformedError("form.file", "file: not a media type in lower case")
    size = json_int(members["size"], what="file size", maximum=MAX_FILE_BYTES)
    sha256, sm3 = (_digest(members[name], name) for name in ("sha256", "sm3"))
    return FileRecord(sha256, sm3, media_type, size)


def _digest(value: JsonValue, name: str) -> bytes:
    text = json_str(value, what=f"file {name}", max_length=64)
    if not _HEX_DIGEST.fullmatch(text):
        raise MalformedError("form.file", f"file {name}: not 64 lower-case hexadecimal digits")
    return bytes.fromhex(text)
