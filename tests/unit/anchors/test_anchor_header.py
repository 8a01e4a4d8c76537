"""Headers of QBFT and IBFT2: strict form, block hash and seal hash."""

import pytest
import rlp
from eth_hash.auto import keccak

from anchors.header import Bft, parse_header
from signing import MalformedError
from tests.support.anchor_forge import HeaderPlan, address, validator_keys

KEYS = validator_keys(4)


def reseal(raw: bytes, position: int, value: object) -> bytes:
    """The header with one item of extraData replaced."""
    fields = rlp.decode(raw)
    extra = rlp.decode(fields[12])
    extra[position] = value
    fields[12] = rlp.encode(extra)
    return rlp.encode(fields)


def with_field(raw: bytes, position: int, value: object) -> bytes:
    fields = rlp.decode(raw)
    fields[position] = value
    return rlp.encode(fields)


@pytest.mark.parametrize("engine", list(Bft))
@pytest.mark.parametrize("round_number", [0, 1, 300])
@pytest.mark.parametrize("tail", [[], [b"\x07"], [b"", bytes(32), b"\x01", b"", bytes(32), bytes(32)]])
def test_parse_reads_what_was_sealed(engine: Bft, round_number: int, tail: list[bytes]) -> None:
    plan = HeaderPlan(engine=engine.value, number=2**40, round=round_number, tail=tail)
    raw = plan.seal(KEYS)
    header = parse_header(raw, engine)
    assert (header.number, header.timestamp, header.state_root) == (2**40, plan.time, plan.state_root)
    assert header.validators == tuple(address(key) for key in KEYS)
    assert len(header.seals) == 4
    assert header.parent_hash == bytes([7]) * 32
    assert header.raw == raw


def test_qbft_block_hash_blanks_round_and_seals() -> None:
    header = parse_header(HeaderPlan(round=5).seal(KEYS), Bft.QBFT)
    blank = reseal(reseal(header.raw, 3, b""), 4, [])
    assert header.onchain_hash == keccak(blank)
    assert header.seal_hash == keccak(reseal(header.raw, 4, []))
    other_round = parse_header(HeaderPlan(round=6, sealers=KEYS[:3]).seal(KEYS), Bft.QBFT)
    assert other_round.onchain_hash == header.onchain_hash
    assert other_round.seal_hash != header.seal_hash


def test_ibft2_hashes_leave_the_items_out() -> None:
    header = parse_header(HeaderPlan(engine="ibft2", round=5).seal(KEYS), Bft.IBFT2)
    fields = rlp.decode(header.raw)
    extra = rlp.decode(fields[12])
    fields[12] = rlp.encode(extra[:3])
    assert header.onchain_hash == keccak(rlp.encode(fields))
    fields[12] = rlp.encode(extra[:4])
    assert header.seal_hash == keccak(rlp.encode(fields))


def test_votes_of_both_engines() -> None:
    subject = address(KEYS[0])
    for engine, kind in ((Bft.QBFT, b"\xff"), (Bft.QBFT, b""), (Bft.IBFT2, b"\xff"), (Bft.IBFT2, b"\0")):
        raw = HeaderPlan(engine=engine.value, vote=[subject, kind]).seal(KEYS)
        assert parse_header(raw, engine).vote == [subject, kind]
    for engine, vote in (
        (Bft.QBFT, b""),
        (Bft.QBFT, [subject, b"\0"]),
        (Bft.QBFT, [subject[:19], b"\xff"]),
        (Bft.QBFT, [subject]),
        (Bft.IBFT2, []),
        (Bft.IBFT2, [subject, b""]),
    ):
        with pytest.raises(MalformedError):
            parse_header(HeaderPlan(engine=engine.value, vote=vote).seal(KEYS), engine)


@pytest.mark.parametrize(
    ("position", "value"),
    [
        (3, bytes(31)),
        (7, b"\x02"),
        (8, b"\0\x01"),
        (8, b"\x01" * 9),
        (11, [b"\x01"]),
        (13, bytes(32)),
        (14, b"\0" * 7 + b"\x01"),
        (12, b""),
        (12, b"\xc0"),
    ],
)
def test_a_bent_field_is_refused(position: int, value: object) -> None:
    with pytest.raises(MalformedError):
        parse_header(with_field(HeaderPlan().seal(KEYS), position, value), Bft.QBFT)


@pytest.mark.parametrize(
    ("position", "value"),
    [(0, bytes(31)), (1, b""), (1, [bytes(19)]), (3, b"\0"), (3, bytes(5)), (3, []), (4, b""), (4, [[]])],
)
def test_a_bent_extra_data_item_is_refused(position: int, value: object) -> None:
    with pytest.raises(MalformedError):
        parse_header(reseal(HeaderPlan().seal(KEYS), position, value), Bft.QBFT)


def test_item_counts() -> None:
    fields = rlp.decode(HeaderPlan().seal(KEYS))
    with pytest.raises(MalformedError):
        parse_header(rlp.encode(fields[:14]), Bft.QBFT)
    extra = rlp.decode(fields[12])
    for count in (4, 6):
        fields[12] = rlp.encode([*extra, b""][:count])
        with pytest.raises(MalformedError):
            parse_header(rlp.encode(fields), Bft.QBFT)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00",
        b"\xc0",
        b"\xc1" * 7000,
        b"\xf9",
        b"\xff" * 60,
        b"\xb8\x01\x00",
        bytes(9000),
        b"\xf8\x37" + b"\x81\x01" * 27 + b"\x00",
    ],
)
def test_hostile_bytes_are_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_header(raw, Bft.QBFT)


def test_no_prefix_and_no_longer_form_parses() -> None:
    raw = HeaderPlan().seal(KEYS)
    for length in range(len(raw)):
        with pytest.raises(MalformedError):
            parse_header(raw[:length], Bft.QBFT)
    with pytest.raises(MalformedError):
        parse_header(raw + b"\0", Bft.QBFT)


def test_every_changed_byte_is_malformed_or_another_header() -> None:
    raw = HeaderPlan().seal(KEYS)
    original = parse_header(raw, Bft.QBFT)
    for position in range(len(raw)):
        changed = raw[:position] + bytes([raw[position] ^ 1]) + raw[position + 1 :]
        try:
            header = parse_header(changed, Bft.QBFT)
        except MalformedError:
            continue
        assert (header.seal_hash, header.seals) != (original.seal_hash, original.seals)
