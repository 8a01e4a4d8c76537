"""What a bundle carries so that keys and times can be judged offline: signatures, time stamps, revocation lists."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from api.crls import CrlFolder
from materials.bundle import MAX_CRLS, MAX_SIGNATURES, MAX_TIMESTAMPS, BundledTimestamp
from materials.ids import EntityId
from materials.registry.ports import HomePorts
from materials.registry.records import MaterialRecord, StampedKind
from materials.trust.lists import VerifiedTrustList
from signing import parse_note, sha256
from signing.rfc3161.timestamps import parse_timestamp
from signing.x509.certificates import Certificate, parse_certificate

_CRL_BYTES: Final = 4 << 20
"""Of all lists in one bundle, whose own limit they must leave room in; longer ones are had from their authority."""


@dataclass(frozen=True, slots=True)
class BundledProofs:
    """The members ``signatures``, ``timestamps`` and ``crls`` of a bundle."""

    signatures: tuple[str, ...]
    timestamps: tuple[BundledTimestamp, ...]
    crls: tuple[bytes, ...]


def gather_proofs(
    ports: HomePorts,
    crls: CrlFolder,
    trust: VerifiedTrustList,
    *,
    record: MaterialRecord,
    receipt: bytes,
    signers: Collection[EntityId],
    at: int,
) -> BundledProofs:
    """The further signatures of a statement, time stamps of it and of its receipt's checkpoint, and revocation lists.

    ``signers`` are the organisations whose signatures the bundle shows; the lists are those that tell of their keys'
    certificates, and of the time-stamping services', at time ``at`` and now.
    """
    timestamps = (
        *_stamps(ports, "statement", record.jwt.encode("ascii")),
        *_stamps(ports, "checkpoint", parse_note(receipt.partition(b"\n\n")[2]).text),
    )
    certificates = [*_of_keys(trust, signers), *_of_services(timestamps)]
    found = {crl.der: None for certificate in certificates for crl in crls.telling(certificate, at)}
    return BundledProofs(ports.signatures.of(record.jti)[:MAX_SIGNATURES], timestamps, _fitting(found))


def _stamps(ports: HomePorts, over: StampedKind, message: bytes) -> list[BundledTimestamp]:
    """The earliest, of each kind half of what a bundle may hold."""
    kept = ports.timestamps.of(sha256(message))[: MAX_TIMESTAMPS // 2]
    return [BundledTimestamp(over, stamp.token) for stamp in kept if stamp.over == over]


def _of_keys(trust: VerifiedTrustList, signers: Collection[EntityId]) -> Iterator[Certificate]:
    for entity in trust.list.entities:
        if entity.id in signers:
            for key in entity.keys:
                yield from key.chain


def _of_services(timestamps: Iterable[BundledTimestamp]) -> Iterator[Certificate]:
    for stamp in timestamps:
        yield from map(parse_certificate, parse_timestamp(stamp.token).signer.certificates)


def _fitting(crls: Iterable[bytes]) -> tuple[bytes, ...]:
    chosen: list[bytes] = []
    for crl in crls:
        if len(chosen) < MAX_CRLS and sum(map(len, chosen)) + len(crl) <= _CRL_BYTES:
            chosen.append(crl)
    return tuple(chosen)
