"""Registered materials in SQL."""

from sqlalchemy import Connection, Row, Select, delete, select, update

from materials.claims import StatusRef
from materials.ids import EntityId, MaterialId
from materials.registry.records import LicenceHash, MaterialClaim, MaterialRecord, MaterialState
from materials.store.insert import insert_unless_taken
from materials.store.tables import material_licence, material_registration
from signing import RefusedError, VerificationError

_rows = material_registration.c


class SqlMaterialStore:
    """``MaterialStore`` on one connection. The unique constraint on the identity lets one of racing claims win."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def claim(self, claim: MaterialClaim) -> MaterialRecord | None:
        """See ``MaterialStore.claim``."""
        row = {
            "jti": claim.jti,
            "identity_hash": claim.identity,
            "version": claim.version,
            "supersedes": claim.supersedes,
            "owner": claim.owner,
            "vct": claim.vct,
            "issuer": claim.issuer,
            "state": MaterialState.CLAIMED,
            "registered_at": claim.registered_at,
        }
        if not insert_unless_taken(self._conn, material_registration, row):
            first = self._one(select_records().where(_rows.identity_hash == claim.identity))
            if first is not None:
                return first
            if self._one(select_records().where(_rows.jti == claim.jti)) is not None:
                raise RefusedError("registration.id-taken", "this id belongs to another material")
            raise RefusedError("registration.supersedes", "the predecessor has a successor already")
        if claim.supersedes is not None:
            self._check_succession(claim, claim.supersedes)
        if claim.licence is not None:
            self._take_licence(claim, claim.licence)
        return None

    def complete(self, jti: MaterialId, *, status: StatusRef | None, log_index: int, jwt: str) -> MaterialRecord:
        """See ``MaterialStore.complete``."""
        completed = self._conn.execute(
            update(material_registration)
            .where(_rows.jti == jti, _rows.state == MaterialState.CLAIMED)
            .values(
                state=MaterialState.HELD,
                status_uri=status.uri if status else None,
                status_idx=status.idx if status else None,
                log_index=log_index,
                jwt=jwt,
            )
        )
        record = self.find(jti)
        if completed.rowcount != 1 or record is None:
            raise RefusedError("registration.unclaimed", "there is no open claim for this id")
        return record

    def find(self, jti: MaterialId) -> MaterialRecord | None:
        """See ``MaterialStore.find``."""
        return self._one(select_records().where(_rows.jti == jti, _rows.state != MaterialState.CLAIMED))

    def find_owned(self, owner: EntityId, *, vct: str | None = None) -> tuple[MaterialRecord, ...]:
        """See ``MaterialStore.find_owned``."""
        query = select_records().where(_rows.owner == owner, _rows.state == MaterialState.HELD)
        if vct is not None:
            query = query.where(_rows.vct == vct)
        return tuple(read_record(row) for row in self._conn.execute(query.order_by(_rows.log_index)))

    def erase(self, jti: MaterialId) -> None:
        """See ``MaterialStore.erase``."""
        self._conn.execute(delete(material_licence).where(material_licence.c.jti == jti))
        self._conn.execute(
            update(material_registration)
            .where(_rows.jti == jti, _rows.state != MaterialState.CLAIMED)
            .values(state=MaterialState.ERASED, identity_hash=None)
        )

    def _check_succession(self, claim: MaterialClaim, predecessor: MaterialId) -> None:
        old = self.find(predecessor)
        if old is None or (old.issuer, old.vct, old.owner) != (claim.issuer, claim.vct, claim.owner):
            raise RefusedError("registration.supersedes", "no material of this issuer, type and owner has that id")
        if claim.version != old.version + 1:
            raise RefusedError("registration.supersedes", "the version must be one more than the predecessor's")

    def _take_licence(self, claim: MaterialClaim, licence: LicenceHash) -> None:
        """Only the material named by ``supersedes`` hands its licence on; compare-and-swap on the holder."""
        if insert_unless_taken(self._conn, material_licence, {"licence_hash": licence, "jti": claim.jti}):
            return
        taken_over = self._conn.execute(
            update(material_licence)
            .where(material_licence.c.licence_hash == licence, material_licence.c.jti == claim.supersedes)
            .values(jti=claim.jti)
        )
        if taken_over.rowcount != 1:
            raise RefusedError("registration.identifier-taken", "the licence identifier belongs to another material")

    def _one(self, query: Select[*tuple[object, ...]]) -> MaterialRecord | None:
        row = self._conn.execute(query).one_or_none()
        return None if row is None else read_record(row)


def select_records() -> Select[*tuple[object, ...]]:
    """Registrations, each with the licence that it holds now."""
    joined = material_registration.outerjoin(material_licence, material_licence.c.jti == _rows.jti)
    return select(material_registration, material_licence.c.licence_hash).select_from(joined)


def read_record(row: Row[*tuple[object, ...]]) -> MaterialRecord:
    """The record in one completed row of ``select_records``."""
    if row.state not in set(MaterialState):
        raise VerificationError("store.unreadable", "material_registration: a row has no known state")
    status = None if row.status_uri is None else StatusRef(row.status_uri, row.status_idx)
    return MaterialRecord(
        jti=row.jti,
        version=row.version,
        supersedes=row.supersedes,
        owner=row.owner,
        vct=row.vct,
        issuer=row.issuer,
        state=MaterialState(row.state),
        registered_at=row.registered_at,
        status=status,
        log_index=row.log_index,
        jwt=row.jwt,
        identity=row.identity_hash,
        licence=row.licence_hash,
    )
