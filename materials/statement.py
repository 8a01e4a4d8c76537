"""The signed statement of a material: an SD-JWT VC (``dc+sd-jwt``) of which only the issuer-signed JWT is logged.

Open to everyone are issuer, type, a random id, times, status reference, version and legal basis. Each field, and the
digests, type and size of each file, are in a disclosure of their own with a 128-bit salt: without the disclosure a
digest tells nothing, and destroying the salt erases. The issuer's key comes from the trust list by (``iss``, ``kid``).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from materials.catalogue import Catalogue, MaterialType, check_disclosed_fields, check_fields
from materials.claims import STATEMENT_TYP, VISIBLE, StatementClaims, StatusRef, claims_to_json, read_claims
from materials.fieldkinds import FieldValue
from materials.files import FileRecord, file_from_json, file_to_json
from materials.ids import EntityId, MaterialId, RandomBytes
from materials.sdjwt.core import UnverifiedSdJwt, issue_sd_jwt, join_sd_jwt, parse_sd_jwt, select, verify_sd_jwt
from materials.sdjwt.disclosure import Disclosure
from materials.times import check_window
from signing.errors import MalformedError, VerificationError
from signing.jws import parse_jws, verify_jws
from signing.keys import KeyId, PublicKey, Signer
from signing.strict_json import JsonValue, json_list

MAX_STATEMENT_BYTES: Final = 64 * 1024
MAX_ENTRY_BYTES: Final = 65_535  # what one entry of the log holds


@dataclass(frozen=True, slots=True)
class IssuedStatement:
    """A new statement. The disclosures hold every value and salt: they go to the vault, never to the log."""

    jwt: str
    disclosures: tuple[str, ...] = field(repr=False)

    @property
    def entry(self) -> bytes:
        """The log entry."""
        return self.jwt.encode("ascii")

    @property
    def text(self) -> str:
        """The compact SD-JWT with all disclosures."""
        return join_sd_jwt(self.jwt, self.disclosures)


@dataclass(frozen=True, slots=True)
class UnverifiedStatement:
    """A well-formed statement, nothing proved. ``claims`` and ``key_id`` serve to find the issuer's key."""

    claims: StatementClaims
    sd_jwt: UnverifiedSdJwt = field(repr=False)
    text: str = field(repr=False)

    @property
    def key_id(self) -> KeyId:
        """The key that the header names."""
        return self.sd_jwt.jws.kid

    @property
    def entry(self) -> bytes:
        """The issuer-signed JWT: the bytes that lie in the log."""
        return self.sd_jwt.jws.text.encode("ascii")


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement whose signature and disclosures verified; only ``verify_statement`` makes one.

    ``fields`` and ``files`` are what was disclosed. ``digest_count`` and ``file_slots`` are how many digests the
    JWT shows, decoys included.
    """

    claims: StatementClaims
    key_id: KeyId
    digest_count: int
    file_slots: int
    fields: Mapping[str, FieldValue] = field(repr=False)
    files: tuple[FileRecord, ...] = field(repr=False)
    entry: bytes = field(repr=False)
    text: str = field(repr=False)

    @property
    def iss(self) -> EntityId:
        """The issuer."""
        return self.claims.iss

    @property
    def jti(self) -> MaterialId:
        """The public handle of the material."""
        return self.claims.jti

    @property
    def vct(self) -> str:
        """The type and its major version."""
        return self.claims.vct


def issue_statement(
    signer: Signer,
    material_type: MaterialType,
    *,
    claims: StatementClaims,
    fields: Mapping[str, JsonValue],
    files: Sequence[FileRecord],
    random_bytes: RandomBytes,
) -> IssuedStatement:
    """Sign a statement with the issuer's key.

    Raises MalformedError if claims, fields or files do not fit the type, or the result would be too large.
    """
    if claims.vct != material_type.vct:
        raise MalformedError("form.vct", "statement: vct and type differ")
    _check_media_types(material_type, files)
    if not files:
        raise MalformedError("form.file", f"{material_type.code}: at least one file is needed")
    checked: dict[str, JsonValue] = {**check_fields(material_type, fields)}
    issued = issue_sd_jwt(
        signer,
        typ=STATEMENT_TYP,
        visible=claims_to_json(claims),
        disclosable=checked,
        array_name="files",
        elements=[file_to_json(record) for record in files],
        digest_count=material_type.digest_count,
        array_count=material_type.file_slots,
        random_bytes=random_bytes,
    )
    parse_statement(issued.text)
    return IssuedStatement(issued.jwt, tuple(disclosure.text for disclosure in issued.disclosures))


def join_statement(jwt: str | bytes, disclosures: Iterable[str]) -> str:
    """The compact form from a log entry and disclosures kept elsewhere; ``parse_statement`` judges the result."""
    text = jwt if isinstance(jwt, str) else jwt.decode("ascii", "replace")
    return join_sd_jwt(text, list(disclosures))


def parse_statement(text: str) -> UnverifiedStatement:
    """Take a statement apart and check its form; nothing is proved. Raises MalformedError (``form.*``, ``sd.*``, …)."""
    sd_jwt = parse_sd_jwt(text, typ=STATEMENT_TYP, max_bytes=MAX_STATEMENT_BYTES)
    if len(sd_jwt.jws.text) > MAX_ENTRY_BYTES:
        raise MalformedError("form.size", f"statement: the signed part is larger than {MAX_ENTRY_BYTES} bytes")
    return UnverifiedStatement(read_claims(sd_jwt.jws.claims()), sd_jwt, text)


def parse_entry_claims(entry: bytes) -> StatementClaims:
    """The open claims of a statement as it lies in the log, unverified. Raises MalformedError."""
    jws = parse_jws(entry.decode("ascii", "replace"), typ=STATEMENT_TYP, max_bytes=MAX_ENTRY_BYTES)
    return read_claims(jws.claims())


def verify_entry(entry: bytes, find_key: Callable[[EntityId, KeyId], PublicKey]) -> StatementClaims:
    """The same, signed with the key that ``find_key`` has for its issuer and key ID; the form is judged first.

    Raises MalformedError, VerificationError (``signature.*``), and what ``find_key`` raises.
    """
    jws = parse_jws(entry.decode("ascii", "replace"), typ=STATEMENT_TYP, max_bytes=MAX_ENTRY_BYTES)
    claims = read_claims(jws.claims())
    verify_jws(jws, find_key(claims.iss, jws.kid))
    return claims


def verify_statement(unverified: UnverifiedStatement, key: PublicKey) -> Statement:
    """Check the signature with the issuer's ``key``, then every disclosure (RFC 9901 §7.1).

    Not checked here: whether ``key`` is the issuer's and may sign this (``check_key``), the type
    (``check_statement_type``), validity in time (``check_validity``) and status. Raises VerificationError
    (``signature.*``, ``sd.*``) and MalformedError for a disclosed value of no allowed form.
    """
    verified = verify_sd_jwt(unverified.sd_jwt, key)
    if any(disclosure.name in VISIBLE for disclosure in verified.disclosures):
        raise VerificationError("sd.not-disclosable", "statement: a claim that must be open is in a disclosure")
    payload = unverified.sd_jwt.jws.claims()
    return Statement(
        claims=unverified.claims,
        key_id=verified.key_id,
        digest_count=len(json_list(payload["_sd"], what="_sd")),
        file_slots=len(json_list(payload["files"], what="files")),
        fields={d.name: _field_value(d) for d in verified.disclosures if d.name is not None},
        files=tuple(file_from_json(value) for value in json_list(verified.claims["files"], what="files")),
        entry=verified.entry,
        text=unverified.text,
    )


def _field_value(disclosure: Disclosure) -> FieldValue:
    if type(disclosure.value) not in {str, int}:
        raise MalformedError("form.type", "statement: a field is neither text nor an integer")
    return cast(FieldValue, disclosure.value)


def select_statement(text: str, *, fields: Collection[str], files: Collection[bytes]) -> str:
    """The statement with only the named ``fields`` and the ``files`` with these SHA-256 digests.

    Raises MalformedError, or VerificationError ``sd.not-held`` if one of them is not disclosed in ``text``.
    """
    unverified = parse_statement(text)
    file_of = {d.digest: file_from_json(d.value).sha256 for d in unverified.sd_jwt.disclosures if d.name is None}
    held = {d.name for d in unverified.sd_jwt.disclosures}
    if not (set(fields) <= held and set(files) <= set(file_of.values())):
        raise VerificationError("sd.not-held", "statement: a field or file to select is not disclosed in it")
    return select(unverified.sd_jwt, lambda d: file_of[d.digest] in files if d.name is None else d.name in fields)


def check_validity(claims: StatementClaims, *, now: int) -> None:
    """Return if the statement may be relied on at ``now``; VerificationError ``time.not-yet`` or ``time.expired``."""
    check_window(nbf=claims.nbf, exp=claims.exp, now=now, what="statement")


def check_statement_type(statement: Statement, catalogue: Catalogue) -> MaterialType:
    """The type of a verified statement, once all that is disclosed fits it.

    Raises MalformedError: ``form.unknown-type``, ``form.unknown-field``, ``sd.digest-count``, or what a value breaks.
    """
    material_type = catalogue.by_vct(statement.vct)
    counts = (statement.digest_count, statement.file_slots)
    if counts != (material_type.digest_count, material_type.file_slots):
        raise MalformedError("sd.digest-count", f"{material_type.code}: not the number of digests of this type")
    _check_media_types(material_type, statement.files)
    if check_disclosed_fields(material_type, {**statement.fields}) != statement.fields:
        raise MalformedError("form.normal", f"{material_type.code}: a field is not in its normal form")
    return material_type


def _check_media_types(material_type: MaterialType, files: Iterable[FileRecord]) -> None:
    if any(record.media_type not in material_type.media_types for record in files):
        raise MalformedError("form.media-type", f"{material_type.code}: a media type that this type does not allow")


__all__ = [
    "FileRecord",
    "IssuedStatement",
    "Statement",
    "StatementClaims",
    "StatusRef",
    "UnverifiedStatement",
    "check_statement_type",
    "check_validity",
    "issue_statement",
    "join_statement",
    "parse_entry_claims",
    "parse_statement",
    "select_statement",
    "verify_entry",
    "verify_statement",
]
