"""Settings: one source, the file ``ematerials.toml`` of a workspace. Unknown keys are refused.

Secrets are not settings: the passphrase of the key files and the HSM's PIN come from the environment, from the files
named by ``passphrase_file`` and ``hsm.pin_file``, or from a prompt (``passphrases``).
"""

import tomllib
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, IPvAnyNetwork, StringConstraints, ValidationError, model_validator

from signing import MalformedError, UnavailableError

FILE_NAME: Final = "ematerials.toml"

ChainName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
Origin = Annotated[str, StringConstraints(pattern=r"^[!-*,-~]{1,255}$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ChainSettings(_Section):
    """One chain on which checkpoints are anchored: the embedded development chain, or nodes' JSON-RPC.

    ``chain_id`` finds its trust profile; without it, the profile that no other chain of the settings names. Anchored
    every ``every_seconds``, before that once ``every_entries`` wait. ``alarm_…``: from which lag on ``anchor status``
    and the metrics show an alarm. ``ca_file``: the roots (PEM) of the nodes' TLS certificates, instead of the system's.
    ``max_head_age`` (seconds): a newest block older than that is not believed to be the newest; only for chains that
    make blocks without transactions. ``answers``: for FISCO BCOS, which proves nothing, how many nodes must answer
    alike. ``unsealed``: a developer's node that seals nothing (anvil).
    """

    kind: Literal["embedded", "rpc"] = "embedded"
    urls: tuple[str, ...] = ()
    path: str = "chain.db"
    gas_price: int = Field(default=0, ge=0)
    chain_id: int | None = Field(default=None, ge=1, lt=1 << 63)
    block_seconds: int = Field(default=5, ge=1, le=600)
    every_seconds: int = Field(default=10, ge=0)
    every_entries: int = Field(default=1000, ge=1)
    alarm_entries: int | None = Field(default=None, ge=1)
    alarm_minutes: int = Field(default=60, ge=1)
    ca_file: str | None = None
    max_head_age: int | None = Field(default=None, ge=1)
    answers: int | None = Field(default=None, ge=1)
    unsealed: bool = False


class LogSettings(_Section):
    """Registrations over HTTP that come in at the same time share a transaction: at most ``batch`` of them.

    Meanwhile ``queue`` may wait, with ``queue_bytes`` of statements and files; more are told to come back.
    """

    queue: int = Field(default=128, ge=1, le=4096)
    queue_bytes: int = Field(default=256 << 20, ge=1 << 16)
    batch: int = Field(default=64, ge=1, le=1024)


class GuardSettings(_Section):
    """While no chain can be asked, appends stop once the log is so far ahead of the head that was proved last.

    Not set: registration goes on for as long as the chains are away.
    """

    lag_entries: int | None = Field(default=None, ge=1)
    lag_minutes: int | None = Field(default=None, ge=1)


class HsmSettings(_Section):
    """The PKCS#11 library, and the label of the token in which keys of this workspace live."""

    module: str
    token: str
    pin_file: str | None = None


class ServiceSettings(_Section):
    """The HTTP service. ``public_url`` is what clients sign as the target; without it, host and port as served.

    ``tile_cache``: hash tiles of 8 KiB that are kept in memory for proofs, at most, for each log.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    public_url: str | None = None
    metrics_from: tuple[IPvAnyNetwork, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
    anchor_every_seconds: int = Field(default=10, ge=1)
    max_body_bytes: int = Field(default=64 << 20, ge=1 << 16)
    tile_cache: int = Field(default=1024, ge=1, le=1 << 17)

    @property
    def signed_origin(self) -> str:
        """The beginning of every URL that clients sign, without a final slash; never read from a header."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")


class ClockSettings(_Section):
    """How many seconds the clock may be behind the latest date that this home has signed, before it signs no more."""

    tolerance: int = Field(default=60, ge=1)


class StatusSettings(_Section):
    """Status lists: how long a published one may be relied on, and how soon a reader should ask again (seconds)."""

    lifetime: int = Field(default=7 * 86400, ge=600)
    ttl: int = Field(default=43200, ge=60)


class TimestampSettings(_Section):
    """RFC 3161 services, asked for a time stamp each, and how long each is waited for (seconds); none by default."""

    urls: tuple[Annotated[str, StringConstraints(pattern=r"^https?://[!-?A-~]{1,500}$")], ...] = ()
    timeout: int = Field(default=10, ge=1, le=120)


class TrustSettings(_Section):
    """The trust list: when the next one is due, and when this one is no longer to be relied on (seconds)."""

    next_update: int = Field(default=86400, ge=60)
    lifetime: int = Field(default=7 * 86400, ge=600)


class WitnessSettings(_Section):
    """This home as a witness of other logs: the name of its key, and the vkeys of the logs that it cosigns. With
    ``ml_dsa``, it adds a line of a second key, ML-DSA-44, to each of its answers.
    """

    name: Origin | None = None
    logs: tuple[str, ...]
    ml_dsa: bool = False


class ChildrenSettings(_Section):
    """This home as a parent: the vkeys of the child ledgers whose checkpoints it takes into its log."""

    logs: tuple[str, ...]


class ParentSettings(_Section):
    """The parent ledger that takes this home's checkpoints into its log: its service, its log's vkey, how long to wait
    (seconds).
    """

    url: Annotated[str, StringConstraints(pattern=r"^https?://[!-?A-~]{1,500}$")]
    vkey: str
    timeout: int = Field(default=10, ge=1, le=120)


class WitnessesSettings(_Section):
    """Witnesses of this home's log: the policy file that names them and the quorum, and how long to wait (seconds).

    ``urls`` are their submission prefixes by the names in the policies; without one, the policy's own counts.
    ``policies`` are those of further logs, by origin. With ``publish`` "cosigned", readers are shown only checkpoints
    that the policy of the log accepts.
    """

    policy: str = "witness.policy"
    policies: dict[Origin, str] = {}
    publish: Literal["signed", "cosigned"] = "signed"
    urls: dict[str, Annotated[str, StringConstraints(pattern=r"^https?://[!-?A-~]{1,500}$")]] = {}
    timeout: int = Field(default=10, ge=1, le=120)


class Settings(_Section):
    """Everything an operator may set. Relative paths are relative to the workspace."""

    origin: Origin
    operator: str
    region: str
    database: str = "sqlite:///ledger.db"
    files: str = "files"
    keys: str = "keys"
    crls: str = "crls"
    passphrase_file: str = "keys/passphrase"
    hsm: HsmSettings | None = None
    chains: dict[ChainName, ChainSettings] = Field(default={"main": ChainSettings()}, min_length=1, max_length=16)
    guard: GuardSettings = GuardSettings()
    service: ServiceSettings = ServiceSettings()
    log: LogSettings = LogSettings()
    clock: ClockSettings = ClockSettings()
    status: StatusSettings = StatusSettings()
    trust: TrustSettings = TrustSettings()
    timestamps: TimestampSettings = TimestampSettings()
    witness: WitnessSettings | None = None
    witnesses: WitnessesSettings | None = None
    children: ChildrenSettings | None = None
    parent: ParentSettings | None = None

    @model_validator(mode="after")
    def _distinct_chains(self) -> Self:
        chains = self.chains.values()
        ids = [chain.chain_id for chain in chains if chain.chain_id is not None]
        files = [chain.path for chain in chains if chain.kind == "embedded"]
        unnamed = len(self.chains) - len(ids)
        if len(set(ids)) < len(ids) or len(set(files)) < len(files) or unnamed > 1:
            raise ValueError("chains: each needs a chain_id (one may do without) and, if embedded, a path of its own")
        return self


def load_settings(workspace: Path) -> Settings:
    """Read ``ematerials.toml``.

    Raises UnavailableError (``workspace.missing``) if there is none, MalformedError (``settings.form``) that names the
    first wrong key.
    """
    path = workspace / FILE_NAME
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError:
        hint = "run 'ematerials init DIR' first, or name another workspace with --workspace"
        raise UnavailableError("workspace.missing", f"{workspace} is not a workspace: no {FILE_NAME}; {hint}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MalformedError("settings.form", f"{path}: not TOML: {error}") from None
    return check_settings(data, str(path))


def check_settings(data: Mapping[str, object], where: str) -> Settings:
    """The settings in ``data``; raises MalformedError (``settings.form``) that names the first wrong key, no value."""
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise MalformedError("settings.form", f"{where}: {key}: {first['msg']}") from None
