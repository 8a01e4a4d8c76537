"""What every Signer promises, whether its key is in memory or in an HSM."""

from collections.abc import Iterator

import pytest

from signing import LedgerError, Signer, VerificationError, generate_signer
from signing.algorithms import ALGORITHMS, Algorithm
from tests.support.softhsm import PIN, soft_token
from tests.support.together import run_together

__all__ = ["soft_token"]

_MESSAGES = {"empty": b"", "one byte": b"\0", "a digest's length": bytes(32), "1 MiB": b"\xe7\x94\xb5\xe5" * (1 << 18)}
_IN_MEMORY: list[Algorithm] = ["Ed25519", "ES256", "ES384", "SM2-SM3"]
_IN_HSM: list[Algorithm] = ["Ed25519", "ES256", "ES384"]
_DETERMINISTIC = ("Ed25519",)


def _random(size: int) -> bytes:
    return (b"\x2a" * size)[:size]


@pytest.fixture(params=[*(("memory", name) for name in _IN_MEMORY), *(("hsm", name) for name in _IN_HSM)], ids="-".join)
def signer(request: pytest.FixtureRequest) -> Iterator[Signer]:
    place, algorithm = request.param
    if place == "memory":
        yield generate_signer(algorithm, _random)
        return
    token = request.getfixturevalue("soft_token").open()
    token.generate("contract", algorithm)
    yield token.signer("contract")
    token.close()


@pytest.mark.parametrize("message", _MESSAGES.values(), ids=_MESSAGES)
def test_the_public_key_verifies_what_is_signed(signer: Signer, message: bytes) -> None:
    key = signer.public_key
    signature = signer.sign(message)
    assert len(signature) == ALGORITHMS[key.algorithm].signature_size
    key.verify(signature, message)
    for changed in (message + b"\0", b"\1" + message[1:]):
        with pytest.raises(VerificationError) as caught:
            key.verify(signature, changed)
        assert caught.value.code == "signature.invalid"


def test_the_public_key_stays_the_same(signer: Signer) -> None:
    first = signer.public_key
    signer.sign(b"message")
    assert signer.public_key == first


def test_a_message_may_be_signed_again(signer: Signer) -> None:
    signatures = [signer.sign(b"message") for _ in range(20)]
    for signature in signatures:
        signer.public_key.verify(signature, b"message")
    if signer.public_key.algorithm in _DETERMINISTIC:
        assert len(set(signatures)) == 1


def test_many_threads_sign_at_once(signer: Signer) -> None:
    """Each gets the signature of its own message."""
    signatures: dict[bytes, bytes] = {}

    def work(thread: int) -> None:
        for number in range(20):
            message = b"%d.%d" % (thread, number) * (1 + number)
            signatures[message] = signer.sign(message)

    run_together(*(lambda thread=thread: work(thread) for thread in range(8)))
    assert len(signatures) == 160
    for message, signature in signatures.items():
        signer.public_key.verify(signature, message)


def test_nothing_secret_is_shown(signer: Signer) -> None:
    shown = repr(signer) + str(signer) + repr(getattr(signer, "__dict__", ""))
    assert PIN not in shown
    assert _random(32).hex() not in shown
    assert repr(_random(32)) not in shown


def test_only_our_errors_are_raised(signer: Signer) -> None:
    for signature in (b"", bytes(64), b"\xff" * 96):
        with pytest.raises(LedgerError):
            signer.public_key.verify(signature, b"message")
