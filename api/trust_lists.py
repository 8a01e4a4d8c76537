"""The home's own trust list: read, renew, change. Each change is a new signed list; every list is kept."""

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Connection

from api.clock_guard import check_clock, is_ahead
from api.keys.current_keys import held_list_key, list_key_name
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
from materials.trust.model import KeyRevocation, TrustKey, TrustList
from materials.trust.rollover import list_signer_id
from signing import KeyId, UnavailableError, VerificationError, b64url_encode, sha256


def publish_trust(workspace: Workspace, connection: Connection, draft: TrustList, now: int) -> VerifiedTrustList:
    """Sign ``draft`` as the next list, valid from ``now``, and keep it.

    Number, hash link and signing key come from the last list: a successor that it names takes over, and ends the key
    before it. Raises UnavailableError ``clock.behind``.
    """
    check_clock(workspace, connection, now)
    store = SqlTrustStore(connection)
    last = store.latest()
    before = None if last is None else parse_trust_list(last)
    terms = workspace.settings.trust
    seq = 1 if before is None else before.seq + 1
    signer = workspace.keyring.signer(list_key_name(workspace.keyring, before, now))
    if last is not None and list_signer_id(last) != signer.public_key.key_id:
        draft = _end_list_key(draft, list_signer_id(last), now)
    trust_list = replace(
        draft,
        seq=seq,
        prev=None if last is None else b64url_encode(sha256(last.encode())),
        iat=now,
        next_update=now + terms.next_update,
        exp=now + terms.lifetime,
    )
    text = issue_trust_list(signer, trust_list)
    store.keep(seq, now, text)
    return verify_trust_list(text, signer.public_key, now)


def _end_list_key(trust_list: TrustList, key_id: KeyId, now: int) -> TrustList:
    """The list with its issuer's list key marked as superseded, unless it ended before."""

    def ended(key: TrustKey) -> TrustKey:
        ends = key.key_id == key_id and key.role == "list" and key.revoked is None
        return replace(key, revoked=KeyRevocation(now, "superseded")) if ends else key

    entities = (
        replace(entity, keys=tuple(ended(key) for key in entity.keys)) if entity.id == trust_list.iss else entity
        for entity in trust_list.entities
    )
    return replace(trust_list, entities=tuple(entities))


def current_trust(workspace: Workspace, connection: Connection, now: int) -> VerifiedTrustList:
    """The latest list, as it stands, with the revocation lists at hand.

    UnavailableError ``trust.expired`` asks for ``renew_trust`` first. By a clock that is behind the list is read as of
    its own date: nothing is signed then (``clock_guard``), but what is kept can be read.
    """
    text = SqlTrustStore(connection).latest()
    if text is None:
        raise UnavailableError("trust.missing", "this workspace has no trust list: it was not initialised to the end")
    list_key = held_list_key(workspace.keyring, list_signer_id(text))
    try:
        trust = verify_trust_list(text, list_key, now)
    except VerificationError as error:
        if error.code != "time.not-yet":
            raise
        trust = verify_trust_list(text, list_key, parse_trust_list(text).iat)
    return trust.with_crls(workspace.crls.newest())


def renew_trust(workspace: Workspace, now: int) -> None:
    """Publish the list anew, unchanged, once its next update is due; every use case that dates something begins so.

    Also if the list is dated later than now: by a clock that was ahead, which a person allowed by ``clock.tolerance``.
    Raises UnavailableError ``clock.behind``, and then nothing may be dated.
    """
    with workspace.database.read() as connection:
        check_clock(workspace, connection, now)
        text = SqlTrustStore(connection).latest()
    if text is None:
        return
    trust_list = parse_trust_list(text)
    if now >= trust_list.next_update or is_ahead(workspace, trust_list.iat, now):
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
    return format_trust_file(TrustFile(held_list_key(workspace.keyring, trust.list_key_id), trust.text))


def trust_history(workspace: Workspace, since: int, now: int) -> tuple[str, ...]:
    """All lists from number ``since`` on, the present one last, for those who follow them to a new list key."""
    renew_trust(workspace, now)
    with workspace.database.read() as connection:
        texts = SqlTrustStore(connection).all()
    return tuple(texts[since - 1 :] or texts[-1:])
