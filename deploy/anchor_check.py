"""Try anchoring on a chain, from the first transaction to a proof that is verified offline.

    .venv/bin/python deploy/anchor_check.py --rpc http://127.0.0.1:8545

Deploys a contract of its own, opens an origin of its own, anchors the checkpoints of a log made for the occasion, and
does what must be refused. Nothing of a workspace is read or written. Each step is a line; the last one is the verdict.
Exit code 0: all came out as it must; 1: something did not; 69: a node could not be asked, or blocks do not come.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Engine

from anchors import (
    Chain,
    Consensus,
    TrustProfile,
    VerifiedAnchor,
    parse_profile,
    profile_to_json,
    read_anchor_proof,
    tables,
)
from anchors.account import MemoryAccount, account_address
from anchors.capture import AnchorTarget
from anchors.contract import encode_anchor, origin_id
from anchors.deploy import Network, deploy_contract, register_origin, set_anchorer
from anchors.evm import connect_chain, http_endpoint
from anchors.hexdata import to_hex
from anchors.node import Endpoint
from anchors.outbox import Pace, State, Submission
from anchors.store import SqlAnchorProofs
from anchors.verify import verify_anchor_proof
from anchors.worker import AnchorWorker
from api import clock
from api.chain_profiles import ProfileRequest, make_profile
from ledger import open_checkpoint
from ledger.database import open_engine
from ledger.store import SqlLog
from ledger.tables import metadata
from signing import Ed25519Signer, LedgerError, MalformedError, NoteKey, RefusedError, Secret, UnavailableError

SIZES = (3, 200, 1000)
LOOK_SECONDS = 0.2
UNAVAILABLE = 69
Result = TypeVar("Result")


class WrongError(Exception):
    """Something did not come out as it must."""


def say(chinese: str, english: str) -> None:
    """One line."""
    print(f"  {chinese} · {english}", flush=True)


@dataclass
class Trial:
    """A log, a contract, and what anchors the one in the other."""

    endpoints: Sequence[Endpoint]
    account: MemoryAccount
    gas_price: int
    block_seconds: int
    seconds: float
    engine: Engine
    signer: Ed25519Signer
    origin: str

    @property
    def log_key(self) -> NoteKey:
        return NoteKey.ed25519(self.origin, self.signer.public_key.raw)

    def network(self) -> Network:
        """The chain as its first node shows it."""
        node = self.endpoints[0]
        chain_id, client = int(str(node.call("eth_chainId")), 16), node.call("web3_clientVersion")
        say(f"链号 {chain_id}，节点 {client}", f"chain id {chain_id}, node {client}")
        attempts = int(self.seconds / LOOK_SECONDS)
        return Network(node.rpc, chain_id, self.gas_price, wait=lambda: time.sleep(LOOK_SECONDS), attempts=attempts)

    def set_up(self, *, unsealed: bool) -> TrustProfile:
        """The contract, its origin, and the profile, written and read back as a verifier would get it."""
        network = self.network()
        deployment = deploy_contract(network, governor=self.account)
        say(f"合约已部署 {to_hex(deployment.address)}", f"contract deployed in block {deployment.block_number}")
        sender = account_address(self.account)
        named = {"contract": deployment.address, "origin": origin_id(self.origin)}
        register_origin(network, contract=deployment.address, governor=self.account, name=self.origin, admin=sender)
        set_anchorer(network, **named, admin=self.account, anchorer=sender)
        say(f"日志已登记 {self.origin}", "origin registered, anchorer admitted")
        request = ProfileRequest(self.origin, deployment.address, deployment.block_number, unsealed=unsealed)
        made = self.in_time(lambda: make_profile(self.endpoints[0], request, default_id=str))
        profile = parse_profile(profile_to_json(made))
        members = len(profile.validator_sets[0].addresses) if profile.validator_sets else 0
        say(
            f"共识 {profile.consensus}，验证节点 {members} 个，等级上限 {profile.max_grade}",
            f"{members} validators, grade at most {profile.max_grade}",
        )
        return profile

    def in_time(self, action: Callable[[], Result | None]) -> Result:
        """What the action gives once it gives something; raises UnavailableError when the time is over."""
        end = time.monotonic() + self.seconds
        while True:
            try:
                result = action()
                if result is not None:
                    return result
            except UnavailableError:
                if time.monotonic() > end:
                    raise
            if time.monotonic() > end:
                raise UnavailableError("chain.no-receipt", f"nothing came of it in {self.seconds:.0f} seconds")
            time.sleep(LOOK_SECONDS)

    def grow(self, size: int) -> None:
        """Bring the log to that size."""
        with self.engine.begin() as connection:
            log = SqlLog(connection, self.origin)
            have = open_checkpoint(log.checkpoint(), self.log_key).size
            log.append([b"entry %d" % number for number in range(have, size)], signer=self.signer, known_head=None)

    def anchor(self, worker: AnchorWorker, size: int) -> Submission:
        """The newest checkpoint, anchored and proved."""

        def proven() -> Submission | None:
            done = worker.run(now=clock.now())
            return done if done is not None and done.state is State.PROVEN else None

        done = self.in_time(proven)
        if done.size != size:
            raise WrongError(f"size {done.size} was anchored, not {size}")
        return done

    def verify(self, target: AnchorTarget, size: int) -> tuple[bytes, VerifiedAnchor]:
        """The stored proof, verified from its bytes without asking anybody."""
        with self.engine.begin() as connection:
            found = SqlAnchorProofs(connection, target.scope).covering(size)
        if found is None or found[0] != size:
            raise WrongError(f"no proof of size {size} was stored")
        return found[1], verify_anchor_proof(read_anchor_proof(found[1]), [target.profile], log_key=self.log_key)


def try_what_is_refused(chain: Chain, target: AnchorTarget, last: Submission) -> None:
    """Calls that the contract must refuse, simulated; and an exact repeat, which it must take for what it is."""
    sender, other = account_address(target.account), b"\x01" * 20
    wrong, hashes = b"\xff" * 32, [b"\xff" * 32] * 5

    def call(size: int, root: bytes, proof: Sequence[bytes] = ()) -> bytes:
        return encode_anchor(
            origin=origin_id(target.log_key.name),
            old_size=last.size,
            new_size=size,
            new_root=root,
            note_hash=bytes(32),
            proof=proof,
        )

    chain.quote(sender, call(last.size, last.root))
    say("重复存证不改变任何内容", "an exact repeat is taken as one")
    for expected, caller, calldata in (
        ("contract.conflict", sender, call(last.size, wrong)),
        ("contract.stale-head", sender, call(last.size - 1, wrong)),
        ("contract.bad-consistency", sender, call(last.size + 1, wrong, hashes)),
        ("contract.bad-size", sender, call(0, wrong)),
        ("contract.not-anchorer", other, call(last.size, last.root)),
    ):
        try:
            chain.quote(caller, calldata)
        except RefusedError as error:
            if error.code != expected:
                raise WrongError(f"refused with {error.code}, not {expected}") from error
            say("合约按规则拒绝", f"refused as it must be: {expected}")
        else:
            raise WrongError(f"the contract takes what it must refuse with {expected}")


def try_changed_proofs(trial: Trial, target: AnchorTarget, proof: bytes) -> None:
    """Every hundredth byte of the proof changed: none may pass, but in the header of a chain that seals nothing."""
    unsealed = target.profile.consensus is Consensus.UNSEALED
    truth = verify_anchor_proof(read_anchor_proof(proof), [target.profile], log_key=trial.log_key)
    for at in range(0, len(proof), 100):
        changed = proof[:at] + bytes([proof[at] ^ 1]) + proof[at + 1 :]
        try:
            taken = verify_anchor_proof(read_anchor_proof(changed), [target.profile], log_key=trial.log_key)
        except LedgerError:
            continue
        if not unsealed or taken.checkpoint != truth.checkpoint:
            raise WrongError(f"a proof with byte {at} changed is taken for valid")
    say("被改动的证明一律不通过", "changed proofs are refused")


def run(trial: Trial, *, unsealed: bool) -> None:
    """All steps; raises WrongError, LedgerError."""
    profile = trial.set_up(unsealed=unsealed)
    target = AnchorTarget(profile, profile.contracts[0].address, trial.log_key, trial.account, trial.gas_price)
    chain = connect_chain(trial.endpoints, profile)
    worker = AnchorWorker(
        chain,
        target,
        transactions=trial.engine.begin,
        log=lambda connection: SqlLog(connection, trial.origin),
        owner="anchor check",
        pace=Pace(trial.block_seconds),
    )
    for size in SIZES:
        trial.grow(size)
        done = trial.anchor(worker, size)
        proof, anchor = trial.verify(target, size)
        say(
            f"第 {done.block_number} 块：{size} 条已存证，离线验证通过，等级 {anchor.grade}",
            f"{size} entries anchored by {to_hex(done.tx_hash or b'')[:18]}…, proof of {len(proof)} bytes verified",
        )
    try_what_is_refused(chain, target, done)
    try_changed_proofs(trial, target, proof)


def read_key(path: Path) -> Secret:
    """A key of 64 hex digits."""
    try:
        return Secret(bytes.fromhex(path.read_text("ascii").strip().removeprefix("0x")))
    except (OSError, ValueError):
        raise MalformedError("form.key", "the key file has to be a file of 64 hex digits") from None


def make_trial(arguments: argparse.Namespace, folder: Path) -> Trial:
    """A new log; the key of the file, or a new one where gas is free."""
    key = Secret(clock.random_bytes(32))
    if arguments.key_file is not None:
        key = read_key(arguments.key_file)
    trial = Trial(
        endpoints=[http_endpoint(url) for url in arguments.rpc],
        account=MemoryAccount(key),
        gas_price=arguments.gas_price,
        block_seconds=arguments.block_seconds,
        seconds=arguments.timeout,
        engine=open_engine(f"sqlite:///{folder / 'log.db'}"),
        signer=Ed25519Signer(Secret(clock.random_bytes(32))),
        origin=f"anchor-check.example/{clock.random_bytes(4).hex()}",
    )
    metadata.create_all(trial.engine)
    tables.metadata.create_all(trial.engine)
    with trial.engine.begin() as connection:
        SqlLog(connection, trial.origin).create(b"a log for one trial", signer=trial.signer, known_head=None)
    return trial


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rpc", action="append", required=True, metavar="URL", help="a node; may be repeated")
    parser.add_argument("--key-file", type=Path, help="64 hex digits: the key of a funded account (default: a new key)")
    parser.add_argument("--gas-price", type=int, default=0, metavar="WEI", help="0 where gas is free (the default)")
    parser.add_argument("--unsealed", action="store_true", help="the node seals no blocks (anvil)")
    parser.add_argument("--block-seconds", type=int, default=5, help="the chain's block period")
    parser.add_argument("--timeout", type=float, default=120, metavar="SECONDS", help="for each step")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            run(make_trial(arguments, Path(folder)), unsealed=arguments.unsealed)
        except UnavailableError as error:
            say(f"无法判定：{error.code}", f"can't be told: {error}")
            return UNAVAILABLE
        except (WrongError, LedgerError) as error:
            say("未通过", f"FAILED: {error}")
            return 1
    say("通过", "passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
