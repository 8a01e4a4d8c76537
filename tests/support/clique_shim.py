"""A node of a Clique network (EIP-225) in front of the embedded chain: its states, under headers of Clique signers.

Written from the EIP's formulas without the code under test. The signers' keys are the tests'.
"""

from collections.abc import Collection, Sequence
from typing import Any

import rlp
from eth_hash.auto import keccak

from anchors.devchain.chain import DevChain
from tests.support.anchor_forge import address, validator_keys

_PARENT, _COINBASE, _DIFFICULTY, _EXTRA, _MIX, _NONCE = 0, 2, 7, 12, 13, 14


class CliqueNode:
    """Answers as geth would. ``stopped`` signers seal nothing; ``votes`` are (subject, add) by block number."""

    def __init__(self, dev: DevChain, *, signers: int = 3) -> None:
        self.dev = dev
        self.keys = validator_keys(signers)
        self.stopped: set[int] = set()
        self.votes: dict[int, tuple[bytes, bool]] = {}
        self._made: dict[bytes, tuple[bytes, int]] = {}

    @property
    def signers(self) -> tuple[bytes, ...]:
        return tuple(address(key) for key in self.keys)

    def result(self, method: str, *params: Any) -> Any:
        return self.dev.dispatch(method, list(params))["result"]

    def header(self, number: int) -> bytes:
        """The raw header of a block."""
        return self._chain(number)[number]

    def block_hash(self, number: int) -> bytes:
        return keccak(self.header(number))

    def dispatch(self, method: str, params: Sequence[Any]) -> Any:
        response = dict(self.dev.dispatch(method, list(params)))
        found = response.get("result")
        if found is None:
            return response
        if method == "debug_getRawHeader":
            response["result"] = "0x" + self.header(int(params[0], 16)).hex()
        elif method == "eth_getBlockByNumber":
            response["result"] = self._block(found)
        elif method == "eth_getTransactionReceipt":
            number = int(found["blockNumber"], 16)
            response["result"] = found | {"blockHash": "0x" + self.block_hash(number).hex()}
        return response

    def _block(self, block: dict[str, Any]) -> dict[str, Any]:
        number = int(block["number"], 16)
        items = rlp.decode(self.header(number))
        names = {"parentHash": _PARENT, "miner": _COINBASE, "extraData": _EXTRA, "mixHash": _MIX, "nonce": _NONCE}
        shown = {name: "0x" + items[position].hex() for name, position in names.items()}
        difficulty = {"difficulty": hex(int.from_bytes(items[_DIFFICULTY]))}
        return block | shown | difficulty | {"hash": "0x" + self.block_hash(number).hex()}

    def _chain(self, last: int) -> list[bytes]:
        """All headers up to ``last``; a block of the embedded chain keeps the header it was once given."""
        headers: list[bytes] = []
        sealed_by: list[int] = []
        for number in range(last + 1):
            block = self.result("eth_getBlockByNumber", hex(number), False)
            known = bytes.fromhex(block["hash"][2:])
            if known not in self._made:
                raw = rlp.decode(bytes.fromhex(self.result("debug_getRawHeader", hex(number))[2:]))
                self._made[known] = self._seal(raw, number, headers, sealed_by[1:])
            header, signer = self._made[known]
            headers.append(header)
            sealed_by.append(signer)
        return headers

    def _seal(
        self, items: list[bytes], number: int, headers: Sequence[bytes], sealed_by: Sequence[int]
    ) -> tuple[bytes, int]:
        subject, add = self.votes.get(number, (bytes(20), False))
        items[_COINBASE], items[_NONCE], items[_MIX] = subject, b"\xff" * 8 if add else bytes(8), bytes(32)
        if number == 0:
            items[_DIFFICULTY], items[_EXTRA] = b"\x01", bytes(32) + b"".join(self.signers) + bytes(65)
            return rlp.encode(items), -1
        signer = self._next(number, sealed_by[-(len(self.keys) // 2) :] if len(self.keys) > 1 else ())
        items[_PARENT] = keccak(headers[-1])
        items[_DIFFICULTY] = b"\x02" if signer == number % len(self.keys) else b"\x01"
        items[_EXTRA] = bytes(32)
        seal = self.keys[signer].sign_msg_hash(keccak(rlp.encode(items))).to_bytes()
        items[_EXTRA] += seal
        return rlp.encode(items), signer

    def _next(self, number: int, recent: Collection[int]) -> int:
        """Who seals: the one whose turn it is, else another one that runs and did not seal just now."""
        running = [signer for signer in range(len(self.keys)) if signer not in self.stopped]
        free = [signer for signer in running if signer not in recent] or running
        return number % len(self.keys) if number % len(self.keys) in free else free[0]
