"""The memory of verified anchors: the same verdicts, seals recovered once, never more than its bound."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from anchors import Grade, TrustProfile, VerifiedAnchor, anchor_proof_to_json
from anchors import seals as seals_module
from anchors.verifier import AnchorVerifier
from signing import Ed25519Signer, JsonValue, LedgerError, NoteKey, UnavailableError, VerificationError
from tests.support.anchor_forge import LOG_KEY, ORIGIN, forge_proof

FORGED = [forge_proof(size=size) for size in (7, 8, 9)]
VALUES = [anchor_proof_to_json(forged.proof) for forged in FORGED]
PROFILE = FORGED[0].profile


@pytest.fixture
def recovered(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The seals that are recovered, in order; recovery itself goes on as ever."""
    seen: list[bytes] = []
    recover: Callable[[bytes, bytes], bytes] = seals_module.recover_signer

    def counting(seal: bytes, digest: bytes) -> bytes:
        seen.append(seal)
        return recover(seal, digest)

    monkeypatch.setattr(seals_module, "recover_signer", counting)
    return seen


def check(verifier: AnchorVerifier, value: JsonValue, profile: TrustProfile = PROFILE) -> VerifiedAnchor:
    anchor = verifier.check(value, [profile], log_key=lambda origin: LOG_KEY)
    assert isinstance(anchor, VerifiedAnchor)
    return anchor


def test_a_thousand_times_the_same_proof(recovered: list[bytes]) -> None:
    verifier = AnchorVerifier()
    anchors = [check(verifier, dict(VALUES[0])) for _ in range(1000)]
    assert len(recovered) == 4
    assert set(map(id, anchors)) == {id(anchors[0])}
    check(AnchorVerifier(), VALUES[0])
    assert len(recovered) == 8


def test_another_profile_or_log_key_is_another_question(recovered: list[bytes]) -> None:
    verifier = AnchorVerifier()
    check(verifier, VALUES[0])
    capped = replace(PROFILE, max_grade=Grade.UNSEALED_DEV)
    assert check(verifier, VALUES[0], capped).grade is Grade.UNSEALED_DEV
    assert check(verifier, VALUES[0]).grade is Grade.FINAL_BFT
    assert len(recovered) == 12
    other = NoteKey.ed25519(ORIGIN, Ed25519Signer(bytes(32)).public_key.raw)
    with pytest.raises(LedgerError) as caught:
        verifier.check(VALUES[0], [PROFILE], log_key=lambda origin: other)
    assert caught.value.code == "note.unknown-key"
    with pytest.raises(UnavailableError) as unknown:
        verifier.check(VALUES[0], [], log_key=lambda origin: LOG_KEY)
    assert unknown.value.code == "anchor.profile-unknown"


def test_what_does_not_hold_is_never_remembered(recovered: list[bytes]) -> None:
    verifier = AnchorVerifier()
    check(verifier, VALUES[0])
    wrong = {**VALUES[0], "contract": "0x" + "11" * 20}
    for _ in range(2):
        with pytest.raises(LedgerError) as caught:
            verifier.check(wrong, [PROFILE], log_key=lambda origin: LOG_KEY)
        assert caught.value.code == "anchor.contract"
    assert len(recovered) == 12
    strict = replace(PROFILE, from_block=21)
    for _ in range(2):
        with pytest.raises(LedgerError):
            check(verifier, VALUES[0], strict)
    check(verifier, VALUES[0])


def test_the_bound(recovered: list[bytes]) -> None:
    verifier = AnchorVerifier(entries=2)
    for turn in (0, 1, 0, 2, 0):  # 1 is the least recently used when 2 comes
        check(verifier, VALUES[turn])
    assert len(recovered) == 12
    check(verifier, VALUES[1])
    assert len(recovered) == 16


def test_threads() -> None:
    verifier = AnchorVerifier(entries=2)
    with ThreadPoolExecutor(8) as pool:
        sizes = list(pool.map(lambda turn: check(verifier, VALUES[turn % 3]).checkpoint.size, range(60)))
    assert sizes == [7 + turn % 3 for turn in range(60)]


@pytest.mark.parametrize("value", [None, [], 7, "x", {}, {"origin": 7}, {"version": "x" * (1 << 20)}])
def test_no_proof_at_all(value: JsonValue) -> None:
    with pytest.raises(LedgerError):
        AnchorVerifier().check(value, [PROFILE], log_key=lambda origin: LOG_KEY)


def test_a_claim_that_its_own_note_contradicts_is_invalid_before_any_key_is_looked_for() -> None:
    value = VALUES[0]
    changes: list[dict[str, JsonValue]] = [
        {"origin": "example.gov.cn/tesu"},
        {"anchored": {"size": 8, "root": "A" * 43 + "="}},
    ]
    for change in changes:
        with pytest.raises(VerificationError) as caught:
            AnchorVerifier().check({**value, **change}, [], log_key=no_key)
        assert caught.value.code == "anchor.checkpoint"


def no_key(origin: str) -> NoteKey:
    raise UnavailableError("parent.unknown-log", origin)
