"""Which chain a workspace talks to, opened when needed: the embedded development chain, or nodes behind JSON-RPC."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from anchors import TrustProfile
from anchors.devchain.chain import DEFAULT_CHAIN_ID, ReadOnlyDevChain, open_dev_chain, open_dev_chain_read_only
from anchors.evm import NodeChain, connect_chain, http_endpoint
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
            raise MalformedError("settings.form", "chains: at least one URL is needed where kind is 'rpc'")
        tls = None if settings.ca_file is None else node_roots(workspace / settings.ca_file)
        yield [http_endpoint(url, tls=tls) for url in settings.urls]
        return
    path = workspace / settings.path
    if not create and not path.exists():
        raise UnavailableError("chain.unreachable", "the embedded chain's file is away")
    if writable:
        chain_id = settings.chain_id or DEFAULT_CHAIN_ID
        with _opened(
            lambda: open_dev_chain(path, clock=clock.now, random_bytes=clock.random_bytes, chain_id=chain_id)
        ) as chain:
            yield [Endpoint(EMBEDDED, chain.dispatch)]
        return
    with _opened(lambda: open_dev_chain_read_only(path)) as chain:
        yield [Endpoint(EMBEDDED, chain.dispatch)]


@contextmanager
def open_chain(
    settings: ChainSettings, workspace: Path, profile: TrustProfile, *, writable: bool
) -> Iterator[NodeChain]:
    """The chain of ``profile`` through those endpoints."""
    with chain_endpoints(settings, workspace, writable=writable) as endpoints:
        yield connect_chain(endpoints, profile, clock=clock.now, max_head_age=settings.max_head_age)


def node_roots(path: Path) -> ssl.SSLContext:
    """TLS that trusts the roots in a PEM file and no others; raises MalformedError (``settings.form``)."""
    try:
        return ssl.create_default_context(cafile=path)
    except OSError:  # ssl.SSLError is one
        raise MalformedError("settings.form", f"ca_file: {path.name} can't be read as PEM certificates") from None


def _opened(opening: Callable[[], C]) -> C:
    """A chain file that is damaged says nothing of the chain: that is "away", not "wrong"."""
    try:
        return opening()
    except MalformedError as error:
        raise UnavailableError(error.code, str(error)) from error
