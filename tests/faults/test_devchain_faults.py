"""The development chain under kill -9, failing execution, second openers and foreign files."""

import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from eth_hash.auto import keccak

from anchors.devchain.chain import DevChain, open_dev_chain_read_only
from signing import MalformedError, UnavailableError
from tests.support.devchain_world import ANCHORER, STRANGER, World, address_of, error, open_chain, result, signed

NOBODY = bytes(20)
ACCOUNT = "0x" + address_of(STRANGER).hex()

_MINER = """
import sys
from tests.support.devchain_world import *
chain = open_chain(sys.argv[1])
while True:
    raw = signed(chain, STRANGER, bytes(20))
    tx_hash = result(chain, "eth_sendRawTransaction", "0x" + raw.hex())
    print(tx_hash, flush=True)
"""


def _check(chain: DevChain) -> int:
    """Links, lookups and states of all blocks hold together; returns the head's number."""
    head = int(result(chain, "eth_blockNumber"), 16)
    parent = "0x" + chain.genesis_hash.hex()
    for number in range(1, head + 1):
        block = result(chain, "eth_getBlockByNumber", hex(number), False)
        assert block["parentHash"] == parent
        parent = block["hash"]
        for tx_hash in block["transactions"]:
            assert result(chain, "eth_getTransactionReceipt", tx_hash)["blockHash"] == parent
        count = result(chain, "eth_getTransactionCount", ACCOUNT, hex(number))
        assert int(count, 16) == number
    return head


@pytest.mark.parametrize("blocks", [1, 7])
def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, blocks: int) -> None:
    path = tmp_path / "chain.sqlite3"
    genesis = None
    mined: list[str] = []
    for _ in range(3):
        miner = subprocess.Popen(
            [sys.executable, "-c", _MINER, str(path)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
        )
        assert miner.stdout is not None
        mined += [miner.stdout.readline().strip() for _ in range(blocks)]
        miner.send_signal(signal.SIGKILL)
        mined += miner.stdout.read().split("\n")[:-1]
        miner.stdout.close()
        miner.wait()
        with open_dev_chain_read_only(path) as reader:
            assert all(result(reader, "eth_getTransactionReceipt", one) for one in mined)
        with open_chain(path) as chain:
            assert _check(chain) in (len(mined), len(mined) + 1)
            assert all(result(chain, "eth_getTransactionReceipt", one) for one in mined)
            assert genesis in (None, chain.genesis_hash)
            genesis = chain.genesis_hash
            mined = [
                result(chain, "eth_getBlockByNumber", hex(n), False)["transactions"][0]
                for n in range(1, _check(chain) + 1)
            ]


def test_a_restart_finds_everything(tmp_path: Path) -> None:
    path = tmp_path / "chain.sqlite3"
    with open_chain(path) as chain:
        world = World.create(chain)
        world.send(ANCHORER, world.anchor_call(0, 3, b"\x07" * 32))
        before = result(chain, "eth_getBlockByNumber", "latest", True)
        newcomer = chain.new_validator()
        chain.set_validators([*chain.validators(), newcomer])
        validators = chain.validators()
    with open_chain(path, chain_id=5) as chain:
        assert chain.chain_id == 20261
        assert chain.validators() == validators
        assert result(chain, "eth_getBlockByNumber", "latest", True) == before
        again = World(chain, world.contract, world.origin, world.network)
        assert again.send(ANCHORER, again.anchor_call(0, 3, b"\x07" * 32))["status"] == "0x1"


def test_the_file_holds_keys_and_is_the_owners_only(tmp_path: Path) -> None:
    path = tmp_path / "chain.sqlite3"
    with open_chain(path) as chain:
        chain.mine()
        modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in tmp_path.iterdir()}
    assert {"chain.sqlite3", "chain.sqlite3-wal", "chain.sqlite3.lock"} <= set(modes)
    assert set(modes.values()) == {0o600}


def test_one_writer_many_readers(tmp_path: Path) -> None:
    path = tmp_path / "chain.sqlite3"
    with pytest.raises(UnavailableError) as absent:
        open_dev_chain_read_only(path)
    assert absent.value.code == "devchain.absent"
    with open_chain(path) as chain:
        with pytest.raises(UnavailableError) as locked:
            open_chain(path)
        assert locked.value.code == "devchain.locked"
        with open_dev_chain_read_only(path) as reader, open_dev_chain_read_only(path) as second:
            assert reader.genesis_hash == chain.genesis_hash
            for _ in range(3):
                head = chain.mine()
                assert int(result(reader, "eth_blockNumber"), 16) == head
                assert result(second, "eth_getBlockByNumber", "latest", False) == result(
                    chain, "eth_getBlockByNumber", "latest", False
                )
            raw = "0x" + signed(chain, STRANGER, NOBODY).hex()
            assert "read-only" in error(reader, "eth_sendRawTransaction", raw)["message"]
            assert result(reader, "eth_getTransactionByHash", "0x" + keccak(bytes.fromhex(raw[2:])).hex()) is None
            assert result(reader, "eth_call", {"to": "0x" + NOBODY.hex()}, "latest") == "0x"
    with open_chain(path) as chain:
        assert _head(chain) == 3
    with open_dev_chain_read_only(path) as reader:
        assert int(result(reader, "eth_blockNumber"), 16) == 3


def _head(chain: DevChain) -> int:
    return int(result(chain, "eth_blockNumber"), 16)


def test_a_failing_block_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "chain.sqlite3"
    with open_chain(path) as chain:
        chain.hold_mining()
        raw = "0x" + signed(chain, STRANGER, NOBODY).hex()
        tx_hash = result(chain, "eth_sendRawTransaction", raw)
        rows = _counts(path)
        with monkeypatch.context() as patched:
            patched.setattr("anchors.devchain.records.insert_block", _fail)
            with pytest.raises(sqlite3.OperationalError):
                chain.mine()
        assert _counts(path) == rows
        assert result(chain, "eth_getTransactionByHash", tx_hash)["blockHash"] is None
        assert chain.mine() == 1
        assert result(chain, "eth_getTransactionReceipt", tx_hash)["status"] == "0x1"


def test_a_failing_disk_is_an_internal_error_to_the_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_chain(tmp_path / "chain.sqlite3") as chain:
        raw = "0x" + signed(chain, STRANGER, NOBODY).hex()
        with monkeypatch.context() as patched:
            patched.setattr("anchors.devchain.records.insert_block", _fail)
            assert error(chain, "eth_sendRawTransaction", raw)["code"] == -32603
        assert result(chain, "eth_blockNumber") == "0x0"
        assert error(chain, "eth_sendRawTransaction", raw)["message"] == "Known transaction"
        assert chain.mine() == 1
        assert result(chain, "eth_getTransactionCount", ACCOUNT, "latest") == "0x1"


def _fail(*_: object) -> None:
    raise sqlite3.OperationalError("disk I/O error")


def _counts(path: Path) -> list[int]:
    with sqlite3.connect(path) as connection:
        tables = ("node", "block", "tx", "log")
        return [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]


def test_threads_share_a_chain(tmp_path: Path) -> None:
    keys = [bytes([n]) * 32 for n in range(40, 44)]
    with open_chain(tmp_path / "chain.sqlite3") as chain:

        def send(key: bytes) -> None:
            for nonce in range(5):
                raw = signed(chain, key, NOBODY, nonce=nonce)
                assert result(chain, "eth_sendRawTransaction", "0x" + raw.hex())

        threads = [threading.Thread(target=send, args=(key,)) for key in keys]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert _head(chain) == 20
        counts = {result(chain, "eth_getTransactionCount", "0x" + address_of(k).hex(), "latest") for k in keys}
        assert counts == {"0x5"}


@pytest.mark.parametrize("content", [b"not a database, but long enough to look at" * 40, None])
def test_foreign_files_are_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "chain.sqlite3"
    if content is None:
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA user_version = 99")
        connection.close()
    else:
        path.write_bytes(content)
    for opener in (open_chain, open_dev_chain_read_only):
        with pytest.raises(MalformedError) as caught:
            opener(path)
        assert caught.value.code == "devchain.file"


def test_without_py_evm_the_error_says_what_to_install(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['eth'] = None\n"
        "from anchors.devchain.chain import open_dev_chain\n"
        "from signing import UnavailableError\n"
        "try: open_dev_chain(sys.argv[1], clock=lambda: 1, random_bytes=bytes)\n"
        "except UnavailableError as error: print(error.code, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "chain.sqlite3")], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("devchain.missing-extra")
    assert "ematerials[devchain]" in done.stdout
    assert list(tmp_path.iterdir()) == []
