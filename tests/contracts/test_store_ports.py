"""What ``materials.registry.ports`` promises, asked of the SQL stores. A new implementation subclasses the suites."""

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Connection, Engine

from materials.claims import StatusRef
from materials.ids import EntityId, EventId, MaterialId, new_material_id
from materials.registry.places import allocate_place
from materials.registry.ports import EventStore, MaterialStore, StatusArchive, StatusStore, VaultKeys
from materials.registry.records import (
    EventRecord,
    IdentityHash,
    LicenceHash,
    MaterialClaim,
    MaterialState,
    PublishedList,
    VaultObject,
)
from materials.status import StatusValue
from materials.store.events import SqlEventStore
from materials.store.materials import SqlMaterialStore
from materials.store.metadata import metadata
from materials.store.status import SqlStatusStore
from materials.store.status_archive import SqlStatusArchive
from materials.store.vault_keys import SqlVaultKeys
from signing import RefusedError, UnavailableError

URI = "https://home.example/status/1"
OWNER = EntityId("holder:aaaaaaaaaaaaaaaaaaaaaaaaaa")
JTI = MaterialId("em-aaaaaaaaaaaaaaaaaaaaaaaaaa")


@pytest.fixture
def conn(engine: Engine) -> Iterator[Connection]:
    with engine.begin() as conn:
        metadata.create_all(conn)
        yield conn


def a_claim(**changed: object) -> MaterialClaim:
    claim = MaterialClaim(
        jti=new_material_id(os.urandom),
        identity=IdentityHash(os.urandom(32)),
        licence=None,
        version=1,
        supersedes=None,
        owner=OWNER,
        vct="urn:a:1",
        issuer=EntityId("uscc:11310110MB9F000199"),
        registered_at=1,
    )
    return replace(claim, **changed)


def held(store: MaterialStore, claim: MaterialClaim, index: int = 1) -> MaterialClaim:
    assert store.claim(claim) is None
    store.complete(claim.jti, status=StatusRef(URI, 7), log_index=index, jwt="a.b.c")
    return claim


class MaterialStoreContract:
    def test_a_claim_shows_only_once_it_is_complete(self, store: MaterialStore) -> None:
        claim = a_claim()
        assert store.claim(claim) is None
        assert store.find(claim.jti) is None
        record = store.complete(claim.jti, status=None, log_index=4, jwt="a.b.c")
        assert store.find(claim.jti) == record
        with pytest.raises(RefusedError):
            store.complete(claim.jti, status=None, log_index=5, jwt="a.b.c")
        assert (record.log_index, record.status, record.state) == (4, None, MaterialState.HELD)

    def test_the_first_identity_wins(self, store: MaterialStore) -> None:
        first = held(store, a_claim())
        again = store.claim(a_claim(identity=first.identity))
        assert again == store.find(first.jti)

    def test_an_unknown_id_is_none(self, store: MaterialStore) -> None:
        assert store.find(JTI) is None

    def test_an_id_is_used_once(self, store: MaterialStore) -> None:
        first = held(store, a_claim())
        with pytest.raises(RefusedError) as refused:
            store.claim(a_claim(jti=first.jti))
        assert refused.value.code == "registration.id-taken"

    def test_a_licence_has_one_holder_until_it_hands_it_on(self, store: MaterialStore) -> None:
        licence = LicenceHash(os.urandom(32))
        first = held(store, a_claim(licence=licence))
        for claim in (a_claim(licence=licence), a_claim(licence=licence, version=2)):
            with pytest.raises(RefusedError) as refused:
                store.claim(claim)
            assert refused.value.code == "registration.identifier-taken"
        second = held(store, a_claim(licence=licence, version=2, supersedes=first.jti))
        held(store, a_claim(licence=licence, version=3, supersedes=second.jti))

    @pytest.mark.parametrize(
        "changed",
        [{"version": 1}, {"version": 3}, {"owner": EntityId("holder:b")}, {"vct": "urn:b:1"}, {"issuer": "uscc:x"}],
    )
    def test_a_successor_fits_its_predecessor(self, store: MaterialStore, changed: dict[str, object]) -> None:
        first = held(store, a_claim())
        with pytest.raises(RefusedError) as refused:
            store.claim(replace(a_claim(version=2, supersedes=first.jti), **changed))
        assert refused.value.code == "registration.supersedes"

    def test_a_predecessor_has_one_successor(self, store: MaterialStore) -> None:
        first = held(store, a_claim())
        held(store, a_claim(version=2, supersedes=first.jti))
        with pytest.raises(RefusedError) as refused:
            store.claim(a_claim(version=2, supersedes=first.jti))
        assert refused.value.code == "registration.supersedes"

    def test_owned_materials_come_in_order(self, store: MaterialStore) -> None:
        late, early = held(store, a_claim(), index=9), held(store, a_claim(vct="urn:b:1"), index=3)
        held(store, a_claim(owner=EntityId("holder:other")), index=5)
        assert [record.jti for record in store.find_owned(OWNER)] == [early.jti, late.jti]
        assert [record.jti for record in store.find_owned(OWNER, vct="urn:b:1")] == [early.jti]

    def test_erasing_forgets_the_keyed_hashes(self, store: MaterialStore) -> None:
        licence = LicenceHash(os.urandom(32))
        first = held(store, a_claim(licence=licence))
        for _ in range(2):
            store.erase(first.jti)
        record = store.find(first.jti)
        assert record is not None
        assert record.state is MaterialState.ERASED
        assert store.find_owned(OWNER) == ()
        held(store, a_claim(identity=first.identity, licence=licence))


class StatusStoreContract:
    """The fixture gives a store of lists with sixteen places."""

    def test_every_place_is_given_once(self, small_store: StatusStore) -> None:
        places = {allocate_place(small_store, URI, f"em-{n}", os.urandom).idx for n in range(12)}
        assert len(places) == 12
        assert places <= set(range(16))

    def test_a_full_list_says_so(self, small_store: StatusStore) -> None:
        places = (allocate_place(small_store, URI, f"em-{n}", os.urandom) for n in range(17))
        with pytest.raises(UnavailableError) as full:
            list(places)
        assert full.value.code == "status.full"

    def test_a_subject_gets_one_place_in_a_list(self, small_store: StatusStore) -> None:
        allocate_place(small_store, URI, "em-1", os.urandom)
        allocate_place(small_store, URI + "0", "em-1", os.urandom)
        with pytest.raises(RefusedError) as refused:
            allocate_place(small_store, URI, "em-1", os.urandom)
        assert refused.value.code == "status.allocated"

    def test_a_place_that_was_drawn_is_free_until_it_is_taken(self, small_store: StatusStore) -> None:
        ref = small_store.draw(URI, lambda size: bytes(size))
        assert small_store.draw(URI, lambda size: bytes(size)) == ref == StatusRef(URI, 0)
        assert small_store.take(ref, "em-1")
        assert not small_store.take(ref, "em-2")
        with pytest.raises(RefusedError) as refused:
            small_store.take(StatusRef(URI, 1), "em-1")
        assert refused.value.code == "status.allocated"
        with pytest.raises(UnavailableError) as full:
            small_store.draw(URI, lambda size: bytes(size))
        assert full.value.code == "status.full"
        assert small_store.draw(URI + "0", lambda size: bytes(size)).idx == 0

    def test_the_table_is_read_back(self, small_store: StatusStore) -> None:
        refs = [allocate_place(small_store, URI, f"em-{n}", os.urandom) for n in range(3)]
        small_store.set_status(refs[1], StatusValue.SUSPENDED)
        small_store.set_status(refs[2], StatusValue.INVALID)
        changed = {entry.subject: entry.status for entry in small_store.changed_entries(URI)}
        assert changed == {"em-1": StatusValue.SUSPENDED, "em-2": StatusValue.INVALID}
        assert [entry.ref.idx for entry in small_store.changed_entries(URI)] == sorted([refs[1].idx, refs[2].idx])
        found = small_store.find(URI, "em-0")
        assert found is not None
        assert (found.ref, found.status) == (refs[0], StatusValue.VALID)
        assert small_store.find(URI, "em-9") is None

    @pytest.mark.parametrize("status", [StatusValue.VALID, StatusValue.SUSPENDED])
    def test_invalid_never_returns(self, small_store: StatusStore, status: StatusValue) -> None:
        ref = allocate_place(small_store, URI, "em-1", os.urandom)
        for _ in range(2):
            small_store.set_status(ref, StatusValue.INVALID)
        with pytest.raises(RefusedError) as refused:
            small_store.set_status(ref, status)
        assert refused.value.code == "status.final"

    def test_suspended_returns(self, small_store: StatusStore) -> None:
        ref = allocate_place(small_store, URI, "em-1", os.urandom)
        small_store.set_status(ref, StatusValue.SUSPENDED)
        small_store.set_status(ref, StatusValue.VALID)
        assert list(small_store.changed_entries(URI)) == []

    def test_a_place_nobody_has_cannot_be_set(self, small_store: StatusStore) -> None:
        with pytest.raises(RefusedError):
            small_store.set_status(StatusRef(URI, 3), StatusValue.INVALID)


class StatusArchiveContract:
    def test_every_list_is_kept_and_found_by_time(self, archive: StatusArchive) -> None:
        lists = [PublishedList(URI, n, 100 + n * 10, 150 + n * 10, f"t{n}") for n in range(3)]
        for published in lists:
            archive.keep(published)
        assert archive.latest(URI) == lists[2]
        assert archive.latest("other") is None
        expected = [(99, None), (100, 0), (109, 0), (110, 1), (120, 2), (169, 2), (170, None)]
        found = [(time, archive.at(URI, time)) for time, _ in expected]
        assert found == [(time, None if n is None else lists[n]) for time, n in expected]

    def test_of_two_lists_of_one_second_the_later_counts(self, archive: StatusArchive) -> None:
        for n in range(2):
            archive.keep(PublishedList(URI, n, 100, 150, f"t{n}"))
        at = archive.at(URI, 100)
        assert at is not None
        assert at.token == "t1"

    def test_a_number_is_given_once(self, archive: StatusArchive) -> None:
        archive.keep(PublishedList(URI, 0, 100, 150, "t"))
        with pytest.raises(UnavailableError) as conflict:
            archive.keep(PublishedList(URI, 0, 101, 151, "u"))
        assert conflict.value.code == "status.conflict"


class EventStoreContract:
    def test_events_come_in_order_and_numbers_are_given_once(self, events: EventStore) -> None:
        kept = [EventRecord(EventId(f"ev-{n}"), JTI, n, "suspended", 8 + n, "a.b.c") for n in range(3)]
        for event in reversed(kept):
            events.add(event)
        assert events.of(JTI) == tuple(kept)
        assert events.of(MaterialId("em-x")) == ()
        with pytest.raises(UnavailableError) as conflict:
            events.add(replace(kept[1], event_jti=EventId("ev-9")))
        assert conflict.value.code == "event.conflict"


class VaultKeysContract:
    def test_destroying_leaves_the_row_and_no_key(self, vault_keys: VaultKeys) -> None:
        kept = VaultObject("object-1", JTI, "disclosures", b"key", b"sealed")
        vault_keys.add(kept)
        vault_keys.add(VaultObject("object-2", JTI, "file/0", b"key", None))
        assert vault_keys.find(JTI, "disclosures") == kept
        assert vault_keys.find(JTI, "file/1") is None
        assert vault_keys.is_live("object-2")
        assert not vault_keys.is_live("object-3")
        for _ in range(2):
            vault_keys.destroy(JTI)
        assert vault_keys.find(JTI, "disclosures") == VaultObject("object-1", JTI, "disclosures", None, None)
        assert not vault_keys.is_live("object-2")


class TestSqlMaterialStore(MaterialStoreContract):
    @pytest.fixture
    def store(self, conn: Connection) -> MaterialStore:
        return SqlMaterialStore(conn)


class TestSqlStatusStore(StatusStoreContract):
    @pytest.fixture
    def small_store(self, conn: Connection) -> StatusStore:
        return SqlStatusStore(conn, entries=16)


class TestSqlStatusArchive(StatusArchiveContract):
    @pytest.fixture
    def archive(self, conn: Connection) -> StatusArchive:
        return SqlStatusArchive(conn)


class TestSqlEventStore(EventStoreContract):
    @pytest.fixture
    def events(self, conn: Connection) -> EventStore:
        return SqlEventStore(conn)


class TestSqlVaultKeys(VaultKeysContract):
    @pytest.fixture
    def vault_keys(self, conn: Connection) -> VaultKeys:
        return SqlVaultKeys(conn)
