"""Block headers, above all of Byzantine-fault-tolerant networks: strict parse, block hash, hash the seals sign.

The verifier works on the raw RLP and needs no list of fork-dependent fields: the first fifteen are fixed, whatever
follows them is hashed as it came. extraData of QBFT and IBFT2 is ``[vanity, validators, vote, round, seals]``.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from eth_hash.auto import keccak

from anchors.strict_rlp import RlpItem, rlp_bytes, rlp_decode, rlp_encode, rlp_list, rlp_uint
from signing import MalformedError

HEADER_MAX_BYTES: Final = 8 * 1024
HEADERS_MAX: Final = 64
"""Headers of one proof: the one with the state, and its Clique descendants."""

_EXTRA_MAX_BYTES: Final = HEADER_MAX_BYTES
MIN_ITEMS: Final = 15
COINBASE, STATE_ROOT, DIFFICULTY, NUMBER, TIMESTAMP, EXTRA_DATA, MIX_HASH, NONCE = 2, 3, 7, 8, 11, 12, 13, 14
_HASH_FIELDS: Final = (0, 1, STATE_ROOT, 4, 5, MIX_HASH)
BFT_MIX_HASH: Final = bytes.fromhex("63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365")


class Bft(StrEnum):
    """The two consensus engines whose extraData has these five items."""

    QBFT = "qbft"
    IBFT2 = "ibft2"


@dataclass(frozen=True, slots=True)
class BftHeader:
    """A parsed, unverified header: nothing in it is proved before its seals are.

    ``items`` are all fields as in the raw RLP; ``timestamp`` has the chain's unit (seconds on Besu); ``vote`` and
    ``round`` keep the form they have on the wire.
    """

    raw: bytes
    engine: Bft
    items: tuple[bytes, ...]
    number: int
    timestamp: int
    vanity: bytes
    validators: tuple[bytes, ...]
    vote: RlpItem
    round: bytes
    seals: tuple[bytes, ...]

    @property
    def parent_hash(self) -> bytes:
        """On-chain hash of the parent block."""
        return self.items[0]

    @property
    def state_root(self) -> bytes:
        """Root of the account trie after this block."""
        return self.items[STATE_ROOT]

    def _hash_with(self, extra: list[RlpItem]) -> bytes:
        fields = list(self.items)
        fields[EXTRA_DATA] = rlp_encode(extra)
        return keccak(rlp_encode(fields))

    @property
    def onchain_hash(self) -> bytes:
        """The block hash that nodes show and that children point at: without round and seals."""
        head: list[RlpItem] = [self.vanity, list(self.validators), self.vote]
        return self._hash_with([*head, b"", []] if self.engine is Bft.QBFT else head)

    @property
    def seal_hash(self) -> bytes:
        """The hash that every seal signs, raw and without prefix: with the real round, without seals."""
        head: list[RlpItem] = [self.vanity, list(self.validators), self.vote, self.round]
        return self._hash_with([*head, []] if self.engine is Bft.QBFT else head)


def _check_vote(vote: RlpItem, engine: Bft) -> None:
    if vote == ([] if engine is Bft.QBFT else b""):
        return
    drop = b"" if engine is Bft.QBFT else b"\0"
    parts = rlp_list(vote, what="header vote")
    if len(parts) != 2 or parts[1] not in (b"\xff", drop):
        raise MalformedError("anchor.header", "header: the vote is not [address, add or drop]")
    rlp_bytes(parts[0], what="header vote", length=20)


def _check_round(value: RlpItem, engine: Bft) -> bytes:
    if engine is Bft.QBFT:
        rlp_uint(value, what="header round", max_bytes=4)
    return rlp_bytes(value, what="header round", length=4 if engine is Bft.IBFT2 else None)


def header_items(raw: bytes) -> tuple[bytes, ...]:
    """All fields of a raw RLP header of any engine: fifteen at least, hashes of 32 bytes.

    Raises MalformedError (``form.size``, ``form.rlp``, ``anchor.header``).
    """
    fields = rlp_list(rlp_decode(raw, what="header", max_bytes=HEADER_MAX_BYTES), what="header")
    if len(fields) < MIN_ITEMS:
        raise MalformedError("anchor.header", f"header: fewer than {MIN_ITEMS} fields")
    items = tuple(rlp_bytes(field, what="header field") for field in fields)
    if any(len(items[position]) != 32 for position in _HASH_FIELDS):
        raise MalformedError("anchor.header", "header: a hash field has not 32 bytes")
    return items


@dataclass(frozen=True, slots=True)
class UnsealedHeader:
    """A header of a development node that seals nothing (anvil). ``timestamp`` in seconds."""

    raw: bytes
    number: int
    timestamp: int
    parent_hash: bytes
    state_root: bytes

    @property
    def onchain_hash(self) -> bytes:
        """The block hash: of the header as it is."""
        return keccak(self.raw)


def parse_unsealed_header(raw: bytes) -> UnsealedHeader:
    """Parse a raw RLP header of any engine, of which nothing is expected. Raises as ``header_items`` does."""
    items = header_items(raw)
    return UnsealedHeader(
        raw=raw,
        number=rlp_uint(items[NUMBER], what="header number"),
        timestamp=rlp_uint(items[TIMESTAMP], what="header timestamp"),
        parent_hash=items[0],
        state_root=items[STATE_ROOT],
    )


def _check_fixed_fields(items: tuple[bytes, ...]) -> None:
    if items[DIFFICULTY] != b"\x01" or items[NONCE] != bytes(8) or items[MIX_HASH] != BFT_MIX_HASH:
        raise MalformedError("anchor.header", "header: difficulty, nonce or mixHash are not those of a BFT chain")


def parse_header(raw: bytes, engine: Bft) -> BftHeader:
    """Parse a raw RLP header sealed by ``engine`` (chain.md §2.1, §2.2); proves nothing about it.

    Raises MalformedError (``form.size``, ``form.rlp``, ``anchor.header``).
    """
    items = header_items(raw)
    _check_fixed_fields(items)
    extra_item = rlp_decode(items[EXTRA_DATA], what="header extraData", max_bytes=_EXTRA_MAX_BYTES)
    extra = rlp_list(extra_item, what="header extraData")
    if len(extra) != 5:
        raise MalformedError("anchor.header", "header: extraData has not exactly five items")
    vanity, validators, vote, round_number, seals = extra
    _check_vote(vote, engine)
    return BftHeader(
        raw=raw,
        engine=engine,
        items=items,
        number=rlp_uint(items[NUMBER], what="header number"),
        timestamp=rlp_uint(items[TIMESTAMP], what="header timestamp"),
        vanity=rlp_bytes(vanity, what="header vanity", length=32),
        validators=tuple(
            rlp_bytes(item, what="header validator", length=20)
            for item in rlp_list(validators, what="header validators")
        ),
        vote=vote,
        round=_check_round(round_number, engine),
        seals=tuple(rlp_bytes(item, what="header seal") for item in rlp_list(seals, what="header seals")),
    )
