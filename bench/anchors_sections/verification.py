"""The time that a verifier needs for one anchor proof, beside the bare recoveries and hashes in it, in the same run.

The bare side recovers each seal with coincurve, hashes each recovered key, each form of each header, each trie node and
each key with keccak, all inputs ready in memory: no parsing, no comparing, not even the Ed25519 signature of the note.
Ours starts from the bytes of the JSON file. Both take turns; the ratio is that of the best rounds.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import coincurve
from eth_hash.auto import keccak

from anchors import AnchorProof, TrustProfile, anchor_proof_to_json, read_anchor_proof, verify_anchor_proof
from anchors.clique import parse_clique_header
from anchors.header import Bft, BftHeader, parse_header
from anchors.strict_rlp import RlpItem, rlp_encode
from anchors.verifier import AnchorVerifier
from bench.ledger_sections.setup import Figure, figure
from signing import dump_json, parse_json
from tests.support.anchor_forge import LOG_KEY, HeaderPlan, forge_proof, slots
from tests.support.clique_forge import forge_clique_proof

_LIMIT: Final = 3
_BUNDLES: Final = 1_000
_EXTRA: Final = 12


def _with_extra(header: BftHeader, extra: list[RlpItem]) -> bytes:
    fields = list(header.items)
    fields[_EXTRA] = rlp_encode(extra)
    return rlp_encode(fields)


def _bft_inputs(raw: bytes) -> tuple[list[bytes], list[tuple[bytes, bytes]]]:
    """Preimages of the header's two hashes, and (seal, digest) of each seal."""
    header = parse_header(raw, Bft.QBFT)
    head: list[RlpItem] = [header.vanity, list(header.validators), header.vote]
    hashed = [_with_extra(header, [*head, header.round, []]), _with_extra(header, [*head, b"", []])]
    return hashed, [(seal, header.seal_hash) for seal in header.seals]


def _clique_inputs(raws: tuple[bytes, ...]) -> tuple[list[bytes], list[tuple[bytes, bytes]]]:
    headers = [parse_clique_header(raw) for raw in raws]
    sealed = [rlp_encode([*each.items[:_EXTRA], each.items[_EXTRA][:-65], *each.items[13:]]) for each in headers]
    return [*raws, *sealed], [(each.seal, each.seal_hash) for each in headers]


def _bare(proof: AnchorProof, profile: TrustProfile) -> Callable[[], None]:
    clique = profile.clique is not None
    headers = (proof.header, *proof.descendants)
    hashed, seals = _clique_inputs(headers) if clique else _bft_inputs(proof.header)
    nodes = [*proof.account_proof, *proof.root_proof, *proof.meta_proof, *(proof.head_proof or ())]
    keys = [proof.contract, *slots(proof.size)]
    slot_preimages = [bytes(64)] * 5  # origin in each mapping, size in its mapping; the word after the root has none
    inputs = [*hashed, *nodes, *keys, *slot_preimages]

    def run() -> None:
        for data in inputs:
            keccak(data)
        for seal, digest in seals:
            key = coincurve.PublicKey.from_signature_and_message(seal, digest, hasher=None)
            keccak(key.format(compressed=False)[1:])

    return run


def _best(*sides: Callable[[], object], rounds: int, turns: int) -> list[float]:
    """The best time of one turn of each side, in seconds; the sides take turns."""
    best = [float("inf")] * len(sides)
    for _ in range(rounds):
        for number, side in enumerate(sides):
            start = time.perf_counter()
            for _ in range(turns):
                side()
            best[number] = min(best[number], (time.perf_counter() - start) / turns)
    return best


def _cases() -> dict[str, tuple[AnchorProof, TrustProfile]]:
    cases: dict[str, tuple[AnchorProof, TrustProfile]] = {}
    for validators in (4, 7):
        forged = forge_proof(validators=validators)
        quorum = -(-2 * validators // 3)
        plan = HeaderPlan(state_root=forged.plan.state_root, sealers=forged.validators[:quorum])
        header = plan.seal(forged.validators)
        cases[f"QBFT, {quorum} seals of {validators}"] = replace(forged.proof, header=header), forged.profile
    forged = forge_clique_proof(signers=3)
    cases["Clique, 2 signers of 3"] = forged.proof, forged.profile
    return cases


def verification(quick: bool) -> list[Figure]:
    """One proof from its bytes, against the bare work in it; then a thousand bundles with the same anchor."""
    rows = []
    for name, (proof, profile) in _cases().items():
        data = dump_json(anchor_proof_to_json(proof))
        bare = _bare(proof, profile)

        def ours(data: bytes = data, profile: TrustProfile = profile) -> object:
            return verify_anchor_proof(read_anchor_proof(data), [profile], log_key=LOG_KEY)

        slow, fast = _best(ours, bare, rounds=150 if quick else 600, turns=2)
        rows.append(figure(f"an anchor proof verified from its file ({name})", slow * 1e6, "µs"))
        rows.append(figure(f"bare recoveries and hashes in it ({name})", fast * 1e6, "µs"))
        rows.append(figure(f"ratio ({name})", slow / fast, "×", better="<=", target=_LIMIT))
    return [*rows, *_shared(quick)]


def _shared(quick: bool) -> list[Figure]:
    proof, profile = _cases()["QBFT, 3 seals of 4"]
    value = parse_json(dump_json(anchor_proof_to_json(proof)), what="proof", max_bytes=1 << 20)

    def one() -> object:
        return AnchorVerifier().check(value, [profile], log_key=lambda _: LOG_KEY)

    def thousand() -> None:
        verifier = AnchorVerifier()
        for _ in range(_BUNDLES):
            verifier.check(value, [profile], log_key=lambda _: LOG_KEY)

    each, all_ = _best(one, thousand, rounds=2 if quick else 5, turns=1)
    return [
        figure(f"the anchors of {_BUNDLES:,} bundles that share one", all_ * 1e3, "ms"),
        figure("one of them, after the first, in verifications of it", (all_ - each) / _BUNDLES / each, "×"),
    ]
