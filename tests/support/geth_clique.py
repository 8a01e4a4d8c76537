"""Three geth nodes that take turns in sealing blocks (Clique, EIP-225): a block each second, forks, no finality.

Take the fixture by ``from tests.support.geth_clique import clique``; it is one network for all tests of a session, so a
test leaves it as it found it: three signers, joined, sealing. To begin takes about five seconds.
"""

import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Final

import pytest
from eth_keys.datatypes import PrivateKey

from anchors import contract
from anchors.hexdata import to_hex
from signing import UnavailableError
from tests.support.chain_nodes import Node, free_ports, installed, process, running, wait_until
from tests.support.devchain_world import ADMIN, ANCHORER, GOVERNOR, STRANGER, address_of
from tests.support.ledger_logs import ORIGIN

CHAIN_ID: Final = 20266
GAS_PRICE: Final = 10**9
"""The least, in wei, that the signers mine for; other nodes than the one it was sent to drop what pays less."""
_PERIOD_SECONDS: Final = 1
_VANITY, _SEAL = bytes(32), bytes(65)
_FORKS: Final = (
    "homestead",
    "eip150",
    "eip155",
    "eip158",
    "byzantium",
    "constantinople",
    "petersburg",
    "istanbul",
    "berlin",
)
_SIGNERS: Final = tuple(bytes([0x51 + n]) * 32 for n in range(3))
_CONTRACTS: Final = tuple(bytes([0xC0 + n]) * 20 for n in range(16))
_PASSWORD: Final = "of-no-worth"


def _ready_contract() -> dict[str, object]:
    """The contract as it is once an origin is open to the anchorer, so that no test waits for blocks to set it up."""
    origin = contract.origin_id(ORIGIN)
    admin = int.from_bytes(address_of(ADMIN)) | contract.ORIGIN_ACTIVE << 224
    storage = {
        contract.GOVERNOR_SLOT: int.from_bytes(address_of(GOVERNOR)),
        contract.origin_slot(origin): admin,
        contract.anchorer_slot(origin, address_of(ANCHORER)): 1,
    }
    words = {to_hex(slot): to_hex(word.to_bytes(32)) for slot, word in storage.items()}
    return {"balance": "0x0", "code": to_hex(contract.load_artifact().runtime), "storage": words}


def _genesis(signers: Sequence[bytes]) -> dict[str, object]:
    funded = [*map(address_of, (GOVERNOR, ADMIN, ANCHORER, STRANGER))]
    return {
        "config": {
            "chainId": CHAIN_ID,
            **{f"{fork}Block": 0 for fork in _FORKS},
            "clique": {"period": _PERIOD_SECONDS, "epoch": 30000},
        },
        "extraData": to_hex(_VANITY + b"".join(sorted(signers)) + _SEAL),
        "difficulty": "0x1",
        "gasLimit": "0x1c9c380",
        "nonce": "0x0",
        "timestamp": "0x0",
        "alloc": {
            **{account.hex(): {"balance": hex(10**24)} for account in funded},
            **{address.hex(): _ready_contract() for address in _CONTRACTS},
        },
    }


@dataclass
class Signer(Node):
    """One node. Its key signs blocks from ``mine`` on; a killed node keeps its folder and may be started again."""

    key: bytes = field(repr=False)
    folder: Path
    ports: tuple[int, int, int]
    _life: ExitStack = field(default_factory=ExitStack, repr=False)

    @property
    def address(self) -> bytes:
        """Whom its seals name."""
        return address_of(self.key)

    @property
    def enode(self) -> str:
        """How other nodes reach it."""
        public = PrivateKey(self.key).public_key.to_bytes().hex()
        return f"enode://{public}@127.0.0.1:{self.ports[1]}"

    def create(self, genesis: dict[str, object]) -> None:
        """Genesis block, key store and configuration."""
        files = {
            "genesis.json": json.dumps(genesis),
            "password": _PASSWORD,
            "key": self.key.hex(),
            "config.toml": f'[Node.P2P]\nListenAddr = "127.0.0.1:{self.ports[1]}"\nMaxPeers = 30\nNoDiscovery = true\n',
        }
        for name, text in files.items():
            (self.folder / name).write_text(text)
        secret = ("--lightkdf", "--password", self.folder / "password", self.folder / "key")
        for command in (("init", self.folder / "genesis.json"), ("account", "import", *secret)):
            words = [installed("geth"), "--datadir", self.folder / "data", *command]
            subprocess.run([str(word) for word in words], check=True, capture_output=True)

    def start(self) -> None:
        """Run the node; returns once it answers. It is joined to none and seals nothing yet."""
        http, _, engine = self.ports
        account = to_hex(self.address)
        log = self.folder / f"geth-{time.monotonic_ns()}.log"
        command: list[str | Path] = [installed("geth"), "--config", self.folder / "config.toml"]
        command += ["--datadir", self.folder / "data", "--nodekey", self.folder / "key", "--networkid", str(CHAIN_ID)]
        command += [
            "--nodiscover",
            "--nat",
            "none",
            "--syncmode",
            "full",
            "--gcmode",
            "archive",
            "--state.scheme",
            "hash",
            "--cache",
            "32",
        ]
        command += ["--http", "--http.addr", "127.0.0.1", "--http.port", str(http), "--authrpc.port", str(engine)]
        command += ["--http.api", "eth,net,web3,clique,debug,admin,miner,txpool", "--ipcdisable", "--verbosity", "3"]
        command += ["--miner.etherbase", account, "--miner.gasprice", str(GAS_PRICE), "--txpool.pricelimit", "1"]
        command += [
            "--unlock",
            account,
            "--password",
            self.folder / "password",
            "--allow-insecure-unlock",
            "--lightkdf",
        ]
        started = self._life.enter_context(process(command, log, home=self.folder))
        wait_until(lambda: running(started, log) and self.head() >= 0, "geth answers")

    def kill(self) -> None:
        """End the process at once (SIGKILL)."""
        self._life.close()

    def mine(self) -> None:
        """Take turns in sealing from now on."""
        self.ask("miner_start")

    def rest(self) -> None:
        """Seal no more; go on following the others."""
        self.ask("miner_stop")

    def peers(self) -> int:
        """With how many nodes it is joined."""
        return int(self.ask("net_peerCount"), 16)

    def hash_at(self, number: int) -> str | None:
        """The hash of its block at that height."""
        block = self.ask("eth_getBlockByNumber", hex(number), False)
        return None if block is None else str(block["hash"])


@dataclass
class CliqueNetwork:
    """Three signers. Two of them go on alone; one alone seals at most one block."""

    nodes: tuple[Signer, ...]
    contracts: Iterator[bytes] = field(default_factory=lambda: iter(_CONTRACTS))
    """Addresses of contracts that the genesis block holds, with the log's origin open: take one for each test."""
    _joins: int = 0

    @property
    def genesis_hash(self) -> bytes:
        """As any node says."""
        return bytes.fromhex(str(self.nodes[0].hash_at(0))[2:])

    def alive(self) -> list[Signer]:
        """The nodes that answer."""
        return [node for node in self.nodes if _answers(node)]

    def join(self) -> None:
        """Join all nodes that run with each other.

        A node dials another one at most once in 35 seconds, so the side that dials changes from call to call.
        """
        alive = self.alive() if self._joins % 2 == 0 else self.alive()[::-1]
        self._joins += 1
        for one, other in combinations(alive, 2):
            one.ask("admin_addPeer", other.enode)
        wait_until(lambda: all(node.peers() == len(alive) - 1 for node in alive), "all are joined", seconds=45)

    def mine(self) -> None:
        """Let all that run seal."""
        for node in self.alive():
            node.mine()

    def part(self, apart: Signer) -> None:
        """Cut one node off from the others."""
        others = [node for node in self.alive() if node is not apart]
        for node in others:
            node.ask("admin_removePeer", apart.enode)
            apart.ask("admin_removePeer", node.enode)
        wait_until(lambda: apart.peers() == 0, "one is alone")

    def restart(self, node: Signer) -> None:
        """Start a killed node again, joined and sealing."""
        node.start()
        self.join()
        self.agree()
        node.mine()

    def wait_for_blocks(self, count: int) -> int:
        """Wait until the first node alive is that many blocks further; return its head."""
        node = self.alive()[0]
        start = node.head()
        wait_until(lambda: node.head() >= start + count, f"{count} more blocks", every=0.2)
        return node.head()

    def agree(self) -> None:
        """Wait until all nodes alive are at most one block apart and have the same one below."""

        def same() -> bool:
            nodes = self.alive()
            heads = [node.head() for node in nodes]
            return max(heads) - min(heads) <= 1 and len({node.hash_at(min(heads) - 1) for node in nodes}) == 1

        wait_until(same, "the nodes agree", seconds=45, every=0.1)

    def rewind(self, number: int) -> None:
        """Take all nodes back to block ``number`` and seal on from there; transactions above it are forgotten."""
        for node in self.nodes:
            node.rest()
        for node in self.nodes:
            node.ask("debug_setHead", hex(number))
        self.mine()
        self.wait_for_blocks(2)


def _answers(node: Signer) -> bool:
    try:
        return node.head() >= 0
    except UnavailableError:
        return False


@contextmanager
def start_clique(folder: Path) -> Iterator[CliqueNetwork]:
    """A network for the length of a block; skips where geth is not installed."""
    installed("geth")
    ports = free_ports(9)
    nodes = []
    for number, key in enumerate(_SIGNERS):
        place = folder / f"signer-{number}"
        place.mkdir()
        mine = (ports[3 * number], ports[3 * number + 1], ports[3 * number + 2])
        nodes.append(Signer(f"http://127.0.0.1:{mine[0]}", CHAIN_ID, key, place, mine))
    genesis = _genesis([node.address for node in nodes])
    with ExitStack() as stack:
        for node in nodes:
            stack.callback(node.kill)
            node.create(genesis)
            node.start()
        network = CliqueNetwork(tuple(nodes))
        network.join()
        network.mine()
        network.wait_for_blocks(1)
        yield network


@pytest.fixture(scope="session")
def clique(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CliqueNetwork]:
    """One network for the session."""
    with start_clique(tmp_path_factory.mktemp("clique")) as network:
        yield network
