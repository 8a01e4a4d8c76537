"""The chain guards the log: rollback and fork are noticed."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from anchors import ChainHead, check_chain_head, head_checkpoint
from anchors.guard import LagLimit, check_lag
from ledger import Checkpoint, RootHash, sign_checkpoint
from signing import Ed25519Signer, MalformedError, NoteKey, UnavailableError, VerificationError
from tests.support.anchor_forge import LOG_KEY, LOG_SIGNER, ORIGIN
from tests.support.ledger_reference import mth, proof

ENTRIES = [b"entry %d" % number for number in range(20)]


@dataclass
class ListLog:
    """A log over a list of entries."""

    entries: Sequence[bytes]

    def checkpoint(self) -> bytes:
        note = self.checkpoint_at(len(self.entries))
        assert note is not None
        return note

    def checkpoint_at(self, size: int) -> bytes | None:
        return sign_checkpoint(Checkpoint(ORIGIN, size, RootHash(mth(self.entries[:size]))), LOG_SIGNER)

    def consistency_proof(self, old_size: int, new_size: int) -> Sequence[bytes]:
        if old_size > new_size:
            raise MalformedError("form.range", "proof")
        return proof(old_size, self.entries[:new_size]) if 0 < old_size < new_size else []


def head(size: int, root: bytes | None = None) -> ChainHead:
    return ChainHead(size, mth(ENTRIES[:size]) if root is None else root, 9, bytes(32))


@pytest.mark.parametrize("local", range(1, 21))
def test_every_pair_of_sizes(local: int) -> None:
    log = ListLog(ENTRIES[:local])
    for size in range(21):
        if size <= local:
            assert check_chain_head(log, head(size), LOG_KEY).size == local
            continue
        with pytest.raises(VerificationError) as caught:
            check_chain_head(log, head(size), LOG_KEY)
        assert caught.value.code == "log.behind-chain"


def test_another_root_is_a_fork_at_every_size() -> None:
    log = ListLog(ENTRIES)
    for size in range(1, 21):
        with pytest.raises(VerificationError) as caught:
            check_chain_head(log, head(size, bytes([size]) * 32), LOG_KEY)
        assert caught.value.code == "log.fork"
    other = ListLog([b"other", *ENTRIES[1:]])
    with pytest.raises(VerificationError) as caught:
        check_chain_head(other, head(10), LOG_KEY)
    assert caught.value.code == "log.fork"


def test_the_log_must_be_the_keys() -> None:
    with pytest.raises(VerificationError):
        check_chain_head(ListLog(ENTRIES), head(5), NoteKey.ed25519(ORIGIN, Ed25519Signer(bytes(32)).public_key.raw))


def test_an_empty_head_is_no_checkpoint() -> None:
    assert head_checkpoint(ChainHead(0, bytes(32), 9, bytes(32)), ORIGIN) is None
    assert head_checkpoint(head(5), ORIGIN) == Checkpoint(ORIGIN, 5, RootHash(mth(ENTRIES[:5])))


@pytest.mark.parametrize(
    ("limit", "heads", "allowed"),
    [
        (LagLimit(10, None), [(91, 0)], True),
        (LagLimit(10, None), [(90, 0)], False),  # ten are ahead already
        (LagLimit(None, 600), [(0, 400)], True),
        (LagLimit(None, 600), [(100, 399)], False),
        (LagLimit(10, 600), [(95, 399)], False),
        (LagLimit(10, 600), [(80, 990)], False),
        (LagLimit(10, 600), [(80, 990), (95, 990)], True),  # one chain that is fresh is enough
        (LagLimit(10, 600), [(95, 0), (0, 990)], False),  # but not two halves
        (LagLimit(10, 600), [], False),  # never asked is not empty
    ],
)
def test_how_far_a_log_may_run_ahead_of_chains_that_are_away(
    limit: LagLimit, heads: list[tuple[int, int]], allowed: bool
) -> None:
    if allowed:
        check_lag(limit, heads, 100, now=1000)
        return
    with pytest.raises(UnavailableError) as caught:
        check_lag(limit, heads, 100, now=1000)
    assert caught.value.code == "log.chain-away"
