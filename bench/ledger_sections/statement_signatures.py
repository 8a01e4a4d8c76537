"""The signatures of logged statements, as fsck verifies them, against the bare library on the same bytes."""

import os
from collections.abc import Callable

import nacl.signing
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from api.demo.cast import REPORT, example_fields
from bench.ledger_sections.setup import Figure, figure, seconds_of
from materials.catalogue import load_catalogue
from materials.files import FileRecord
from materials.ids import new_material_id, organisation_id
from materials.statement import StatementClaims, StatusRef, issue_statement, verify_entry
from signing import Ed25519Signer, Es256Signer, PublicKey, Secret, Signer, digest_bytes, parse_jws
from signing.dss import raw_to_der

STATEMENTS = 1000
ROUNDS = 8
ISSUED_AT = 1_780_000_000
ISSUER = organisation_id("11310110MB9F000199")
FILE = FileRecord.of(digest_bytes(b"{}"), "application/json")
Signed = list[tuple[bytes, bytes]]
"""Of each statement: the signature, and the bytes that were signed."""


def statement_signatures() -> list[Figure]:
    """Ed25519 and ES256: the pass over statements, and the signatures alone with a key prepared beforehand."""
    ed25519, es256 = Ed25519Signer(Secret(bytes(31) + b"\x02")), Es256Signer(Secret(bytes(31) + b"\x03"))
    return [*_rates("Ed25519", ed25519, _bare_ed25519), *_rates("ES256", es256, _bare_es256)]


def _rates(name: str, signer: Signer, prepare: Callable[[PublicKey, Signed], Callable[[], object]]) -> list[Figure]:
    entries = _statements(signer)
    parsed = [parse_jws(entry.decode(), typ="dc+sd-jwt", max_bytes=len(entry)) for entry in entries]
    bare = prepare(signer.public_key, [(jws.signature, jws.signing_input) for jws in parsed])

    def ours() -> None:
        for entry in entries:
            verify_entry(entry, lambda _issuer, _key_id: signer.public_key)

    rounds = [(seconds_of(ours), seconds_of(bare)) for _ in range(ROUNDS)]
    mine, theirs = (min(side) for side in zip(*rounds, strict=True))
    size = sum(map(len, entries)) // len(entries)
    return [
        figure(f"statement signatures, {name}, {size} bytes each, 1 process", len(entries) / mine, "1/s"),
        figure(f"statement signatures, {name} / bare verification", theirs / mine, "ratio"),
    ]


def _statements(signer: Signer) -> list[bytes]:
    catalogue = load_catalogue()
    material_type, fields = catalogue.by_code(REPORT.type_code), example_fields(REPORT, catalogue, 0)
    claims = StatementClaims(
        iss=ISSUER,
        vct=material_type.vct,
        jti=new_material_id(os.urandom),
        iat=ISSUED_AT,
        nbf=ISSUED_AT,
        exp=ISSUED_AT + 365 * 86_400,
        version=1,
        legal_basis="company-registration",
        status=StatusRef("https://status.example/1", 7),
    )
    return [
        issue_statement(
            signer, material_type, claims=claims, fields=fields, files=[FILE], random_bytes=os.urandom
        ).entry
        for _ in range(STATEMENTS)
    ]


def _bare_ed25519(public_key: PublicKey, signed: Signed) -> Callable[[], object]:
    key = nacl.signing.VerifyKey(public_key.raw)
    return lambda: [key.verify(message, signature) for signature, message in signed]


def _bare_es256(public_key: PublicKey, signed: Signed) -> Callable[[], object]:
    key, rule = (
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + public_key.raw),
        ec.ECDSA(SHA256()),
    )
    ready = [(raw_to_der(signature), message) for signature, message in signed]
    return lambda: [key.verify(signature, message, rule) for signature, message in ready]
