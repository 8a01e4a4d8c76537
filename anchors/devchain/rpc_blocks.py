"""JSON-RPC: identity of the chain, and its blocks."""

from anchors.devchain import params
from anchors.devchain.formats import block_json, hex_data, hex_quantity
from anchors.devchain.params import Params, param
from anchors.devchain.rpc_errors import BLOCK_NOT_FOUND, RpcError
from anchors.devchain.view import View
from signing.strict_json import JsonValue


def client_version(_view: View, _params: Params) -> JsonValue:
    """``web3_clientVersion``."""
    return "ematerials-devchain/v1"


def net_version(view: View, _params: Params) -> JsonValue:
    """``net_version``: the chain id in decimal."""
    return str(view.chain_id)


def chain_id(view: View, _params: Params) -> JsonValue:
    """``eth_chainId``."""
    return hex_quantity(view.chain_id)


def syncing(_view: View, _params: Params) -> JsonValue:
    """``eth_syncing``: never."""
    return False


def block_number(view: View, _params: Params) -> JsonValue:
    """``eth_blockNumber``."""
    return hex_quantity(view.head_number())


def get_block_by_number(view: View, given: Params) -> JsonValue:
    """``eth_getBlockByNumber``: null for a height that is not reached."""
    number = view.number_of_tag(param(given, 0))
    return _block_or_null(view, hex_quantity(number), given)


def get_block_by_hash(view: View, given: Params) -> JsonValue:
    """``eth_getBlockByHash``: null for an unknown hash."""
    block_hash = params.data(param(given, 0), length=32)
    return _block_or_null(view, {"blockHash": hex_data(block_hash)}, given)


def _block_or_null(view: View, tag: JsonValue, given: Params) -> JsonValue:
    try:
        block = view.block(tag)
    except RpcError as error:
        if error.kind is BLOCK_NOT_FOUND:
            return None
        raise
    return block_json(block, full_transactions=param(given, 1, False) is True)


def get_raw_header(view: View, given: Params) -> JsonValue:
    """``debug_getRawHeader``: RLP of the header, seals included."""
    return hex_data(view.block(param(given, 0)).raw)


def get_validators(view: View, given: Params) -> JsonValue:
    """``qbft_getValidatorsByBlockNumber``: who may seal that block, ascending."""
    return [hex_data(address) for address in view.block(param(given, 0)).header.validators()]
