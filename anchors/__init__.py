"""And it existed by then, before the whole consortium: checkpoints on a permissioned EVM chain, provable offline.

The names here are the pure core. Shell modules, imported by their own names: ``anchors.evm`` (JSON-RPC nodes),
``anchors.transaction`` (signing), ``anchors.tables`` and ``anchors.store`` (outbox and finished proofs in SQL),
``anchors.worker``, ``anchors.deploy``, ``anchors.devchain``. The contract itself is ``anchors.contract``.
"""

from anchors.answers import AnswersProof
from anchors.claim import LogProof
from anchors.guard import LogView, check_chain_head, head_checkpoint
from anchors.ports import (
    Answers,
    Chain,
    ChainHead,
    Displaced,
    Evidence,
    Included,
    NodeAnswer,
    Outcome,
    Pending,
    Quote,
    SignedTransaction,
)
from anchors.profile import (
    AnswersPolicy,
    CliquePolicy,
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
from anchors.proof import AnchorProof, AnyAnchorProof, anchor_proof_to_json, parse_anchor_proof, read_anchor_proof
from anchors.verify import RecordedAnchor, VerifiedAnchor, check_recorded_anchor, verify_anchor_proof

__all__ = [
    "AnchorProof",
    "Answers",
    "AnswersPolicy",
    "AnswersProof",
    "AnyAnchorProof",
    "Chain",
    "ChainHead",
    "CliquePolicy",
    "Consensus",
    "ContractPin",
    "Displaced",
    "Evidence",
    "Grade",
    "HandoffPolicy",
    "Included",
    "LogProof",
    "LogView",
    "NodeAnswer",
    "Outcome",
    "Pending",
    "Quote",
    "RecordedAnchor",
    "SealAlgorithm",
    "SetSource",
    "SignedTransaction",
    "TrustProfile",
    "ValidatorSet",
    "VerifiedAnchor",
    "anchor_proof_to_json",
    "check_chain_head",
    "check_recorded_anchor",
    "find_profile",
    "head_checkpoint",
    "parse_anchor_proof",
    "parse_profile",
    "profile_to_json",
    "read_anchor_proof",
    "verify_anchor_proof",
]
