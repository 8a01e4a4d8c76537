"""QBFT headers as Hyperledger Besu seals them: 15 items (Berlin), extraData with validators, round and seals.

On-chain hash (block hash, parentHash): keccak of the header with round 0 and no seals. Seal hash: keccak of the header
with the real round and no seals. A seal is r ‖ s ‖ v over the seal hash, v 0 or 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

import rlp
from eth_hash.auto import keccak
from eth_keys.datatypes import PrivateKey

DIFFICULTY: Final = 1
MIX_HASH: Final = bytes.fromhex("63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365")
EMPTY_LIST_HASH: Final = keccak(rlp.encode([]))
_NONCE: Final = bytes(8)
_VANITY: Final = b"e-materials dev chain".ljust(32, b"\0")


@dataclass(frozen=True, slots=True)
class Header:
    """A block header. ``bloom`` is 256 bytes, ``timestamp`` unix seconds; ``extra`` holds validators, round, seals."""

    parent_hash: bytes
    coinbase: bytes
    state_root: bytes
    transactions_root: bytes
    receipts_root: bytes
    bloom: bytes
    number: int
    gas_limit: int
    gas_used: int
    timestamp: int
    extra: bytes = b""

    def encode(self) -> bytes:
        """Return the RLP of all 15 items."""
        encoded: bytes = rlp.encode(
            [
                self.parent_hash,
                EMPTY_LIST_HASH,
                self.coinbase,
                self.state_root,
                self.transactions_root,
                self.receipts_root,
                self.bloom,
                DIFFICULTY,
                self.number,
                self.gas_limit,
                self.gas_used,
                self.timestamp,
                self.extra,
                MIX_HASH,
                _NONCE,
            ]
        )
        return encoded

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read back a header of our own database (a verifier's strict reading is ``anchors.header``)."""
        items: list[bytes] = rlp.decode(raw)
        parent_hash, _, coinbase, state_root, transactions_root, receipts_root, bloom = items[:7]
        number, gas_limit, gas_used, timestamp = (int.from_bytes(item, "big") for item in items[8:12])
        return cls(
            parent_hash=parent_hash,
            coinbase=coinbase,
            state_root=state_root,
            transactions_root=transactions_root,
            receipts_root=receipts_root,
            bloom=bloom,
            number=number,
            gas_limit=gas_limit,
            gas_used=gas_used,
            timestamp=timestamp,
            extra=items[12],
        )

    def validators(self) -> tuple[bytes, ...]:
        """Return the addresses that may seal this block, ascending."""
        return tuple(rlp.decode(self.extra)[1])


def quorum(validators: int) -> int:
    """Return how many of ``validators`` must seal a block: two thirds, rounded up."""
    return -(-2 * validators // 3)


@dataclass(frozen=True, slots=True)
class Vote:
    """What the proposer of a block proposes: to add ``subject`` to the validators, or to drop it."""

    subject: bytes
    add: bool

    def item(self) -> list[bytes]:
        """Return it as it stands in extraData."""
        return [self.subject, b"\xff" if self.add else b""]


def encode_extra(
    validators: Sequence[bytes], *, vote: Vote | None = None, round_number: int = 0, seals: Sequence[bytes] = ()
) -> bytes:
    """Encode extraData: vanity, validators, vote (none is an empty list in QBFT), round, seals."""
    voted = [] if vote is None else vote.item()
    encoded: bytes = rlp.encode([_VANITY, list(validators), voted, round_number, list(seals)])
    return encoded


def seal(
    header: Header,
    *,
    validators: Sequence[bytes],
    vote: Vote | None,
    round_number: int,
    keys: Mapping[bytes, bytes],
) -> tuple[bytes, bytes]:
    """Seal ``header`` (its ``extra`` is ignored) with ``keys`` (address to secret); return on-chain hash and RLP.

    Whether the keys are a quorum is the caller's question.
    """

    def extended(round_number: int, seals: Sequence[bytes] = ()) -> bytes:
        extra = encode_extra(validators, vote=vote, round_number=round_number, seals=seals)
        return replace(header, extra=extra).encode()

    seal_hash = keccak(extended(round_number))
    seals = [PrivateKey(keys[address]).sign_msg_hash(seal_hash).to_bytes() for address in sorted(keys)]
    return keccak(extended(0)), extended(round_number, seals)


def address_of(secret: bytes) -> bytes:
    """Return the 20-byte address of a secp256k1 secret."""
    return PrivateKey(secret).public_key.to_canonical_address()
