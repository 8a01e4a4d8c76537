"""What an anchoring would cost and which nonce it gets, by one node: simulated, and the nonce proved."""

from typing import Final

from anchors.contract import Revert, RevertName, decode_bool, decode_revert
from anchors.hexdata import to_hex
from anchors.jsonrpc import NodeError, read_data, read_quantity
from anchors.node import Endpoint
from anchors.node_state import StateReader
from anchors.outcome import count_at_latest
from anchors.ports import Quote
from signing import JsonValue, RefusedError, UnavailableError, VerificationError

_GAS_CAP: Final = 400_000
_NONCE_LEAD: Final = 64
_ORIGIN: Final = slice(4, 36)  # of the calldata of ``anchor``


def quote_call(reader: StateReader, contract: bytes, sender: bytes, calldata: bytes) -> Quote:
    """Simulate a call and prove the sender's nonce. Gas is the node's estimate and a fifth more, at most 400,000.

    Raises RefusedError (``contract.<revert>``); UnavailableError (``chain.nonce``, ``chain.bad-evidence``).
    """
    nonce = _proved_nonce(reader, sender)
    try:
        gas = simulate(reader.endpoint, contract, sender, calldata)
    except NodeError as error:
        if error.data is None:
            raise
        revert = decode_revert(error.data)
        if revert.name is RevertName.CONFLICT:
            _check_conflict(reader, revert, calldata)
        raise refusal(revert) from None
    return Quote(nonce, gas, None)


def simulate(node: Endpoint, contract: bytes, sender: bytes, calldata: bytes) -> int:
    """The gas limit for a call that passes; raises NodeError, with the revert data, for one that does not."""
    call: dict[str, JsonValue] = {"from": to_hex(sender), "to": to_hex(contract), "data": to_hex(calldata)}
    decode_bool(read_data(node.call("eth_call", call, "latest"), "eth_call"))
    gas = read_quantity(node.call("eth_estimateGas", call), "eth_estimateGas")
    return min(_GAS_CAP, gas + gas // 5)


def refusal(revert: Revert) -> RefusedError:
    """The contract's refusal under its code."""
    word = revert.name.name.lower().replace("_", "-")
    return RefusedError(f"contract.{word}", f"the anchor contract refuses: {revert.name.value or 'no reason given'}")


def _proved_nonce(reader: StateReader, sender: bytes) -> int:
    """The nonce that the node claims for the newest block, held against the one it proves."""
    for _ in range(2):  # a block may come between claim and proof
        claimed = count_at_latest(reader, sender)
        proved = reader.nonce(sender, reader.blocks.newest())
        if claimed == proved:
            return proved
        if reader.blocks.may_lag and proved < claimed <= proved + _NONCE_LEAD:
            return claimed
    raise UnavailableError("chain.nonce", f"claims nonce {claimed}, but its state shows {proved}")


def _check_conflict(reader: StateReader, revert: Revert, calldata: bytes) -> None:
    """A conflict stops the origin: the root that the node claims to be stored must be proved."""
    try:
        stored = reader.root(calldata[_ORIGIN], revert.size or 0, reader.blocks.newest())
    except VerificationError as error:
        raise UnavailableError("chain.bad-evidence", f"claims a conflict, but: {error}") from None
    if stored != revert.stored_root:
        raise UnavailableError("chain.bad-evidence", "claims a conflict with a root that the contract does not hold")
