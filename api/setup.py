"""``ematerials init``: make a workspace. Every step may be run again; the settings, written last, are the commit."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from api import clock, names
from api.chain import chain_endpoints
from api.chain_setup import deploy
from api.db import Database, database_url
from api.keys.keyring import KeyKind
from api.keys.passphrases import PASSPHRASE_FILE_VARIABLE, PASSPHRASE_VARIABLE, read_passphrase
from api.migrate import migrate
from api.organisations import Organisation, make_entity
from api.settings import FILE_NAME, ChainSettings, HsmSettings, Settings, check_settings
from api.trust_lists import publish_trust
from api.workspace import Workspace, open_keyring
from ledger.store import SqlLog
from materials.ids import EntityId
from materials.registry.policy import format_policy, make_policy
from materials.store.trust import SqlTrustStore
from materials.trust.model import TrustedLog, TrustList
from signing import Secret
from signing.hsm import KEY_KINDS
from signing.keyfile import write_key_file

MAIN_CHAIN: Final = "main"
_KEYS: Final[dict[str, KeyKind]] = {
    names.LOG_KEY: "Ed25519",
    names.LIST_KEY: "Ed25519",
    names.HOME_SECRET: "secret",
    names.GOVERNOR_KEY: "secp256k1",
    names.ANCHOR_KEY: "secp256k1",
}


@dataclass(frozen=True, slots=True)
class NewWorkspace:
    """What ``init`` needs to know: who operates the home, and under which origin its log signs.

    With ``hsm``, all keys that sign are made there, the operator's too. ``passphrase`` is one that was asked for.
    """

    operator: Organisation
    origin: str
    chain: ChainSettings = field(default_factory=ChainSettings)
    database: str | None = None
    hsm: HsmSettings | None = None
    passphrase: Secret | None = None


def create_workspace(folder: Path, new: NewWorkspace) -> bool:
    """Make the workspace in ``folder``; False if there is one already, which stays as it is.

    A run that was cut off is finished by the next one. Raises MalformedError for a bad origin, USCC or region, or for a
    key that can't be made in the HSM (nothing is made then); UnavailableError if database or chain can't be had.
    """
    settings = _settings(new)
    new = _with_hsm(new)
    new.operator.keys.check(new.operator.roles)
    with _held(folder):
        if (folder / FILE_NAME).exists():
            return False
        _make(folder, settings, new)
    return True


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """One process at a time makes a workspace here; a second one waits, and finds it done."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make(folder: Path, settings: Settings, new: NewWorkspace) -> None:
    (folder / settings.keys).mkdir(exist_ok=True, mode=0o700)
    (folder / settings.files).mkdir(exist_ok=True, mode=0o700)
    passphrase = new.passphrase or _passphrase(folder / settings.passphrase_file)
    keyring = open_keyring(folder, settings, passphrase)
    with Workspace(folder, settings, Database(database_url(settings.database, folder)), keyring) as workspace:
        for name, kind in _KEYS.items():
            if name not in keyring:
                keyring.create(name, kind, in_hsm=new.hsm is not None and kind in KEY_KINDS)
        with workspace.database.answering():
            migrate(workspace.database.engine)
        _fill(workspace, new)
    _write_settings(folder / FILE_NAME, settings)


def _settings(new: NewWorkspace) -> Settings:
    members = {"origin": new.origin, "operator": f"uscc:{new.operator.uscc}", "region": new.operator.region}
    database = {} if new.database is None else {"database": new.database}
    return check_settings(members | database | {"chains": {MAIN_CHAIN: new.chain}, "hsm": new.hsm}, "init")


def _with_hsm(new: NewWorkspace) -> NewWorkspace:
    """The operator's keys are where the home's are."""
    keys = replace(new.operator.keys, in_hsm=new.hsm is not None)
    return replace(new, operator=replace(new.operator, keys=keys))


def _passphrase(path: Path) -> Secret:
    """The given one, else a random one kept beside the keys: no secret then, only a default to begin with."""
    given = any(os.environ.get(variable) for variable in (PASSPHRASE_VARIABLE, PASSPHRASE_FILE_VARIABLE))
    if not given and not path.exists():
        write_key_file(path, clock.random_bytes(24).hex().encode() + b"\n")
    return read_passphrase(path)


def _fill(workspace: Workspace, new: NewWorkspace) -> None:
    """Log, contract and first trust list."""
    now, settings = clock.now(), workspace.settings
    entity = make_entity(new.operator, workspace.keyring, workspace.catalogue, origin=settings.origin, now=now)
    with workspace.database.read() as connection:
        if SqlTrustStore(connection).latest() is not None:
            return
    chain = settings.chains[MAIN_CHAIN]
    with chain_endpoints(chain, workspace.path, writable=True, create=True) as endpoints:
        profile = deploy(endpoints[0], workspace.keyring, settings.origin, chain)
    list_key = workspace.keyring.public_key(names.LIST_KEY).key_id
    policy = make_policy(
        origin=settings.origin, list_key=list_key, region=settings.region, catalogue=workspace.catalogue, now=now
    )
    trust_list = TrustList(
        iss=EntityId(settings.operator),
        seq=1,
        prev=None,
        iat=now,
        next_update=now,
        exp=now,
        entities=(entity,),
        logs=(TrustedLog(settings.origin, workspace.log_key),),
        chains=(profile,),
    )
    with workspace.database.write() as connection:
        log = SqlLog(connection, settings.origin)
        log.create(format_policy(policy), signer=workspace.keyring.signer(names.LOG_KEY), known_head=None)
        publish_trust(workspace, connection, trust_list, now)


def _write_settings(path: Path, settings: Settings) -> None:
    lines = ["# Settings of this workspace; every key is described in docs/operations.md.\n"]
    sections: list[str] = []
    for name, value in settings.model_dump(mode="json", exclude_none=True).items():
        if name == "chains":
            sections += [_section(f"chains.{chain}", members) for chain, members in value.items()]
        elif isinstance(value, dict):
            sections.append(_section(name, value))
        else:
            lines.append(f"{name} = {_toml(value)}\n")
    temporary = path.with_suffix(".new")
    with open(temporary, "w", encoding="utf-8", opener=_private) as stream:
        stream.write("".join(lines + sections))
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def _section(name: str, members: Mapping[str, object]) -> str:
    return f"\n[{name}]\n" + "".join(f"{key} = {_toml(item)}\n" for key, item in members.items())


def _private(path: str, flags: int) -> int:
    """The database's URL may hold a password."""
    return os.open(path, flags, 0o600)


def _toml(value: object) -> str:
    """TOML's strings, integers and arrays of strings are spelt as JSON spells them."""
    return json.dumps(value, ensure_ascii=False)
