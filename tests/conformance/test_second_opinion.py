"""What a workspace writes satisfies a stand-alone reading of the standards, which shares no code with the ledger."""

import base64
import hashlib
import json
import sys
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from nacl.exceptions import BadSignatureError

from anchors.devchain.chain import open_dev_chain_read_only
from api import names
from api.workspace import Workspace
from tests.support import independent
from tests.support.command_line import ematerials
from tests.support.independent import (
    WrongError,
    audit_log,
    check_anchor,
    check_jws,
    check_receipt,
    check_sd_jwt,
    from_base64url,
    from_hex,
    qbft_hashes,
    thumbprint,
)
from tests.support.workspace_world import Story

EXAMPLES = Path(__file__).parents[2] / "examples"
ANCHORED = ("licence", "used", "suspended-and-back", "before", "revoked", "used-second")


@pytest.fixture(scope="module")
def trust(story: Story) -> dict[str, Any]:
    """The trust list, verified with the list key of the trust file."""
    file = json.loads(story.trust)
    return check_jws(file["trust_list"], file["list_key"])


@pytest.fixture(scope="module")
def vkey(trust: dict[str, Any]) -> str:
    (log,) = trust["logs"]
    return str(log["vkey"])


@pytest.fixture(scope="module")
def exported(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "log"
    assert ematerials("log", "export", folder, "-w", story.folder).code == 0
    return folder


def keys_of(trust: dict[str, Any], role: str) -> dict[str, dict[str, str]]:
    jwks = [key["jwk"] for entity in trust["entities"] for key in entity["keys"] if key["role"] == role]
    return {thumbprint(jwk): jwk for jwk in jwks}


def test_the_second_opinion_is_one() -> None:
    """It uses primitives only."""
    ours = ("signing", "ledger", "anchors", "materials", "api")
    source = Path(independent.__file__).read_text("utf-8")
    assert not [line for line in source.splitlines() if line.startswith(tuple(f"from {name}" for name in ours))]
    assert not [name for name in vars(independent) if getattr(sys.modules.get(name), "__name__", "") in ours]


def test_the_whole_exported_log(story: Story, exported: Path, vkey: str) -> None:
    entries = audit_log(exported, vkey)
    assert ematerials("log", "key", "-w", story.folder).out == vkey + "\n"
    policy = json.loads(entries[0])
    assert policy["origin"] == vkey.partition("+")[0]
    statements = [json.loads(data)["statement"].partition("~")[0].encode() for data in story.bundles.values()]
    assert set(statements) <= set(entries)
    assert len(set(entries)) == len(entries)


@pytest.mark.parametrize("size", [255, 256, 257, 600])
def test_a_log_of_many_tiles(story: Story, tmp_path: Path, vkey: str, size: int) -> None:
    folder = story.copy(tmp_path / "home")
    with Workspace.open(folder) as workspace:
        signer = workspace.keyring.signer(names.LOG_KEY)
        with workspace.database.write() as connection:
            log = workspace.log(connection)
            have = independent.read_checkpoint(log.checkpoint(), vkey).size
            log.append([b"entry %d" % number for number in range(have, size)], signer=signer, known_head=None)
    assert ematerials("log", "export", tmp_path / "log", "-w", folder).code == 0
    assert len(audit_log(tmp_path / "log", vkey)) == size


def test_every_changed_file_of_the_log_is_noticed(exported: Path, vkey: str) -> None:
    """The audit can fail: otherwise it would be no second opinion."""
    head = independent.read_checkpoint((exported / "checkpoint").read_bytes(), vkey)
    for path in ("checkpoint", f"tile/0/000.p/{head.size}", f"tile/entries/000.p/{head.size}"):
        file = exported / path
        data = file.read_bytes()
        for at in (0, len(data) // 2, len(data) - 2):
            file.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
            assert not _passes(exported, vkey), f"{path}, byte {at}"
        file.write_bytes(data)
    audit_log(exported, vkey)


def _passes(folder: Path, vkey: str) -> bool:
    try:
        audit_log(folder, vkey)
    except (WrongError, BadSignatureError, ValueError):
        return False
    return True


@pytest.mark.parametrize("name", [*ANCHORED, "unanchored", "used-for-less"])
def test_every_receipt(story: Story, exported: Path, vkey: str, name: str) -> None:
    bundle, entries = json.loads(story.bundles[name]), audit_log(exported, vkey)
    logged = [(bundle["statement"].partition("~")[0].encode(), bundle["receipt"])]
    logged += [(event["token"].encode(), event["receipt"]) for event in bundle["events"]]
    if "use" in bundle:
        record = bundle["use"]["record"]
        digest = base64.b64encode(hashlib.sha256(record["token"].encode()).digest())
        logged.append((b"ematerials/commitment/v1\nusage-record\n" + digest + b"\n", record["receipt"]))
    for entry, receipt in logged:
        index, head = check_receipt(receipt.encode(), entry, vkey)
        assert entries[index] == entry
        assert independent.root_of([independent.leaf(other) for other in entries[: head.size]]) == head.root
        with pytest.raises(WrongError):
            check_receipt(receipt.encode(), entry + b"x", vkey)


@pytest.mark.parametrize("name", ANCHORED)
def test_every_anchor(story: Story, trust: dict[str, Any], vkey: str, name: str) -> None:
    bundle, (profile,) = json.loads(story.bundles[name]), trust["chains"]
    head, time = check_anchor(bundle["anchor"], profile, vkey)
    _, receipt_head = check_receipt(bundle["receipt"].encode(), bundle["statement"].partition("~")[0].encode(), vkey)
    assert head == receipt_head
    assert story.now - 600 < time <= story.now + 60


def test_block_hashes_of_the_whole_chain(story: Story, trust: dict[str, Any]) -> None:
    """The hash of each header is what the node calls the block's hash, and what the next header names as its parent."""
    (profile,) = trust["chains"]
    anchor = json.loads(story.bundles["licence"])["anchor"]
    with open_dev_chain_read_only(story.folder / "chain.db") as chain:

        def ask(method: str, *params: Any) -> Any:
            return chain.dispatch(method, list(params))["result"]

        newest = int(ask("eth_blockNumber"), 16)
        blocks = [ask("eth_getBlockByNumber", hex(at), False) for at in range(newest + 1)]
    assert blocks[0]["hash"] == profile["genesisHash"]
    for parent, block in pairwise(blocks):
        assert block["parentHash"] == parent["hash"]
    raw = from_hex(anchor["headers"][0])
    number = int.from_bytes(independent.rlp.decode(raw)[8], "big")
    assert qbft_hashes(raw)[0] == from_hex(blocks[number]["hash"])


@pytest.mark.parametrize("name", [*ANCHORED, "used-for-less"])
def test_every_statement(story: Story, trust: dict[str, Any], name: str) -> None:
    bundle = json.loads(story.bundles[name])
    claims = check_sd_jwt(bundle["statement"], keys_of(trust, "issue").__getitem__)
    assert claims["jti"].startswith("em-")
    if name == "used":
        assert {"holder_name", "licence_number", "established_on"} == set(claims) & _fields("business-licence")
    if name == "used-for-less":
        assert {"holder_name"} == set(claims) & _fields("business-licence")
    if name == "licence":
        assert claims.items() >= json.loads((EXAMPLES / "business-licence.fields.json").read_text("utf-8")).items()
        pdf = (EXAMPLES / "business-licence.pdf").read_bytes()
        assert [file["sha256"] for file in claims["files"]] == [hashlib.sha256(pdf).hexdigest()]


def _fields(type_code: str) -> set[str]:
    return set(json.loads((EXAMPLES / f"{type_code}.fields.json").read_text("utf-8")))


def test_status_lists_events_and_records(story: Story, trust: dict[str, Any]) -> None:
    """Each by the key of its role, the status read least significant bit first from the inflated list."""
    for name, expected in (("licence", 0), ("revoked", 1), ("suspended-and-back", 0)):
        bundle = json.loads(story.bundles[name])
        status = check_jws(bundle["status_list"], _key(keys_of(trust, "status"), bundle["status_list"]))
        packed = zlib.decompress(from_base64url(status["status_list"]["lst"]))
        claims = check_sd_jwt(bundle["statement"], keys_of(trust, "issue").__getitem__)
        place = claims["status"]["status_list"]
        assert (status["sub"], status["status_list"]["bits"]) == (place["uri"], 2)
        assert packed[place["idx"] // 4] >> 2 * (place["idx"] % 4) & 3 == expected
        for event in bundle["events"]:
            assert check_jws(event["token"], _key(keys_of(trust, "status"), event["token"]))["sub"] == claims["jti"]
    record = json.loads(story.bundles["used"])["use"]["record"]["token"]
    assert check_jws(record, _key(keys_of(trust, "grant"), record))["result"]["outcome"] == "released"


def _key(keys: dict[str, dict[str, str]], token: str) -> dict[str, str]:
    return keys[json.loads(from_base64url(token.split(".")[0]))["kid"]]


def test_a_chain_of_grants(story: Story, trust: dict[str, Any]) -> None:
    """The root by the home's key, each further link by the key that the link above it names, and bound to its text."""
    chain = json.loads(story.bundles["used"])["use"]["chain"]
    claims = check_jws(chain[0], _key(keys_of(trust, "grant"), chain[0]))
    for parent, link in pairwise(chain):
        claims = check_jws(link, claims["cnf"]["jwk"])
        digest = hashlib.sha256(parent.encode()).digest()
        assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == claims["prf"]
    assert thumbprint(claims["cnf"]["jwk"]) == claims["cnf"]["jkt"]
