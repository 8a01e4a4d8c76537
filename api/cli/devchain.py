"""``devchain``: the development chain by itself, for several processes, and its validators."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from anchors.devchain.chain import DEFAULT_CHAIN_ID, DevChain, open_dev_chain, open_dev_chain_read_only
from anchors.devchain.seeded import seeded_bytes, still_clock
from anchors.hexdata import address_from_hex, to_hex
from api import clock
from api.cli.options import JsonOption, usage_error
from api.cli.output import console, print_json
from api.names import DEVELOPMENT_CHAIN_IDS

_devchain = typer.Typer(help="内置开发链 · the embedded development chain", no_args_is_help=True)
_PORT: Final = 8545

ChainFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="链文件，没有则新建 · the chain's file, made if absent")
]
OldChainFile = Annotated[Path, typer.Argument(metavar="FILE", help="链文件 · the chain's file", exists=True)]
SeedOption = Annotated[
    str | None,
    typer.Option("--seed", help="由此生成密钥与时间，仅供测试 · keys and times follow from it: for tests only"),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(_devchain, name="devchain")


@_devchain.command("serve")
def serve(
    file: ChainFile,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="端口，0 为任一空闲端口 · port; 0 takes a free one")
    ] = _PORT,
    chain_id: Annotated[int, typer.Option(help="新链的链号 · chain id of a new chain")] = DEFAULT_CHAIN_ID,
    seed: SeedOption = None,
) -> None:
    """以 HTTP（JSON-RPC，仅限本机）提供开发链。 · Serve the chain's JSON-RPC over HTTP, on this machine only."""
    from api.devchain_server import listen, serve_chain  # the HTTP server is loaded for this command only

    if chain_id not in DEVELOPMENT_CHAIN_IDS:
        first, last = DEVELOPMENT_CHAIN_IDS[0], DEVELOPMENT_CHAIN_IDS[-1]
        raise usage_error(f"开发链的链号为 {first} 至 {last} · a development chain's id is {first} to {last}")
    with _writing(file, chain_id=chain_id, seed=seed) as chain, listen(port) as listening:
        host, taken = listening.getsockname()
        console().print(f"http://{host}:{taken}", soft_wrap=True)
        console().print(f"链号 chain id {chain.chain_id}   创世 genesis {to_hex(chain.genesis_hash)}", soft_wrap=True)
        serve_chain(chain, listening)


@_devchain.command("validators")
def validators(file: OldChainFile, as_json: JsonOption = False) -> None:
    """列出下一块的验证者。 · The validators of the next block."""
    with open_dev_chain_read_only(file) as chain:
        addresses = [to_hex(address) for address in chain.validators()]
    if as_json:
        print_json({"validators": [*addresses]})
        return
    for address in addresses:
        typer.echo(address)


@_devchain.command("add-validator")
def add_validator(file: OldChainFile, seed: SeedOption = None) -> None:
    """新建一名验证者并由现有验证者投票加入。 · Make a validator and have it voted in by those there are."""
    with _writing(file, chain_id=DEFAULT_CHAIN_ID, seed=seed) as chain:
        added = chain.new_validator()
        block = chain.vote_validator(added, add=True)
    console().print(f"{to_hex(added)}   自区块起 from block {block}", soft_wrap=True)


@_devchain.command("remove-validator")
def remove_validator(
    file: OldChainFile,
    address: Annotated[str, typer.Argument(help="验证者地址 · the validator's address")],
    seed: SeedOption = None,
) -> None:
    """由现有验证者投票移除一名验证者。 · Have a validator voted out."""
    subject = address_from_hex(address.lower(), what="address")
    with _writing(file, chain_id=DEFAULT_CHAIN_ID, seed=seed) as chain:
        try:
            block = chain.vote_validator(subject, add=False)
        except ValueError:
            raise usage_error("不是现任验证者，或是最后一名 · not a validator of the set, or the last one") from None
    console().print(f"{address}   自区块起不再出块 seals no more from block {block}", soft_wrap=True)


@contextmanager
def _writing(file: Path, *, chain_id: int, seed: str | None) -> Iterator[DevChain]:
    ticking, draw = (clock.now, clock.random_bytes) if seed is None else (still_clock, seeded_bytes(seed.encode()))
    with open_dev_chain(file, clock=ticking, random_bytes=draw, chain_id=chain_id) as chain:
        yield chain
