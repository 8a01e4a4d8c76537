"""The home's own trust list: read, renew, change. Each change is a new signed list; every list is kept."""

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Connection

from api import names
from api.workspace import Workspace
from materials.store.trust import SqlTrustStore
from materials.trust.lists import (
    TrustFile,
    VerifiedTrustList,
    format_trust_file,
    issue_trust_list,
    parse_trust_list,
    verify_trust_list,
)
from materials.trust.model import TrustList
from signing import UnavailableError, b64url_encode, sha256


def publish_trust(workspace: Workspace, connection: Connection, draft: TrustList, now: int) -> VerifiedTrustList:
    """Sign ``draft`` as the next list, valid from ``now``, and keep it; number and hash link come from the last one."""
    store = SqlTrustStore(connection)
    last = store.latest()
    terms = workspace.settings.trust
    seq = 1 if last is None else parse_trust_list(last).seq + 1
    trust_list = replace(
        draft,
        seq=seq,
        prev=None if last is None else b64url_encode(sha256(last.encode())),
        iat=now,
        next_update=now + terms.next_update,
        exp=now + terms.lifetime,
    )
    signer = workspace.keyring.signer(names.LIST_KEY)
    text = issue_trust_list(signer, trust_list)
    store.keep(seq, now, text)
    return verify_trust_list(text, signer.public_key, now)


def current_trust(workspace: Workspace, connection: Connection, now: int) -> VerifiedTrustList:
    """The latest list, as it stands; UnavailableError ``trust.expired`` asks for ``renew_trust`` first."""
    text = SqlTrustStore(connection).latest()
    if text is None:
        raise UnavailableError("trust.missing", "this workspace has no trust list: it was not initialised to the end")
    return verify_trust_list(text, workspace.keyring.signer(names.LIST_KEY).public_key, now)


def renew_trust(workspace: Workspace, now: int) -> None:
    """Publish the list anew, unchanged, once its next update is due."""
    with workspace.database.read() as connection:
        text = SqlTrustStore(connection).latest()
    if text is None or now < parse_trust_list(text).next_update:
        return
    change_trust(workspace, lambda trust_list: trust_list, now)


def change_trust(workspace: Workspace, change: Callable[[TrustList], TrustList], now: int) -> VerifiedTrustList:
    """Publish what ``change`` makes of the latest list."""
    with workspace.database.write() as connection:
        text = SqlTrustStore(connection).latest()
        if text is None:
            raise UnavailableError("trust.missing", "this workspace has no trust list yet")
        return publish_trust(workspace, connection, change(parse_trust_list(text)), now)


def export_trust(workspace: Workspace, now: int) -> bytes:
    """The trust file to hand to other parties: the list key, and the current list signed by it."""
    renew_trust(workspace, now)
    with workspace.database.read() as connection:
        trust = current_trust(workspace, connection, now)
    return format_trust_file(TrustFile(workspace.keyring.signer(names.LIST_KEY).public_key, trust.text))
