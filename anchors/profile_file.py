"""The trust profile as a signed file of its own, to be handed to those who verify (JWS, typ ``chain-profile+jwt``).

The profile object is the one of the trust list (``anchors.profile_json``); the signature is of the operator's list key.
Dates are ``iat`` (issued at) and ``exp`` (valid until); the number of the edition is in the profile.
"""

from dataclasses import dataclass
from typing import Final

from anchors.profile import TrustProfile
from anchors.profile_json import parse_profile, profile_to_json
from signing import (
    JsonValue,
    KeyId,
    MalformedError,
    PublicKey,
    Signer,
    UnavailableError,
    UnverifiedJws,
    VerificationError,
    json_int,
    json_object,
    json_str,
    parse_jws,
    sign_jws,
    verify_jws,
)

PROFILE_TYP: Final = "chain-profile+jwt"
PROFILE_FILE_MAX_BYTES: Final = 1 << 20
SKEW_SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class ProfileFile:
    """What a profile file says; verified only if ``verify_profile_file`` gave it. Times in Unix seconds."""

    profile: TrustProfile
    issuer: str
    issued_at: int
    valid_until: int
    key_id: KeyId


def issue_profile_file(
    signer: Signer, profile: TrustProfile, *, issuer: str, issued_at: int, valid_until: int
) -> bytes:
    """Sign a profile: one line of ASCII. Raises MalformedError for one that our own reader would refuse."""
    claims: dict[str, JsonValue] = {
        "iss": issuer,
        "iat": issued_at,
        "exp": valid_until,
        "profile": profile_to_json(profile),
    }
    data = sign_jws(signer, typ=PROFILE_TYP, claims=claims).encode("ascii") + b"\n"
    parse_profile_file(data)
    return data


def _parse_jws(data: bytes) -> UnverifiedJws:
    try:
        text = data.decode("ascii").removesuffix("\n")
    except UnicodeDecodeError:
        raise MalformedError("form.jws", "chain profile: not a signed profile file") from None
    return parse_jws(text, typ=PROFILE_TYP, max_bytes=PROFILE_FILE_MAX_BYTES)


def parse_profile_file(data: bytes) -> ProfileFile:
    """Read a file, *unverified*: to show it, or to look for the key. MalformedError for anything else."""
    jws = _parse_jws(data)
    what = "chain profile"
    claims = json_object(jws.claims(), what=what, required=("iss", "iat", "exp", "profile"))
    issued_at = json_int(claims["iat"], what=f"{what} iat")
    return ProfileFile(
        profile=parse_profile(claims["profile"]),
        issuer=json_str(claims["iss"], what=f"{what} iss", max_length=255),
        issued_at=issued_at,
        valid_until=json_int(claims["exp"], what=f"{what} exp", minimum=issued_at + 1),
        key_id=jws.kid,
    )


def verify_profile_file(data: bytes, key: PublicKey, now: int) -> ProfileFile:
    """Check a file with the operator's key and at ``now`` (Unix seconds).

    Raises MalformedError; VerificationError ``signature.*``, ``time.not-yet``; UnavailableError
    ``anchor.profile-expired``: who sealed the chain since its last day, nobody has said.
    """
    verify_jws(_parse_jws(data), key)
    file = parse_profile_file(data)
    if now < file.issued_at - SKEW_SECONDS:
        raise VerificationError("time.not-yet", "chain profile: issued after this time")
    if now >= file.valid_until + SKEW_SECONDS:
        raise UnavailableError("anchor.profile-expired", "chain profile: out of date; get the current one")
    return file
