"""The development chain behind HTTP: a real process, several clients at once, killed and started again."""

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eth_account import Account

from anchors.devchain.rpc import MAX_BODY_BYTES
from tests.support.command_line import ematerials

JSON = {"Content-Type": "application/json"}


@contextmanager
def _served(file: Path, *options: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    command = [sys.executable, "-c", "from api.cli.app import main; main()", "devchain", "serve", str(file)]
    server = subprocess.Popen([*command, "--port", "0", *options], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        assert "chain id" in server.stdout.readline()
        yield int(url.rpartition(":")[2]), server
    finally:
        server.kill()
        server.wait(10)
        if server.stdout is not None:
            server.stdout.close()


def _post(port: int, body: bytes, headers: dict[str, str], *, method: str = "POST") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, "/", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _call(port: int, method: str, *params: object) -> Any:
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    status, body = _post(port, json.dumps(request).encode(), JSON)
    assert status == 200
    answer = json.loads(body)
    assert "error" not in answer, answer
    return answer["result"]


def _transfer(port: int, key: bytes, nonce: int) -> str:
    fields = {"chainId": 20261, "nonce": nonce, "gas": 21_000, "gasPrice": 0, "value": 0, "to": "0x" + "00" * 20}
    raw = bytes(Account.sign_transaction(fields, key).raw_transaction)
    sent: str = _call(port, "eth_sendRawTransaction", "0x" + raw.hex())
    return sent


def test_several_senders_at_once_and_a_kill_between(tmp_path: Path) -> None:
    file, keys = tmp_path / "chain.db", [bytes([n]) * 32 for n in (1, 2, 3, 4)]

    def send_three(port: int, first: int, key: bytes) -> list[str]:
        return [_transfer(port, key, nonce) for nonce in range(first, first + 3)]

    sent: list[str] = []
    genesis = set()
    for first in (0, 3):
        with _served(file) as (port, server), ThreadPoolExecutor(4) as pool:
            for hashes in pool.map(send_three, [port] * 4, [first] * 4, keys):
                sent += hashes
            genesis.add(_call(port, "eth_getBlockByNumber", "0x0", False)["hash"])
            server.send_signal(signal.SIGKILL)
            server.wait(10)
    with _served(file) as (port, _):
        receipts = [_call(port, "eth_getTransactionReceipt", one) for one in sent]
    assert [receipt["status"] for receipt in receipts] == ["0x1"] * 24
    assert len({receipt["blockNumber"] for receipt in receipts}) == 24
    assert len(genesis) == 1


def test_what_is_not_a_json_call_from_this_machine_is_not_answered(tmp_path: Path) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}'
    with _served(tmp_path / "chain.db") as (port, server):
        assert _post(port, body, JSON)[0] == 200
        assert _post(port, body, JSON | {"Host": "localhost"})[0] == 200
        assert _post(port, body, JSON | {"Host": "chain.example"})[0] == 400
        assert _post(port, body, {"Content-Type": "text/plain"})[0] == 415
        assert _post(port, b"", JSON, method="GET")[0] == 405
        assert _post(port, b" " * (MAX_BODY_BYTES + 1), JSON)[0] == 413
        assert json.loads(_post(port, b"[", JSON)[1])["error"]["code"] == -32700
        assert _post(port, body.replace(b'"id":1,', b""), JSON) == (204, b"")
        server.send_signal(signal.SIGTERM)
        assert server.wait(10) in (0, -signal.SIGTERM)


def test_commands_on_the_chain_file(tmp_path: Path) -> None:
    file = tmp_path / "chain.db"
    assert ematerials("devchain", "validators", file).code == 64
    with _served(file, "--seed", "one", "--chain-id", "20300") as (port, _):
        assert int(_call(port, "eth_chainId"), 16) == 20300
        first = ematerials("devchain", "validators", file, "--json").json["validators"]
        assert first == _call(port, "qbft_getValidatorsByBlockNumber", "latest")
        assert ematerials("devchain", "add-validator", file).code == 69
    added = ematerials("devchain", "add-validator", file).out.split()[0]
    assert ematerials("devchain", "remove-validator", file, first[0]).code == 0
    after = ematerials("devchain", "validators", file).out.split()
    assert sorted([*first[1:], added]) == after
    for wrong in (first[0], "0x00"):
        assert ematerials("devchain", "remove-validator", file, wrong).code in (1, 64)
    assert ematerials("devchain", "serve", tmp_path / "new.db", "--chain-id", "1").code == 64
    assert not (tmp_path / "new.db").exists()


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with _served(tmp_path / "chain.db") as (port, _):
        ran = ematerials("devchain", "serve", tmp_path / "other.db", "--port", str(port))
    assert ran.code == 69
    assert f"127.0.0.1:{port}" in ran.err
