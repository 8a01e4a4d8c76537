"""Real chain nodes as processes of a test: where they are installed, how one is started, asked and ended.

``install_chains.sh`` puts them into ``build/chains``. They listen on loopback alone, at ports the system gives.
"""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from anchors.evm import http_endpoint
from anchors.jsonrpc import read_result
from anchors.node import Endpoint
from signing import JsonValue, UnavailableError

PLACE = Path(__file__).parents[2] / "build" / "chains"
_START_SECONDS = 60.0


def installed(name: str) -> Path:
    """The program ``name``; skips where it is not installed, with the installer's own reason."""
    found = sorted(PLACE.glob(f"{name}-*"))
    if not found:
        why = PLACE / f"{name}.why"
        reason = why.read_text("utf-8").strip() if why.exists() else "run 'make test-servers'"
        pytest.skip(f"{name} is not installed: {reason}")
    return found[-1]


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on now, all different."""
    with ExitStack() as sockets:
        bound = [sockets.enter_context(socket.socket()) for _ in range(count)]
        for each in bound:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in bound]


def wait_until(met: Callable[[], bool], what: str, *, seconds: float = _START_SECONDS, every: float = 0.05) -> None:
    """Return once ``met()`` is true; fails the test after ``seconds``. A node that does not answer has not met it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if met():
                return
        except UnavailableError:
            pass
        time.sleep(every)
    raise AssertionError(f"waited {seconds} seconds in vain: {what}")


@dataclass
class Node:
    """A node behind an URL, asked through the client that the product uses."""

    url: str
    chain_id: int
    endpoint: Endpoint = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.endpoint = http_endpoint(self.url)

    def dispatch(self, method: str, params: Sequence[JsonValue]) -> Mapping[str, JsonValue]:
        """The whole response, with ``result`` or ``error``; usable where an ``Rpc`` is wanted."""
        return self.endpoint.rpc(method, params)

    def ask(self, method: str, *params: JsonValue) -> Any:
        """The result of a call that must succeed."""
        return read_result(method, self.dispatch(method, params))

    def head(self) -> int:
        """The number of its newest block."""
        return int(self.ask("eth_blockNumber"), 16)


@contextmanager
def process(command: Sequence[str | Path], log: Path, *, home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs for the length of a block and is killed after it, whatever happened; it prints to ``log``."""
    with log.open("wb") as output:
        started = subprocess.Popen(
            [str(each) for each in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
        )
        try:
            yield started
        finally:
            started.kill()
            started.wait()


def running(started: subprocess.Popen[bytes], log: Path) -> bool:
    """Whether the process runs; fails the test, with the end of its log, if it ended by itself."""
    if started.poll() is not None:
        raise AssertionError(f"the node ended with {started.returncode}: {log.read_text('utf-8', 'replace')[-2000:]}")
    return True
