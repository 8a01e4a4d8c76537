"""``chain profile``: made from a node, signed, followed through a change of validators, and never backwards."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from anchors import AnswersPolicy, Consensus, Grade, SetSource, TrustProfile, parse_profile, profile_to_json
from anchors.contract import load_artifact
from anchors.deploy import Network, deploy_contract
from anchors.devchain.chain import DevChain
from anchors.evm import EvmChain, connect_chain, http_endpoint
from anchors.hexdata import to_hex
from anchors.node import Endpoint
from anchors.profile_file import PROFILE_TYP, issue_profile_file, parse_profile_file, verify_profile_file
from api import clock
from api.chain_profiles import ProfileRequest, make_profile, renew_profile
from api.devchain_server import listen, make_app
from signing import (
    Ed25519Signer,
    LedgerError,
    MalformedError,
    RefusedError,
    UnavailableError,
    VerificationError,
    sign_jws,
)
from tests.support.anchor_forge import make_profile as forged_profile
from tests.support.anchor_forge import validator_keys
from tests.support.clique_shim import CliqueNode
from tests.support.command_line import Ran, ematerials
from tests.support.devchain_world import GOVERNOR, account_of, open_chain
from tests.support.fisco_shim import fisco_group
from tests.support.workspace_world import Story

SIGNER = Ed25519Signer(bytes(32))
NOW = 1_800_000_000
NO_SUCH_METHOD = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "method not found"}}


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[DevChain]:
    with open_chain(tmp_path / "node.db") as chain:
        yield chain


def contract_on(dev: DevChain) -> bytes:
    return deploy_contract(Network(dev.dispatch, dev.chain_id), governor=account_of(GOVERNOR)).address


def made(dev: DevChain, contract: bytes, **changes: Any) -> TrustProfile:
    request = ProfileRequest(**{"profile_id": None, "contract": contract, **changes})
    return make_profile(Endpoint("node", dev.dispatch), request, default_id=lambda chain: f"log#{chain}")


def test_a_profile_of_a_node(dev: DevChain) -> None:
    contract = contract_on(dev)
    profile = made(dev, contract)
    (members,) = profile.validator_sets
    (pin,) = profile.contracts
    assert (profile.profile_id, profile.chain_id, profile.genesis_hash) == ("log#20261", 20261, dev.genesis_hash)
    assert (profile.consensus, profile.version, profile.max_grade) == (Consensus.QBFT, 1, Grade.UNSEALED_DEV)
    assert (pin.address, pin.code_hash, pin.from_block) == (contract, load_artifact().code_hash, 1)
    assert (members.addresses, members.from_block) == (tuple(sorted(dev.validators())), 1)
    assert members.source is SetSource.HEADER
    assert profile.handoff.allowed
    assert EvmChain([Endpoint("node", dev.dispatch)], profile).head("any.log").size == 0
    assert made(dev, contract, profile_id="mine", deploy_block=1).profile_id == "mine"
    dev.mine()
    for wrong in (0, 2, 99):
        with pytest.raises(RefusedError, match="did not come with block"):
            made(dev, contract, deploy_block=wrong)


def test_a_contract_that_is_not_ours(dev: DevChain) -> None:
    contract_on(dev)
    with pytest.raises(RefusedError) as caught:
        made(dev, bytes(20))
    assert caught.value.code == "chain.code-differs"


def test_a_change_of_validators_is_followed(dev: DevChain) -> None:
    contract = contract_on(dev)
    old = made(dev, contract)
    newcomer = dev.new_validator()
    first = dev.vote_validator(newcomer, add=True)
    dev.mine()
    new = renew_profile(Endpoint("node", dev.dispatch), old, by_word=False)
    before, after = new.validator_sets
    assert (new.version, new.profile_id) == (2, old.profile_id)
    assert (before.addresses, before.to_block) == (old.validator_sets[0].addresses, first - 1)
    assert (after.addresses, after.from_block, after.to_block) == (tuple(sorted(dev.validators())), first, None)
    alone = replace(new, handoff=replace(new.handoff, allowed=False))  # its sets are enough without any hand-over
    assert EvmChain([Endpoint("node", dev.dispatch)], alone).head("any.log").size == 0
    again = renew_profile(Endpoint("node", dev.dispatch), new, by_word=False)
    assert (again.version, again.validator_sets) == (3, new.validator_sets)


def test_validators_whom_nobody_vouches_for(dev: DevChain) -> None:
    contract = contract_on(dev)
    old = made(dev, contract)
    others = [dev.new_validator() for _ in range(4)]
    dev.set_validators(others)
    dev.mine()
    endpoint = Endpoint("node", dev.dispatch)
    with pytest.raises(LedgerError):
        renew_profile(endpoint, old, by_word=False)
    taken = renew_profile(endpoint, old, by_word=True)
    assert [each.from_block for each in taken.validator_sets] == [1, 2]
    assert taken.validator_sets[1].addresses == tuple(sorted(others))


def test_a_profile_never_goes_back(dev: DevChain) -> None:
    contract = contract_on(dev)
    (members,) = (profile := made(dev, contract)).validator_sets
    ahead = replace(profile, validator_sets=(replace(members, from_block=99),))
    with pytest.raises(RefusedError) as caught:
        renew_profile(Endpoint("node", dev.dispatch), ahead, by_word=True)
    assert caught.value.code == "anchor.profile-back"
    with pytest.raises(UnavailableError) as wrong:
        renew_profile(Endpoint("node", dev.dispatch), replace(profile, chain_id=7), by_word=True)
    assert wrong.value.code == "chain.wrong-network"


def test_a_clique_network_and_a_node_that_seals_nothing(dev: DevChain) -> None:
    contract = contract_on(dev)
    for _ in range(4):
        dev.mine()
    node = CliqueNode(dev)
    request = ProfileRequest(None, contract)

    def geth(method: str, params: Any) -> Any:
        if method == "clique_getSigners":
            return {"jsonrpc": "2.0", "id": 1, "result": [to_hex(signer) for signer in node.signers]}
        return node.dispatch(method, params) if method.startswith(("eth_", "debug_")) else NO_SUCH_METHOD

    profile = make_profile(Endpoint("geth", geth), request, default_id=str)
    assert (profile.consensus, profile.clique and profile.clique.min_distinct_signers) == (Consensus.CLIQUE, 2)
    assert profile.validator_sets[0].addresses == node.signers

    def anvil(method: str, params: Any) -> Any:
        return NO_SUCH_METHOD if "validators" in method.lower() or "clique" in method else node.dispatch(method, params)

    with pytest.raises(UnavailableError) as caught:
        make_profile(Endpoint("anvil", anvil), request, default_id=str)
    assert caught.value.code == "chain.engine-unknown"
    unsealed = make_profile(Endpoint("anvil", anvil), replace(request, unsealed=True), default_id=str)
    assert (unsealed.consensus, unsealed.max_grade) == (Consensus.UNSEALED, Grade.UNSEALED_DEV)


def test_a_group_of_fisco_nodes(dev: DevChain) -> None:
    contract = contract_on(dev)
    with fisco_group(dev, 3) as nodes:
        endpoints = [http_endpoint(node.url) for node in nodes]
        request = ProfileRequest(None, contract, answers=AnswersPolicy(equal=2, nodes=3))
        with pytest.raises(UnavailableError) as caught:  # it shows the newest state whatever block is asked for
            make_profile(endpoints[0], request, default_id=str)
        assert caught.value.code == "chain.no-old-state"
        profile = make_profile(endpoints[0], replace(request, deploy_block=1), default_id=str)
        assert (profile.consensus, profile.answers, profile.validator_sets) == (Consensus.FISCO, request.answers, ())
        assert connect_chain(endpoints, profile).head("any.log").size == 0
        with pytest.raises(MalformedError):
            make_profile(endpoints[0], replace(request, deploy_block=1, answers=AnswersPolicy(1, 3)), default_id=str)
        elsewhere = replace(request, deploy_block=1, contract=bytes(20))
        with pytest.raises(RefusedError):
            make_profile(endpoints[0], elsewhere, default_id=str)
    production = replace(profile, chain_id=1, max_grade=Grade.AS_ANSWERED)
    assert parse_profile(profile_to_json(production)) == production


PROFILE = forged_profile(validator_keys(4))
FILE = issue_profile_file(SIGNER, PROFILE, issuer="uscc:x", issued_at=NOW, valid_until=NOW + 100)


def test_the_signed_file() -> None:
    file = verify_profile_file(FILE, SIGNER.public_key, NOW)
    assert (file.profile, file.issuer, file.issued_at, file.valid_until) == (PROFILE, "uscc:x", NOW, NOW + 100)
    assert file == parse_profile_file(FILE) == parse_profile_file(FILE.removesuffix(b"\n"))
    with pytest.raises(VerificationError):
        verify_profile_file(FILE, Ed25519Signer(b"\1" * 32).public_key, NOW)
    with pytest.raises(VerificationError) as early:
        verify_profile_file(FILE, SIGNER.public_key, NOW - 301)
    with pytest.raises(UnavailableError) as late:
        verify_profile_file(FILE, SIGNER.public_key, NOW + 400)
    assert (early.value.code, late.value.code) == ("time.not-yet", "anchor.profile-expired")


def test_any_changed_byte_of_the_file_is_noticed() -> None:
    for position in range(len(FILE) - 1):
        for changed in (bytes([FILE[position] ^ 1]), b"")[: 1 + (position % 5 == 0)]:
            with pytest.raises(LedgerError):
                verify_profile_file(FILE[:position] + changed + FILE[position + 1 :], SIGNER.public_key, NOW)


def test_other_forms_of_the_file() -> None:
    claims: dict[str, Any] = json.loads(json.dumps({"iss": "x", "iat": NOW, "exp": NOW + 1, "profile": {}}))
    for typ, changed in (
        (PROFILE_TYP, claims),
        (PROFILE_TYP, {**claims, "exp": NOW}),
        (PROFILE_TYP, {name: value for name, value in claims.items() if name != "iat"}),
        ("trust-list+jwt", claims),
    ):
        with pytest.raises(MalformedError):
            parse_profile_file(sign_jws(SIGNER, typ=typ, claims=changed).encode())
    for data in (b"", b"x", b"\xff", FILE * 2, FILE + b"\n", b"." * (1 << 20)):
        with pytest.raises(MalformedError):
            parse_profile_file(data)


@contextmanager
def served(dev: DevChain) -> Iterator[str]:
    listening = listen(0)
    server = uvicorn.Server(uvicorn.Config(make_app(dev), log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def profile_command(home: Path, command: str, *arguments: str | Path) -> Ran:
    return ematerials("chain", "profile", command, *arguments, "-w", home, "--json")


def test_the_commands(story: Story, tmp_path: Path, dev: DevChain) -> None:
    home = story.copy(tmp_path / "home")
    first, second, trust = (tmp_path / name for name in ("1.jws", "2.jws", "trust"))
    contract = contract_on(dev)
    assert ematerials("trust", "export", "-o", trust, "-w", home).code == 0
    with served(dev) as url:
        of_node = ("--rpc", url, "--contract", to_hex(contract), "-o", first)
        assert profile_command(home, "new", *of_node, "--equal", "2").code == 64
        group = profile_command(home, "new", *of_node, "--equal", "2", "--nodes", "3", "--deploy-block", "1")
        assert group.json["profile"]["answers"] == {"equal": 2, "nodes": 3}
        ran = profile_command(home, "new", *of_node)
        assert ran.code == 0, ran.out + ran.err
        assert set(ran.json["by_word_of_the_node"]) >= {"genesisHash", "validatorSets"}
        dev.vote_validator(dev.new_validator(), add=True)
        dev.mine()
        ran = profile_command(home, "update", first, "--rpc", url, "-o", second)
        assert ran.code == 0, ran.out + ran.err
        assert (ran.json["profile"]["profileVersion"], ran.json["by_word_of_the_node"]) == (2, [])
        back = profile_command(home, "update", first, "--rpc", url, "-o", second)
        assert (back.code != 0, back.json["error"]["code"]) == (True, "anchor.profile-back")
    shown = ematerials("chain", "profile", "show", second)
    assert (shown.code, to_hex(contract) in shown.out, "verify" in shown.out) == (0, True, True)
    assert ematerials("chain", "profile", "show", first, "--json").json["verified"] is False
    verified = ematerials("chain", "profile", "verify", second, "--trust", trust, "--json")
    assert (verified.code, verified.json["verified"]) == (0, True)
    key = tmp_path / "key.jwk"
    key.write_text(json.dumps(SIGNER.public_key.to_jwk()))
    assert ematerials("chain", "profile", "verify", second, "--key", key).code == 1
    assert ematerials("chain", "profile", "verify", second).code not in (0, 1, 2)
    now = clock.now()
    first.write_bytes(issue_profile_file(SIGNER, PROFILE, issuer="uscc:x", issued_at=now, valid_until=now + 60))
    assert ematerials("chain", "profile", "verify", first, "--key", key).code == 0
    assert ematerials("chain", "profile", "verify", first, "--trust", trust).code == 1
    assert profile_command(home, "update", first, "--rpc", "http://127.0.0.1:1", "-o", second).code != 0
