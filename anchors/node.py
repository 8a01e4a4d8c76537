"""One JSON-RPC node: plain calls, and headers as it shows them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from anchors.jsonrpc import (
    NodeError,
    Rpc,
    bad_answer,
    read_data,
    read_object,
    read_quantity,
    read_result,
    rebuild_header,
)
from anchors.profile import TrustProfile
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


@dataclass(frozen=True, slots=True)
class ShownHeader:
    """A raw header as a node gives it, unverified, and the hash that the node shows for the block."""

    raw: bytes
    block_hash: bytes


def check_network(endpoint: Endpoint, profile: TrustProfile) -> None:
    """Refuse a node of another network: chain id and genesis hash must be the profile's (``chain.wrong-network``)."""
    chain_id = read_quantity(endpoint.call("eth_chainId"), "eth_chainId")
    genesis = read_object(endpoint.call("eth_getBlockByNumber", "0x0", _HASHES_ONLY), "genesis block")
    if chain_id != profile.chain_id or read_data(genesis.get("hash"), "genesis hash") != profile.genesis_hash:
        raise UnavailableError("chain.wrong-network", f"{endpoint.name}: chain id or genesis hash is not the profile's")


def latest_number(endpoint: Endpoint) -> int:
    """The node's newest block, by its own word."""
    return read_quantity(endpoint.call("eth_blockNumber"), "eth_blockNumber")


def read_block(endpoint: Endpoint, number: int) -> Mapping[str, JsonValue]:
    """A block's JSON with hashes of its transactions; raises UnavailableError (``chain.no-block``) if there is none."""
    block = endpoint.call("eth_getBlockByNumber", hex(number), _HASHES_ONLY)
    if block is None:
        raise UnavailableError("chain.no-block", f"{endpoint.name}: has no block {number}")
    return read_object(block, "block")


def shown_hash(block: Mapping[str, JsonValue]) -> bytes:
    """The hash that a block's JSON gives."""
    return read_data(block.get("hash"), "block hash", length=32)


def read_header(endpoint: Endpoint, number: int) -> ShownHeader:
    """The header of a block: raw where the node has the DEBUG API, else rebuilt from the block's JSON."""
    block = read_block(endpoint, number)
    try:
        raw = read_data(endpoint.call("debug_getRawHeader", hex(number)), "raw header")
    except NodeError:
        raw = rebuild_header(block)
    return ShownHeader(raw, shown_hash(block))


def check_shown(shown: ShownHeader, number: int, *, block_number: int, block_hash: bytes) -> None:
    """Refuse a header that is of another block than it was shown for (``chain.bad-answer``)."""
    if block_number != number or block_hash != shown.block_hash:
        raise bad_answer("eth_getBlockByNumber")
