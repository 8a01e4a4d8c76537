"""A node of FISCO BCOS 3.x as its web3 RPC answers: strict, with all its limits, in front of the embedded chain.

Over real HTTP. What it has, cuts, ignores and invents is chain.md §2.6 and §7.4 (a to i); nothing here is of the code
under test.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

from anchors.devchain.chain import DevChain

METHODS = {
    *("web3_clientVersion", "net_version", "eth_chainId", "eth_syncing", "eth_blockNumber", "eth_gasPrice"),
    *("eth_getBlockByNumber", "eth_getBlockByHash", "eth_getBalance", "eth_getTransactionCount", "eth_getCode"),
    *("eth_getStorageAt", "eth_call", "eth_estimateGas", "eth_getLogs", "eth_accounts"),
    *("eth_sendRawTransaction", "eth_getTransactionByHash", "eth_getTransactionReceipt"),
    *("eth_sendTransaction", "eth_sign", "eth_signTransaction"),
}
"""(a) eth_getProof, eth_feeHistory, debug_*, trace_*, txpool_* and the rest are not there."""

TAGGED = {"eth_call": 1, "eth_getBalance": 1, "eth_getTransactionCount": 1, "eth_getCode": 1, "eth_getStorageAt": 2}
LOG_BLOCKS, BATCH, BODY_BYTES = 10, 8, 10 << 20
GAS_PRICE = 0
ZEROS = "0x" + "00" * 32


@dataclass
class FiscoNode:
    """One node of the group. ``lies`` replace what it would answer, by method."""

    chain: DevChain
    lock: Lock
    milliseconds: bool = False
    answers_vm_errors: bool = False
    lies: dict[str, Callable[[list[Any], Any], Any]] = field(default_factory=dict)
    calls: list[tuple[str, list[Any]]] = field(default_factory=list)
    url: str = ""

    def answer_body(self, body: bytes) -> bytes:
        """One HTTP body; (e) no more than eight requests at once."""
        if len(body) > BODY_BYTES:
            return self._error(None, -32600, "Request entity too large")
        request = json.loads(body)
        if isinstance(request, list):
            if len(request) > BATCH:
                return self._error(None, -32600, "Batch size exceeds the limit")
            return json.dumps([self._answer(each) for each in request]).encode()
        return json.dumps(self._answer(request)).encode()

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        method, params = request["method"], request["params"]
        self.calls.append((method, params))
        base = {"jsonrpc": "2.0", "id": request["id"]}
        if method not in METHODS:
            return base | {"error": {"code": -32601, "message": "Method not found"}}
        with self.lock:
            response = self._run(method, list(params))
        if "error" in response:
            return base | {"error": response["error"]}
        result = response["result"]
        return base | {"result": self.lies[method](params, result) if method in self.lies else result}

    def _run(self, method: str, params: list[Any]) -> dict[str, Any]:
        if method in ("eth_sendTransaction", "eth_sign", "eth_signTransaction"):  # (d)
            return {"result": ZEROS}
        if method == "eth_gasPrice":
            return {"result": hex(GAS_PRICE)}
        if method == "eth_accounts":
            return {"result": []}
        if method in TAGGED:  # (c) whatever the tag, it is the latest state
            params[TAGGED[method] :] = ["latest"]
        if method == "eth_getLogs":  # (b) cut, and nobody is told
            params = [self._cut(dict(params[0]))]
        response = self.chain.dispatch(method, params)
        if method == "eth_sendRawTransaction":
            return self._sent(response)
        if "error" in response:
            return self._failed(method, response)
        if method in ("eth_getBlockByNumber", "eth_getBlockByHash") and response["result"] is not None:
            return {"result": self._block(dict(response["result"]))}
        return response

    def _cut(self, wanted: dict[str, Any]) -> dict[str, Any]:
        first, last = (int(wanted[name], 16) for name in ("fromBlock", "toBlock"))
        return wanted | {"toBlock": hex(min(last, first + LOG_BLOCKS - 1))}

    def _sent(self, response: dict[str, Any]) -> dict[str, Any]:
        """With ``sync_transaction`` a node may answer with what the machine said, though it took the transaction."""
        if self.answers_vm_errors and "error" not in response:
            return {"error": {"code": -32603, "message": "RevertInstruction"}}
        return response

    def _failed(self, method: str, response: dict[str, Any]) -> dict[str, Any]:
        """(f) reverts of calls come with their data, every other failure is null."""
        error = response["error"]
        if method in ("eth_call", "eth_estimateGas") and "data" in error:
            return {"error": {"code": 3, "message": "revert", "data": error["data"]}}
        return {"result": None}

    def _block(self, block: dict[str, Any]) -> dict[str, Any]:
        """(g) a long block 0, (h) a header in which much is invented, (i) times in either unit."""
        if block["number"] == "0x0":
            block["extraData"] = "0x" + b'{"consensus_type":"pbft","sealers":[]}'.hex() * 2000
        else:
            block["extraData"] = "0x"
        seed = hashlib.sha256(block["hash"].encode()).hexdigest()
        block |= {"stateRoot": "0x" + seed, "difficulty": "0x0", "mixHash": ZEROS, "baseFeePerGas": "0x0"}
        block |= {"withdrawalsRoot": ZEROS, "nonce": "0x0000000000000000"}
        time = int(block["timestamp"], 16)
        time = time // 1000 if time > 10**12 else time
        block["timestamp"] = hex(time * 1000 if self.milliseconds else time)
        return block

    def _error(self, request_id: int | None, code: int, message: str) -> bytes:
        return json.dumps({"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}}).encode()


@contextmanager
def serve(answer_body: Callable[[bytes], bytes]) -> Iterator[str]:
    """A real HTTP server on the loopback interface; its URL while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer = answer_body(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def fisco_group(chain: DevChain, nodes: int) -> Iterator[list[FiscoNode]]:
    """Several nodes of one group, each behind an HTTP server of its own; the first one gives milliseconds."""
    lock = Lock()
    group = [FiscoNode(chain, lock, milliseconds=number == 0) for number in range(nodes)]
    with ExitStack() as stack:
        for node in group:
            node.url = stack.enter_context(serve(node.answer_body))
        yield group
