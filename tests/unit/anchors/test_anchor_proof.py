"""The whole anchor proof: what it says, and that no byte of it may change."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from eth_hash.auto import keccak

from anchors import (
    AnchorProof,
    Consensus,
    ContractPin,
    Grade,
    HandoffPolicy,
    LogProof,
    SealAlgorithm,
    TrustProfile,
    anchor_proof_to_json,
    parse_anchor_proof,
    read_anchor_proof,
    verify_anchor_proof,
)
from ledger import Checkpoint, RootHash, sign_checkpoint
from signing import Ed25519Signer, LedgerError, MalformedError, UnavailableError, VerificationError, dump_json, sha256
from tests.support import anchor_forge as forge
from tests.support.anchor_forge import ANCHORER, CODE_HASH, CONTRACT, LOG_KEY, LOG_SIGNER, ORIGIN, address, forge_proof
from tests.support.ledger_reference import mth
from tests.support.ledger_reference import proof as consistency

GOOD = forge_proof()
DATA = dump_json(anchor_proof_to_json(GOOD.proof))
ENTRIES = [b"entry %d" % number for number in range(7)]


def verify(proof: AnchorProof) -> object:
    return verify_anchor_proof(proof, [GOOD.profile], log_key=LOG_KEY)


def with_log_proof(old_size: int = 3) -> forge.Forged:
    """A proof that also joins an older checkpoint to the anchored one."""
    forged = forge_proof()
    root = mth(ENTRIES)
    state = forge.make_state(forge.anchor_words(7, root, block=15, time=1_799_999_000))
    root_slot, meta_slot, head_slot = forge.slots(7)
    proof = replace(
        forged.proof,
        checkpoint_note=sign_checkpoint(Checkpoint(ORIGIN, 7, RootHash(root)), LOG_SIGNER),
        root=root,
        log_proof=LogProof(old_size, mth(ENTRIES[:old_size]), tuple(consistency(old_size, ENTRIES))),
        header=replace(forged.plan, state_root=state.accounts.root_hash).seal(forged.validators),
        account_proof=tuple(state.account_proof()),
        root_proof=tuple(state.proof(root_slot)),
        meta_proof=tuple(state.proof(meta_slot)),
        head_proof=tuple(state.proof(head_slot)),
    )
    return replace(forged, proof=proof, state=state)


@pytest.mark.parametrize("engine", ["qbft", "ibft2"])
@pytest.mark.parametrize("validators", [1, 4, 7])
def test_a_good_proof_says_what_was_anchored(engine: str, validators: int) -> None:
    forged = forge_proof(engine=engine, validators=validators)
    anchor = verify_anchor_proof(forged.proof, [forged.profile], log_key=LOG_KEY)
    assert anchor.checkpoint == Checkpoint(ORIGIN, 7, RootHash(forged.proof.root))
    assert (anchor.block_number, anchor.block_time, anchor.anchorer) == (15, 1_799_999_000, ANCHORER)
    assert (anchor.as_of_block, anchor.as_of_time, anchor.newest_size) == (20, 1_800_000_000, 7)
    assert (anchor.chain_id, anchor.contract, anchor.grade) == (20261, CONTRACT, Grade.FINAL_BFT)
    assert (anchor.profile_id, anchor.older) == ("test-chain/1", None)


def test_json_round_trip() -> None:
    for forged in (GOOD, with_log_proof()):
        assert parse_anchor_proof(anchor_proof_to_json(forged.proof)) == forged.proof


def test_a_development_profile_caps_the_grade() -> None:
    profile = replace(GOOD.profile, max_grade=Grade.UNSEALED_DEV)
    assert verify_anchor_proof(GOOD.proof, [profile], log_key=LOG_KEY).grade is Grade.UNSEALED_DEV


def test_an_older_checkpoint_is_covered() -> None:
    forged = with_log_proof()
    anchor = verify_anchor_proof(forged.proof, [forged.profile], log_key=LOG_KEY)
    older = Checkpoint(ORIGIN, 3, RootHash(mth(ENTRIES[:3])))
    assert anchor.older == older
    anchor.check_covers(older)
    anchor.check_covers(anchor.checkpoint)
    for other in (
        Checkpoint(ORIGIN, 4, RootHash(mth(ENTRIES[:4]))),
        Checkpoint(ORIGIN, 3, RootHash(bytes(32))),
        Checkpoint("another.gov.cn/log", 3, older.root),
    ):
        with pytest.raises(VerificationError) as caught:
            anchor.check_covers(other)
        assert caught.value.code == "anchor.not-covered"


SWAP = {ord(a): ord(b) for a, b in zip("0123456789abcdef", "123456789abcdef0", strict=True)}


def changed_at(data: bytes, position: int) -> bytes:
    """One changed byte: another character of the same class where there is one."""
    byte = data[position]
    return data[:position] + bytes([SWAP.get(byte, byte ^ 1)]) + data[position + 1 :]


def holds(data: bytes, profile: TrustProfile) -> bool:
    try:
        verify_anchor_proof(read_anchor_proof(data), [profile], log_key=LOG_KEY)
    except LedgerError:
        return False
    return True


def test_any_changed_byte_is_noticed() -> None:
    forged = with_log_proof()
    data = dump_json(anchor_proof_to_json(forged.proof))
    # headers and nodes are changed byte by byte in their own tests: of long runs of hex a sample is enough here
    in_long_hex = {n for run in re.finditer(rb"[0-9a-f]{100,}", data) for n in range(run.start() + 8, run.end() - 8)}
    for position in range(len(data)):
        if position in in_long_hex and position % 7:
            continue
        if holds(changed_at(data, position), forged.profile):
            pytest.fail(f"a change at byte {position} went unnoticed: {data[position - 40 : position + 10]!r}")


def test_any_changed_byte_of_a_handover_is_noticed() -> None:
    grown = sorted([*GOOD.validators, *forge.validator_keys(1, first=10)], key=address)
    profile = replace(GOOD.profile, handoff=HandoffPolicy(True, 4, 4))
    step = forge.HeaderPlan(number=18).seal(grown)
    header = replace(GOOD.plan, number=20).seal(grown)

    def check(handoff: bytes) -> None:
        verify_anchor_proof(replace(GOOD.proof, header=header, handoff=(handoff,)), [profile], log_key=LOG_KEY)

    check(step)
    for position in range(len(step)):
        with pytest.raises(LedgerError):
            check(step[:position] + bytes([step[position] ^ 1]) + step[position + 1 :])


REFUSED: dict[str, tuple[Callable[[AnchorProof], AnchorProof], str]] = {
    "another size": (lambda p: replace(p, size=8), "anchor.checkpoint"),
    "another root": (lambda p: replace(p, root=sha256(b"?")), "anchor.checkpoint"),
    "another origin": (lambda p: replace(p, origin="example.gov.cn/other"), "anchor.checkpoint"),
    "another contract": (lambda p: replace(p, contract=bytes(20)), "anchor.contract"),
    "no account proof": (lambda p: replace(p, account_proof=()), "anchor.proof"),
    "no root proof": (lambda p: replace(p, root_proof=()), "anchor.proof"),
    "proofs swapped": (lambda p: replace(p, root_proof=p.meta_proof, meta_proof=p.root_proof), "anchor.proof"),
    "unused node": (lambda p: replace(p, head_proof=(*(p.head_proof or ()), b"\xc0")), "anchor.proof"),
    "unneeded hand-over": (lambda p: replace(p, handoff=(p.header,)), "anchor.handoff"),
    "log proof of itself": (lambda p: replace(p, log_proof=LogProof(7, p.root, ())), "anchor.log-proof"),
    "log proof of nothing": (lambda p: replace(p, log_proof=LogProof(3, p.root, ())), "anchor.log-proof"),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_proofs_that_do_not_hold(name: str) -> None:
    bend, code = REFUSED[name]
    with pytest.raises(VerificationError) as caught:
        verify(bend(GOOD.proof))
    assert caught.value.code == code


def note_of(size: int, root: bytes, signer: Ed25519Signer = LOG_SIGNER, origin: str = ORIGIN) -> bytes:
    return sign_checkpoint(Checkpoint(origin, size, RootHash(root)), signer)


def test_notes_that_do_not_fit() -> None:
    for note, code in (
        (note_of(8, GOOD.proof.root), "anchor.checkpoint"),
        (note_of(7, sha256(b"?")), "anchor.checkpoint"),
        (note_of(7, GOOD.proof.root, Ed25519Signer(bytes(32))), "note.unknown-key"),
        (GOOD.proof.checkpoint_note + b"\xe2\x80\x94 witness.example AAAAAAAA\n", "anchor.note"),
        (b"no note", "note.form"),
    ):
        with pytest.raises(LedgerError) as caught:
            verify(replace(GOOD.proof, checkpoint_note=note))
        assert caught.value.code == code


def forged_with(words: dict[bytes, int], *, code_hash: bytes = CODE_HASH) -> AnchorProof:
    """A sealed proof over other storage."""
    state = forge.make_state(words, code_hash=code_hash)
    root_slot, meta_slot, head_slot = forge.slots(7)
    return replace(
        GOOD.proof,
        header=replace(GOOD.plan, state_root=state.accounts.root_hash).seal(GOOD.validators),
        account_proof=tuple(state.account_proof()),
        root_proof=tuple(state.proof(root_slot)),
        meta_proof=tuple(state.proof(meta_slot)),
        head_proof=tuple(state.proof(head_slot)),
    )


def words(block: int = 15, time: int = 1_799_999_000, **changes: int) -> dict[bytes, int]:
    root_slot, _, head_slot = forge.slots(7)
    values = forge.anchor_words(7, GOOD.proof.root, block=block, time=time)
    if "root" in changes:
        values[root_slot] = changes["root"]
    if "head" in changes:
        values[head_slot] = changes["head"]
    return {slot: word for slot, word in values.items() if word}


def test_a_sealed_state_must_hold_the_right_words() -> None:
    verify(forged_with(words()))
    for bad, code in (
        (forged_with(words(root=5)), "anchor.root"),
        (forged_with(words(root=0)), "anchor.absent"),
        (forged_with(words(block=0)), "anchor.block"),
        (forged_with(words(block=21)), "anchor.block"),
        (forged_with(words(time=1_800_000_001)), "anchor.time"),
        (forged_with(words(head=6)), "anchor.head"),
        (forged_with(words(head=0)), "anchor.head"),
        (forged_with(words(), code_hash=keccak(b"other code")), "anchor.code-hash"),
    ):
        with pytest.raises(VerificationError) as caught:
            verify(bad)
        assert caught.value.code == code


def test_a_root_with_leading_zeros_is_padded() -> None:
    root = bytes(3) + sha256(b"root")[3:]
    proof = forged_with(words(root=int.from_bytes(root, "big")))
    verify(replace(proof, root=root, checkpoint_note=note_of(7, root)))


def test_what_this_verifier_does_not_know_is_undetermined() -> None:
    pin = GOOD.profile.contracts[0]
    for profile in (
        replace(GOOD.profile, profile_id="another"),
        replace(GOOD.profile, consensus=Consensus.CLIQUE),
        replace(GOOD.profile, seal_algorithm=SealAlgorithm.SECP256R1),
        replace(GOOD.profile, consensus=Consensus.IBFT1),
        replace(GOOD.profile, consensus=Consensus.FISCO),
        replace(GOOD.profile, quorum_rule="weight"),
        replace(GOOD.profile, contracts=(ContractPin(pin.address, pin.code_hash, "checkpoint-anchor/v2", 1),)),
    ):
        with pytest.raises(UnavailableError):
            verify_anchor_proof(GOOD.proof, [profile], log_key=LOG_KEY)
    with pytest.raises(UnavailableError):
        verify_anchor_proof(GOOD.proof, [], log_key=LOG_KEY)


@pytest.mark.parametrize(
    "change",
    [
        {"version": "anchor-proof/v2"},
        {"kind": "received"},
        {"captured": {"time": 1, "node": "x"}},
        {"checkpointNote": "x" * 5000},
        {"checkpointNote": 5},
        {"anchored": {"size": 0, "root": "A" * 43 + "="}},
        {"anchored": {"size": 7}},
        {"headers": []},
        {"headers": ["0x00"] * 65},
        {"headers": ["0x" + "00" * 8193]},
        {"handoff": None},
        {"contract": "0x" + "C0" * 20},
        {"accountProof": ["0x" + "00" * 1025]},
        {"accountProof": ["0x"] * 65},
        {"accountProof": ["00"]},
        {"accountProof": ["0x0"]},
        {"storage": []},
        {"storage": {}},
        {"storage": [{"label": "anchor.meta", "proof": []}, {"label": "anchor.root", "proof": []}]},
        {"logProof": None},
        {"logProof": {"size": 0, "root": "", "consistency": []}},
    ],
)
def test_malformed_members(change: dict[str, object]) -> None:
    value = {**anchor_proof_to_json(GOOD.proof), **change}
    with pytest.raises(MalformedError):
        parse_anchor_proof(value)


def test_malformed_documents() -> None:
    for data in (b"", b"[]", b"null", b"{", b"[" * 100_000, b"0" * (1 << 20) + b"0", DATA[:-1], DATA + b"x"):
        with pytest.raises(MalformedError):
            read_anchor_proof(data)
    value = anchor_proof_to_json(GOOD.proof)
    for member in value:
        with pytest.raises(MalformedError):
            parse_anchor_proof({name: each for name, each in value.items() if name != member})
