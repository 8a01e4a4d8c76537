"""And it existed by then, before the whole consortium: checkpoints on a permissioned EVM chain, provable offline.

The names here are the pure core. Shell modules, imported by their own names: ``anchors.evm`` (JSON-RPC nodes),
``anchors.transaction`` (signing), ``anchors.tables`` and ``anchors.store`` (outbox and finished proofs in SQL),
``anchors.worker``, ``anchors.deploy``, ``anchors.devchain``. The contract itself is ``anchors.contract``.
"""

from anchors.guard import LogView, check_chain_head, head_checkpoint
from anchors.ports import Chain, ChainHead, Displaced, Evidence, Included, Outcome, Pending, Quote, SignedTransaction
from anchors.profile import (
    Consensus,
    ContractPin,
    Grade,
    HandoffPolicy,
    SealAlgorithm,
    SetSource,
    TrustProfile,
    ValidatorSet,
    find_profile,
)
from anchors.profile_json import parse_profile, profile_to_json
from anchors.proof import AnchorProof, LogProof, anchor_proof_to_json, parse_anchor_proof, read_anchor_proof
from anchors.verify import VerifiedAnchor, verify_anchor_proof

__all__ = [
    "AnchorProof",
    "Chain",
    "ChainHead",
    "Consensus",
    "ContractPin",
    "Displaced",
    "Evidence",
    "Grade",
    "HandoffPolicy",
    "Included",
    "LogProof",
    "LogView",
    "Outcome",
    "Pending",
    "Quote",
    "SealAlgorithm",
    "SetSource",
    "SignedTransaction",
    "TrustProfile",
    "ValidatorSet",
    "VerifiedAnchor",
    "anchor_proof_to_json",
    "check_chain_head",
    "find_profile",
    "head_checkpoint",
    "parse_anchor_proof",
    "parse_profile",
    "profile_to_json",
    "read_anchor_proof",
    "verify_anchor_proof",
]
