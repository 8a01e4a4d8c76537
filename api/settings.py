"""Settings: one source, the file ``ematerials.toml`` of a workspace. Unknown keys are refused.

Secrets are not settings: the passphrase of the key files and the HSM's PIN come from the environment, from the files
named by ``passphrase_file`` and ``hsm.pin_file``, or from a prompt (``passphrases``).
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from signing import MalformedError, UnavailableError

FILE_NAME: Final = "ematerials.toml"

Origin = Annotated[str, StringConstraints(pattern=r"^[!-*,-~]{1,255}$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ChainSettings(_Section):
    """Where checkpoints are anchored: the embedded development chain, or a node's JSON-RPC."""

    kind: Literal["embedded", "rpc"] = "embedded"
    urls: tuple[str, ...] = ()
    path: str = "chain.db"
    gas_price: int = Field(default=0, ge=0)


class HsmSettings(_Section):
    """The PKCS#11 library, and the label of the token in which keys of this workspace live."""

    module: str
    token: str
    pin_file: str | None = None


class ServiceSettings(_Section):
    """The HTTP service. ``public_url`` is what clients sign as the target; without it, host and port as served."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    public_url: str | None = None
    anchor_every_seconds: int = Field(default=10, ge=1)
    max_body_bytes: int = Field(default=64 << 20, ge=1 << 16)

    @property
    def signed_origin(self) -> str:
        """The beginning of every URL that clients sign, without a final slash; never read from a header."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")


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
    """This home as a witness of other logs: the name of its key, and the vkeys of the logs that it cosigns."""

    name: Origin | None = None
    logs: tuple[str, ...]


class WitnessesSettings(_Section):
    """Witnesses of this home's log: the policy file that names them and the quorum, and how long to wait (seconds).

    ``urls`` are their submission prefixes by the names in the policy; without one, the policy's own counts.
    """

    policy: str = "witness.policy"
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
    chain: ChainSettings = ChainSettings()
    service: ServiceSettings = ServiceSettings()
    status: StatusSettings = StatusSettings()
    trust: TrustSettings = TrustSettings()
    timestamps: TimestampSettings = TimestampSettings()
    witness: WitnessSettings | None = None
    witnesses: WitnessesSettings | None = None


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
