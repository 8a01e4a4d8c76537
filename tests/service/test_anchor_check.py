"""``deploy/anchor_check.py``: on our own chain behind HTTP, on anvil, and where nobody answers."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy import anchor_check
from tests.support.anvil import AnvilNode, start_anvil
from tests.support.chain_nodes import free_ports

Check = Callable[..., tuple[int, str]]
SCRIPT = Path(__file__).parents[2] / "deploy" / "anchor_check.py"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The development chain's URL: blocks sealed by four keys."""
    serve = [sys.executable, "-c", "from api.cli.app import main; main()", "devchain", "serve"]
    with subprocess.Popen(
        [*serve, str(tmp_path / "chain.db"), "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.kill()


@pytest.fixture
def anvil(tmp_path: Path) -> Iterator[AnvilNode]:
    with start_anvil(tmp_path) as node:
        yield node


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Check:
    """Run the script here: exit code, and what it printed."""

    def run(*options: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["anchor_check.py", "--block-seconds", "1", *options])
        code = anchor_check.main()
        return code, capsys.readouterr().out

    return run


def test_on_the_development_chain(served: str) -> None:
    command = [sys.executable, str(SCRIPT), "--rpc", served]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    said = done.stdout
    assert (done.returncode, said.splitlines()[-1].strip()) == (0, "通过 · passed"), said + done.stderr
    assert "共识 qbft" in said
    assert "1000 entries anchored" in said
    assert "refused as it must be: contract.not-anchorer" in said


def test_on_a_node_that_seals_nothing(anvil: AnvilNode, tmp_path: Path, check: Check) -> None:
    key = tmp_path / "key"
    key.write_text("0x" + "07" * 32 + "\n")
    code, said = check("--rpc", anvil.url, "--unsealed", "--key-file", str(key))
    assert (code, said.splitlines()[-1].strip()) == (0, "通过 · passed"), said
    code, said = check("--rpc", anvil.url, "--timeout", "1")
    assert (code, "chain.engine-unknown" in said) == (69, True), "it must be said that there are no seals"


def test_where_nobody_answers_and_with_a_wrong_key(tmp_path: Path, check: Check) -> None:
    nobody = f"http://127.0.0.1:{free_ports(1)[0]}"
    code, said = check("--rpc", nobody)
    assert (code, "chain.unreachable" in said) == (69, True)
    key = tmp_path / "key"
    for text in ("07" * 31, "no key"):
        key.write_text(text)
        code, said = check("--rpc", nobody, "--key-file", str(key))
        assert code == 1
        assert "FAILED" in said
        assert text not in said
