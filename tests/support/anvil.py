"""anvil, the development node of Foundry (npm): the second machine for the contract, and a chain that reorganises.

Take the fixture by ``from tests.support.anvil import anvils``. A test that changes more than contracts of its own
starts its own node with ``start_anvil``: it takes a tenth of a second.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import pytest

from anchors.hexdata import to_hex
from tests.support.chain_nodes import Node, installed, process, running, wait_until

CHAIN_ID = 20265
_LISTENING = re.compile(r"Listening on (127\.0\.0\.1:[0-9]+)")
_FREE = ("--gas-price", "0", "--disable-min-priority-fee")


class AnvilNode(Node):
    """A running anvil. It mines each transaction at once unless ``--no-mining`` was given; gas costs nothing."""

    def mine(self, blocks: int = 1) -> None:
        """Mine now."""
        self.ask("anvil_mine", hex(blocks))

    def reorganise(self, depth: int) -> None:
        """Replace the newest ``depth`` blocks by empty ones: their transactions are in no block any more."""
        self.ask("anvil_reorg", depth, [])

    def drop(self, tx_hash: bytes) -> None:
        """Forget a waiting transaction."""
        self.ask("anvil_dropTransaction", to_hex(tx_hash))

    def plant(self, contract: bytes, slot: bytes, word: bytes) -> None:
        """Write one storage word, without any transaction."""
        self.ask("anvil_setStorageAt", to_hex(contract), to_hex(slot), to_hex(word))


@contextmanager
def start_anvil(folder: Path, *more: str, hardfork: str = "berlin", chain_id: int = CHAIN_ID) -> Iterator[AnvilNode]:
    """A node of its own for the length of a block; skips where anvil is not installed."""
    log = folder / "anvil.log"
    port = () if "--port" in more else ("--port", "0")
    options = ("--host", "127.0.0.1", *port, "--chain-id", str(chain_id), "--hardfork", hardfork)
    free = _FREE if hardfork == "berlin" else (*_FREE, "--block-base-fee-per-gas", "0")
    command = [installed("anvil"), *options, "--accounts", "1", *free, *more]
    with process(command, log, home=folder) as started:
        wait_until(lambda: running(started, log) and _LISTENING.search(log.read_text("utf-8")) is not None, "anvil")
        found = _LISTENING.search(log.read_text("utf-8"))
        assert found is not None
        node = AnvilNode(f"http://{found[1]}", chain_id)
        wait_until(lambda: node.head() >= 0, "anvil answers")
        yield node


@pytest.fixture(scope="session")
def anvils(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], AnvilNode]]:
    """A node by the rules of a fork, for tests that only put contracts of their own on it; one per session and fork.

    ``berlin`` has headers of 15 items, ``paris`` ones with a base fee.
    """
    with ExitStack() as nodes:
        yield cache(
            lambda hardfork: nodes.enter_context(start_anvil(tmp_path_factory.mktemp("anvil"), hardfork=hardfork))
        )
