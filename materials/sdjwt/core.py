"""Selective disclosure for JWTs (RFC 9901), compact form without key binding: issue, parse, select, verify.

We require: typ, algorithm, SHA-256, no disclosure left over, no digest twice, no reserved or colliding name, none of
the claims that decide validity inside a disclosure. Whether a key binding is required is decided before looking: this
profile takes none, so a text that carries one is refused.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from materials.ids import RandomBytes
from materials.sdjwt.disclosure import SALT_BYTES, Disclosure, make_disclosure, parse_disclosure
from materials.sdjwt.reveal import SD_ALG, reveal
from signing.digests import sha256
from signing.encoding import b64url_encode
from signing.errors import MalformedError
from signing.jws import UnverifiedJws, parse_jws, sign_jws, verify_jws
from signing.keys import KeyId, PublicKey, Signer
from signing.strict_json import JsonValue

MAX_DISCLOSURES: Final = 256


@dataclass(frozen=True, slots=True)
class IssuedSdJwt:
    """A new SD-JWT: the issuer-signed JWT, and every disclosure apart from it."""

    jwt: str
    disclosures: tuple[Disclosure, ...] = field(repr=False)

    @property
    def text(self) -> str:
        """The compact form with all disclosures."""
        return join_sd_jwt(self.jwt, [disclosure.text for disclosure in self.disclosures])


@dataclass(frozen=True, slots=True)
class UnverifiedSdJwt:
    """An SD-JWT taken apart; neither its signature nor its disclosures are checked."""

    jws: UnverifiedJws
    disclosures: tuple[Disclosure, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class VerifiedSdJwt:
    """The processed claims of a verified SD-JWT: disclosed values in place, digests and placeholders gone."""

    claims: Mapping[str, JsonValue] = field(repr=False)
    disclosures: tuple[Disclosure, ...] = field(repr=False)
    entry: bytes = field(repr=False)
    key_id: KeyId


def join_sd_jwt(jwt: str, disclosures: Sequence[str]) -> str:
    """The compact form: the JWT and each disclosure, every one followed by ``~``."""
    return "".join(f"{part}~" for part in (jwt, *disclosures))


def issue_sd_jwt(
    signer: Signer,
    *,
    typ: str,
    visible: Mapping[str, JsonValue],
    disclosable: Mapping[str, JsonValue],
    array_name: str,
    elements: Sequence[JsonValue],
    digest_count: int,
    array_count: int,
    random_bytes: RandomBytes,
) -> IssuedSdJwt:
    """Sign ``visible``, with a disclosure for each member of ``disclosable`` and each of ``elements``.

    ``_sd`` gets ``digest_count`` digests and the array ``array_name`` ``array_count`` placeholders; decoys make up the
    number. Both are sorted by digest, so neither order nor number tells anything: the array is a set. Raises
    MalformedError (``sd.too-many``) if the numbers do not suffice.
    """
    if len(disclosable) > digest_count or len(elements) > array_count:
        raise MalformedError("sd.too-many", "more to disclose than the type has digests for")
    named = [make_disclosure(name, value, salt=random_bytes(SALT_BYTES)) for name, value in disclosable.items()]
    items = [make_disclosure(None, value, salt=random_bytes(SALT_BYTES)) for value in elements]
    placeholders: list[JsonValue] = [{"...": digest} for digest in _digests(items, array_count, random_bytes)]
    digests: list[JsonValue] = [*_digests(named, digest_count, random_bytes)]
    claims = {**visible, array_name: placeholders, "_sd": digests, "_sd_alg": SD_ALG}
    return IssuedSdJwt(sign_jws(signer, typ=typ, claims=claims), (*named, *items))


def _digests(disclosures: Sequence[Disclosure], count: int, random_bytes: RandomBytes) -> list[str]:
    """The digests and enough decoys (RFC 9901 §4.2.7), sorted."""
    decoys = (b64url_encode(sha256(random_bytes(32))) for _ in range(count - len(disclosures)))
    return sorted([*(disclosure.digest for disclosure in disclosures), *decoys])


def parse_sd_jwt(text: str, *, typ: str, max_bytes: int) -> UnverifiedSdJwt:
    """Take an SD-JWT apart.

    Raises MalformedError: ``form.size``, ``sd.form`` (no ``~`` at the end, as in a bare JWT), ``sd.kb-unexpected``,
    ``sd.too-many``, ``sd.salt`` (also if two disclosures share one: who knows one value could then guess the other),
    and the codes of ``parse_jws`` and ``parse_disclosure``.
    """
    if len(text) > max_bytes:
        raise MalformedError("form.size", f"{typ}: larger than {max_bytes} bytes")
    if text.count("~") > MAX_DISCLOSURES + 1:
        raise MalformedError("sd.too-many", f"{typ}: more than {MAX_DISCLOSURES} disclosures")
    jwt, *parts = text.split("~")
    if not parts:
        raise MalformedError("sd.form", f"{typ}: no '~': a bare JWT is no SD-JWT")
    if parts.pop():
        raise MalformedError("sd.kb-unexpected", f"{typ}: something follows the last '~'; no key binding is taken here")
    jws = parse_jws(jwt, typ=typ, max_bytes=max_bytes)
    disclosures = tuple(parse_disclosure(part) for part in parts)
    if len({disclosure.salt for disclosure in disclosures}) < len(set(parts)):
        raise MalformedError("sd.salt", f"{typ}: two disclosures share a salt")
    return UnverifiedSdJwt(jws, disclosures)


def verify_sd_jwt(unverified: UnverifiedSdJwt, key: PublicKey) -> VerifiedSdJwt:
    """Verify signature, then disclosures (RFC 9901 §7.1).

    Raises VerificationError: ``signature.*``, ``sd.*``; MalformedError for a payload that breaks the form. Validity in
    time is the caller's to check on the claims returned.
    """
    verified = verify_jws(unverified.jws, key)
    claims = reveal(verified.claims, unverified.disclosures)
    return VerifiedSdJwt(claims, unverified.disclosures, verified.text.encode("ascii"), verified.key_id)


def select(sd_jwt: UnverifiedSdJwt, keep: Callable[[Disclosure], bool]) -> str:
    """The compact form with only the disclosures that ``keep`` wants (RFC 9901 §7.2).

    Raises VerificationError (``sd.unreferenced``) if one is kept without the disclosure that refers to it.
    """
    kept = [disclosure for disclosure in sd_jwt.disclosures if keep(disclosure)]
    reveal(sd_jwt.jws.claims(), kept)
    return join_sd_jwt(sd_jwt.jws.text, [disclosure.text for disclosure in kept])
