"""Headers of Clique networks (EIP-225): strict parse, the rules of sealing, and how many stand behind a block.

No block of Clique is final. What is checked: a header and its descendants, linked, each sealed by a trusted signer
whose turn it may be, by enough distinct ones (chain.md §2.5, §4.3). The signer set is the profile's throughout: the
votes before the first header are unknown, so a header that may change the set can only be the last one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from eth_hash.auto import keccak

from anchors.account import recover_address
from anchors.header import (
    COINBASE,
    DIFFICULTY,
    EXTRA_DATA,
    MIN_ITEMS,
    MIX_HASH,
    NONCE,
    NUMBER,
    STATE_ROOT,
    TIMESTAMP,
    header_items,
)
from anchors.profile import CliquePolicy
from anchors.strict_rlp import rlp_encode, rlp_uint
from signing import MalformedError, VerificationError

_VANITY, _SEAL, _ADDRESS = 32, 65, 20
_NO_ADDRESS: Final = bytes(_ADDRESS)
_NO_OMMERS: Final = keccak(b"\xc0")
_ADD, _DROP = b"\xff" * 8, bytes(8)
_IN_TURN, _OUT_OF_TURN = b"\x02", b"\x01"


@dataclass(frozen=True, slots=True)
class CliqueHeader:
    """A parsed, unverified header. ``signers`` are listed at the end of an epoch only; ``timestamp`` in seconds."""

    raw: bytes
    items: tuple[bytes, ...]
    number: int
    timestamp: int
    signers: tuple[bytes, ...]
    seal: bytes

    @property
    def parent_hash(self) -> bytes:
        """Hash of the parent block."""
        return self.items[0]

    @property
    def state_root(self) -> bytes:
        """Root of the account trie after this block."""
        return self.items[STATE_ROOT]

    @property
    def onchain_hash(self) -> bytes:
        """The block hash: of the header as it is, with its seal."""
        return keccak(self.raw)

    @property
    def seal_hash(self) -> bytes:
        """The hash that the seal signs: of the header without the seal in extraData."""
        fields = list(self.items)
        fields[EXTRA_DATA] = fields[EXTRA_DATA][:-_SEAL]
        return keccak(rlp_encode(fields))

    def may_change(self, signers: Sequence[bytes]) -> bool:
        """Whether the header votes a member out, or a stranger in."""
        return (self.items[COINBASE] in signers) == (self.items[NONCE] == _DROP)


def _refuse(why: str) -> MalformedError:
    return MalformedError("anchor.header", f"header: {why}")


def _check_fixed_fields(items: tuple[bytes, ...]) -> None:
    if len(items) > MIN_ITEMS + 1:
        raise _refuse("Clique ends before withdrawals and blobs: sixteen fields at most")
    if len(items) > MIN_ITEMS:
        rlp_uint(items[MIN_ITEMS], what="header base fee", max_bytes=32)
    if items[1] != _NO_OMMERS or items[MIX_HASH] != bytes(32) or len(items[COINBASE]) != _ADDRESS:
        raise _refuse("ommers, mixHash or coinbase are not those of a Clique chain")
    if items[NONCE] not in (_ADD, _DROP) or items[DIFFICULTY] not in (_IN_TURN, _OUT_OF_TURN):
        raise _refuse("nonce or difficulty are not those of a Clique chain")


def _listed_signers(items: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The addresses between vanity and seal; blocks with such a list can't vote."""
    listed = items[EXTRA_DATA][_VANITY:-_SEAL]
    if len(items[EXTRA_DATA]) < _VANITY + _SEAL or len(listed) % _ADDRESS:
        raise _refuse("extraData is not vanity, signers and seal")
    if listed and (items[COINBASE] != _NO_ADDRESS or items[NONCE] != _DROP):
        raise _refuse("a block that lists the signers votes")
    return tuple(listed[at : at + _ADDRESS] for at in range(0, len(listed), _ADDRESS))


def parse_clique_header(raw: bytes) -> CliqueHeader:
    """Parse a raw RLP header of 15 fields, or 16 with a base fee; proves nothing about it.

    Raises MalformedError (``form.size``, ``form.rlp``, ``anchor.header``).
    """
    items = header_items(raw)
    _check_fixed_fields(items)
    return CliqueHeader(
        raw=raw,
        items=items,
        number=rlp_uint(items[NUMBER], what="header number"),
        timestamp=rlp_uint(items[TIMESTAMP], what="header timestamp"),
        signers=_listed_signers(items),
        seal=items[EXTRA_DATA][-_SEAL:],
    )


def clique_signer(header: CliqueHeader) -> bytes:
    """The address that sealed ``header``; raises VerificationError (``anchor.seal``) if none can have, with low s."""
    seal = header.seal
    signer = recover_address(header.seal_hash, int.from_bytes(seal[:32]), int.from_bytes(seal[32:64]), seal[64])
    if signer is None:
        raise VerificationError("anchor.seal", "header: no key can have made the seal, or not with low s, v of 0 or 1")
    return signer


def recent_window(signers: int) -> int:
    """Consecutive blocks of which a signer may seal one: floor(N/2)+1."""
    return signers // 2 + 1


def _check_links(headers: Sequence[CliqueHeader]) -> None:
    for parent, child in pairwise(headers):
        if child.parent_hash != parent.onchain_hash or child.number != parent.number + 1:
            raise VerificationError("anchor.clique-link", "header: a descendant does not follow the one before it")
        if child.timestamp < parent.timestamp:
            raise VerificationError("anchor.clique-link", "header: a descendant is older than the one before it")


def _check_signer_list(header: CliqueHeader, signers: Sequence[bytes], epoch: int) -> None:
    if header.number == 0:
        raise VerificationError("anchor.seal", "header: the genesis block has no seal")
    if header.signers != (tuple(signers) if header.number % epoch == 0 else ()):
        raise VerificationError(
            "anchor.validator-set", "header: lists other signers than the trusted ones, or not where an epoch ends"
        )


def _check_turn(header: CliqueHeader, signer: bytes, signers: Sequence[bytes]) -> None:
    if signer not in signers:
        raise VerificationError("anchor.seal", "header: a seal is not of the validator set")
    in_turn = header.number % len(signers) == signers.index(signer)
    if header.items[DIFFICULTY] != (_IN_TURN if in_turn else _OUT_OF_TURN):
        raise VerificationError("anchor.clique-turn", "header: the difficulty is not that of the signer's turn")


def verify_clique(headers: Sequence[CliqueHeader], signers: Sequence[bytes], policy: CliquePolicy) -> None:
    """Check that ``headers``, the block in question first, are a chain sealed by enough of ``signers`` (ascending).

    Raises VerificationError: ``anchor.clique-link``, ``anchor.clique-vote``, ``anchor.clique-turn``,
    ``anchor.clique-recent``, ``anchor.validator-set``, ``anchor.seal``, ``anchor.quorum``.
    """
    _check_links(headers)
    if any(header.may_change(signers) for header in headers[:-1]):
        raise VerificationError("anchor.clique-vote", "header: a vote may change the signers under the next header")
    sealed_by = []
    for header in headers:
        _check_signer_list(header, signers, policy.epoch)
        sealed_by.append(clique_signer(header))
        _check_turn(header, sealed_by[-1], signers)
        if sealed_by[-1] in sealed_by[-recent_window(len(signers)) : -1]:
            raise VerificationError("anchor.clique-recent", "header: a signer sealed again too soon")
    if len(set(sealed_by)) < policy.min_distinct_signers:
        raise VerificationError(
            "anchor.quorum", f"header: {len(set(sealed_by))} distinct signers, {policy.min_distinct_signers} are needed"
        )
