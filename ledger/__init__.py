"""In this order, and nothing was removed: a Merkle log of opaque entries (RFC 9162, C2SP).

Checks and formats only. The shell modules touch the world: ``ledger.database`` (engine), ``ledger.reading`` and
``ledger.store`` (the log in SQL), ``ledger.witness_store`` and ``ledger.cosignatures`` (what witnesses remember and
sign), ``ledger.export`` (static tiles), ``ledger.fsck`` (re-derive everything).
"""

from ledger.checkpoint import (
    Checkpoint,
    format_checkpoint,
    known_lines,
    open_checkpoint,
    parse_checkpoint,
    read_checkpoint,
    sign_checkpoint,
    verify_extension,
)
from ledger.child import open_child_entry, parse_child_entry
from ledger.hashing import EMPTY_ROOT, LeafHash, RootHash, leaf_hash, node_hash
from ledger.policy import Policy, VerifiedCheckpoint
from ledger.policy_file import parse_policy
from ledger.proofs import verify_consistency, verify_inclusion
from ledger.proving import NodeReader, prove_consistency, prove_inclusion, tree_root
from ledger.receipt import (
    Receipt,
    VerifiedReceipt,
    format_receipt,
    parse_receipt,
    verify_receipt,
    verify_receipt_inclusion,
)
from ledger.tiles import (
    ENTRY_MAX_BYTES,
    TILE_WIDTH,
    Tile,
    TileNodes,
    decode_bundle,
    encode_bundle,
    parse_tile_path,
    tile_path,
    tile_width,
)
from ledger.tree import Frontier

__all__ = [
    "EMPTY_ROOT",
    "ENTRY_MAX_BYTES",
    "TILE_WIDTH",
    "Checkpoint",
    "Frontier",
    "LeafHash",
    "NodeReader",
    "Policy",
    "Receipt",
    "RootHash",
    "Tile",
    "TileNodes",
    "VerifiedCheckpoint",
    "VerifiedReceipt",
    "decode_bundle",
    "encode_bundle",
    "format_checkpoint",
    "format_receipt",
    "known_lines",
    "leaf_hash",
    "node_hash",
    "open_checkpoint",
    "open_child_entry",
    "parse_checkpoint",
    "parse_child_entry",
    "parse_policy",
    "parse_receipt",
    "parse_tile_path",
    "prove_consistency",
    "prove_inclusion",
    "read_checkpoint",
    "sign_checkpoint",
    "tile_path",
    "tile_width",
    "tree_root",
    "verify_consistency",
    "verify_extension",
    "verify_inclusion",
    "verify_receipt",
    "verify_receipt_inclusion",
]
