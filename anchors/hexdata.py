"""Chain bytes as text: lower-case hexadecimal behind ``0x``, an even number of digits, one spelling per value."""

from signing import JsonValue, MalformedError, json_str


def to_hex(data: bytes) -> str:
    """Write bytes as lower-case ``0x`` hex."""
    return "0x" + data.hex()


def from_hex(value: JsonValue, *, what: str, max_bytes: int, length: int | None = None) -> bytes:
    """Read canonical ``0x`` hex of at most ``max_bytes`` (of exactly ``length``) bytes.

    Raises MalformedError (``form.type``, ``form.size``, ``form.hex``), naming ``what``.
    """
    text = json_str(value, what=what, max_length=2 + 2 * max_bytes)
    try:
        data = bytes.fromhex(text[2:])
    except ValueError:
        data = b""
    if to_hex(data) != text:  # capitals, blanks, no prefix, or no hex at all
        raise MalformedError("form.hex", f"{what}: not lower-case 0x hex")
    if length is not None and len(data) != length:
        raise MalformedError("form.hex", f"{what}: {length} bytes are needed")
    return data


def address_from_hex(value: JsonValue, *, what: str) -> bytes:
    """Read a 20-byte account address (no checksum capitals: one spelling)."""
    return from_hex(value, what=what, max_bytes=20, length=20)


def hash_from_hex(value: JsonValue, *, what: str) -> bytes:
    """Read a 32-byte hash."""
    return from_hex(value, what=what, max_bytes=32, length=32)
