"""Further signatures over a statement: a *dual* statement carries one of each crypto profile.

    <protected>..<signature>            RFC 7515 Appendix F: the payload is the statement's own and is left out

The signing input is ``<protected>.<payload>``, the payload part taken from the issuer-signed JWT, and the header has
exactly ``alg``, ``kid`` and ``typ`` like the first one's. All signatures of a statement have different algorithms. They
lie beside the statement, not in the log: what dates the log entry dates the first signature only.
"""

from dataclasses import dataclass, field

from materials.claims import STATEMENT_TYP
from materials.statement import MAX_ENTRY_BYTES
from signing.algorithms import CryptoProfile
from signing.encoding import b64url_encode
from signing.errors import MalformedError, VerificationError
from signing.jws import UnverifiedJws, parse_jws, verify_jws
from signing.keys import KeyId, PublicKey, Signer
from signing.strict_json import dump_json

_EXTRA_BYTES = 2048  # header and signature may be longer than the first ones


@dataclass(frozen=True, slots=True)
class UnverifiedSecondSignature:
    """A well-formed further signature that nobody has checked yet; ``key_id`` is a hint for finding the key."""

    jws: UnverifiedJws
    text: str = field(repr=False)

    @property
    def key_id(self) -> KeyId:
        """The key that the header names."""
        return self.jws.kid


@dataclass(frozen=True, slots=True)
class SecondSignature:
    """A further signature that verified over the same payload; only ``verify_second_signature`` makes one."""

    key_id: KeyId
    profile: CryptoProfile
    text: str = field(repr=False)


def countersign_statement(jwt: str, signer: Signer) -> str:
    """Sign the payload of the issuer-signed ``jwt`` (no disclosures) once more, with another issuing key.

    Raises MalformedError if ``jwt`` is none, VerificationError ``signature.repeated`` for a key of the same algorithm.
    """
    first = parse_jws(jwt, typ=STATEMENT_TYP, max_bytes=MAX_ENTRY_BYTES)
    key = signer.public_key
    check_distinct_algorithms([first.alg, key.algorithm])
    protected = b64url_encode(dump_json({"alg": key.algorithm, "kid": key.key_id, "typ": STATEMENT_TYP}))
    signature = signer.sign(f"{protected}.{_payload_part(jwt)}".encode("ascii"))
    return f"{protected}..{b64url_encode(signature)}"


def parse_second_signature(jwt: str, detached: str) -> UnverifiedSecondSignature:
    """Take a further signature over ``jwt`` apart. Raises MalformedError as ``parse_jws`` does."""
    parts = detached.split(".", 3)
    if len(parts) != 3 or parts[1]:
        raise MalformedError("form.jws", "further signature: not <protected>..<signature>")
    whole = f"{parts[0]}.{_payload_part(jwt)}.{parts[2]}"
    jws = parse_jws(whole, typ=STATEMENT_TYP, max_bytes=MAX_ENTRY_BYTES + _EXTRA_BYTES)
    return UnverifiedSecondSignature(jws, detached)


def verify_second_signature(jwt: str, detached: str, key: PublicKey) -> SecondSignature:
    """Check a further signature over the payload of ``jwt`` with ``key``.

    Whether ``key`` is the issuer's and counts is for ``check_key``. Raises MalformedError, VerificationError
    ``signature.*``, UnavailableError ``extra.gm``.
    """
    unverified = parse_second_signature(jwt, detached)
    verify_jws(unverified.jws, key)
    return SecondSignature(key.key_id, key.profile, detached)


def check_distinct_algorithms(algorithms: list[str]) -> None:
    """Refuse two signatures of one algorithm: a further one adds something only if it is of another."""
    if len(set(algorithms)) < len(algorithms):
        raise VerificationError("signature.repeated", "two signatures of the statement have the same algorithm")


def _payload_part(jwt: str) -> str:
    """The middle part; empty if there is none, which no reader takes for a statement."""
    return jwt.partition(".")[2].partition(".")[0]
