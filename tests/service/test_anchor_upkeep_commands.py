"""A chain of other people, from the settings on: its TLS root, the age of its head, its validators, their wrongs."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from anchors import AnchorProof, read_anchor_proof
from anchors.contradictions import SqlEquivocations
from anchors.devchain.chain import DevChain
from anchors.equivocation import EquivocationError, ShownBlock
from anchors.store import SqlAnchorProofs
from api import clock
from api.anchoring import anchor_scope, chain_profile
from api.devchain_server import listen, make_app
from api.workspace import Workspace
from tests.support.command_line import Ran, ematerials
from tests.support.devchain_world import open_chain, result
from tests.support.http_world import make_workspace
from tests.support.kill_worker import register_number
from tests.support.tsa import needs_openssl

pytestmark = needs_openssl


@contextmanager
def served(dev: DevChain, folder: Path) -> Iterator[str]:
    """The chain behind TLS, with a certificate that no system knows."""
    options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out roots.pem -subj /CN=n"
    arguments = ["openssl", *options.split(), "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(arguments, cwd=folder, check=True, capture_output=True)
    files: dict[str, Any] = {"ssl_keyfile": str(folder / "key.pem"), "ssl_certfile": str(folder / "roots.pem")}
    listening = listen(0)
    server = uvicorn.Server(uvicorn.Config(make_app(dev), log_level="warning", access_log=False, **files))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"https://localhost:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def settle(home: Path, text: str) -> None:
    """The settings of the second chain."""
    file = home / "ematerials.toml"
    head = file.read_text("utf-8").partition("\n[chains.second]")[0]
    file.write_text(f'{head}\n[chains.second]\nkind = "rpc"\nchain_id = 20262\n{text}', "utf-8")


def registered_and_anchored(home: Path, number: int) -> Ran:
    with Workspace.open(home) as workspace:
        register_number(workspace, number)
    return ematerials("anchor", "--chain", "second", "-w", home, "--json")


def proofs(home: Path) -> list[AnchorProof]:
    with Workspace.open(home) as workspace, workspace.database.read() as connection:
        profile = chain_profile(workspace, connection, clock.now(), "second")
        scope = anchor_scope(profile, workspace.settings.origin)
        found = [read_anchor_proof(data) for _, data in SqlAnchorProofs(connection, scope).after(0, limit=100)]
    return [proof for proof in found if isinstance(proof, AnchorProof)]


def replace_one(dev: DevChain) -> None:
    oldest = dev.validators()[0]
    dev.vote_validator(dev.new_validator(), add=True)
    dev.mine()
    dev.vote_validator(oldest, add=False)
    dev.mine()


def test_a_chain_of_other_people(tmp_path: Path) -> None:
    home, first, second = tmp_path / "workspace", tmp_path / "1.jws", tmp_path / "2.jws"
    make_workspace(home).close()
    with open_chain(tmp_path / "node.db", clock=clock.now, chain_id=20262) as dev, served(dev, tmp_path) as url:
        settle(home, f'urls = ["{url}"]\n')
        away = ematerials("anchor", "deploy", "second", "-w", home, "--json")
        assert (away.code, away.error_code) == (69, "chain.unreachable")  # no system knows its certificate
        settle(home, f'urls = ["{url}"]\nca_file = "missing.pem"\n')
        assert ematerials("anchor", "deploy", "second", "-w", home, "--json").error_code == "settings.form"
        shutil.copy(tmp_path / "roots.pem", home / "roots.pem")
        settle(home, f'urls = ["{url}"]\nca_file = "roots.pem"\n')
        deployed = ematerials("anchor", "deploy", "second", "-w", home, "--json")
        assert deployed.code == 0, deployed.out + deployed.err
        for number in (1, 2):
            assert registered_and_anchored(home, number).code == 0
        assert [proof.handoff for proof in proofs(home)] == [(), ()]

        replace_one(dev)
        assert registered_and_anchored(home, 3).code == 0
        assert [len(proof.handoff) for proof in proofs(home)] == [2, 2, 2]
        assert ematerials("fsck", "-w", home).code == 0

        contract = "0x" + proofs(home)[0].contract.hex()
        common = ("--rpc", url, "--ca-file", tmp_path / "roots.pem", "-w", home, "--json")
        ran = ematerials("chain", "profile", "new", "--contract", contract, "-o", first, *common)
        assert ran.code == 0, ran.out + ran.err
        update = ("chain", "profile", "update", first, "-o", second, *common)
        ran = ematerials(*update, "--publish")
        assert ran.code == 0, ran.out + ran.err
        again = ematerials(*update, "--publish")
        assert (again.code != 0, again.error_code) == (True, "anchor.profile-back")  # it is listed
        assert registered_and_anchored(home, 4).code == 0
        assert [proof.handoff for proof in proofs(home)] == [(), (), (), ()]
        assert ematerials("fsck", "-w", home).code == 0

        settle(home, f'urls = ["{url}"]\nca_file = "roots.pem"\nmax_head_age = 60\n')
        assert registered_and_anchored(home, 5).code == 0
        dev.set_clock(lambda: clock.now())
        settle(home, f'urls = ["{url}"]\nca_file = "roots.pem"\nmax_head_age = 1\n')
        threading.Event().wait(3)
        stale = registered_and_anchored(home, 6)
        assert (stale.code, stale.error_code) == (69, "chain.stale-head")


def test_two_sealed_blocks_are_shown_until_a_person_resumes(tmp_path: Path) -> None:
    home = tmp_path / "workspace"
    make_workspace(home).close()
    with Workspace.open(home) as workspace:
        register_number(workspace, 1)
    assert ematerials("anchor", "-w", home).code == 0
    with open_chain(tmp_path / "node.db") as dev:
        headers = []
        for _ in range(2):
            dev.mine()
            headers.append(bytes.fromhex(result(dev, "debug_getRawHeader", "0x1")[2:]))
            dev.reorg(1)
    first, second = (ShownBlock(raw, (), name) for raw, name in zip(headers, ("one:1", "two:2"), strict=True))
    with Workspace.open(home) as workspace, workspace.database.write() as connection:
        chain_id = chain_profile(workspace, connection, clock.now(), "main").chain_id
        SqlEquivocations(connection, chain_id).keep(EquivocationError(1, first, second), now=1_760_000_000)
    status = ematerials("anchor", "status", "-w", home, "--json")
    (main,) = status.json["chains"]
    assert (status.code, main["alarms"]) == (4, ["chain.equivocation"])
    (kept,) = main["equivocations"]
    assert (kept["block_number"], kept["nodes"], kept["reviewed_at"]) == (1, ["one:1", "two:2"], None)
    assert headers[1].hex() in kept["blocks"][1]
    text = ematerials("anchor", "status", "-w", home)
    assert "one:1 / two:2" in text.out
    refused = ematerials("anchor", "-w", home, "--json")
    assert (refused.code != 0, refused.error_code) == (True, "chain.equivocation")
    checked = ematerials("fsck", "-w", home, "--json")  # the headers are of another chain: no evidence against this one
    assert "anchor_equivocations number=1" in checked.out
    assert ematerials("anchor", "--resume", "-w", home).code == 0
    after = ematerials("anchor", "status", "-w", home, "--json")
    assert (after.code, after.json["chains"][0]["equivocations"][0]["reviewed_at"] > 0) == (0, True)
