"""py-evm behind the Machine port: the only module that imports it (extra ``devchain``).

Berlin rules on bare state: py-evm's own chain, headers and consensus are not used, so code sees the sealed block's
values. py-evm is an alpha-status pre-release, hence pinned exactly and kept behind one port.
"""

from collections.abc import Iterator, Sequence
from typing import cast

from eth.abc import ComputationAPI, SignedTransactionAPI, StateAPI
from eth.db.atomic import AtomicDB
from eth.db.backends.base import BaseDB
from eth.exceptions import Revert
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.berlin import BerlinVM
from eth.vm.forks.berlin.state import BerlinState
from eth.vm.spoof import SpoofTransaction
from eth_typing import Address, BlockNumber, Hash32

from anchors.devchain.machine import BlockContext, Log, Message, Nodes, Outcome
from anchors.devchain.sealing import DIFFICULTY, MIX_HASH


class _NodeDB(BaseDB):
    """Our mapping of nodes as py-evm's kind of database."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes

    def __getitem__(self, key: bytes) -> bytes:
        return self._nodes[key]

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._nodes[key] = value

    def __delitem__(self, key: bytes) -> None:
        del self._nodes[key]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._nodes)

    def _exists(self, key: bytes) -> bool:
        return key in self._nodes


class BerlinMachine:
    """Machine with the rules of the Berlin fork (no base fee, no PUSH0)."""

    def execute(
        self, nodes: Nodes, state_root: bytes, context: BlockContext, messages: Sequence[Message]
    ) -> tuple[bytes, tuple[Outcome, ...]]:
        """See Machine.execute."""
        state = _open_state(nodes, state_root, context)
        outcomes = []
        for message in messages:
            state.lock_changes()
            outcomes.append(_apply(state, message))
        state.persist()
        return bytes(state.state_root), tuple(outcomes)

    def call(self, nodes: Nodes, state_root: bytes, context: BlockContext, message: Message) -> Outcome:
        """See Machine.call."""
        return _apply(_open_state(nodes, state_root, context), message)


def _open_state(nodes: Nodes, state_root: bytes, context: BlockContext) -> StateAPI:
    execution_context = ExecutionContext(
        coinbase=Address(context.coinbase),
        timestamp=context.timestamp,
        block_number=BlockNumber(context.number),
        difficulty=DIFFICULTY,
        mix_hash=Hash32(MIX_HASH),
        gas_limit=context.gas_limit,
        prev_hashes=(Hash32(block_hash) for block_hash in context.ancestors),
        chain_id=context.chain_id,
    )
    return BerlinState(AtomicDB(_NodeDB(nodes)), execution_context, Hash32(state_root))


def _apply(state: StateAPI, message: Message) -> Outcome:
    sender = Address(message.sender)
    unsigned = BerlinVM.create_unsigned_transaction(
        nonce=state.get_nonce(sender) if message.nonce is None else message.nonce,
        gas_price=message.gas_price,
        gas=message.gas,
        to=Address(message.to or b""),
        value=message.value,
        data=message.data,
    )
    # The signature has been checked by the caller; "spoof" is py-evm's name for a transaction with a given sender.
    transaction = cast(SignedTransactionAPI, SpoofTransaction(unsigned, from_=sender))
    computation = state.apply_transaction(transaction)
    return _outcome(transaction, computation)


def _outcome(transaction: SignedTransactionAPI, computation: ComputationAPI) -> Outcome:
    reverted = computation.is_error and isinstance(computation.error, Revert)
    return Outcome(
        succeeded=computation.is_success,
        reverted=reverted,
        gas_used=BerlinVM.finalize_gas_used(transaction, computation),
        gas_before_refund=transaction.gas - computation.get_gas_remaining(),
        output=computation.output if computation.is_success or reverted else b"",
        logs=tuple(
            Log(bytes(address), tuple(topic.to_bytes(32, "big") for topic in topics), bytes(data))
            for address, topics, data in computation.get_log_entries()
        ),
    )
