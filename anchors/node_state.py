"""State of the contract and of accounts as one node proves it, at one sealed block."""

from collections.abc import Sequence
from dataclasses import dataclass

from anchors.chain_state import SealedContract, verify_contract, verify_head, verify_meta, verify_root
from anchors.contract import anchor_meta_slot, anchor_root_slot, head_slot, origin_id
from anchors.hexdata import to_hex
from anchors.jsonrpc import bad_answer, read_nodes, read_object
from anchors.node import Endpoint
from anchors.node_blocks import BlockReader, ChainMemory, SealedBlock
from anchors.ports import ChainHead, Evidence
from anchors.profile import TrustProfile
from anchors.stateproof import path_nodes, verify_account
from signing import JsonValue, VerificationError


@dataclass(frozen=True, slots=True)
class ProvedState:
    """The contract's storage at one sealed block, from one node: a pool of trie nodes to draw proofs from."""

    contract: SealedContract
    account_proof: tuple[bytes, ...]
    pool: tuple[bytes, ...]

    def path(self, slot: bytes) -> tuple[bytes, ...]:
        """The storage proof of one slot."""
        return path_nodes(self.contract.storage_root, slot, self.pool)


@dataclass(frozen=True, slots=True)
class DatedHead:
    """A proved head and the time of the block it was proved at, unix seconds."""

    head: ChainHead
    time: int


class StateReader:
    """One node's state, proved; raises what the ``verify_`` functions of ``anchors.chain_state`` raise if it is not.

    The block number is fixed first, then header and proofs are asked by that number: two calls may see two heads.
    """

    def __init__(self, endpoint: Endpoint, profile: TrustProfile, contract: bytes, memory: ChainMemory) -> None:
        self.endpoint = endpoint
        self.blocks = BlockReader(endpoint, profile, memory)
        self._profile = profile
        self._address = contract

    def head(self, origin: str) -> DatedHead:
        """The newest anchor of ``origin``, at the node's newest final block."""
        block, name = self.blocks.newest(), origin_id(origin)
        state = self._state(block, [head_slot(name)])
        size = verify_head(state.contract, name, state.path(head_slot(name))).size
        root = bytes(32)
        if size:
            state = self._state(block, [anchor_root_slot(name, size)])
            root = verify_root(state.contract, name, size, state.path(anchor_root_slot(name, size)))
        return DatedHead(ChainHead(size, root, block.number, block.sealed.block_hash), block.sealed.header.timestamp)

    def evidence(self, origin: str, size: int, block: SealedBlock) -> Evidence:
        """Header and proofs of the anchor (origin, size) at ``block``."""
        name = origin_id(origin)
        root_slot, meta_slot = anchor_root_slot(name, size), anchor_meta_slot(name, size)
        state = self._state(block, [root_slot, meta_slot, head_slot(name)])
        evidence = Evidence(
            header=block.sealed.header.raw,
            block_number=block.number,
            block_hash=block.sealed.block_hash,
            contract=self._address,
            root=verify_root(state.contract, name, size, state.path(root_slot)),
            account_proof=state.account_proof,
            root_proof=state.path(root_slot),
            meta_proof=state.path(meta_slot),
            head_proof=state.path(head_slot(name)),
            descendants=block.descendants,
            handoff=block.handoff,
        )
        verify_meta(state.contract, name, size, evidence.meta_proof)
        return evidence

    def root(self, origin: bytes, size: int, block: SealedBlock) -> bytes:
        """The root stored for (origin id, size); raises VerificationError ``anchor.absent``."""
        slot = anchor_root_slot(origin, size)
        state = self._state(block, [slot])
        return verify_root(state.contract, origin, size, state.path(slot))

    def nonce(self, account: bytes, block: SealedBlock) -> int:
        """How many transactions ``account`` had sent by ``block``; 0 if it is proved that there is no such account."""
        answer = read_object(self.endpoint.call("eth_getProof", to_hex(account), [], hex(block.number)), "eth_getProof")
        root = block.sealed.header.state_root
        proof = path_nodes(root, account, read_nodes(answer.get("accountProof"), "account proof"))
        try:
            return verify_account(root, account, proof).nonce
        except VerificationError as error:
            if error.code != "anchor.no-account":
                raise
            return 0

    def _state(self, block: SealedBlock, slots: Sequence[bytes]) -> ProvedState:
        """Proofs at one block number. Keys and values of the answer are ignored: nodes differ in them."""
        keys: list[JsonValue] = [to_hex(slot) for slot in slots]
        given = self.endpoint.call("eth_getProof", to_hex(self._address), keys, hex(block.number))
        answer = read_object(given, "eth_getProof")
        storage = answer.get("storageProof")
        if not isinstance(storage, list):
            raise bad_answer("eth_getProof")
        account_nodes = read_nodes(answer.get("accountProof"), "account proof")
        account_proof = path_nodes(block.sealed.header.state_root, self._address, account_nodes)
        contract = verify_contract(self._profile, block.sealed, self._address, account_proof)
        entries = [read_nodes(read_object(item, "storage proof").get("proof"), "storage proof") for item in storage]
        return ProvedState(contract, account_proof, tuple(dict.fromkeys(node for entry in entries for node in entry)))
