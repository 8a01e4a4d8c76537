"""Keyed identities: when two registrations are the same one, and when two licences carry the same identifier."""

from collections.abc import Collection, Mapping

from materials.claims import StatementClaims
from materials.fieldkinds import FieldValue
from materials.files import FileRecord
from materials.identifiers import LicenceId, parse_licence_id
from materials.ids import EntityId, MaterialId
from materials.registry.keyed import keyed_hash
from materials.registry.pseudonym import owner_pseudonym
from materials.registry.records import IdentityHash, LicenceHash, MaterialClaim
from signing import JsonValue, b64url_encode

_IDENTITY = "ematerials/identity/v1"
_LICENCE = "ematerials/licence/v1"


def material_identity(
    secret: bytes,
    *,
    issuer: EntityId,
    vct: str,
    fields: Mapping[str, FieldValue],
    files: Collection[FileRecord],
    supersedes: MaterialId | None,
) -> IdentityHash:
    """The same for a repeated registration, whenever and under whatever id it is made.

    ``fields`` are normalised (``check_fields``). The order of files does not
    count. The predecessor does: renewing a material unchanged is a new one.
    """
    named: list[JsonValue] = [*sorted(f"{b64url_encode(record.sha256)} {record.media_type}" for record in files)]
    value: list[JsonValue] = [issuer, vct, dict(fields), named, supersedes]
    return IdentityHash(keyed_hash(secret, _IDENTITY, value))


def licence_identity(secret: bytes, licence: LicenceId) -> LicenceHash:
    """The same for all versions of one licence: type, issuing authority and serial (GB/T 36904)."""
    return LicenceHash(keyed_hash(secret, _LICENCE, [licence.type_code, licence.issuer_code, licence.serial]))


def claim_for(
    secret: bytes, claims: StatementClaims, fields: Mapping[str, FieldValue], files: Collection[FileRecord]
) -> MaterialClaim:
    """The claim by which a statement with these ``claims`` and complete, normalised ``fields`` is registered.

    Raises MalformedError if the holder's code does not have its form.
    """
    licence = fields.get("licence_id")
    return MaterialClaim(
        jti=claims.jti,
        identity=material_identity(
            secret, issuer=claims.iss, vct=claims.vct, fields=fields, files=files, supersedes=claims.supersedes
        ),
        licence=None if licence is None else licence_identity(secret, parse_licence_id(str(licence))),
        version=claims.version,
        supersedes=claims.supersedes,
        owner=owner_pseudonym(secret, str(fields.get("holder_code_type")), str(fields.get("holder_code"))),
        vct=claims.vct,
        issuer=claims.iss,
        registered_at=claims.iat,
    )
