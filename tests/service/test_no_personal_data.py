"""After a whole story, no name, number or guessable digest of one is in log, chain, table, file or error."""

import base64
import hashlib
import itertools
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from eth_hash.auto import keccak
from sqlalchemy import create_engine, inspect, text

from api import clock
from api.anchoring import anchor
from api.bundling import make_bundle
from api.demo.cast import GRANTED, LICENCE, REPORT, example_fields
from api.registering import change_material_status, register_material
from api.workspace import Workspace
from materials.events import EventCode
from materials.grants.errors import GrantRefusedError
from materials.identifiers import build_licence_id
from materials.registry.submission import SubmittedFile
from materials.verification import verify_bundle
from signing import LedgerError
from tests.support.command_line import ematerials
from tests.support.workspace_world import Story, make_grant, use

CITIZEN_ID = "999999198805120021"
PERSONAL = {
    "holder_name": "司马独一无二",
    "holder_code_type": "111",
    "holder_code": CITIZEN_ID,
    "legal_representative": "上官绝无仅有",
    "address": "样例市独特路八百八十八号七十七室",
    "business_scope": "只此一家的经营范围",
    "licence_number": "独一无二20260305777",
}
PERSONAL_LICENCE_ID = build_licence_id("11310110MB9F000199001", "11310110MB9F000199", "2026000777", 1).text
PHONE, EMAIL = "13800138777", "sima.unique@personal.example"
FILE = "司马独一无二的材料 99887766554433".encode()
VALUES = [value for name, value in PERSONAL.items() if name != "holder_code_type"] + [PHONE, EMAIL]


def normalisations(value: str) -> set[str]:
    """How a careless program might have written the value before it hashed it."""
    plain = {value, value.lower(), value.upper(), value.strip(), f"{value}\n", f'"{value}"', value.replace(" ", "")}
    return plain | {f"holder:{value}", f"111:{value}", f"111{value}", f"{PERSONAL['holder_name']}{value}"}


def digests(data: bytes) -> Iterator[bytes]:
    """Of every kind that is about."""
    sm3 = hashes.Hash(hashes.SM3())
    sm3.update(data)
    yield from (sm3.finalize(), keccak(data))
    yield from (hashlib.new(name, data).digest() for name in ("sha256", "sha1", "md5", "sha512", "sha3_256", "blake2b"))
    leaf = b"\0" + data
    yield hashlib.sha256(leaf).digest()


def spellings(raw: bytes) -> Iterator[bytes]:
    """Raw, hexadecimal, and the part of its base64 that does not depend on what stands around it."""
    yield raw
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + raw)[4 if shift else 0 : -4]
        yield encoded
        yield encoded.translate(bytes.maketrans(b"+/", b"-_"))


def forbidden() -> set[bytes]:
    """Every byte string that must be nowhere: values in every encoding, and digests in every spelling."""
    found: set[bytes] = set()
    for value in VALUES:
        for written in (value.encode(), value.encode("utf-16-le"), value.encode("gb18030")):
            found |= set(spellings(written))
        found.add(json.dumps(value)[1:-1].encode())
        for written in normalisations(value):
            for digest in itertools.chain(digests(written.encode()), digests(written.encode("gb18030"))):
                found |= set(spellings(digest))
    for digest in digests(FILE):
        found |= set(spellings(digest))
    return {needle for needle in found if len(needle) >= 8} | {FILE}


@pytest.fixture(scope="module")
def needles() -> set[bytes]:
    return forbidden()


def assert_clean(data: bytes, needles: set[bytes], where: str) -> None:
    for needle in needles:
        assert needle not in data, f"{where} holds a personal value or a digest of one: {needle[:12]!r}…"


@pytest.fixture
def lived(story: Story, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> tuple[Path, str]:
    """A workspace in which a person's licence was registered, used, refused, revoked; and what was logged meanwhile."""
    folder = story.copy(tmp_path / "home")
    caplog.set_level(logging.DEBUG)
    with Workspace.open(folder) as workspace:
        fields = {**example_fields(LICENCE, workspace.catalogue, 0), **PERSONAL}
        fields["licence_id"] = PERSONAL_LICENCE_ID
        (tmp_path / "file.pdf").write_bytes(FILE)
        with (tmp_path / "file.pdf").open("rb") as stream:
            files = [SubmittedFile(stream, "application/pdf")]
            registered = register_material(
                workspace, type_code=LICENCE.type_code, issuer=workspace.operator, fields=fields, files=files
            )
        report = {**example_fields(REPORT, workspace.catalogue, 0), "phone": PHONE, "email": EMAIL, "report_year": 1999}
        with REPORT.path.open("rb") as stream:
            files = [SubmittedFile(stream, "application/json")]
            register_material(
                workspace, type_code=REPORT.type_code, issuer=workspace.operator, fields=report, files=files
            )
        anchor(workspace)
        chain = make_grant(workspace, registered.record.jti)
        assert PERSONAL["holder_name"] in _disclosed(use(workspace, chain, GRANTED))
        with pytest.raises(GrantRefusedError) as refused:
            use(workspace, chain, ("legal_representative",))
        change_material_status(workspace, registered.record.jti, code=EventCode.REVOKED, reason="issued-in-error")
        anchor(workspace)
        bundle = make_bundle(workspace, registered.record.jti)
        report_text = str(verify_bundle(bundle, story.trust, now=clock.now(), catalogue=story.catalogue))
    return folder, "\n".join([caplog.text, repr(registered), repr(refused.value), report_text, repr(chain)])


def _disclosed(bundle: bytes) -> str:
    statement = json.loads(bundle)["statement"]
    return "".join(base64.urlsafe_b64decode(part + "===").decode() for part in statement.split("~")[1:-1])


def test_what_is_stored_published_and_logged(lived: tuple[Path, str], needles: set[bytes]) -> None:
    folder, told = lived
    assert_clean(told.encode(), needles, "what was said meanwhile")
    out = folder.parent / "log"
    assert ematerials("log", "export", out, "-w", folder).code == 0
    files = [path for path in [*folder.rglob("*"), *out.rglob("*")] if path.is_file()]
    assert {"checkpoint", "ledger.db", "chain.db"} <= {path.name for path in files}
    assert len([path for path in files if path.parent.parent.name == "files"]) >= 2
    for path in files:
        assert_clean(path.read_bytes(), needles, str(path.relative_to(folder.parent)))


def test_every_column_of_every_table(lived: tuple[Path, str], needles: set[bytes]) -> None:
    """Beyond the pages of the file: values as the database gives them, such as text that it stores otherwise."""
    folder, _ = lived
    for name in ("ledger.db", "chain.db"):
        engine = create_engine(f"sqlite:///{folder / name}")
        with engine.connect() as connection:
            for table in inspect(engine).get_table_names():
                for row in connection.execute(text(f'SELECT * FROM "{table}"')):
                    for value in row:
                        data = value if isinstance(value, bytes) else str(value).encode()
                        assert_clean(data, needles, f"{name}, table {table}")
        engine.dispose()


def test_the_search_itself_finds_what_it_should(needles: set[bytes]) -> None:
    for leak in (
        b"x" + hashlib.sha256(CITIZEN_ID.encode()).digest(),
        b"xy" + base64.b64encode(b"a" + hashlib.md5(CITIZEN_ID.encode()).digest() + b"bc"),
        f"address={PERSONAL['address']}".encode(),
        hashlib.sha256(FILE).hexdigest().encode(),
    ):
        with pytest.raises(AssertionError, match="holds"):
            assert_clean(leak, needles, "leak")


WRONG = {
    "holder_code": [CITIZEN_ID[:-1] + ("4" if CITIZEN_ID[-1] != "4" else "5"), CITIZEN_ID + "X", PHONE],
    "holder_code_type": [CITIZEN_ID],
    "holder_name": ["司马独一无二\x07", "\u202e司马独一无二", "司马独一无二" * 100, " 司马独一无二"],
    "address": ["样例市独特路八百八十八号七十七室\n"],
    "established_on": [CITIZEN_ID, PHONE],
    "registered_capital_fen": [CITIZEN_ID, PHONE + "00000000"],
    "area_code": [CITIZEN_ID],
    "licence_id": [CITIZEN_ID],
    CITIZEN_ID: ["x"],
    "司马独一无二": [PHONE],
}


@pytest.mark.parametrize("name", WRONG)
def test_errors_that_personal_values_provoke(
    story: Story, tmp_path: Path, caplog: pytest.LogCaptureFixture, needles: set[bytes], name: str
) -> None:
    """Through the library and through the command line; neither message nor repr, cause nor context tells the value."""
    caplog.set_level(logging.DEBUG)
    folder = story.folder
    for value in WRONG[name]:
        with Workspace.open(folder) as workspace, LICENCE.path.open("rb") as stream:
            fields = {**example_fields(LICENCE, workspace.catalogue, 0), **PERSONAL, name: value}
            files = [SubmittedFile(stream, "application/pdf")]
            with pytest.raises(LedgerError) as caught:
                register_material(
                    workspace, type_code=LICENCE.type_code, issuer=workspace.operator, fields=fields, files=files
                )
        error: BaseException | None = caught.value
        while error is not None:
            assert_clean(f"{error} {error!r} {error.args}".encode(), needles, f"error of {name}")
            error = error.__cause__ or error.__context__
        (tmp_path / "fields.json").write_text(json.dumps(fields), "utf-8")
        kind = ("--type", LICENCE.type_code, "-w", folder)
        for given in (
            ("--fields", tmp_path / "fields.json"),
            ("--fields", LICENCE.path.with_suffix(".fields.json"), "--field", f"{name}={value}"),
        ):
            ran = ematerials("register", LICENCE.path, *kind, *given)
            assert ran.code in (1, 64)
            assert_clean((ran.out + ran.err).encode(), needles, f"output for {name}")
    assert_clean(caplog.text.encode(), needles, "log output")


@pytest.mark.parametrize(
    "arguments",
    [
        ["bundle", CITIZEN_ID, "-o", "/dev/null"],
        ["revoke", CITIZEN_ID, "--reason", "issued-in-error"],
        ["revoke", "em-" + "a" * 26, "--reason", "司马独一无二"],
        ["revoke", "em-" + "a" * 26, "--reason", PHONE],
        ["usage", CITIZEN_ID],
        ["register", LICENCE.path, "--type", "司马独一无二"],
        ["register", LICENCE.path, "--type", "business-licence", "--legal-basis", CITIZEN_ID],
        ["register", LICENCE.path, "--type", "business-licence", "--supersedes", CITIZEN_ID],
        ["register", LICENCE.path, "--type", "business-licence", "--field", CITIZEN_ID],
        ["register", LICENCE.path, "--type", "business-licence", "--issuer", CITIZEN_ID],
        ["org", "add", CITIZEN_ID, "--name", "x", "--region", "330106"],
    ],
)
def test_arguments_that_are_personal(story: Story, needles: set[bytes], arguments: list[str | Path]) -> None:
    ran = ematerials(*arguments, "-w", story.folder)
    assert ran.code in (1, 64)
    assert_clean((ran.out + ran.err).encode(), needles, "output")
