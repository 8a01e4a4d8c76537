"""Which grade a new profile may lead to."""

from pathlib import Path

import pytest

from anchors import Grade
from anchors.deploy import Network, deploy_contract
from anchors.node import Endpoint
from api.chain_profiles import ProfileRequest, make_profile
from tests.support.devchain_world import GOVERNOR, account_of, open_chain


@pytest.mark.parametrize(
    ("chain_id", "development", "grade"),
    [
        (20261, False, Grade.UNSEALED_DEV),
        (20300, False, Grade.UNSEALED_DEV),
        (20999, False, Grade.UNSEALED_DEV),
        (1337, True, Grade.UNSEALED_DEV),
        (1337, False, Grade.FINAL_BFT),
        (21000, False, Grade.FINAL_BFT),
    ],
)
def test_a_development_chain_never_gives_a_production_grade(
    tmp_path: Path, chain_id: int, development: bool, grade: Grade
) -> None:
    with open_chain(tmp_path / "chain.db", chain_id=chain_id) as chain:
        contract = deploy_contract(Network(chain.dispatch, chain_id), governor=account_of(GOVERNOR)).address
        request = ProfileRequest(None, contract, development=development)
        profile = make_profile(Endpoint("chain", chain.dispatch), request, default_id=str)
    assert (profile.chain_id, profile.max_grade) == (chain_id, grade)
