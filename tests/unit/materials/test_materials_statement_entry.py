"""A statement as it lies in the log: its signature, by the key of its issuer."""

import pytest

from materials.ids import EntityId
from materials.statement import verify_entry
from signing import KeyId, LedgerError, PublicKey
from tests.support.materials_world import ISSUE_KEY, ISSUER, STRANGER, claims, issued


def find_key(issuer: EntityId, key_id: KeyId) -> PublicKey:
    """The issuer's only key."""
    assert issuer == ISSUER
    assert key_id in (ISSUE_KEY.public_key.key_id, STRANGER.public_key.key_id)
    return ISSUE_KEY.public_key


def test_a_signed_entry_gives_its_claims() -> None:
    assert verify_entry(issued().entry, find_key) == claims()


def test_the_key_is_the_issuers() -> None:
    with pytest.raises(LedgerError) as caught:
        verify_entry(issued(STRANGER).entry, find_key)
    assert caught.value.code == "signature.key"


def test_no_changed_character_verifies() -> None:
    entry = issued().entry
    for at in range(0, len(entry), 7):
        other = b"A" if entry[at : at + 1] != b"A" else b"B"
        with pytest.raises(LedgerError):
            verify_entry(entry[:at] + other + entry[at + 1 :], lambda _issuer, _key_id: ISSUE_KEY.public_key)
    for changed in (b"", entry[:-1], entry + b"A", b"\xff" + entry, entry.replace(b".", b"..")):
        with pytest.raises(LedgerError):
            verify_entry(changed, lambda _issuer, _key_id: ISSUE_KEY.public_key)
