"""Certificate revocation lists of a workspace: files of one folder, handed in by the operator, none ever removed.

A file's name tells issuer, key and date, ``<SHA-256 of the issuer's name, 32 hex>-<that of its key identifier, 8 hex>-
<thisUpdate>.crl``, so that the newest of each is found without reading the others. A CA that renewed its key under the
same name has lists of both.
"""

import os
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Final

from signing import MalformedError, sha256
from signing.x509.certificates import Certificate
from signing.x509.revocation import RevocationList, parse_crl

_READ_MAX: Final = 16
"""How many lists stay in memory: one of 4 MiB takes some 30 more."""


class CrlFolder:
    """The revocation lists in ``folder``, which need not exist. Thread-safe; files are only ever added."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parsed: dict[str, RevocationList] = {}
        self._lock = Lock()

    def newest(self) -> tuple[RevocationList, ...]:
        """The newest list of each issuer's key; without those that can't be read, which count as not there."""
        return self._read(_newest(self._names()))

    def telling(self, certificate: Certificate, at: int) -> tuple[RevocationList, ...]:
        """The lists that tell how ``certificate`` stood at ``at`` and how it stands now; without those we have not.

        That is its issuer's newest list of either time, none from after the certificate's end: later ones need not
        name it any more.
        """
        own = [name for name in self._names() if name.startswith(_prefix(certificate.issuer))]
        known = [name for name in own if _time(name) <= certificate.not_after]
        then = [name for name in known if _time(name) <= at]
        return self._read([*dict.fromkeys([*_newest(then), *_newest(known)])])

    def keep(self, crl: RevocationList) -> Path:
        """Add a list that was checked; one that is there already stays."""
        self._folder.mkdir(exist_ok=True, mode=0o700)
        path = self._folder / f"{_prefix(crl.issuer)}{_hash(crl.authority_key or b'')[:8]}-{crl.this_update:012}.crl"
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_bytes(crl.der)
        temporary.replace(path)
        return path

    def _names(self) -> list[str]:
        """Of each issuer's key the oldest first."""
        return sorted(path.name for path in self._folder.glob("[0-9a-f]*-*-*.crl"))

    def _read(self, names: Collection[str]) -> tuple[RevocationList, ...]:
        with self._lock:
            for name in names:
                held = self._parsed.pop(name, None)
                with suppress(OSError, MalformedError):
                    self._parsed[name] = held or self._parse(name)
            found = tuple(self._parsed[name] for name in names if name in self._parsed)
            for name in list(self._parsed)[: -max(_READ_MAX, len(names))]:
                del self._parsed[name]
            return found

    def _parse(self, name: str) -> RevocationList:
        return parse_crl((self._folder / name).read_bytes())


def _newest(names: Iterable[str]) -> list[str]:
    """Of sorted names the last of each issuer and key."""
    return [*{name.rpartition("-")[0]: name for name in names}.values()]


def _hash(data: bytes) -> str:
    return sha256(data).hex()


def _prefix(issuer: bytes) -> str:
    return f"{_hash(issuer)[:32]}-"


def _time(name: str) -> int:
    return int(name.removesuffix(".crl").rpartition("-")[2])
