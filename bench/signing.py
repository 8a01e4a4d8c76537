"""How fast we sign and verify, beside the bare library's own speed in the same run.

Ours and theirs take turns in short rounds; a ratio is the median over the rounds of (their time / our time), so that a
slow moment of the machine hits both. Theirs is the library at its best: key objects made beforehand, signatures in the
library's own form (DER), nothing checked but the signature. Ours goes through ``Signer.sign`` and ``PublicKey.verify``,
and for tokens and notes through everything that signs or verifies one.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # before this folder, where this file hides the package signing

import gmssl_pyx
import nacl.signing
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, SHA384

from signing import (
    Ed25519Signer,
    Es256Signer,
    Es384Signer,
    JsonValue,
    NoteKey,
    PublicKey,
    Secret,
    Signer,
    Sm2Signer,
    open_note,
    parse_jws,
    sign_jws,
    sign_note,
    verify_jws,
)
from signing.dss import raw_to_der
from signing.sm2 import DEFAULT_SIGNER_ID

Action = Callable[[], object]
MESSAGE = bytes(500)
TYP = "dc+sd-jwt"
CLAIMS: dict[str, JsonValue] = {
    "_sd": ["n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg"] * 20,
    "_sd_alg": "sha-256",
    "exp": 1_800_000_000,
    "iat": 1_700_000_000,
    "iss": "uscc:91310000775785552L",
    "jti": "em-mfrggzdfmztwq2lknnwg23tpoa",
    "nbf": 1_700_000_000,
    "status": {"status_list": {"idx": 4711, "uri": "https://example.gov/status/1"}},
    "vct": "urn:ematerials:type:birth-certificate:1",
    "version": 1,
}


@dataclass(frozen=True, slots=True)
class Pair:
    """The same work done by us and by the bare library, and the share of its speed that we must reach (0: for show)."""

    name: str
    peer: str
    ours: Action
    theirs: Action
    target: float = 0


def ed25519_pairs() -> list[Pair]:
    """Ed25519 against PyNaCl; tokens and notes against the bare signature of the same bytes."""
    seed = Secret(b"\x01" * 32)
    signer, key = Ed25519Signer(seed), nacl.signing.SigningKey(bytes(seed))
    signature = signer.sign(MESSAGE)
    note = sign_note(
        b"example.gov/licences\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n", name="log", signer=signer
    )
    note_key, text = NoteKey.of("log", signer.public_key), note.partition(b"\n\n")[0] + b"\n"
    note_signature = signer.sign(text)
    return [
        Pair("Ed25519 sign", "PyNaCl", lambda: signer.sign(MESSAGE), lambda: key.sign(MESSAGE), 0.8),
        Pair(
            "Ed25519 verify",
            "PyNaCl",
            lambda: signer.public_key.verify(signature, MESSAGE),
            lambda: key.verify_key.verify(MESSAGE, signature),
            0.8,
        ),
        *token_pairs(signer, "PyNaCl", key.sign, lambda raw, message: key.verify_key.verify(message, raw)),
        Pair(
            "note open",
            "PyNaCl",
            lambda: open_note(note, [note_key]),
            lambda: key.verify_key.verify(text, note_signature),
        ),
    ]


def ecdsa_pairs(signer: Es256Signer | Es384Signer, curve: ec.EllipticCurve, scheme: ec.ECDSA) -> list[Pair]:
    """ES256 and ES384 against cryptography, which signs and verifies DER."""
    name, library = signer.public_key.algorithm, "cryptography"
    key = ec.derive_private_key(int.from_bytes(signer.secret_bytes()), curve)
    public, signature = key.public_key(), signer.sign(MESSAGE)
    der, target = raw_to_der(signature), 0.8 if name == "ES256" else 0
    return [
        Pair(f"{name} sign", library, lambda: signer.sign(MESSAGE), lambda: key.sign(MESSAGE, scheme), target),
        Pair(
            f"{name} verify",
            library,
            lambda: signer.public_key.verify(signature, MESSAGE),
            lambda: public.verify(der, MESSAGE, scheme),
            target,
        ),
        *token_pairs(
            signer,
            library,
            lambda message: key.sign(message, scheme),
            lambda raw, message: public.verify(raw, message, scheme),
        ),
    ]


def sm2_pairs() -> list[Pair]:
    """SM2 with SM3 against gmssl-pyx, which signs and verifies DER."""
    signer = Sm2Signer.generate(bytes)
    secret, public, identity = bytes(signer.secret_bytes()[:32]), signer.public_key.raw, DEFAULT_SIGNER_ID
    signature = signer.sign(MESSAGE)
    der = raw_to_der(signature)
    return [
        Pair(
            "SM2-SM3 sign",
            "gmssl-pyx",
            lambda: signer.sign(MESSAGE),
            lambda: gmssl_pyx.sm2_sign(secret, public, MESSAGE, signer_id=identity),
        ),
        Pair(
            "SM2-SM3 verify",
            "gmssl-pyx",
            lambda: signer.public_key.verify(signature, MESSAGE),
            lambda: gmssl_pyx.sm2_verify(public, MESSAGE, der, signer_id=identity),
        ),
    ]


def token_pairs(
    signer: Signer, library: str, sign: Callable[[bytes], object], verify: Callable[[bytes, bytes], object]
) -> list[Pair]:
    """A whole token, as large as a statement, against the bare signature of its signing input."""
    name = signer.public_key.algorithm
    text = sign_jws(signer, typ=TYP, claims=CLAIMS)
    signing_input = text.rpartition(".")[0].encode()
    raw = signer.sign(signing_input)
    signature = raw if name == "Ed25519" else raw_to_der(raw)

    def read() -> object:
        return verify_jws(parse_jws(text, typ=TYP, max_bytes=8192), signer.public_key)

    return [
        Pair(
            f"JWS {name} sign",
            library,
            lambda: sign_jws(signer, typ=TYP, claims=CLAIMS),
            lambda: sign(signing_input),
            0 if name == "ES384" else 0.5,
        ),
        Pair(f"JWS {name} verify", library, read, lambda: verify(signature, signing_input)),
    ]


def key_ids() -> Action:
    """The thumbprint of one key after another; there are more of them than any cache of ours keeps."""
    signers = [Ed25519Signer(Secret(number.to_bytes(32))) for number in range(3000)]
    jwks = cycle([signer.public_key.to_jwk() for signer in signers])
    return lambda: PublicKey.from_jwk(next(jwks)).key_id


def seconds_of(action: Action, count: int) -> float:
    """How long ``count`` calls take."""
    start = time.perf_counter()
    for _ in range(count):
        action()
    return time.perf_counter() - start


def compare(pair: Pair, seconds: float) -> list[dict[str, object]]:
    """Both rates and their ratio, from rounds of about 20 ms for each side."""
    count = max(1, int(0.02 / (seconds_of(pair.theirs, 20) / 20)))
    seconds_of(pair.ours, count)
    rounds = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        rounds.append((seconds_of(pair.ours, count), seconds_of(pair.theirs, count)))
    ours, theirs = (count / statistics.median(side) for side in zip(*rounds, strict=True))
    ratio = statistics.median(their_time / our_time for our_time, their_time in rounds)
    return [
        figure(f"{pair.name}: ours", ours, "1/s"),
        figure(f"{pair.name}: {pair.peer}", theirs, "1/s"),
        figure(f"{pair.name}: ours / {pair.peer}", ratio, "ratio", target=pair.target),
    ]


def measure(seconds: float) -> list[dict[str, object]]:
    """All figures; about ``seconds`` for each pair."""
    pairs = [
        *ed25519_pairs(),
        *ecdsa_pairs(Es256Signer(Secret(b"\x01" * 32)), ec.SECP256R1(), ec.ECDSA(SHA256())),
        *ecdsa_pairs(Es384Signer(Secret(b"\x01" * 48)), ec.SECP384R1(), ec.ECDSA(SHA384())),
        *sm2_pairs(),
    ]
    rows = [row for pair in pairs for row in compare(pair, seconds)]
    count = 3000
    return [*rows, figure("key id of a key from its JWK", count / seconds_of(key_ids(), count), "1/s")]


def figure(name: str, value: float, unit: str, *, target: float = 0) -> dict[str, object]:
    """One row of the result; a figure with target 0 is there for information."""
    rounded = round(value, 3 if unit == "ratio" else 0)
    return {"name": name, "value": rounded, "unit": unit, "better": ">=", "target": target, "met": value >= target}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="at most 40 seconds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    arguments = parser.parse_args()
    figures = measure(1.5 if arguments.quick else 10)
    for row in figures:
        target = "" if row["target"] == 0 else f"   target {row['better']} {row['target']}   met: {row['met']}"
        print(f"{row['name']:36} {row['value']:>12} {row['unit']}{target}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
