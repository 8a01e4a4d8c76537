"""The anchor contract's code alone, for many calls: storage is planted, nothing is mined, no key signs.

Once in py-evm's bare state, once on anvil. What is planted lies where ``anchors.contract`` says the words are.
"""

from collections.abc import Sequence
from typing import Protocol

from eth.constants import BLANK_ROOT_HASH, ZERO_ADDRESS, ZERO_HASH32
from eth.db.atomic import AtomicDB
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.berlin import BerlinVM
from eth.vm.forks.berlin.state import BerlinState
from eth.vm.spoof import SpoofTransaction
from eth_typing import Address, BlockNumber, Hash32

from anchors import contract
from anchors.hexdata import to_hex
from anchors.jsonrpc import NodeError, read_data, read_result
from tests.support.anvil import AnvilNode

ADDRESS = b"\xc0" * 20
CALLER = b"\xca" * 20
ORIGIN = contract.origin_id("log.example/bare")
_ACTIVE = contract.ORIGIN_ACTIVE << 224
GAS = 1_000_000


class Machine(Protocol):
    """What can hold a contract's code and run it."""

    def plant(self, slot: bytes, word: bytes) -> None:
        """Set one storage word."""

    def call(self, data: bytes, *, value: int = 0) -> tuple[bool, bytes]:
        """Call the contract as ``CALLER`` and forget its effects: whether it succeeded, and what it returned."""


class PyEvm:
    """py-evm, by the rules of Berlin."""

    def __init__(self, code: bytes) -> None:
        context = ExecutionContext(
            coinbase=ZERO_ADDRESS,
            timestamp=1_750_000_000,
            block_number=BlockNumber(7),
            difficulty=1,
            mix_hash=ZERO_HASH32,
            gas_limit=30_000_000,
            prev_hashes=(),
            chain_id=20269,
        )
        self._state = BerlinState(AtomicDB(), context, Hash32(BLANK_ROOT_HASH))
        self._state.set_code(Address(ADDRESS), code)
        self._state.set_balance(Address(CALLER), 10**18)

    def plant(self, slot: bytes, word: bytes) -> None:
        self._state.set_storage(Address(ADDRESS), int.from_bytes(slot), int.from_bytes(word))
        self._state.lock_changes()

    def call(self, data: bytes, *, value: int = 0) -> tuple[bool, bytes]:
        fields = BerlinVM.create_unsigned_transaction(
            nonce=0, gas_price=0, gas=GAS, to=Address(ADDRESS), value=value, data=data
        )
        before = self._state.snapshot()
        done = self._state.apply_transaction(SpoofTransaction(fields, from_=Address(CALLER)))
        self._state.revert(before)
        return done.is_success, bytes(done.output)


class Anvil:
    """anvil, over its JSON-RPC."""

    def __init__(self, code: bytes, node: AnvilNode) -> None:
        self._node = node
        node.ask("anvil_setCode", to_hex(ADDRESS), to_hex(code))
        node.ask("anvil_setBalance", to_hex(CALLER), hex(10**18))

    def plant(self, slot: bytes, word: bytes) -> None:
        self._node.plant(ADDRESS, slot, word)

    def call(self, data: bytes, *, value: int = 0) -> tuple[bool, bytes]:
        call = {"from": to_hex(CALLER), "to": to_hex(ADDRESS), "data": to_hex(data), "value": hex(value)}
        try:
            answer = read_result("eth_call", self._node.dispatch("eth_call", [{**call, "gas": hex(GAS)}, "latest"]))
        except NodeError as error:
            return False, error.data or b""
        return True, read_data(answer, "eth_call")


def open_bare_origin(machine: Machine) -> None:
    """An active origin whose one anchorer is ``CALLER``."""
    machine.plant(contract.origin_slot(ORIGIN), (_ACTIVE | int.from_bytes(CALLER)).to_bytes(32))
    machine.plant(contract.anchorer_slot(ORIGIN, CALLER), (1).to_bytes(32))


def plant_head(machine: Machine, size: int, root: bytes) -> None:
    """Let (``size``, ``root``) be the newest anchor."""
    machine.plant(contract.head_slot(ORIGIN), (size | 1 << 64).to_bytes(32))
    machine.plant(contract.anchor_root_slot(ORIGIN, size), root)


def grows(machine: Machine, old: int, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the contract takes the step from its head; whatever else it says fails the test."""
    calldata = contract.encode_anchor(
        origin=ORIGIN, old_size=old, new_size=new, new_root=new_root, note_hash=bytes(32), proof=proof
    )
    succeeded, output = machine.call(calldata)
    if succeeded:
        assert contract.decode_bool(output) is True
        return True
    assert contract.decode_revert(output).name is contract.RevertName.BAD_CONSISTENCY
    return False
