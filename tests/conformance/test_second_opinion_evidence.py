"""Second signatures, certificates and time stamps of a bundle, judged by others: gmalg and openssl."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.evidenced_story import Evidenced
from tests.support.independent import WrongError, check_detached, check_jws, openssl_accepts, sm2_key_of
from tests.support.tsa import needs_openssl

pytestmark = needs_openssl

DISTID = ("-vfyopt", "distid:1234567812345678")


@pytest.fixture(scope="module")
def members(evidenced: Evidenced) -> Any:
    return json.loads(evidenced.story.bundles["full"])


@pytest.fixture(scope="module")
def trust(evidenced: Evidenced) -> Any:
    file = json.loads(evidenced.story.trust)
    return check_jws(file["trust_list"], file["list_key"])


def _certified(trust: Any) -> list[bytes]:
    """The issuer's key that is listed by certificate, leaf first."""
    (chain,) = [key["x5c"] for key in trust["entities"][0]["keys"] if "x5c" in key]
    return [base64.b64decode(certificate, validate=True) for certificate in chain]


def _root(trust: Any, use: str) -> bytes:
    (authority,) = [each for each in trust["authorities"] if each["use"] == use]
    return base64.b64decode(authority["certificate"], validate=True)


def test_the_second_signature(members: Any, trust: Any) -> None:
    jwt, (detached,) = members["statement"].partition("~")[0], members["signatures"]
    key = sm2_key_of(_certified(trust)[0])
    assert check_detached(jwt, detached, key)["jti"].startswith("em-")
    changed = jwt.replace(jwt.split(".")[1], members["status_list"].split(".")[1])
    with pytest.raises(WrongError, match="SM2"):
        check_detached(changed, detached, key)


def test_the_certificates(trust: Any, tmp_path: Path) -> None:
    """One step at a time: openssl 3.0 takes the signer ID for the certificate that is asked about, for no other."""
    leaf, middle = _certified(trust)
    files = {"root.crt": _root(trust, "organisation"), "middle.crt": middle, "leaf.crt": leaf}
    for issuer, subject in (("root.crt", "middle.crt"), ("middle.crt", "leaf.crt")):
        step = ("verify", "-partial_chain", "-CAfile", issuer)
        assert openssl_accepts(tmp_path, files, *step, *DISTID, subject)
        assert not openssl_accepts(tmp_path, files, *step, subject)  # with the empty ID
    assert not openssl_accepts(tmp_path, files, "verify", "-partial_chain", "-CAfile", "root.crt", *DISTID, "leaf.crt")


def test_the_time_stamps(members: Any, trust: Any, tmp_path: Path) -> None:
    jwt = members["statement"].partition("~")[0].encode()
    note = members["receipt"].partition("\n\n")[2].encode()
    messages = {"statement": jwt, "checkpoint": note[: note.rindex(b"\n\n") + 1]}
    root = _root(trust, "timestamp")
    verify = ("ts", "-verify", "-token_in", "-in", "token", "-data", "message", "-CAfile", "root.crt")
    for stamp in members["timestamps"]:
        token = base64.b64decode(stamp["token"], validate=True)
        files = {"token": token, "message": messages[stamp["over"]], "root.crt": root}
        assert openssl_accepts(tmp_path, files, *verify)
        assert not openssl_accepts(tmp_path, files | {"message": b"x"}, *verify)
