"""Make the keys and the genesis block of a four-validator QBFT network, once: ./net, ./data and .env in a folder.

    python make_network.py --chain-id 20280 --besu 26.8.0 [FOLDER]

Does nothing where ./net is there already: keys are never made anew over old ones. Chain ids 20261 to 20999 mark a
development chain, whose anchors are never graded higher than that.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Final

from anchors.account import MemoryAccount, account_address
from anchors.hexdata import to_hex
from anchors.strict_rlp import RlpItem, rlp_encode
from api import clock
from signing import Secret

VALIDATORS: Final = 4
HERE: Final = Path(__file__).parent
_VANITY: Final = bytes(32)


def extra_data(validators: list[bytes]) -> bytes:
    """The genesis block's extraData: vanity, the validators ascending, no vote, round 0, no seals."""
    addresses: list[RlpItem] = [*sorted(validators)]
    return rlp_encode([_VANITY, addresses, [], b"", []])


def make_key(folder: Path) -> MemoryAccount:
    """A new key in a file for its owner alone, in the form that Besu reads."""
    folder.mkdir()
    secret = clock.random_bytes(32)
    descriptor = os.open(folder / "key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(to_hex(secret))
    return MemoryAccount(Secret(secret))


def make_network(folder: Path, *, chain_id: int, besu: str) -> bool:
    """Write all of it; False if it was there."""
    net, fresh = folder / "net", folder / f"net.{os.getpid()}"
    if net.exists():
        return False
    (fresh / "keys").mkdir(parents=True, mode=0o700)
    names = [f"v{number}" for number in range(1, VALIDATORS + 1)]
    accounts = {name: make_key(fresh / "keys" / name) for name in names}
    genesis = json.loads((HERE / "qbft.json").read_text("utf-8"))
    genesis["config"]["chainId"] = chain_id
    genesis["extraData"] = to_hex(extra_data([account_address(account) for account in accounts.values()]))
    (fresh / "genesis.json").write_text(json.dumps(genesis, indent=2) + "\n")
    for name in names:
        (folder / "data" / name).mkdir(parents=True, exist_ok=True)
    public = accounts[names[0]].public_point[-64:].hex()
    values = {"BESU_TAG": besu, "BESU_USER": f"{os.getuid()}:{os.getgid()}", "V1_PUBLIC_KEY": public}
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    fresh.rename(net)  # last: either all is there, or nothing counts
    return True


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=HERE)
    parser.add_argument("--chain-id", type=int, default=20280)
    parser.add_argument("--besu", default="26.8.0", metavar="TAG", help="tag of the image hyperledger/besu")
    arguments = parser.parse_args()
    if make_network(arguments.folder, chain_id=arguments.chain_id, besu=arguments.besu):
        print("已生成四个验证节点的密钥与创世块 · four validators' keys and the genesis block are in net/")
    else:
        print("net/ 已存在，未作改动 · net/ is there already and was left as it is")
    return 0


if __name__ == "__main__":
    sys.exit(main())
