"""Receipts: strict parsing, and nothing in one can be changed unnoticed."""

import pytest

from ledger import (
    Checkpoint,
    Receipt,
    RootHash,
    format_receipt,
    leaf_hash,
    open_checkpoint,
    parse_receipt,
    sign_checkpoint,
    verify_receipt,
    verify_receipt_inclusion,
)
from signing import Ed25519Signer, LedgerError, MalformedError, NoteKey, VerificationError
from tests.support.ledger_reference import mth, path

ORIGIN = "example.gov/licences"
SIGNER = Ed25519Signer(b"\x01" * 32)
KEY = NoteKey.ed25519(ORIGIN, SIGNER.public_key.raw)
ENTRIES = [b"%d" % number for number in range(11)]
CHECKPOINT = Checkpoint(ORIGIN, 11, RootHash(mth(ENTRIES)))
NOTE = sign_checkpoint(CHECKPOINT, SIGNER)
DATA = format_receipt(Receipt(5, tuple(path(5, ENTRIES)), NOTE))
HASH = DATA.split(b"\n")[2]


def test_both_ways() -> None:
    receipt = parse_receipt(DATA)
    assert format_receipt(receipt) == DATA
    verified = verify_receipt(receipt, b"5", KEY)
    assert (verified.index, verified.leaf, verified.checkpoint) == (5, leaf_hash(b"5"), CHECKPOINT)


def test_a_tree_of_one_has_no_hash_lines() -> None:
    one = Checkpoint(ORIGIN, 1, RootHash(leaf_hash(b"only")))
    data = format_receipt(Receipt(0, (), sign_checkpoint(one, SIGNER)))
    assert data.startswith(b"c2sp.org/tlog-proof@v1\nindex 0\n\nexample.gov")
    assert verify_receipt(parse_receipt(data), b"only", KEY).checkpoint == one


def test_every_changed_byte_is_noticed() -> None:
    for at in range(len(DATA)):
        for change in (1, 0x20, 0x80):
            bad = DATA[:at] + bytes([DATA[at] ^ change]) + DATA[at + 1 :]
            with pytest.raises(LedgerError):
                verify_receipt(parse_receipt(bad), b"5", KEY)
    for cut in range(len(DATA)):
        with pytest.raises(LedgerError):
            verify_receipt(parse_receipt(DATA[:cut]), b"5", KEY)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        NOTE,
        DATA.removeprefix(b"c2sp.org/tlog-proof@v1\n"),
        DATA.replace(b"@v1", b"@v2", 1),
        DATA.replace(b"index 5", b"extra AAAA\nindex 5", 1),
        DATA.replace(b"index 5", b"index 05", 1),
        DATA.replace(b"index 5", b"index  5", 1),
        DATA.replace(b"index 5", b"Index 5", 1),
        DATA.replace(b"index 5", b"index -5", 1),
        DATA.replace(b"index 5", b"index 9223372036854775808", 1),
        DATA.replace(b"index 5\n", b"", 1),
        DATA.replace(b"\n", b"\r\n"),
        DATA.replace(HASH, HASH[:-4], 1),
        DATA.replace(HASH, HASH + b" ", 1),
        DATA.replace(HASH, b"\xff" + HASH, 1),
        DATA.replace(b"index 5\n", b"index 5\n" + (HASH + b"\n") * 64, 1),
        DATA.replace(b"\n\n", b"\n\n\n", 1),
        DATA.replace(b"\n\n", b"\n", 1),
        DATA + b"x",
        DATA + b"\n" * (1 << 20),
        b"c2sp.org/tlog-proof@v1\nindex 5\n" + b"\n" * 1000,
    ],
)
def test_other_forms(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_receipt(data)


def test_blame_is_divided() -> None:
    receipt = parse_receipt(DATA)
    with pytest.raises(VerificationError) as caught:
        verify_receipt(receipt, b"6", KEY)
    assert caught.value.code == "proof.inclusion"
    with pytest.raises(VerificationError) as caught:
        verify_receipt(receipt, b"5", NoteKey.ed25519(ORIGIN, Ed25519Signer(b"x" * 32).public_key.raw))
    assert caught.value.code == "note.unknown-key"
    checkpoint = open_checkpoint(receipt.checkpoint_note, KEY)
    verify_receipt_inclusion(receipt, leaf_hash(b"5"), checkpoint)
    with pytest.raises(VerificationError):
        verify_receipt_inclusion(Receipt(5, receipt.proof[:-1], NOTE), leaf_hash(b"5"), checkpoint)


def test_neither_note_nor_proof_floods_a_log_line() -> None:
    assert "—" not in repr(parse_receipt(DATA))
