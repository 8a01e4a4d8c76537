"""An SM2 organisation whose certificates and revocation lists the openssl command makes; needs no gmssl to be made."""

import subprocess
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from signing import Secret
from signing.forms.key_forms import parse_private_key
from signing.x509.certificates import read_certificates
from signing.x509.revocation import parse_crl
from tests.support.pki import USCC, Organisation

DEFAULT_ID: Final = "1234567812345678"
_FROM, _UNTIL = "20200101000000Z", "20400101000000Z"
_CONFIG: Final = """
[root]
database = root.index
crlnumber = root.number
crl_extensions = crl
[middle]
database = middle.index
crlnumber = middle.number
crl_extensions = crl
[policy]
countryName = optional
organizationName = optional
organizationIdentifier = optional
commonName = supplied
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, nonRepudiation
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[crl]
authorityKeyIdentifier = keyid
"""
_COMMON: Final = """
new_certs_dir = .
default_md = sm3
rand_serial = yes
unique_subject = no
policy = policy
"""


class _Folder:
    """A folder in which openssl keeps two authorities, ``root`` and ``middle``."""

    def __init__(self, folder: Path, signer_id: str) -> None:
        self._folder = folder
        # Without any distid openssl signs with an empty ID, which is what the tests of an empty one want.
        self._id = f"distid:{signer_id}" if signer_id else None
        (folder / "config").write_text(_CONFIG.replace("database", f"{_COMMON}database"))
        for name in ("root", "middle"):
            (folder / f"{name}.index").touch()
            (folder / f"{name}.number").write_text("01\n")

    def run(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self._folder, check=True, capture_output=True)

    def options(self, *names: str) -> list[str]:
        return [word for name in names for word in (name, self._id) if self._id is not None]

    def issue(self, authority: str, name: str, subject: str, kind: str) -> None:
        request, certificate, key = f"{name}.csr", f"{name}.crt", f"{name}.pem"
        self.run("ecparam", "-name", "SM2", "-genkey", "-noout", "-out", key)
        self.run(
            "req", "-new", "-config", "config", "-utf8", "-key", key, "-sm3", *self.options("-sigopt"),
            "-subj", subject, "-out", request,
        )  # fmt: skip
        signer = ["-selfsign"] if name == authority else ["-cert", f"{authority}.crt"]
        self.run(
            "ca", "-batch", "-notext", "-config", "config", "-name", authority, *signer, "-keyfile", f"{authority}.pem",
            *self.options("-sigopt", "-vfyopt"), "-in", request, "-out", certificate, "-extensions", kind,
            "-startdate", _FROM, "-enddate", _UNTIL, "-utf8", "-preserveDN",
        )  # fmt: skip

    def crl(self, authority: str) -> bytes:
        self.run(
            "ca", "-gencrl", "-config", "config", "-name", authority, "-keyfile", f"{authority}.pem",
            "-cert", f"{authority}.crt", *self.options("-sigopt"), "-crl_lastupdate", _FROM, "-crl_nextupdate", _UNTIL,
            "-out", f"{authority}.crl",
        )  # fmt: skip
        return self.read(f"{authority}.crl")

    def revoke(self, authority: str, since: str, reason: str) -> None:
        """Mark all that ``authority`` issued as revoked; ``openssl ca -revoke`` knows no other time than now."""
        index = self._folder / f"{authority}.index"
        rows = [row.split("\t") for row in index.read_text().splitlines()]
        index.write_text("".join("\t".join(["R", row[1], f"{since},{reason}", *row[3:]]) + "\n" for row in rows))

    def read(self, name: str) -> bytes:
        return (self._folder / name).read_bytes()


@lru_cache(maxsize=8)
def sm2_organisation(
    uscc: str = USCC, *, signer_id: str = DEFAULT_ID, revoked: tuple[str, str] | None = None
) -> Organisation:
    """Leaf ← intermediate ← root, all SM2, valid from 2020 to 2040; made once for each set of arguments.

    ``signer_id`` "" makes openssl sign with the empty ID. ``revoked`` (``YYMMDDhhmmssZ``, reason): the leaf is.
    """
    with TemporaryDirectory() as name:
        folder = _Folder(Path(name), signer_id)
        folder.issue("root", "root", "/C=CN/O=测试/CN=SM2 root", "ca")
        folder.issue("root", "middle", "/C=CN/O=测试/CN=SM2 middle", "ca")
        folder.issue("middle", "leaf", f"/C=CN/O=测试机关/organizationIdentifier=NTRCN-{uscc}/CN=签章", "leaf")
        if revoked is not None:
            folder.revoke("middle", *revoked)
        leaf, middle, root = (read_certificates(folder.read(f"{each}.crt"))[0] for each in ("leaf", "middle", "root"))
        crls = tuple(parse_crl(folder.crl(authority)) for authority in ("root", "middle"))
        signer = parse_private_key(Secret(folder.read("leaf.pem")))
    return Organisation((leaf, middle), (root,), crls, signer)
