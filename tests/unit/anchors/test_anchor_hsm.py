"""The anchor key in an HSM: a checkpoint goes onto the chain, signed in the token."""

from dataclasses import replace
from pathlib import Path

from eth_account import Account as EthAccount
from eth_utils import to_checksum_address
from sqlalchemy import Engine

from anchors.account import ORDER, account_address
from anchors.contract import origin_id
from anchors.deploy import deploy_contract, register_origin, set_anchorer
from anchors.devchain.transactions import decode_transaction
from anchors.outbox import State
from anchors.transaction import check_transaction, sign_transaction
from tests.support.anchor_world import AnchorWorld
from tests.support.devchain_world import ADMIN, account_of, address_of
from tests.support.ledger_logs import ORIGIN
from tests.support.softhsm import SoftToken, soft_token

__all__ = ["soft_token"]


def test_a_checkpoint_is_anchored(soft_token: SoftToken, engine: Engine, tmp_path: Path) -> None:
    world = AnchorWorld.create(engine, tmp_path)
    token = soft_token.open()
    token.generate("anchor", "secp256k1")
    account = token.account("anchor")
    set_anchorer(
        world.network,
        contract=world.target.contract,
        admin=account_of(ADMIN),
        origin=origin_id(ORIGIN),
        anchorer=account_address(account),
    )
    world.target = replace(world.target, account=account)
    for start in (0, 5):
        newest = world.grow(start, start + 5)
        soft_token.close_all_sessions()
        submission = world.run()
        assert submission is not None
        assert submission.state is State.PROVEN
        world.check()
        proof = world.proof(newest.size)
        assert proof is not None
        assert proof.anchorer == account_address(account)


def test_a_contract_is_governed(soft_token: SoftToken, engine: Engine, tmp_path: Path) -> None:
    network = AnchorWorld.create(engine, tmp_path).network
    token = soft_token.open()
    token.generate("governor", "secp256k1")
    governor = token.account("governor")
    contract = deploy_contract(network, governor=governor).address
    admin = account_address(governor)
    origin = register_origin(network, contract=contract, governor=governor, name="log.example/hsm", admin=admin)
    set_anchorer(network, contract=contract, admin=governor, origin=origin, anchorer=address_of(ADMIN))


def test_signatures_have_the_lower_s(soft_token: SoftToken) -> None:
    """SoftHSM2 returns either; of twenty, one in a million runs would have no higher one."""
    token = soft_token.open()
    token.generate("anchor", "secp256k1")
    account = token.account("anchor")
    higher = 0
    for nonce in range(20):
        higher += int.from_bytes(account.sign_digest(bytes([nonce]) * 32)[32:]) > ORDER // 2
        fields = {"chain_id": 20261, "nonce": nonce, "gas_limit": 90_000, "gas_price": 1}
        transaction = sign_transaction(account, to=b"\x35" * 20, calldata=b"data", **fields)
        assert decode_transaction(transaction.raw).s <= ORDER // 2
        assert EthAccount.recover_transaction(transaction.raw) == to_checksum_address(account_address(account))
        check_transaction(transaction, to=b"\x35" * 20, calldata=b"data")
    assert higher > 0
