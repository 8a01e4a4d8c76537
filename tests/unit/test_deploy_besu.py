"""``deploy/besu``: the keys and the genesis block that its script makes, and what the compose file takes from them."""

import json
import re
import stat
from pathlib import Path

from eth_keys.datatypes import PrivateKey

from anchors.header import Bft, parse_header
from anchors.hexdata import to_hex
from anchors.strict_rlp import rlp_encode
from deploy.besu.make_network import HERE, make_network

NAMES = ["v1", "v2", "v3", "v4"]


def _made(folder: Path) -> tuple[dict[str, PrivateKey], dict[str, object]]:
    assert make_network(folder, chain_id=20280, besu="26.8.0")
    keys = {}
    for name in NAMES:
        file = folder / "net" / "keys" / name / "key"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        keys[name] = PrivateKey(bytes.fromhex(file.read_text()[2:]))
    return keys, json.loads((folder / "net" / "genesis.json").read_text())


def test_the_genesis_block_names_the_four_keys(tmp_path: Path) -> None:
    keys, genesis = _made(tmp_path)
    numbers = [genesis["difficulty"], "0x0", genesis["gasLimit"], "0x0", genesis["timestamp"]]
    header = rlp_encode(
        [
            *(bytes(32), bytes(32), bytes(20), bytes(32), bytes(32), bytes(32), bytes(256)),
            *(int(str(value), 16).to_bytes((int(str(value), 16).bit_length() + 7) // 8) for value in numbers),
            bytes.fromhex(str(genesis["extraData"])[2:]),
            bytes.fromhex(str(genesis["mixHash"])[2:]),
            bytes(8),
        ]
    )
    parsed = parse_header(header, Bft.QBFT)
    addresses = sorted(key.public_key.to_canonical_address() for key in keys.values())
    assert len(set(addresses)) == 4
    assert (list(parsed.validators), parsed.round, parsed.seals) == (addresses, b"", ())
    # as `besu rlp encode --type=QBFT_EXTRA_DATA` writes it: no vote is an empty list, round 0 an empty string
    members = b"".join(b"\x94" + address for address in addresses)
    assert genesis["extraData"] == to_hex(b"\xf8\x7a\xa0" + bytes(32) + b"\xf8\x54" + members + b"\xc0\x80\xc0")
    assert genesis["config"]["chainId"] == 20280


def test_the_first_node_is_where_the_others_look_for_it(tmp_path: Path) -> None:
    keys, _ = _made(tmp_path)
    environment = dict(line.split("=", 1) for line in (tmp_path / ".env").read_text().splitlines())
    assert environment["V1_PUBLIC_KEY"] == keys["v1"].public_key.to_bytes().hex()
    compose = (HERE / "compose.yaml").read_text("utf-8")
    assert set(re.findall(r"\$\{([A-Z0-9_]+)\}", compose)) == set(environment)
    assert "enode://${V1_PUBLIC_KEY}@172.28.0.11:30303" in compose
    for number, name in enumerate(NAMES):
        service = compose.split(f"\n  {name}:\n")[1].split("\n  v")[0]
        assert f"/net/keys/{name}/key" in service
        assert f"./data/{name}:/data" in service
        assert f'"127.0.0.1:{8545 + number}:8545"' in service, "on loopback alone"
        assert service.count(f"172.28.0.1{number + 1}") == 2
        assert (tmp_path / "data" / name).is_dir()


def test_keys_are_never_made_over_others(tmp_path: Path) -> None:
    _made(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert not make_network(tmp_path, chain_id=1, besu="other")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
