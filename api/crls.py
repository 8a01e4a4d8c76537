"""Certificate revocation lists of a workspace: files of one folder, handed in by the operator, none ever removed.

A file's name tells issuer and date, ``<SHA-256 of the issuer's name, 32 hex>-<thisUpdate>.crl``, so that the newest
of each issuer is found without reading the others.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from threading import Lock

from signing import MalformedError, sha256
from signing.certificates import Certificate
from signing.revocation import RevocationList, parse_crl


class CrlFolder:
    """The revocation lists in ``folder``, which need not exist. Thread-safe; files are only ever added."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parsed: dict[str, RevocationList] = {}
        self._lock = Lock()

    def newest(self) -> tuple[RevocationList, ...]:
        """The newest list of each issuer; without those that can't be read, which count as not there."""
        by_issuer = {name.partition("-")[0]: name for name in self._names()}
        return self._read(by_issuer.values())

    def telling(self, certificate: Certificate, at: int) -> tuple[RevocationList, ...]:
        """The lists that tell how ``certificate`` stood at ``at`` and how it stands now; without those we have not.

        That is its issuer's newest list of either time, none from after the certificate's end: later ones need not
        name it any more.
        """
        own = [name for name in self._names() if name.startswith(_prefix(certificate.issuer))]
        known = [name for name in own if _time(name) <= certificate.not_after]
        then = [name for name in known if _time(name) <= at]
        return self._read(dict.fromkeys([*then[-1:], *known[-1:]]))

    def keep(self, crl: RevocationList) -> Path:
        """Add a list that was checked; one that is there already stays."""
        self._folder.mkdir(exist_ok=True, mode=0o700)
        path = self._folder / f"{_prefix(crl.issuer)}{crl.this_update:012}.crl"
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_bytes(crl.der)
        temporary.replace(path)
        return path

    def _names(self) -> list[str]:
        """Of each issuer the oldest first."""
        return sorted(path.name for path in self._folder.glob("[0-9a-f]*-*.crl"))

    def _read(self, names: Iterable[str]) -> tuple[RevocationList, ...]:
        with self._lock:
            for name in set(names) - set(self._parsed):
                with suppress(OSError, MalformedError):
                    self._parsed[name] = parse_crl((self._folder / name).read_bytes())
            return tuple(self._parsed[name] for name in names if name in self._parsed)


def _prefix(issuer: bytes) -> str:
    return f"{sha256(issuer).hex()[:32]}-"


def _time(name: str) -> int:
    return int(name.removesuffix(".crl").partition("-")[2])
