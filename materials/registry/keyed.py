"""Keyed hashes: handles for values that are too easily guessed for a plain digest (ID numbers, licence numbers)."""

import hmac

from signing import JsonValue, MalformedError, dump_json

_MIN_SECRET = 32


def keyed_hash(secret: bytes, context: str, value: JsonValue) -> bytes:
    """HMAC-SHA-256 (RFC 2104) under the home's secret over the context and the canonical JSON of ``value``; 32 bytes.

    ``context`` keeps hashes made for different ends apart. Raises MalformedError: ``key.form`` for a secret below 32
    bytes, ``form.json`` for text that has no UTF-8 form.
    """
    if len(secret) < _MIN_SECRET:
        raise MalformedError("key.form", "the home secret is shorter than 32 bytes")
    return hmac.digest(secret, dump_json([context, value]), "sha256")
