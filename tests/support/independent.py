"""A second reading of the standards: verifies what the ledger writes, from files alone, without any of its packages.

Written from C2SP signed-note, tlog-checkpoint, tlog-tiles and tlog-proof, RFC 6962, RFC 9901, the Besu documentation
of QBFT and EIP-1186. The tree is computed by its recursive definition, not by the iterative algorithms. SM2 is
gmalg's; certificates, revocation lists and time stamps are left to the openssl command.
"""

import base64
import hashlib
import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gmalg
import rlp
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, SECP384R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from eth_hash.auto import keccak
from eth_keys.datatypes import Signature
from nacl.signing import VerifyKey
from trie import HexaryTrie

BESU_QBFT_MIX = bytes.fromhex("63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365")


class WrongError(Exception):
    """What is shown is not so."""


def demand(holds: bool, what: str) -> None:
    if not holds:
        raise WrongError(what)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


# --- the tree, RFC 6962 §2.1 ---------------------------------------------------------------------------------------


def leaf(entry: bytes) -> bytes:
    return sha256(b"\0" + entry)


def root_of(leaves: Sequence[bytes]) -> bytes:
    """MTH."""
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return leaves[0]
    k = _split(len(leaves))
    return sha256(b"\1" + root_of(leaves[:k]) + root_of(leaves[k:]))


def _split(size: int) -> int:
    return int(1 << ((size - 1).bit_length() - 1))


def root_by_path(index: int, size: int, hash_: bytes, path: Sequence[bytes]) -> bytes:
    """The root that an audit path leads to: §2.1.1 read backwards."""
    demand(0 <= index < size, "index beyond the size")
    if size == 1:
        demand(not path, "hashes left over")
        return hash_
    demand(bool(path), "too few hashes")
    k = _split(size)
    if index < k:
        return sha256(b"\1" + root_by_path(index, k, hash_, path[:-1]) + path[-1])
    return sha256(b"\1" + path[-1] + root_by_path(index - k, size - k, hash_, path[:-1]))


# --- notes, checkpoints, tiles, receipts ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Head:
    """A verified checkpoint."""

    origin: str
    size: int
    root: bytes


def read_checkpoint(note: bytes, vkey: str) -> Head:
    """Signed note and checkpoint of the log whose key is ``vkey``."""
    name, key_id, encoded = vkey.split("+", 2)
    key = base64.b64decode(encoded, validate=True)
    demand(key[0] == 1 and len(key) == 33, "not an Ed25519 note key")
    demand(sha256(name.encode() + b"\n" + key)[:4].hex() == key_id, "key id")
    text, _, signatures = note.rpartition(b"\n\n")
    text += b"\n"
    prefix = f"\u2014 {name} ".encode()
    blobs = [base64.b64decode(line[len(prefix) :], validate=True) for line in signatures.split(b"\n") if prefix in line]
    mine = [blob for blob in blobs if blob[:4].hex() == key_id]
    demand(len(mine) == 1, "no signature of the log")
    VerifyKey(key[1:]).verify(text, mine[0][4:])
    origin, size, root, end = text.split(b"\n")
    demand(end == b"" and origin.decode() == name and str(int(size)).encode() == size, "checkpoint body")
    return Head(name, int(size), base64.b64decode(root, validate=True))


def audit_log(folder: Path, vkey: str) -> list[bytes]:
    """Read a static tlog-tiles log as a stranger would, check every file, and return its entries."""
    head = read_checkpoint((folder / "checkpoint").read_bytes(), vkey)
    entries: list[bytes] = []
    for number, width in _tiles(head.size):
        data = (folder / "tile" / "entries" / _place(number, width)).read_bytes()
        for _ in range(width):
            length = int.from_bytes(data[:2], "big")
            entries.append(data[2 : 2 + length])
            data = data[2 + length :]
        demand(data == b"", "entry bundle too long")
    level, hashes = 0, [leaf(entry) for entry in entries]
    demand(len(hashes) == head.size and root_of(hashes) == head.root, "the entries do not give the root")
    while hashes:
        for number, width in _tiles(len(hashes)):
            data = (folder / "tile" / str(level) / _place(number, width)).read_bytes()
            demand(data == b"".join(hashes[number * 256 : number * 256 + width]), f"tile {level}/{number}")
        full = len(hashes) // 256
        hashes = [root_of(hashes[at * 256 : at * 256 + 256]) for at in range(full)]
        level += 1
    return entries


def _tiles(size: int) -> list[tuple[int, int]]:
    return [(number, min(256, size - number * 256)) for number in range((size + 255) // 256)]


def _place(number: int, width: int) -> str:
    digits = f"{number:03}"
    groups = [digits[max(at - 3, 0) : at].zfill(3) for at in range(len(digits), 0, -3)][::-1]
    path = "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])
    return path if width == 256 else f"{path}.p/{width}"


def check_receipt(receipt: bytes, entry: bytes, vkey: str) -> tuple[int, Head]:
    """A tlog-proof: the index of ``entry`` and the checkpoint it is in."""
    proof, _, note = receipt.partition(b"\n\n")
    version, index_line, *hashes = proof.split(b"\n")
    demand(version == b"c2sp.org/tlog-proof@v1" and index_line.startswith(b"index "), "tlog-proof")
    head, index = read_checkpoint(note, vkey), int(index_line[6:])
    path = [base64.b64decode(line, validate=True) for line in hashes]
    demand(root_by_path(index, head.size, leaf(entry), path) == head.root, "inclusion")
    return index, head


# --- the chain -----------------------------------------------------------------------------------------------------


def from_hex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def qbft_hashes(raw: bytes) -> tuple[bytes, bytes]:
    """(block hash, hash under the seals) of a QBFT header."""
    fields = rlp.decode(raw)
    vanity, validators, vote, round_, _ = rlp.decode(fields[12])

    def digest(round_number: bytes) -> bytes:
        extra = rlp.encode([vanity, validators, vote, round_number, []])
        return keccak(rlp.encode([*fields[:12], extra, *fields[13:]]))

    return digest(b""), digest(round_)


def check_seals(raw: bytes, trusted: set[bytes]) -> int:
    """How many of the trusted validators sealed; at least two thirds of them, rounded up."""
    fields = rlp.decode(raw)
    demand(fields[13] == BESU_QBFT_MIX and fields[14] == bytes(8), "not a header of QBFT")
    _, validators, _, _, seals = rlp.decode(fields[12])
    demand(set(validators) == trusted and validators == sorted(validators), "validator set")
    _, sealed = qbft_hashes(raw)
    signers = {Signature(seal).recover_public_key_from_msg_hash(sealed).to_canonical_address() for seal in seals}
    demand(len(signers) == len(seals) and signers <= trusted, "a seal of a stranger, or twice")
    demand(3 * len(signers) >= 2 * len(trusted), "no quorum")
    return len(signers)


def check_clique(raws: Sequence[bytes], signers: Sequence[bytes]) -> int:
    """How many distinct signers stand at a Clique header and the ones after it (EIP-225)."""
    sealed: list[bytes] = []
    parent = None
    for raw in raws:
        fields = rlp.decode(raw)
        extra, number = fields[12], int.from_bytes(fields[8], "big")
        digest = keccak(rlp.encode([*fields[:12], extra[:-65], *fields[13:]]))
        signer = Signature(extra[-65:]).recover_public_key_from_msg_hash(digest).to_canonical_address()
        demand(signer in signers and len(fields) in (15, 16), "a seal of a stranger")
        demand(parent in (None, fields[0]), "headers that are not linked")
        demand(fields[7] == (b"\2" if signers[number % len(signers)] == signer else b"\1"), "difficulty")
        demand(signer not in sealed[max(0, len(sealed) - len(signers) // 2) :], "a signer too soon")
        sealed.append(signer)
        parent = keccak(raw)
    return len(set(sealed))


def _proved(root: bytes, key: bytes, nodes: list[str]) -> Any:
    value = HexaryTrie.get_from_proof(root, keccak(key), [rlp.decode(from_hex(node)) for node in nodes])
    demand(value != b"", "absent")
    return rlp.decode(value)


def check_anchor(proof: dict[str, Any], profile: dict[str, Any], vkey: str) -> tuple[Head, int]:
    """The checkpoint that the contract holds by this proof, and the time of its block."""
    head = read_checkpoint(proof["checkpointNote"].encode(), vkey)
    anchored = proof["anchored"]
    demand((head.size, head.root) == (anchored["size"], base64.b64decode(anchored["root"])), "note and anchor differ")
    raw, *descendants = [from_hex(header) for header in proof["headers"]]
    members = [from_hex(address) for address in profile["validatorSets"][0]["addresses"]]
    if profile["consensus"] == "clique":
        demand(check_clique([raw, *descendants], members) >= profile["clique"]["minDistinctSigners"], "too few signers")
    else:
        demand(not descendants, "descendants")
        check_seals(raw, set(members))
    pins = {pin["address"]: pin["codeHash"] for pin in profile["contracts"]}
    state_root = rlp.decode(raw)[3]
    _, _, storage_root, code_hash = _proved(state_root, from_hex(proof["contract"]), proof["accountProof"])
    demand(code_hash == from_hex(pins[proof["contract"]]), "another contract")
    origin = sha256(proof["origin"].encode())
    slot = keccak(head.size.to_bytes(32, "big") + keccak(origin + (1).to_bytes(32, "big")))
    nodes = {item["label"]: item["proof"] for item in proof["storage"]}
    stored = _proved(storage_root, slot, nodes["anchor.root"])
    demand(stored.rjust(32, b"\0") == head.root, "the contract holds another root")
    next_slot = (int.from_bytes(slot, "big") + 1).to_bytes(32, "big")
    meta = int.from_bytes(_proved(storage_root, next_slot, nodes["anchor.meta"]), "big")
    newest = int.from_bytes(_proved(storage_root, keccak(origin + bytes(32)), nodes["head"]), "big") % 2**64
    demand(newest >= head.size, "the newest head is older")
    return head, (meta >> 48) % 2**48


# --- SD-JWT and JWS ------------------------------------------------------------------------------------------------


def from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def check_jws(token: str, jwk: dict[str, str]) -> dict[str, Any]:
    """The claims of a JWS by Ed25519, ES256, ES384 or SM2 with the default signer ID."""
    header, payload, signature = token.split(".")
    signed, raw = f"{header}.{payload}".encode(), from_base64url(signature)
    if jwk["kty"] == "OKP":
        VerifyKey(from_base64url(jwk["x"])).verify(signed, raw)
    else:
        _check_ec(jwk, signed, raw[: len(raw) // 2], raw[len(raw) // 2 :])
    claims: dict[str, Any] = json.loads(from_base64url(payload))
    return claims


def _check_ec(jwk: dict[str, str], signed: bytes, r: bytes, s: bytes) -> None:
    x, y = (from_base64url(jwk[name]) for name in "xy")
    if jwk["crv"] == "SM2":
        verifier = gmalg.SM2(uid=b"1234567812345678", pk=b"\x04" + x + y)
        demand(verifier.verify(signed, r, s), "SM2 signature")
        return
    curve, hash_ = {"P-256": (SECP256R1(), SHA256()), "P-384": (SECP384R1(), SHA384())}[jwk["crv"]]
    key = EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), curve).public_key()
    der = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
    key.verify(der, signed, ECDSA(hash_))


def check_detached(jwt: str, detached: str, jwk: dict[str, str]) -> dict[str, Any]:
    """A further signature over the payload of ``jwt`` (RFC 7515 Appendix F): the claims."""
    protected, empty, signature = detached.split(".")
    demand(empty == "", "a payload of its own")
    header = json.loads(from_base64url(protected))
    demand(header == {"alg": jwk["alg"], "kid": thumbprint(jwk), "typ": "dc+sd-jwt"}, "header")
    return check_jws(f"{protected}.{jwt.split('.')[1]}.{signature}", jwk)


def sm2_key_of(certificate: bytes) -> dict[str, str]:
    """The JWK of an SM2 certificate (DER): X and Y follow the one prefix of its SubjectPublicKeyInfo."""
    prefix = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")
    at = certificate.index(prefix) + len(prefix)
    x, y = (base64.urlsafe_b64encode(certificate[at + n : at + n + 32]).decode().rstrip("=") for n in (0, 32))
    return {"alg": "SM2-SM3", "crv": "SM2", "kty": "EC", "x": x, "y": y}


def openssl_accepts(folder: Path, files: dict[str, bytes], *command: str) -> bool:
    """Whether ``openssl <command>`` succeeds in a folder with these files; those that end in ``.crt`` become PEM."""
    for name, data in files.items():
        pem = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(data) + b"-----END CERTIFICATE-----\n"
        (folder / name).write_bytes(pem if name.endswith(".crt") else data)
    return subprocess.run(["openssl", *command], cwd=folder, capture_output=True, check=False).returncode == 0


def thumbprint(jwk: dict[str, str]) -> str:
    """RFC 7638."""
    names = ("crv", "kty", "x", "y") if jwk["kty"] == "EC" else ("crv", "kty", "x")
    text = json.dumps({name: jwk[name] for name in names}, separators=(",", ":"))
    return base64.urlsafe_b64encode(sha256(text.encode())).decode().rstrip("=")


def check_sd_jwt(text: str, find_key: Callable[[str], dict[str, str]]) -> dict[str, Any]:
    """Verify and process an SD-JWT without key binding (RFC 9901 §7.1)."""
    jwt, *disclosures, last = text.split("~")
    demand(last == "", "a key binding")
    header = json.loads(from_base64url(jwt.split(".")[0]))
    claims = check_jws(jwt, find_key(header["kid"]))
    demand(claims.pop("_sd_alg") == "sha-256", "hash algorithm")
    by_digest = {
        base64.urlsafe_b64encode(sha256(part.encode())).decode().rstrip("="): json.loads(from_base64url(part))
        for part in disclosures
    }
    demand(len(by_digest) == len(disclosures), "a disclosure twice")
    for digest in claims.pop("_sd"):
        if digest in by_digest:
            _, name, value = by_digest.pop(digest)
            demand(name not in claims, "a name twice")
            claims[name] = value
    claims["files"] = [by_digest.pop(item["..."])[1] for item in claims["files"] if item["..."] in by_digest]
    demand(not by_digest, "a disclosure that nothing refers to")
    return claims
