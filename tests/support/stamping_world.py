"""A workspace that has its checkpoints stamped by services of this host."""

import re
from pathlib import Path

from api import clock
from api.authorities import add_authority
from api.settings import FILE_NAME
from api.workspace import Workspace
from materials.registry.records import KeptTimestamp
from materials.store.timestamps import SqlTimestampStore
from materials.trust.model import TrustedAuthority
from signing.x509.certificates import parse_certificate


def set_services(home: Path, *urls: str, timeout: int = 5) -> None:
    """Write the section ``[timestamps]`` of the settings."""
    path = home / FILE_NAME
    section = f"[timestamps]\nurls = {list(urls)}\ntimeout = {timeout}\n".replace("'", '"')
    text, found = re.subn(r"\[timestamps\]\n(?:[^\[\n].*\n)*", section, path.read_text("utf-8"))
    path.write_text(text if found else f"{text}\n{section}", "utf-8")


def trust_authority(home: Path, root: bytes) -> None:
    """List a root for time stamps, without revocation lists."""
    with Workspace.open(home) as workspace:
        add_authority(workspace, TrustedAuthority(parse_certificate(root), "timestamp", "none"), clock.now())


def kept_stamps(home: Path) -> list[KeptTimestamp]:
    """All time stamps that the home holds."""
    with Workspace.open(home) as workspace, workspace.database.read() as connection:
        return list(SqlTimestampStore(connection).all())
