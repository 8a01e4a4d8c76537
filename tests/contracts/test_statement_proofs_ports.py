"""What ``SignatureStore`` and ``TimestampStore`` promise, asked of the SQL stores; two writers at once included."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Connection, Engine, text

from materials.ids import MaterialId
from materials.registry.ports import SignatureStore, TimestampStore
from materials.registry.records import KeptTimestamp
from materials.store.metadata import metadata
from materials.store.signatures import SqlSignatureStore
from materials.store.timestamps import SqlTimestampStore
from signing import UnavailableError
from tests.support.together import run_together

JTI, OTHER = MaterialId("em-aaaaaaaaaaaaaaaaaaaaaaaaaa"), MaterialId("em-bbbbbbbbbbbbbbbbbbbbbbbbbb")
STAMP = KeptTimestamp(b"\x01" * 32, "https://tsa.example/", "statement", 1_790_000_000, b"token")


@pytest.fixture
def tables(engine: Engine) -> Engine:
    with engine.begin() as conn:
        metadata.create_all(conn)
    return engine


@pytest.fixture
def conn(tables: Engine) -> Iterator[Connection]:
    with tables.begin() as conn:
        yield conn


class SignatureStoreContract:
    def test_signatures_come_in_order_and_once(self, signatures: SignatureStore) -> None:
        assert signatures.of(JTI) == ()
        for signature in ("a..1", "b..2", "a..1", "c..3", "b..2"):
            signatures.add(JTI, signature)
        signatures.add(OTHER, "a..1")
        assert signatures.of(JTI) == ("a..1", "b..2", "c..3")
        assert signatures.of(OTHER) == ("a..1",)


class TimestampStoreContract:
    def test_each_service_stamps_a_message_once(self, timestamps: TimestampStore) -> None:
        assert timestamps.add(STAMP)
        assert not timestamps.add(replace(STAMP, gen_time=1, token=b"another"))
        assert timestamps.of(STAMP.digest) == (STAMP,)
        assert timestamps.of(b"\x02" * 32) == ()

    def test_the_earliest_comes_first(self, timestamps: TimestampStore) -> None:
        later = replace(STAMP, service="https://a.example/", gen_time=STAMP.gen_time + 1)
        for stamp in (later, STAMP):
            assert timestamps.add(stamp)
        assert timestamps.of(STAMP.digest) == (STAMP, later)

    def test_all_are_read_in_a_fixed_order(self, timestamps: TimestampStore) -> None:
        stamps = [
            replace(STAMP, digest=bytes([n // 2 % 256, n // 512]) * 16, service=f"https://{n % 2}.example/")
            for n in range(1100)
        ]
        for stamp in reversed(stamps):
            timestamps.add(stamp)
        assert list(timestamps.all()) == sorted(stamps, key=lambda stamp: (stamp.digest, stamp.service))


class TestSqlSignatureStore(SignatureStoreContract):
    @pytest.fixture
    def signatures(self, conn: Connection) -> SignatureStore:
        return SqlSignatureStore(conn)


class TestSqlTimestampStore(TimestampStoreContract):
    @pytest.fixture
    def timestamps(self, conn: Connection) -> TimestampStore:
        return SqlTimestampStore(conn)

    def test_nothing_but_the_two_kinds(self, conn: Connection) -> None:
        with pytest.raises(Exception, match="ck_timestamp_over"):
            conn.execute(text("INSERT INTO timestamp VALUES (:d, 's', 'event', 1, :d)"), {"d": b"x"})


def test_what_is_rolled_back_is_gone(tables: Engine) -> None:
    with tables.connect() as conn:
        SqlSignatureStore(conn).add(JTI, "a..1")
        SqlTimestampStore(conn).add(STAMP)
        conn.rollback()
    with tables.begin() as conn:
        assert SqlSignatureStore(conn).of(JTI) == ()
        assert SqlTimestampStore(conn).of(STAMP.digest) == ()


def test_of_two_processes_with_one_service_the_first_ones_token_stays(tables: Engine) -> None:
    kept: list[bool] = []

    def write(number: int) -> None:
        with tables.begin() as conn:
            kept.append(SqlTimestampStore(conn).add(replace(STAMP, token=bytes([number]))))

    run_together(*(lambda number=number: write(number) for number in range(4)))
    assert sorted(kept) == [False, False, False, True]
    with tables.begin() as conn:
        assert len(SqlTimestampStore(conn).of(STAMP.digest)) == 1


def test_of_two_who_add_a_signature_at_once_one_starts_over(tables: Engine) -> None:
    refused: list[str] = []

    def write() -> None:
        try:
            with tables.begin() as conn:
                SqlSignatureStore(conn).add(JTI, "b..2")
        except UnavailableError as error:
            refused.append(error.code)

    second = threading.Thread(target=write)
    with tables.begin() as conn:
        SqlSignatureStore(conn).add(JTI, "a..1")
        second.start()
        time.sleep(0.3)  # PostgreSQL: the other has read that there is none; SQLite: it waits for us
    second.join()
    assert refused == (["signature.conflict"] if tables.dialect.name == "postgresql" else [])
    write()
    with tables.begin() as conn:
        assert SqlSignatureStore(conn).of(JTI) == ("a..1", "b..2")
