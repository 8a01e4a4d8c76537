"""What we capture from a Clique network satisfies the stand-alone reading of EIP-225, and only unchanged."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from anchors import CliquePolicy, Consensus, HandoffPolicy, profile_to_json
from anchors.capture import capture_proof
from anchors.evm import EvmChain
from anchors.node import Endpoint
from ledger.store import SqlLog
from tests.support.anchor_world import AnchorWorld
from tests.support.clique_shim import CliqueNode
from tests.support.independent import WrongError, check_anchor, check_clique
from tests.support.ledger_logs import KEY, ORIGIN


def test_a_captured_clique_proof(engine: Engine, tmp_path: Path) -> None:
    world = AnchorWorld.create(engine, tmp_path)
    checkpoint = world.grow(0, 9)
    world.run()
    for _ in range(3):
        world.dev.mine()
    node = CliqueNode(world.dev)
    (members,) = world.profile.validator_sets
    profile = replace(
        world.profile,
        consensus=Consensus.CLIQUE,
        clique=CliquePolicy(2, 30_000),
        handoff=HandoffPolicy(False, 0, 4),
        genesis_hash=node.block_hash(0),
        validator_sets=(replace(members, addresses=node.signers),),
    )
    evidence = EvmChain([Endpoint("geth", node.dispatch)], profile).evidence(ORIGIN, checkpoint.size)
    with engine.begin() as connection:
        note = SqlLog(connection, ORIGIN).checkpoint()
    proof = json.loads(capture_proof(replace(world.target, profile=profile), note, evidence))
    shown = json.loads(json.dumps(profile_to_json(profile)))
    head, _ = check_anchor(proof, shown, KEY.format())
    assert (head.size, head.root, len(proof["headers"])) == (checkpoint.size, checkpoint.root, 2)
    raws = [bytes.fromhex(header[2:]) for header in proof["headers"]]
    with pytest.raises(WrongError):
        check_clique(raws[::-1], node.signers)
    with pytest.raises(WrongError):
        check_clique(raws, node.signers[1:])
