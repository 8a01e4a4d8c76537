"""Second opinion: ``openssl verify`` on the same chains and revocation lists at the same time."""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signing import LedgerError
from signing.x509.certificates import parse_certificate
from signing.x509.path import verify_path
from signing.x509.revocation import RevocationList
from tests.support.pki import DAY, NOT_BEFORE, Authority, make_root

AT = NOT_BEFORE + 100 * DAY
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00")
Case = tuple[bool, Sequence[Authority], Authority, Sequence[RevocationList]]

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command is not installed")


def openssl_accepts(
    folder: Path, chain: Sequence[Authority], root: Authority, crls: Sequence[RevocationList], at: int
) -> bool:
    lists = [x509.load_der_x509_crl(crl.der).public_bytes(Encoding.PEM) for crl in crls]
    (folder / "root").write_bytes(root.pem)
    (folder / "others").write_bytes(b"".join(each.pem for each in chain[1:]) or root.pem)
    (folder / "leaf").write_bytes(chain[0].pem)
    (folder / "lists").write_bytes(b"".join(lists))
    check = ["-crl_check_all", "-CRLfile", "lists"] if lists else []
    command = [
        "openssl",
        "verify",
        "-x509_strict",
        "-attime",
        str(at),
        *check,
        "-CAfile",
        "root",
        "-untrusted",
        "others",
    ]
    return subprocess.run([*command, "leaf"], cwd=folder, capture_output=True, check=False).returncode == 0


def we_accept(chain: Sequence[Authority], root: Authority, crls: Sequence[RevocationList], at: int) -> bool:
    try:
        verify_path(
            [each.certificate for each in chain],
            usage="signature", roots=[root.certificate], crls=crls, crl_required=bool(crls), at=at, now=at,
        )  # fmt: skip
    except LedgerError:
        return False
    return True


def plain(algorithm: str, of_middle: str = "ES256", of_leaf: str = "ES256") -> Callable[[], Case]:
    def make() -> Case:
        root = make_root(algorithm)
        middle = root.issue("middle", ca=True, algorithm=of_middle)
        return True, [middle.issue("leaf", algorithm=of_leaf), middle], root, ()

    return make


def broken(**options: Any) -> Callable[[], Case]:
    """``options``: of the leaf, or with the prefix ``middle_`` or ``root_`` of those."""

    def part(prefix: str) -> dict[str, Any]:
        return {key.removeprefix(prefix): value for key, value in options.items() if key.startswith(prefix)}

    def make() -> Case:
        root = make_root(**part("root_"))
        middle = root.issue("middle", **{"ca": True} | part("middle_"))
        leaf = {key: value for key, value in options.items() if not key.startswith(("root_", "middle_"))}
        return False, [middle.issue("leaf", **leaf), middle], root, ()

    return make


def listed(
    good: bool, *, serial: str = "leaf", since: int = AT - 1, this: int = AT - DAY, until: int = AT + DAY
) -> Case:
    root = make_root()
    middle = root.issue("middle", ca=True)
    leaf = middle.issue("leaf")
    revoked = {"leaf": leaf.certificate.serial, "other": 77}[serial]
    of_middle = middle.crl({revoked: (AT - 1, "superseded")}, this_update=this, next_update=until)
    return good, [leaf, middle], root, [root.crl(), of_middle]


def forged() -> Case:
    good, (leaf, middle), root, _ = plain("ES256")()
    der = bytearray(leaf.certificate.der)
    der[-1] ^= 1
    return not good, [Authority(parse_certificate(bytes(der)), leaf.key), middle], root, ()


CASES: dict[str, Callable[[], Case]] = {
    "ES256": plain("ES256"),
    "ES384": plain("ES384", "ES384"),
    "Ed25519": plain("Ed25519", "Ed25519", "Ed25519"),
    "RSA": plain("RSA", "RSA"),
    "RSA-PSS": plain("RSA-PSS", "RSA-PSS"),
    "mixed": plain("RSA", "ES384", "Ed25519"),
    "forged": forged,
    "middle is no authority": broken(middle_ca=False),
    "middle may not sign certificates": broken(middle_usages=["crl_sign"]),
    "path too long": broken(root_path_length=0),
    "leaf expired": broken(not_after=AT - 1),
    "leaf not yet valid": broken(not_before=AT + 1),
    "middle expired": broken(middle_not_after=AT - 1),
    "root expired": broken(root_not_after=AT - 1),
    "unknown critical extension": broken(extensions=[(UNKNOWN, True)]),
    "unknown critical extension in the middle": broken(middle_extensions=[(UNKNOWN, True)]),
    "fresh list": lambda: listed(True, serial="other"),
    "revoked": lambda: listed(False),
    "list too old": lambda: listed(False, serial="other", this=AT - 2 * DAY, until=AT - DAY),
    "list of tomorrow": lambda: listed(False, serial="other", this=AT + 1, until=AT + DAY),
}


@pytest.mark.parametrize("name", CASES)
def test_openssl_says_the_same(name: str, tmp_path: Path) -> None:
    good, chain, root, crls = CASES[name]()
    assert we_accept(chain, root, crls, AT) is good
    assert openssl_accepts(tmp_path, chain, root, crls, AT) is good
