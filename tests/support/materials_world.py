"""A small synthetic world for tests of materials: keys, an issuer, a trust list, a policy, statements."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from materials.catalogue import Catalogue, MaterialType, load_catalogue
from materials.files import FileRecord
from materials.ids import new_material_id, organisation_id
from materials.registry.policy import RegistrationPolicy, make_policy
from materials.statement import IssuedStatement, StatementClaims, StatusRef, issue_statement
from materials.trust.lists import VerifiedTrustList, issue_trust_list, verify_trust_list
from materials.trust.model import Entity, Purpose, TrustedLog, TrustKey, TrustList
from signing import Ed25519Signer, Es256Signer, LedgerError, NoteKey, Signer, digest_bytes

NOW = 1_780_000_000
DAY = 86_400
ISSUER = organisation_id("11310110MB9F000199")
OPERATOR = organisation_id("11310117MB9F000279")
STATUS_URI = "https://status.example/yangpu/1"
ORIGIN = "log.example/shanghai"
EXAMPLES = Path(__file__).parents[2] / "examples"

ISSUE_KEY = Ed25519Signer(b"\x01" * 32)
STATUS_KEY = Ed25519Signer(b"\x02" * 32)
GRANT_KEY = Ed25519Signer(b"\x03" * 32)
LIST_KEY = Es256Signer(b"\x04" * 32)
LOG_KEY = Ed25519Signer(b"\x05" * 32)
STRANGER = Ed25519Signer(b"\x06" * 32)

CATALOGUE: Catalogue = load_catalogue()
LICENCE: MaterialType = CATALOGUE.by_code("business-licence")


def seeded_bytes(seed: int = 0) -> Callable[[int], bytes]:
    """A repeatable stand-in for the random source; no value comes twice."""
    count = 0

    def random_bytes(length: int) -> bytes:
        nonlocal count
        count += 1
        return hashlib.shake_256(f"{seed}/{count}".encode()).digest(length)

    return random_bytes


def example_fields(code: str = "business-licence") -> dict[str, Any]:
    """The fields of a file in ``examples/``."""
    return json.loads((EXAMPLES / f"{code}.fields.json").read_text(encoding="utf-8"))


def example_file() -> FileRecord:
    return FileRecord.of(digest_bytes((EXAMPLES / "business-licence.pdf").read_bytes()), "application/pdf")


def claims(**changes: Any) -> StatementClaims:
    """The open claims of the example licence, valid for a year from NOW."""
    base = StatementClaims(
        iss=ISSUER,
        vct=LICENCE.vct,
        jti=new_material_id(seeded_bytes(99)),
        iat=NOW,
        nbf=NOW,
        exp=NOW + 365 * DAY,
        version=1,
        legal_basis="company-registration",
        status=StatusRef(STATUS_URI, 7),
    )
    return replace(base, **changes)


def issued(
    signer: Signer = ISSUE_KEY,
    *,
    fields: dict[str, Any] | None = None,
    files: list[FileRecord] | None = None,
    seed: int = 0,
    **changes: Any,
) -> IssuedStatement:
    """A statement of the example licence."""
    return issue_statement(
        signer,
        LICENCE,
        claims=claims(**changes),
        fields=example_fields() if fields is None else fields,
        files=[example_file()] if files is None else files,
        random_bytes=seeded_bytes(seed),
    )


def entity(**changes: Any) -> Entity:
    """The issuer as the trust list knows it."""
    window = {"nbf": NOW - 30 * DAY, "exp": NOW + 30 * DAY}
    base = Entity(
        id=ISSUER,
        name_zh="样例区市场监督管理局",
        name_en="Example District Market Regulator",
        level="district",
        region="310110",
        types=tuple(known.vct for known in CATALOGUE.types),
        bases=("holder",),
        status_uris=(STATUS_URI,),
        purposes=(Purpose("loan-review", "样例办法第一条", (LICENCE.vct,), ("holder_name",)),),
        keys=(
            TrustKey(ISSUE_KEY.public_key, "issue", **window),
            TrustKey(STATUS_KEY.public_key, "status", **window),
            TrustKey(GRANT_KEY.public_key, "grant", **window),
        ),
    )
    return replace(base, **changes)


def trust_list(**changes: Any) -> TrustList:
    """A first list with one entity and one log."""
    base = TrustList(
        iss=OPERATOR,
        seq=1,
        prev=None,
        iat=NOW - DAY,
        next_update=NOW,
        exp=NOW + 6 * DAY,
        entities=(entity(),),
        logs=(TrustedLog(ORIGIN, NoteKey.ed25519(ORIGIN, LOG_KEY.public_key.raw)),),
        chains=(),
    )
    return replace(base, **changes)


def trusted(**changes: Any) -> VerifiedTrustList:
    """The list, signed and verified."""
    return verify_trust_list(issue_trust_list(LIST_KEY, trust_list(**changes)), LIST_KEY.public_key, NOW)


def policy(**changes: Any) -> RegistrationPolicy:
    """The policy of a log for the province."""
    base = make_policy(
        origin=ORIGIN, list_key=LIST_KEY.public_key.key_id, region="310000", catalogue=CATALOGUE, now=NOW
    )
    return replace(base, **changes)


@dataclass(slots=True)
class Refusal:
    """What was refused, once the block is left."""

    error: LedgerError | None = None


@contextmanager
def refuses(code: str, kind: type[LedgerError] = LedgerError) -> Iterator[Refusal]:
    """The block must raise ``kind`` (or below) with exactly this code."""
    refusal = Refusal()
    with pytest.raises(kind) as caught:
        yield refusal
    assert caught.value.code == code, f"{caught.value.code}: {caught.value}"
    refusal.error = caught.value
