"""Setting up the anchor contract on a chain: deploy it, open origins, admit anchorers.

Administrative and rare, so unlike anchoring itself it keeps no outbox: every step but the deployment looks first and
does nothing if the chain is already as wanted, so it may be repeated after a failure. Write down the deployed address.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn

from eth_hash.auto import keccak

from anchors.account import Account, account_address
from anchors.contract import (
    RevertName,
    decode_bool,
    decode_origin_info,
    decode_revert,
    encode_constructor,
    encode_is_anchorer,
    encode_origin_info,
    encode_register_origin,
    encode_set_anchorer,
    load_artifact,
    origin_id,
)
from anchors.hexdata import to_hex
from anchors.jsonrpc import NodeError, Rpc, read_data, read_object, read_quantity, read_result
from anchors.node import Endpoint
from anchors.sending import send_to
from anchors.transaction import sign_transaction
from signing import JsonValue, RefusedError, UnavailableError

_GAS_MARGIN: Final = (6, 5)
_ADDRESS_BYTES: Final = 20


def _no_wait() -> None:
    """For chains that mine at once."""


@dataclass(frozen=True, slots=True)
class Network:
    """A chain as an administrator reaches it.

    ``rpc`` may raise UnavailableError. ``wait`` is called between two looks for a receipt (sleep there), at most
    ``attempts`` times. ``gas_price`` in wei; 0 on free-gas networks, None to pay what the chain asks (FISCO BCOS).
    """

    rpc: Rpc
    chain_id: int
    gas_price: int | None = 0
    wait: Callable[[], None] = _no_wait
    attempts: int = 60


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where the contract came to live. ``code_hash`` is the artifact's, compared with the code on the chain."""

    address: bytes
    block_number: int
    code_hash: bytes
    tx_hash: bytes


def deploy_contract(network: Network, *, governor: Account) -> Deployment:
    """Create the anchor contract with ``governor`` as its governor.

    Raises UnavailableError (``chain.*``; look at the chain before deploying again) and RefusedError
    (``chain.code-differs``) if other code than the artifact's runs at the address.
    """
    artifact = load_artifact()
    calldata = artifact.bytecode + encode_constructor(account_address(governor))
    receipt, tx_hash = _transact(network, governor, None, calldata)
    address = read_data(receipt.get("contractAddress"), "contract address", length=_ADDRESS_BYTES)
    code = read_data(_ask(network, "eth_getCode", [to_hex(address), "latest"]), "contract code")
    if keccak(code) != artifact.code_hash:
        raise RefusedError("chain.code-differs", "the code at the new address is not the anchor contract's")
    block_number = read_quantity(receipt.get("blockNumber"), "block number")
    return Deployment(address, block_number, artifact.code_hash, tx_hash)


def register_origin(network: Network, *, contract: bytes, governor: Account, name: str, admin: bytes) -> bytes:
    """Open the origin ``name`` under ``admin``; return its id. Repeatable.

    Raises RefusedError (``chain.refused``), also if the origin belongs to another admin.
    """
    origin = origin_id(name)
    info = decode_origin_info(_view(network, contract, encode_origin_info(origin)))
    if info.status == 0:
        _transact(network, governor, contract, encode_register_origin(name, admin))
    elif info.admin != admin:
        raise RefusedError("chain.refused", "the origin is registered with another admin")
    return origin


def set_anchorer(
    network: Network, *, contract: bytes, admin: Account, origin: bytes, anchorer: bytes, allowed: bool = True
) -> None:
    """Allow or disallow an account to anchor for ``origin``. Repeatable. Raises RefusedError (``chain.refused``)."""
    if decode_bool(_view(network, contract, encode_is_anchorer(origin, anchorer))) != allowed:
        _transact(network, admin, contract, encode_set_anchorer(origin, anchorer, allowed=allowed))


def _ask(network: Network, method: str, params: list[JsonValue]) -> JsonValue:
    return read_result(method, network.rpc(method, params))


def _view(network: Network, contract: bytes, calldata: bytes) -> bytes:
    call: JsonValue = {"to": to_hex(contract), "data": to_hex(calldata)}
    return read_data(_ask(network, "eth_call", [call, "latest"]), "eth_call")


def _transact(
    network: Network, account: Account, to: bytes | None, calldata: bytes
) -> tuple[dict[str, JsonValue], bytes]:
    """Estimate, sign, send and wait; return the receipt of a success and the transaction's hash."""
    sender = account_address(account)
    call: dict[str, JsonValue] = {"from": to_hex(sender), "data": to_hex(calldata)}
    if to is not None:
        call["to"] = to_hex(to)
    try:
        estimate = read_quantity(_ask(network, "eth_estimateGas", [call]), "eth_estimateGas")
    except NodeError as error:
        _refuse(error)
    count = _ask(network, "eth_getTransactionCount", [to_hex(sender), "latest"])
    signed = sign_transaction(
        account,
        chain_id=network.chain_id,
        nonce=read_quantity(count, "eth_getTransactionCount"),
        to=to,
        calldata=calldata,
        gas_limit=estimate * _GAS_MARGIN[0] // _GAS_MARGIN[1],
        gas_price=_gas_price(network),
    )
    refused = send_to(Endpoint("node", network.rpc), signed)
    if refused is not None:
        raise refused
    receipt = _wait_for_receipt(network, signed.tx_hash)
    if read_quantity(receipt.get("status"), "receipt status") != 1:
        raise RefusedError("chain.refused", "the transaction was mined, but it failed")
    if read_data(receipt.get("transactionHash"), "receipt") != signed.tx_hash:
        raise UnavailableError("chain.receipt", "the node gave the receipt of another transaction")
    return receipt, signed.tx_hash


def _gas_price(network: Network) -> int:
    if network.gas_price is not None:
        return network.gas_price
    return read_quantity(_ask(network, "eth_gasPrice", []), "eth_gasPrice")


def _refuse(error: NodeError) -> NoReturn:
    """Turn a revert into RefusedError; anything else the node says stays "unavailable"."""
    if error.data is None:
        raise error
    name = decode_revert(error.data).name
    reason = "without a reason" if name in (RevertName.EMPTY, RevertName.UNKNOWN) else name.value
    raise RefusedError("chain.refused", f"the contract refused: {reason}") from error


def _wait_for_receipt(network: Network, tx_hash: bytes) -> dict[str, JsonValue]:
    for _ in range(network.attempts):
        answer = _ask(network, "eth_getTransactionReceipt", [to_hex(tx_hash)])
        if answer is not None:
            return dict(read_object(answer, "eth_getTransactionReceipt"))
        network.wait()
    raise UnavailableError("chain.no-receipt", f"transaction {to_hex(tx_hash)} was sent, but is in no block yet")
