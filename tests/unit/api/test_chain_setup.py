"""Which grade a new profile may lead to."""

import pytest

from anchors import Grade
from anchors.devchain.chain import DEFAULT_CHAIN_ID
from api.chain_setup import highest_grade
from api.settings import ChainSettings

RPC = ChainSettings(kind="rpc", urls=("http://127.0.0.1:1",))


@pytest.mark.parametrize(
    ("settings", "chain_id", "grade"),
    [
        (ChainSettings(), DEFAULT_CHAIN_ID, Grade.UNSEALED_DEV),
        (ChainSettings(), 1337, Grade.UNSEALED_DEV),
        (RPC, DEFAULT_CHAIN_ID, Grade.UNSEALED_DEV),
        (RPC, 20300, Grade.UNSEALED_DEV),
        (RPC, 1337, Grade.FINAL_BFT),
        (RPC, 21000, Grade.FINAL_BFT),
    ],
)
def test_a_development_chain_never_gives_a_production_grade(
    settings: ChainSettings, chain_id: int, grade: Grade
) -> None:
    assert highest_grade(settings, chain_id) is grade
