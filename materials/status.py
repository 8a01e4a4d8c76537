"""Token Status List (JWT form, ``statuslist+jwt``): one bit pair per statement or grant, many in one signed list.

Two bits an entry, least significant first; 2^20 entries, always all of them, so that the list tells nothing of how
many are in use; DEFLATE in ZLIB format. Signed with a key of role ``status``, which can't issue.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from materials.claims import StatusRef, check_uri
from materials.ids import EntityId, check_organisation_id
from materials.times import SKEW_SECONDS
from signing.encoding import b64url_decode, b64url_encode
from signing.errors import MalformedError, UnavailableError, VerificationError
from signing.jws import UnverifiedJws, parse_jws, sign_jws, verify_jws
from signing.keys import KeyId, PublicKey, Signer
from signing.strict_json import json_int, json_object, json_str

STATUS_TYP: Final = "statuslist+jwt"
STATUS_BITS: Final = 2
LIST_ENTRIES: Final = 1 << 20
LIST_BYTES: Final = LIST_ENTRIES * STATUS_BITS // 8
MAX_STATUS_LIST_BYTES: Final = 2 * 1024 * 1024
_LST_MAX: Final = MAX_STATUS_LIST_BYTES


class StatusValue(IntEnum):
    """The status types that we use; 3 is application-specific in the standard and refused here."""

    VALID = 0
    INVALID = 1
    SUSPENDED = 2


@dataclass(frozen=True, slots=True)
class UnverifiedStatusList:
    """A well-formed status list that nothing vouches for yet; its entries can't be read."""

    iss: EntityId
    uri: str
    iat: int
    exp: int
    ttl: int
    jws: UnverifiedJws = field(repr=False)
    packed: bytes = field(repr=False)

    @property
    def key_id(self) -> KeyId:
        """The key that the header names."""
        return self.jws.kid

    @property
    def text(self) -> str:
        """The signed text."""
        return self.jws.text


@dataclass(frozen=True, slots=True)
class StatusList:
    """A status list whose signature verified; only ``verify_status_list`` makes one.

    It says how things were at ``iat`` and counts until ``exp``; a cached copy is fetched again after ``ttl`` seconds.
    """

    iss: EntityId
    uri: str
    iat: int
    exp: int
    ttl: int
    key_id: KeyId
    text: str = field(repr=False)
    packed: bytes = field(repr=False)

    def status_at(self, idx: int) -> StatusValue:
        """The status of entry ``idx``; raises VerificationError ``status.index`` or ``status.unknown``."""
        if not 0 <= idx < LIST_ENTRIES:
            raise VerificationError("status.index", "status list: the index is out of range")
        value = self.packed[idx // 4] >> (idx % 4 * STATUS_BITS) & 0b11
        if value > StatusValue.SUSPENDED:
            raise VerificationError("status.unknown", "status list: the entry has a status type that is not used here")
        return StatusValue(value)


def pack_statuses(statuses: Mapping[int, StatusValue]) -> bytes:
    """The 262 144 bytes of a list; entries not given are VALID. Raises MalformedError (``status.index``)."""
    packed = bytearray(LIST_BYTES)
    for idx, value in statuses.items():
        if not 0 <= idx < LIST_ENTRIES:
            raise MalformedError("status.index", "status list: an index is out of range")
        packed[idx // 4] |= value << (idx % 4 * STATUS_BITS)
    return bytes(packed)


def issue_status_list(signer: Signer, *, iss: EntityId, uri: str, packed: bytes, iat: int, exp: int, ttl: int) -> str:
    """Sign a list with the status key of ``iss``; raises MalformedError if a member has not its form."""
    list_text = b64url_encode(zlib.compress(packed, level=9))
    text = sign_jws(
        signer,
        typ=STATUS_TYP,
        claims={
            "exp": exp,
            "iat": iat,
            "iss": iss,
            "status_list": {"bits": STATUS_BITS, "lst": list_text},
            "sub": uri,
            "ttl": ttl,
        },
    )
    parse_status_list(text)
    return text


def parse_status_list(text: str) -> UnverifiedStatusList:
    """Take a list apart, with bounded inflation.

    Raises MalformedError: ``form.*``, ``status.bits``, ``status.packing`` (not one ZLIB stream of exactly 2^20
    entries), ``time.order``.
    """
    jws = parse_jws(text, typ=STATUS_TYP, max_bytes=MAX_STATUS_LIST_BYTES)
    claims = json_object(jws.claims(), what="status list", required=("exp", "iat", "iss", "status_list", "sub", "ttl"))
    inner = json_object(claims["status_list"], what="status_list", required=("bits", "lst"))
    if json_int(inner["bits"], what="bits") != STATUS_BITS:
        raise MalformedError("status.bits", "status list: not two bits an entry")
    compressed = b64url_decode(json_str(inner["lst"], what="lst", max_length=_LST_MAX), what="lst")
    iat, exp = json_int(claims["iat"], what="iat"), json_int(claims["exp"], what="exp")
    if iat >= exp:
        raise MalformedError("time.order", "status list: iat is not before exp")
    return UnverifiedStatusList(
        iss=check_organisation_id(json_str(claims["iss"], what="iss"), what="iss"),
        uri=check_uri(claims["sub"], what="sub"),
        iat=iat,
        exp=exp,
        ttl=json_int(claims["ttl"], what="ttl", minimum=1),
        jws=jws,
        packed=_inflate(compressed),
    )


def _inflate(compressed: bytes) -> bytes:
    """Inflate at most one byte more than a list has: 100 MB of zeros compress to 97 KB."""
    stream = zlib.decompressobj()
    try:
        packed = stream.decompress(compressed, LIST_BYTES + 1)
    except zlib.error:
        raise MalformedError("status.packing", "status list: not a ZLIB stream") from None
    if len(packed) != LIST_BYTES or not stream.eof or stream.unused_data:
        raise MalformedError("status.packing", f"status list: not exactly {LIST_BYTES} bytes in one ZLIB stream")
    return packed


def verify_status_list(unverified: UnverifiedStatusList, key: PublicKey) -> StatusList:
    """Check the signature with the status key of the list's ``iss``; raises VerificationError (``signature.*``)."""
    verified = verify_jws(unverified.jws, key)
    return StatusList(
        iss=unverified.iss,
        uri=unverified.uri,
        iat=unverified.iat,
        exp=unverified.exp,
        ttl=unverified.ttl,
        key_id=verified.key_id,
        text=verified.text,
        packed=unverified.packed,
    )


def check_status_current(status_list: StatusList, *, now: int) -> None:
    """Return if the list may be relied on at ``now``.

    Raises VerificationError ``time.not-yet``; UnavailableError ``status.expired``: an old list says nothing of today,
    neither valid nor invalid.
    """
    if now < status_list.iat - SKEW_SECONDS:
        raise VerificationError("time.not-yet", "status list: issued after this time")
    if now >= status_list.exp + SKEW_SECONDS:
        raise UnavailableError("status.expired", "status list: out of date")


def read_status(status_list: StatusList, ref: StatusRef) -> StatusValue:
    """The status of what ``ref`` belongs to.

    Raises VerificationError: ``status.subject`` if this is another list, ``status.index``, ``status.unknown``.
    """
    if status_list.uri != ref.uri:
        raise VerificationError("status.subject", "status list: not the list that is referred to")
    return status_list.status_at(ref.idx)


def check_status_update(old: StatusList, new: StatusList) -> None:
    """Return if ``new`` may follow ``old``: INVALID is final.

    Raises VerificationError: ``status.subject``, ``status.order`` (``new`` is older), ``status.final``.
    """
    if (old.iss, old.uri) != (new.iss, new.uri):
        raise VerificationError("status.subject", "status list: not a successor of that list")
    if new.iat < old.iat:
        raise VerificationError("status.order", "status list: older than the one held")
    if _invalid_mask(old.packed) & ~_invalid_mask(new.packed):
        raise VerificationError("status.final", "status list: an entry that was INVALID is not any more")


def _invalid_mask(packed: bytes) -> int:
    """A bit for each entry whose low status bit is set: 1 is INVALID (3 does not occur among ours)."""
    return int.from_bytes(packed, "little") & int.from_bytes(b"\x55" * LIST_BYTES, "little")
