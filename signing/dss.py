"""The two forms of an ECDSA or SM2 signature: r‖s in JOSE and notes, DER in X.509, CRLs and OpenSSL's files."""

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from signing.errors import MalformedError


def in_range(raw: bytes, size: int, order: int) -> bool:
    """Whether ``raw`` is r‖s of ``size`` bytes each, both from 1 to ``order`` − 1."""
    if len(raw) != 2 * size:
        return False
    return 0 < int.from_bytes(raw[:size]) < order and 0 < int.from_bytes(raw[size:]) < order


def raw_to_der(raw: bytes) -> bytes:
    """r‖s as the DER SEQUENCE of two INTEGERs (RFC 3279 §2.2.3, GB/T 35276)."""
    half = len(raw) // 2
    return encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))


def der_to_raw(der: bytes, size: int) -> bytes:
    """A DER signature as r‖s of ``size`` bytes each.

    Raises MalformedError (``signature.form``) unless it is the one DER spelling of two numbers that fit: no negative
    or padded integer, no long-form length, nothing after it.
    """
    try:
        r, s = decode_dss_signature(der)
        raw = r.to_bytes(size) + s.to_bytes(size)
    except (ValueError, OverflowError):
        raise MalformedError("signature.form", "signature: not the DER of two numbers of this curve") from None
    if encode_dss_signature(r, s) != der:  # the reader is strict today; one spelling is not left to it
        raise MalformedError("signature.form", "signature: not in its one DER spelling")
    return raw
