"""Account and storage proofs: presence, absence, and no node that is not needed."""

import pytest
import rlp
from eth_hash.auto import keccak
from trie.hexary import HexaryTrie

from anchors.stateproof import path_nodes, verify_account, verify_storage
from signing import LedgerError, MalformedError, VerificationError, sha256
from tests.support.anchor_forge import CODE_HASH, CONTRACT, anchor_words, make_state, slots

WORDS = anchor_words(7, sha256(b"root"), block=15, time=99)
STATE = make_state(WORDS)
ROOT = STATE.storage.root_hash
ABSENT = slots(8)[0]


def test_every_stored_word_is_proved() -> None:
    for slot, word in WORDS.items():
        assert verify_storage(ROOT, slot, STATE.proof(slot)) == word.to_bytes(32, "big")


def test_absent_slots_are_proved_absent() -> None:
    for size in range(8, 200):
        slot = slots(size)[0]
        assert verify_storage(ROOT, slot, STATE.proof(slot)) == bytes(32)


def test_a_proof_of_presence_is_none_of_absence() -> None:
    slot = slots(7)[0]
    for length in range(len(STATE.proof(slot))):
        with pytest.raises(VerificationError) as caught:
            verify_storage(ROOT, slot, STATE.proof(slot)[:length])
        assert caught.value.code == "anchor.proof"
    with pytest.raises(VerificationError):
        verify_storage(ROOT, ABSENT, STATE.proof(slot))


def test_empty_storage() -> None:
    blank = HexaryTrie({}).root_hash
    assert verify_storage(blank, ABSENT, []) == bytes(32)
    for nodes in ([b"\x80"], STATE.proof(slots(7)[0])):
        with pytest.raises(VerificationError):
            verify_storage(blank, ABSENT, nodes)


def test_nodes_that_are_not_of_the_path_are_refused() -> None:
    slot = slots(7)[0]
    nodes = STATE.proof(slot)
    assert len(nodes) > 1
    extra = rlp.encode([b"\x20", b"x"])
    for bad in ([*nodes, extra], [extra, *nodes], [nodes[0], *nodes], nodes[::-1]):
        with pytest.raises(VerificationError):
            verify_storage(ROOT, slot, bad)
        assert path_nodes(ROOT, slot, bad) == tuple(nodes)


def test_every_changed_byte_of_every_node_is_noticed() -> None:
    slot = slots(7)[0]
    nodes = STATE.proof(slot)
    for number, node in enumerate(nodes):
        for position in range(len(node)):
            changed = node[:position] + bytes([node[position] ^ 1]) + node[position + 1 :]
            with pytest.raises(VerificationError):
                verify_storage(ROOT, slot, [*nodes[:number], changed, *nodes[number + 1 :]])


def test_limits() -> None:
    for nodes in ([bytes(1025)], [b"\x01"] * 65, [b""]):
        with pytest.raises(MalformedError):
            verify_storage(ROOT, ABSENT, nodes)


@pytest.mark.parametrize("node", [b"", b"\x80", b"\xc0", b"\xc1" * 1000, b"\xff" * 40, b"\xc2\x20\x80", b"\x00"])
def test_hostile_root_nodes_never_escape_the_error_families(node: bytes) -> None:
    with pytest.raises(LedgerError):
        verify_storage(keccak(node), ABSENT, [node, b"\x01"])
    try:
        verify_storage(keccak(node), ABSENT, [node])
    except LedgerError:
        pass
    else:
        assert node == b"\xc2\x20\x80"  # a leaf of another key


def test_account() -> None:
    account = verify_account(STATE.accounts.root_hash, CONTRACT, STATE.account_proof())
    assert (account.code_hash, account.storage_root) == (CODE_HASH, ROOT)


def test_no_account_at_the_address() -> None:
    state = make_state({}, others=3)
    state.contract = b"\x77" * 20
    with pytest.raises(VerificationError) as caught:
        verify_account(state.accounts.root_hash, state.contract, state.account_proof())
    assert caught.value.code == "anchor.no-account"


@pytest.mark.parametrize(
    "fields",
    [
        [b"", b"", bytes(32)],
        [b"", b"", bytes(32), bytes(32), b""],
        [b"\0", b"", bytes(32), bytes(32)],
        [b"", b"", bytes(31), bytes(32)],
        [b"", b"", bytes(32), b""],
        b"not a list, but long enough to be a leaf of its own",
    ],
)
def test_values_that_are_no_accounts(fields: object) -> None:
    accounts = HexaryTrie({})
    accounts[keccak(CONTRACT)] = rlp.encode(fields)
    nodes = [rlp.encode(node) for node in accounts.get_proof(keccak(CONTRACT))]
    with pytest.raises(MalformedError):
        verify_account(accounts.root_hash, CONTRACT, nodes)


@pytest.mark.parametrize("value", [b"\0\x01", b"\x01" * 33, [b"\x01"]])
def test_values_that_are_no_words(value: object) -> None:
    storage = HexaryTrie({})
    storage[keccak(ABSENT)] = rlp.encode(value)
    nodes = [rlp.encode(node) for node in storage.get_proof(keccak(ABSENT))]
    with pytest.raises(MalformedError):
        verify_storage(storage.root_hash, ABSENT, nodes)
