"""Which chain a workspace talks to, opened when needed: the embedded development chain, or nodes behind JSON-RPC."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from anchors import TrustProfile
from anchors.devchain.chain import ReadOnlyDevChain, open_dev_chain, open_dev_chain_read_only
from anchors.evm import EvmChain, http_endpoint
from anchors.node import Endpoint
from api import clock
from api.settings import ChainSettings
from signing import MalformedError, UnavailableError

C = TypeVar("C", bound=ReadOnlyDevChain)

EMBEDDED = "embedded development chain"


@contextmanager
def chain_endpoints(
    settings: ChainSettings, workspace: Path, *, writable: bool, create: bool = False
) -> Iterator[list[Endpoint]]:
    """The endpoints of the configured chain while the block runs; only ``create`` makes a new embedded chain.

    The embedded chain has one writer: raises UnavailableError (``devchain.locked``) while another process, such as the
    service, holds it. Reading goes on beside it.
    """
    if settings.kind == "rpc":
        if not settings.urls:
            raise MalformedError("settings.form", "chain.urls: at least one URL is needed when chain.kind is 'rpc'")
        yield [http_endpoint(url) for url in settings.urls]
        return
    path = workspace / settings.path
    if not create and not path.exists():
        raise UnavailableError("chain.unreachable", "the embedded chain's file is away")
    if writable:
        with _opened(lambda: open_dev_chain(path, clock=clock.now, random_bytes=clock.random_bytes)) as chain:
            yield [Endpoint(EMBEDDED, chain.dispatch)]
        return
    with _opened(lambda: open_dev_chain_read_only(path)) as chain:
        yield [Endpoint(EMBEDDED, chain.dispatch)]


@contextmanager
def open_chain(
    settings: ChainSettings, workspace: Path, profile: TrustProfile, *, writable: bool
) -> Iterator[EvmChain]:
    """The chain of ``profile`` through those endpoints."""
    with chain_endpoints(settings, workspace, writable=writable) as endpoints:
        yield EvmChain(endpoints, profile)


def _opened(opening: Callable[[], C]) -> C:
    """A chain file that is damaged says nothing of the chain: that is "away", not "wrong"."""
    try:
        return opening()
    except MalformedError as error:
        raise UnavailableError(error.code, str(error)) from error
