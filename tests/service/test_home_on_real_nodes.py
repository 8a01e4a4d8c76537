"""A whole home on chains of other engines: made, registered in, anchored and verified as its users do it."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from eth_account import Account

from anchors import Consensus
from api import clock
from api.anchoring import anchor, chain_profile
from api.bundling import make_bundle
from api.demo.cast import LICENCE, district_bureau
from api.settings import FILE_NAME, ChainSettings
from api.setup import NewWorkspace, create_workspace
from api.trust_lists import export_trust
from api.workspace import Workspace
from materials.catalogue import load_catalogue
from materials.report import AnchorAnswer
from materials.verification import verify_bundle
from signing import UnavailableError
from tests.support.anvil import start_anvil
from tests.support.chain_nodes import Node, wait_until
from tests.support.command_line import ematerials
from tests.support.devchain_world import ANCHORER, address_of, open_chain
from tests.support.fisco_shim import fisco_group
from tests.support.geth_clique import GAS_PRICE, CliqueNetwork, clique
from tests.support.workspace_world import register_example

__all__ = ["clique"]
_CATALOGUE = load_catalogue()


def make(folder: Path, urls: Sequence[str], **members: object) -> None:
    chain = ChainSettings.model_validate({"kind": "rpc", "urls": urls, **members})
    create_workspace(folder, NewWorkspace(district_bureau(_CATALOGUE), "real.test/ledger", chain))


def anchored(folder: Path) -> tuple[Consensus, AnchorAnswer]:
    """What a bundle of a newly registered material shows, once its log is anchored."""
    with Workspace.open(folder) as workspace:
        material = register_example(workspace, LICENCE)
        done: list[object] = []

        def look() -> bool:
            submission = anchor(workspace)
            done.append(submission)
            return submission is None or submission.state == "proven"

        wait_until(look, "anchored", every=0.5)
        bundle, trust = make_bundle(workspace, material), export_trust(workspace, clock.now())
        with workspace.database.read() as connection:
            engine = chain_profile(workspace, connection, clock.now(), "main").consensus
    report = verify_bundle(bundle, trust, now=clock.now(), catalogue=_CATALOGUE)
    (answer,) = report.anchors
    return engine, answer


def test_anvil(tmp_path: Path) -> None:
    with start_anvil(tmp_path) as node:
        folder = tmp_path / "home"
        assert ematerials("init", folder, "--rpc", node.url, "--unsealed").code == 0
        engine, answer = anchored(folder)
    assert (engine, answer.code, answer.grade) == (Consensus.UNSEALED, "ok", "unsealed-dev")


def fund(node: Node, addresses: Sequence[str]) -> None:
    nonce = int(str(node.ask("eth_getTransactionCount", "0x" + address_of(ANCHORER).hex(), "latest")), 16)
    for number, address in enumerate(addresses):
        payment: dict[str, object] = {
            "chainId": node.chain_id,
            "nonce": nonce + number,
            "gas": 21_000,
            "gasPrice": GAS_PRICE,
        }
        payment |= {"to": bytes.fromhex(address[2:]), "value": 10**18}
        raw = Account.sign_transaction(payment, ANCHORER).raw_transaction
        node.ask("eth_sendRawTransaction", "0x" + raw.hex())
    wait_until(lambda: all(int(str(node.ask("eth_getBalance", each, "latest")), 16) for each in addresses), "funds")


def test_geth_clique_where_gas_is_paid_for(tmp_path: Path, clique: CliqueNetwork) -> None:
    folder, urls = tmp_path / "home", [node.url for node in clique.nodes]
    with pytest.raises(UnavailableError) as caught:
        make(folder, urls, gas_price=GAS_PRICE, block_seconds=1)
    assert caught.value.code == "chain.no-funds"
    addresses = [word.strip(",") for word in str(caught.value).split() if word.startswith("0x")]
    assert len(addresses) == 2
    fund(clique.nodes[0], addresses)
    make(folder, urls, gas_price=GAS_PRICE, block_seconds=1)
    engine, answer = anchored(folder)
    assert (engine, answer.code) == (Consensus.CLIQUE, "ok")
    assert answer.grade in ("probabilistic-clique", "unsealed-dev")  # its chain id marks a development chain


def test_fisco_bcos(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    with open_chain(tmp_path / "chain.db", clock=clock.now) as chain, fisco_group(chain, 3) as nodes:
        make(folder, [node.url for node in nodes], answers=2, block_seconds=1)
        engine, answer = anchored(folder)
    assert (engine, answer.code, answer.verdict) == (Consensus.FISCO, "anchor.as-answered", "undetermined")


def test_options_of_a_node_without_a_node(tmp_path: Path) -> None:
    for option in (["--unsealed"], ["--answers", "2"], ["--gas-price", "1"]):
        assert ematerials("init", tmp_path / "home", *option).code == 64
    assert not (tmp_path / "home" / FILE_NAME).exists()
