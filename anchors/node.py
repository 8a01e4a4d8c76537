"""One JSON-RPC node: plain calls, and evidence from it that is proved against a trust profile before it is used."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from anchors.chain_state import (
    SealedContract,
    SealedHeader,
    verify_contract,
    verify_head,
    verify_header,
    verify_meta,
    verify_root,
)
from anchors.contract import anchor_meta_slot, anchor_root_slot, head_slot, origin_id
from anchors.hexdata import to_hex
from anchors.jsonrpc import (
    NodeError,
    Rpc,
    bad_answer,
    read_data,
    read_nodes,
    read_object,
    read_quantity,
    read_result,
    rebuild_header,
)
from anchors.ports import ChainHead, Evidence
from anchors.profile import TrustProfile
from anchors.stateproof import path_nodes
from signing import JsonValue, UnavailableError

_HASHES_ONLY: Final = False  # of eth_getBlockByNumber: no transaction bodies


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A node to talk to: a name that may be shown (no credentials in it) and the way to call it."""

    name: str
    rpc: Rpc = field(repr=False)

    def call(self, method: str, *params: JsonValue) -> JsonValue:
        """The result of one call; raises UnavailableError (NodeError if the node answered with an error)."""
        return read_result(method, self.rpc(method, list(params)))


def check_network(endpoint: Endpoint, profile: TrustProfile) -> None:
    """Refuse a node of another network: chain id and genesis hash must be the profile's (``chain.wrong-network``)."""
    chain_id = read_quantity(endpoint.call("eth_chainId"), "eth_chainId")
    genesis = read_object(endpoint.call("eth_getBlockByNumber", "0x0", _HASHES_ONLY), "genesis block")
    if chain_id != profile.chain_id or read_data(genesis.get("hash"), "genesis hash") != profile.genesis_hash:
        raise UnavailableError("chain.wrong-network", f"{endpoint.name}: chain id or genesis hash is not the profile's")


def _raw_header(endpoint: Endpoint, block: JsonValue, number: int) -> bytes:
    try:
        return read_data(endpoint.call("debug_getRawHeader", hex(number)), "raw header")
    except NodeError:  # the DEBUG API is often switched off
        return rebuild_header(read_object(block, "block"))


def sealed_header(endpoint: Endpoint, profile: TrustProfile, number: int) -> SealedHeader:
    """Header ``number`` of a node, its seals checked and its hash equal to the one the node shows."""
    block = endpoint.call("eth_getBlockByNumber", hex(number), _HASHES_ONLY)
    if block is None:
        raise UnavailableError("chain.no-block", f"{endpoint.name}: has no block {number}")
    sealed = verify_header(profile, _raw_header(endpoint, block, number))
    shown = read_data(read_object(block, "block").get("hash"), "block hash")
    if sealed.header.number != number or sealed.block_hash != shown:
        raise bad_answer("eth_getBlockByNumber")
    return sealed


@dataclass(frozen=True, slots=True)
class ProvedState:
    """The contract's storage at one sealed block, from one node: a pool of trie nodes to draw proofs from."""

    contract: SealedContract
    account_proof: tuple[bytes, ...]
    pool: tuple[bytes, ...]

    def path(self, slot: bytes) -> tuple[bytes, ...]:
        """The storage proof of one slot."""
        return path_nodes(self.contract.storage_root, slot, self.pool)


def _read_state(
    endpoint: Endpoint, profile: TrustProfile, address: bytes, slots: Sequence[bytes], number: int
) -> ProvedState:
    """Header and proofs at one block number. Keys and values of the answer are ignored: nodes differ in them."""
    sealed = sealed_header(endpoint, profile, number)
    keys: list[JsonValue] = [to_hex(slot) for slot in slots]
    answer = read_object(endpoint.call("eth_getProof", to_hex(address), keys, hex(number)), "eth_getProof")
    storage = answer.get("storageProof")
    if not isinstance(storage, list):
        raise bad_answer("eth_getProof")
    account_nodes = read_nodes(answer.get("accountProof"), "account proof")
    account_proof = path_nodes(sealed.header.state_root, address, account_nodes)
    contract = verify_contract(profile, sealed, address, account_proof)
    entries = [read_nodes(read_object(item, "storage proof").get("proof"), "storage proof") for item in storage]
    return ProvedState(contract, account_proof, tuple(dict.fromkeys(node for entry in entries for node in entry)))


def latest_number(endpoint: Endpoint) -> int:
    """The node's newest block."""
    return read_quantity(endpoint.call("eth_blockNumber"), "eth_blockNumber")


def read_head(endpoint: Endpoint, profile: TrustProfile, address: bytes, origin: str) -> ChainHead:
    """The newest anchor of ``origin``, proved at the node's newest block.

    Raises what the ``verify_`` functions of ``anchors.chain_state`` raise when the node's evidence does not hold.
    """
    number, name = latest_number(endpoint), origin_id(origin)
    state = _read_state(endpoint, profile, address, [head_slot(name)], number)
    size = verify_head(state.contract, name, state.path(head_slot(name))).size
    root = bytes(32)
    if size:
        state = _read_state(endpoint, profile, address, [anchor_root_slot(name, size)], number)
        root = verify_root(state.contract, name, size, state.path(anchor_root_slot(name, size)))
    return ChainHead(size, root, number, state.contract.sealed.block_hash)


def read_evidence(
    endpoint: Endpoint, profile: TrustProfile, address: bytes, origin: str, size: int, number: int
) -> Evidence:
    """Header and proofs of the anchor (origin, size) at block ``number``; raises as ``read_head`` does."""
    name = origin_id(origin)
    root_slot, meta_slot = anchor_root_slot(name, size), anchor_meta_slot(name, size)
    state = _read_state(endpoint, profile, address, [root_slot, meta_slot, head_slot(name)], number)
    evidence = Evidence(
        header=state.contract.sealed.header.raw,
        block_number=number,
        block_hash=state.contract.sealed.block_hash,
        contract=address,
        root=verify_root(state.contract, name, size, state.path(root_slot)),
        account_proof=state.account_proof,
        root_proof=state.path(root_slot),
        meta_proof=state.path(meta_slot),
        head_proof=state.path(head_slot(name)),
    )
    verify_meta(state.contract, name, size, evidence.meta_proof)
    return evidence
