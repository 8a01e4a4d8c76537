"""The development chain itself: opening, answering, mining, and the controls that tests use."""

import sqlite3
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

from anchors.devchain import params, records, rpc
from anchors.devchain.blocks import Block
from anchors.devchain.database import Database
from anchors.devchain.lock import WriterLock
from anchors.devchain.machine import Machine
from anchors.devchain.mining import NO_QUORUM, Sealers, Terms, genesis_block, mine_block
from anchors.devchain.params import Params, param
from anchors.devchain.pool import Pool
from anchors.devchain.rpc_errors import READ_ONLY, RpcError
from anchors.devchain.sealing import Vote, address_of
from anchors.devchain.submission import check_submission
from anchors.devchain.transactions import SignedTransaction
from anchors.devchain.view import GENESIS_NUMBER, View
from signing.errors import UnavailableError
from signing.strict_json import JsonValue

DEFAULT_CHAIN_ID: Final = 20261
"""Chain ids from here on mark development chains; production settings refuse them."""
_VALIDATORS: Final = 4

Clock = Callable[[], int]
RandomBytes = Callable[[int], bytes]


def open_dev_chain(
    path: Path | str, *, clock: Clock, random_bytes: RandomBytes, chain_id: int = DEFAULT_CHAIN_ID
) -> "DevChain":
    """Open the chain in the SQLite file ``path`` for writing; create it with four fresh validators if absent.

    ``clock`` gives unix seconds; an existing chain keeps its chain id. Raises UnavailableError: ``devchain.locked``
    (another writer), ``devchain.missing-extra`` (no py-evm); MalformedError ``devchain.file`` for a foreign file.
    """
    path = Path(path)
    machine = _load_machine()
    lock = WriterLock(path.with_name(path.name + ".lock"))
    try:
        database = Database.create(path)
        try:
            _ensure_genesis(database, random_bytes, chain_id)
            return DevChain(database, machine, lock, clock, random_bytes)
        except BaseException:
            database.close()
            raise
    except BaseException:
        lock.release()
        raise


def open_dev_chain_read_only(path: Path | str) -> "ReadOnlyDevChain":
    """Open an existing chain beside its writer; every call sees the blocks committed by then.

    Raises UnavailableError: ``devchain.absent`` (not created yet), ``devchain.missing-extra``.
    """
    machine = _load_machine()
    database = Database.open_read_only(Path(path))
    try:
        return ReadOnlyDevChain(database, machine)
    except BaseException:
        database.close()
        raise


def _load_machine() -> Machine:
    try:
        from anchors.devchain.execution import BerlinMachine
    except ImportError as error:
        raise UnavailableError(
            "devchain.missing-extra",
            'the embedded development chain needs py-evm; install it with: pip install "ematerials[devchain]"',
        ) from error
    return BerlinMachine()


def _ensure_genesis(database: Database, random_bytes: RandomBytes, chain_id: int) -> None:
    with database.writing() as connection:
        if records.head_number(connection) is not None:
            return
        secrets = [random_bytes(32) for _ in range(_VALIDATORS)]
        connection.execute("INSERT INTO chain VALUES (?)", (chain_id,))
        addresses = [address_of(secret) for secret in secrets]
        for address, secret in zip(addresses, secrets, strict=True):
            records.insert_validator(connection, address, secret)
        records.set_active_validators(connection, addresses)
        records.insert_block(connection, genesis_block(addresses))


class ReadOnlyDevChain:
    """An open chain that answers reads. Thread-safe. Use as a context manager, or call ``close``."""

    def __init__(self, database: Database, machine: Machine) -> None:
        self._database = database
        self._machine = machine
        with database.reading() as connection:
            genesis = records.block_by_number(connection, GENESIS_NUMBER)
            if genesis is None:
                raise UnavailableError("devchain.absent", "the development chain has not been created yet")
            self.chain_id = records.chain_id(connection)
        self.genesis_hash = genesis.hash

    def dispatch(self, method: str, given: Params) -> rpc.Response:
        """Answer one JSON-RPC call with a response object (``result`` or ``error``)."""
        return rpc.answer(lambda: self._run(method, given))

    def handle(self, body: bytes) -> bytes:
        """Answer one HTTP body, a request or a batch (see ``rpc.answer_body``)."""
        return rpc.answer_body(self.dispatch, body)

    def validators(self) -> tuple[bytes, ...]:
        """Return the validator set of the next block, ascending."""
        with self._database.reading() as connection:
            return tuple(records.validator_keys(connection, active=True))

    def close(self) -> None:
        """Close the database; the chain can't be used after."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, method: str, given: Params) -> JsonValue:
        if method == rpc.SEND_RAW_TRANSACTION:
            return "0x" + self._send(params.data(param(given, 0))).hex()
        run = rpc.read_method(method)
        with self._database.reading():
            return run(self._view(), given)

    def _view(self) -> View:
        return View(self._database.connection, self._machine, self.chain_id, self._find_waiting)

    def _send(self, _raw: bytes, /) -> bytes:
        raise RpcError(READ_ONLY)

    def _find_waiting(self, _transaction_hash: bytes, /) -> SignedTransaction | None:
        return None


class DevChain(ReadOnlyDevChain):
    """An open chain that takes transactions: each is mined into a block of its own, durable before the answer.

    The methods below are controls for tests and have no counterpart in JSON-RPC.
    """

    def __init__(
        self, database: Database, machine: Machine, lock: WriterLock, clock: Clock, random_bytes: RandomBytes
    ) -> None:
        super().__init__(database, machine)
        self._lock = lock
        self._clock = clock
        self._random_bytes = random_bytes
        self._pool = Pool()
        self._holding = False
        self._stopped: set[bytes] = set()
        self._faults: dict[str, Literal["before", "after"]] = {}

    def dispatch(self, method: str, given: Params) -> rpc.Response:
        """Answer one JSON-RPC call. Raises UnavailableError (``chain.unreachable``) only after ``fail_next``."""
        fault = self._faults.pop(method, None)
        if fault == "before":
            raise UnavailableError("chain.unreachable", "the call was made to fail before its effect")
        response = super().dispatch(method, given)
        if fault == "after":
            raise UnavailableError("chain.unreachable", "the call was made to fail after its effect")
        return response

    def close(self) -> None:
        """Close the database and free the writer's lock. Waiting transactions are forgotten."""
        super().close()
        self._lock.release()

    def hold_mining(self) -> None:
        """Let transactions wait instead of mining them at once."""
        self._holding = True

    def release_mining(self) -> None:
        """Mine at once again, beginning with what waits."""
        self._holding = False
        self._mine_waiting()

    def mine(self, *, round_number: int = 0) -> int:
        """Seal one block with what can be mined now, possibly nothing; return its number.

        ``round_number`` is the QBFT round in which it is agreed. Raises UnavailableError (``devchain.no-quorum``).
        """
        with self._database.lock:
            ready = self._ready()
            with self._database.writing() as connection:
                block = self._mine(connection, ready, timestamp=self._clock(), round_number=round_number)
            self._pool.forget(ready)
            return block.header.number

    def drop_pending(self) -> int:
        """Forget all waiting transactions; return how many there were."""
        with self._database.lock:
            return self._pool.clear()

    def reorg(self, depth: int) -> None:
        """Replace the last ``depth`` blocks by empty ones of other hashes.

        The transactions in them are forgotten: no receipt, nonces back; the same bytes may be sent again. A real QBFT
        chain never does this.
        """
        with self._database.writing() as connection:
            head = self._view().head_number()
            if not 0 < depth <= head:
                raise ValueError(f"depth: not 1 to {head}")
            replaced = [self._view().block(hex(number)).header for number in range(head - depth + 1, head + 1)]
            records.delete_blocks_above(connection, head - depth)
            for header in replaced:
                self._mine(connection, [], timestamp=max(self._clock(), header.timestamp + 1))

    def stop_validator(self, address: bytes) -> None:
        """Let a validator seal nothing more. Below the quorum no block is made and transactions wait."""
        self._stopped.add(address)

    def start_validator(self, address: bytes) -> None:
        """Let a stopped validator seal again, and mine what waits."""
        self._stopped.discard(address)
        if not self._holding:
            self._mine_waiting()

    def new_validator(self) -> bytes:
        """Make and keep a validator key that is not in the set yet; return its address."""
        with self._database.writing() as connection:
            known = records.validator_keys(connection, active=False)
            address, secret = self._draw_key()
            while address in known:  # random bytes from a seed begin again when the chain is opened again
                address, secret = self._draw_key()
            records.insert_validator(connection, address, secret)
        return address

    def vote_validator(self, subject: bytes, *, add: bool) -> int:
        """Add a known validator to the set, or drop one, as Besu's validators do it: by votes in block headers.

        One empty block for each vote, each by another proposer, until more than half have voted; the set changes with
        the block after them, whose number is returned. Raises ValueError for a validator that can't be added or
        dropped, UnavailableError (``devchain.no-quorum``).
        """
        with self._database.writing() as connection:
            keys = records.validator_keys(connection, active=True)
            known = records.validator_keys(connection, active=False).keys()
            if subject not in (known - keys.keys() if add else keys) or (not add and len(keys) == 1):
                raise ValueError("validator: unknown, in the set already, not in it, or the last one")
            for _ in range(len(keys) // 2 + 1):
                last = self._mine(connection, [], timestamp=self._clock(), vote=Vote(subject, add))
            records.set_active_validators(connection, keys.keys() ^ {subject})
            return last.header.number + 1

    def _draw_key(self) -> tuple[bytes, bytes]:
        secret = self._random_bytes(32)
        return address_of(secret), secret

    def set_validators(self, addresses: Collection[bytes]) -> None:
        """Make these known validators the set from the next block on. Raises ValueError for an unknown one."""
        with self._database.writing() as connection:
            if not addresses or not set(addresses) <= records.validator_keys(connection, active=False).keys():
                raise ValueError("validators: none, or one whose key this chain does not hold")
            records.set_active_validators(connection, addresses)

    def set_clock(self, clock: Clock) -> None:
        """Take the time of the next blocks from another clock."""
        self._clock = clock

    def fail_next(self, method: str, *, when: Literal["before", "after"]) -> None:
        """Let the next call of ``method`` raise UnavailableError, before or after it has had its effect."""
        self._faults[method] = when

    def _send(self, raw: bytes, /) -> bytes:
        with self._database.lock:
            with self._database.reading():
                transaction = check_submission(self._view(), self._pool, raw)
            self._pool.add(transaction)
            if not self._holding:
                self._mine_waiting()
            return transaction.hash

    def _ready(self) -> list[SignedTransaction]:
        with self._database.reading():
            view = self._view()
            head = view.block("latest")
            nonces = {sender: view.account(head, sender).nonce for sender in self._pool.senders()}
            return self._pool.ready(nonces, head.header.gas_limit)

    def _mine_waiting(self) -> None:
        """Mine until nothing is left that could be mined; without a quorum everything goes on waiting."""
        with self._database.lock:
            try:
                while self._ready():
                    self.mine()
            except UnavailableError as error:
                if error.code != NO_QUORUM:
                    raise

    def _mine(
        self,
        connection: sqlite3.Connection,
        transactions: Sequence[SignedTransaction],
        *,
        timestamp: int,
        round_number: int = 0,
        vote: Vote | None = None,
    ) -> Block:
        sealers = Sealers(records.validator_keys(connection, active=True), self._stopped)
        terms = Terms(chain_id=self.chain_id, timestamp=timestamp, round_number=round_number, vote=vote)
        return mine_block(connection, self._machine, sealers, transactions, terms)

    def _find_waiting(self, transaction_hash: bytes, /) -> SignedTransaction | None:
        return self._pool.find(transaction_hash)
