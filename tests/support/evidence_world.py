"""One statement with everything that can vouch for it, without workspace or chain: for tests of single facets.

The statement is that of ``materials_world``; in its log are no other entries than it and, if there is one, an event
about it. No anchor: a whole report is undetermined at best.
"""

import datetime
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import pytest

from ledger import (
    Checkpoint,
    LeafHash,
    Receipt,
    RootHash,
    format_receipt,
    leaf_hash,
    node_hash,
    sign_checkpoint,
)
from materials.bundle import Bundle, BundledTimestamp, LoggedToken, format_bundle
from materials.report import VerificationReport
from materials.second_signature import countersign_statement
from materials.statement import IssuedStatement
from materials.status import issue_status_list, pack_statuses
from materials.trust.lists import TrustFile, format_trust_file, issue_trust_list
from materials.trust.model import Entity, TrustedAuthority, TrustKey
from materials.verification import verify_bundle
from signing import Es384Signer, MemorySigner, Signer, Sm2Signer, parse_note
from signing.x509.certificates import parse_certificate
from signing.x509.signature import check_certificate
from tests.support.materials_world import (
    CATALOGUE,
    DAY,
    ISSUE_KEY,
    ISSUER,
    LIST_KEY,
    LOG_KEY,
    NOW,
    ORIGIN,
    STATUS_KEY,
    STATUS_URI,
    entity,
    issued,
    trust_list,
)
from tests.support.tsa import Holder
from tests.support.tsa_forge import forge

WINDOW = {"nbf": NOW - 30 * DAY, "exp": NOW + 30 * DAY}
LISTED_ISSUE_KEY = TrustKey(ISSUE_KEY.public_key, "issue", **WINDOW)
LISTED_STATUS_KEY = TrustKey(STATUS_KEY.public_key, "status", **WINDOW)
ES384_KEY = Es384Signer(b"\x07" * 48)


@cache
def sm2_key() -> MemorySigner:
    """The issuer's GM key; gmssl draws it anew for each session."""
    return Sm2Signer.generate(bytes)


@cache
def time_root() -> Holder:
    return Holder.root()


@cache
def time_stamper() -> Holder:
    return time_root().issue("Time Stamper")


def stamp(message: bytes, at: int = NOW + 60, signer: Holder | None = None, **made: Any) -> bytes:
    """A token of the world's authority, made ``at``."""
    when = datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y%m%d%H%M%SZ").encode()
    return forge(signer or time_stamper(), message, gen_time=when, **made)


def hide_gm(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if gmssl-pyx were not installed, and nothing had been verified with it before."""
    monkeypatch.setitem(sys.modules, "gmssl_pyx", None)
    check_certificate.cache_clear()


def time_authority(revocation: Any = "none") -> TrustedAuthority:
    return TrustedAuthority(parse_certificate(time_root().der), "timestamp", revocation)


@dataclass(frozen=True)
class World:
    """``keys`` are the issuer's issuing keys, ``authorities`` and ``entities`` further ones of the trust list."""

    statement: IssuedStatement = field(default_factory=issued)
    keys: tuple[TrustKey, ...] = (LISTED_ISSUE_KEY,)
    authorities: tuple[TrustedAuthority, ...] = ()
    entities: tuple[Entity, ...] = ()
    issuer_is_listed: bool = True
    status_key: TrustKey = LISTED_STATUS_KEY
    event: str | None = None
    """The token of a life-cycle event."""

    @property
    def _leaves(self) -> list[LeafHash]:
        return [leaf_hash(self.statement.entry), *([leaf_hash(self.event.encode())] if self.event else [])]

    @property
    def checkpoint(self) -> bytes:
        """The signed checkpoint of the log."""
        leaves = self._leaves
        root = RootHash(leaves[0] if len(leaves) == 1 else node_hash(*leaves))
        return sign_checkpoint(Checkpoint(ORIGIN, len(leaves), root), LOG_KEY)

    def receipt(self, index: int) -> bytes:
        """That of the statement (0) or the event (1)."""
        others = tuple(leaf for number, leaf in enumerate(self._leaves) if number != index)
        return format_receipt(Receipt(index, others, self.checkpoint))

    @property
    def bundle(self) -> Bundle:
        """A plain one."""
        events = (LoggedToken(self.event, self.receipt(1)),) if self.event else ()
        return Bundle(self.statement.text, self.receipt(0), status_list=status_list(), events=events)

    def second(self, signer: Signer) -> str:
        """A further signature."""
        return countersign_statement(self.statement.jwt, signer)

    def stamps(self, at: int = NOW + 60) -> tuple[BundledTimestamp, ...]:
        """One over the statement, one over the checkpoint."""
        return (
            BundledTimestamp("statement", stamp(self.statement.entry, at)),
            BundledTimestamp("checkpoint", stamp(parse_note(self.checkpoint).text, at)),
        )

    @property
    def trust(self) -> bytes:
        issuer = entity(keys=(*self.keys, self.status_key))
        entities = (issuer, *self.entities) if self.issuer_is_listed else self.entities
        listed = replace(trust_list(entities=entities), authorities=self.authorities)
        return format_trust_file(TrustFile(LIST_KEY.public_key, issue_trust_list(LIST_KEY, listed)))

    def judge(
        self, bundle: Bundle | bytes | None = None, *, now: int = NOW + 120, **options: Any
    ) -> VerificationReport:
        data = bundle if isinstance(bundle, bytes) else format_bundle(bundle or self.bundle)
        return verify_bundle(data, self.trust, now=now, catalogue=CATALOGUE, **options)


def with_keys(*signers: Signer, **changes: Any) -> World:
    """The world whose issuer has these issuing keys besides its first."""
    listed = tuple(TrustKey(signer.public_key, "issue", **WINDOW) for signer in signers)
    return World(keys=(LISTED_ISSUE_KEY, *listed), **changes)


@cache
def status_list() -> str:
    return issue_status_list(
        STATUS_KEY, iss=ISSUER, uri=STATUS_URI, packed=pack_statuses({}), iat=NOW, exp=NOW + DAY, ttl=60
    )


def said(report: VerificationReport, *facets: str) -> dict[str, str]:
    """Verdict and code of the facets."""
    return {facet: f"{report[facet].verdict}: {report[facet].code}" for facet in facets}


def ended(keys: Sequence[TrustKey], place: int, **revoked: Any) -> tuple[TrustKey, ...]:
    """``keys`` with changes to the one at ``place``."""
    return tuple(replace(key, **revoked) if number == place else key for number, key in enumerate(keys))
