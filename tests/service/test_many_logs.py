"""Several logs in one home: made, filled, proved, audited and frozen by commands, and read over HTTP by strangers."""

import base64
import io
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import text

from api import names
from api.client import ProblemError
from api.logs import HeldLog, NewLog, create_log
from tests.service.test_http_log import MiniClient, raw_get, tree_head
from tests.support.command_line import Ran, ematerials
from tests.support.hand_witness import is_consistent
from tests.support.http_world import ORIGIN as HOME_ORIGIN
from tests.support.http_world import World, register, running_world
from tests.support.independent import audit_log, check_receipt, leaf, root_of

ORIGIN = "example.gov/second"
POLICY = b"what this log is for\n"
ENTRIES = [POLICY, *(f"entry {number}".encode() for number in range(1, 301))]
SIZES = [1, 4, 257, 301]


def log(world: World, command: str, *arguments: str | Path) -> Ran:
    return ematerials("log", command, *arguments, "-w", world.workspace.path, "--json")


def append(world: World, folder: Path, entries: list[bytes], origin: str = ORIGIN) -> Ran:
    paths = [folder / f"entry-{number}" for number in range(len(entries))]
    for path, entry in zip(paths, entries, strict=True):
        path.write_bytes(entry)
    return log(world, "append", origin, *paths)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A service whose database holds a second log with four checkpoints."""
    folder = tmp_path_factory.mktemp("many")
    with running_world(folder / "workspace") as world:
        (folder / "policy").write_bytes(POLICY)
        made = log(world, "create", ORIGIN, "--entry-limit", "1000", "--policy-file", folder / "policy")
        assert (made.code, made.json["size"], made.json["entry_limit"], made.json["own"]) == (0, 1, 1000, False)
        for start, end in pairwise(SIZES):
            assert append(world, folder, ENTRIES[start:end]).json["size"] == end
        yield world


@pytest.fixture
def vkey(home: World) -> str:
    return str(log(home, "show", ORIGIN).json["vkey"])


@pytest.fixture
def prefix(home: World) -> str:
    """Where the second log is read, as the list says."""
    listed = {each["origin"]: each for each in home.http.get(f"{home.url}/logs").json()["logs"]}
    assert listed[HOME_ORIGIN]["url"] == "/log/"
    return str(listed[ORIGIN]["url"])


def get(world: World, path: str, **query: object) -> httpx.Response:
    return world.http.get(world.url + path, params={name.rstrip("_"): str(value) for name, value in query.items()})


def test_the_list_says_everything_of_each_log(home: World, vkey: str) -> None:
    answer = get(home, "/logs")
    assert answer.headers["cache-control"] == "no-cache"
    second = next(each for each in answer.json()["logs"] if each["origin"] == ORIGIN)
    assert second | {"url": ""} == {
        "origin": ORIGIN,
        "url": "",
        "vkey": vkey,
        "size": 301,
        "entry_limit": 1000,
        "frozen": False,
    }
    commanded = {each["origin"]: each for each in log(home, "list").json}
    assert commanded[ORIGIN]["vkey"] == vkey
    assert commanded[ORIGIN]["key_id"] == vkey.split("+")[1]
    assert commanded[HOME_ORIGIN]["vkey"] == home.workspace.log_key.format()
    assert commanded[HOME_ORIGIN]["own"] is True


def test_an_independent_client_reads_the_second_log(home: World, vkey: str, prefix: str) -> None:
    client = MiniClient(home, prefix, base64.b64decode(vkey.split("+", 2)[2])[1:])
    assert client.size == 301
    assert client.entries() == ENTRIES
    leaves = client.hashes(0)
    assert tree_head(leaves) == client.root
    assert client.hashes(1) == [tree_head(leaves[:256])]


def test_each_log_serves_only_its_own(home: World, prefix: str) -> None:
    own, second = get(home, "/log/checkpoint").content, get(home, f"{prefix}checkpoint").content
    assert own.startswith(HOME_ORIGIN.encode() + b"\n")
    assert second.startswith(ORIGIN.encode() + b"\n")
    number = int(prefix.split("/")[2])
    others = ("1", "99", "0", f"0{number}", "x", f"%3{number}", "-1", str(2**31), str(10**30), f"{number}/")
    for wrong in others:
        status, _, body = raw_get(home, f"/logs/{wrong}/checkpoint")
        assert status == 404, wrong
        assert b"log.no-" in body or b"http.not-found" in body
    assert raw_get(home, f"{prefix}tile/0/000")[1]["cache-control"] == "public, max-age=31536000, immutable"
    assert raw_get(home, f"{prefix}tile/0/002")[0] == 404
    assert raw_get(home, f"{prefix}checkpoint", "HEAD")[0] == 200


def test_the_auditor_and_the_static_files(home: World, vkey: str, prefix: str, tmp_path: Path) -> None:
    audited = ematerials("log", "audit", home.url + prefix, "--log-key", vkey, "--json")
    assert (audited.code, audited.json["checked"], audited.json["clean"]) == (0, 301, True)
    exported = log(home, "export", tmp_path / "out", "--origin", ORIGIN)
    assert (exported.code, exported.json["origin"], exported.json["size"]) == (0, ORIGIN, 301)
    assert audit_log(tmp_path / "out", vkey) == ENTRIES
    for size in SIZES:
        assert (tmp_path / "out" / "checkpoints" / str(size)).read_bytes() == get(
            home, f"{prefix}checkpoints/{size}"
        ).content
    assert not (tmp_path / "out" / "cosigned").exists()
    assert log(home, "export", tmp_path / "out").error_code == "export.other-log"
    assert log(home, "export", tmp_path / "x", "--origin", "example.gov/none").error_code == "log.no-log"


def test_the_history_page_by_page(home: World, prefix: str) -> None:
    assert get(home, f"{prefix}checkpoints").json() == {"sizes": SIZES, "next": None}
    first = get(home, f"{prefix}checkpoints", limit=3).json()
    assert first == {"sizes": SIZES[:3], "next": 257}
    assert get(home, f"{prefix}checkpoints", limit=3, after=first["next"]).json() == {"sizes": [301], "next": None}
    assert get(home, f"{prefix}checkpoints", after=301).json() == {"sizes": [], "next": None}
    assert get(home, "/log/checkpoints").json()["sizes"][0] == 1
    for listing in (f"{prefix}checkpoints", "/logs"):
        assert home.http.head(f"{home.url}{listing}").status_code == 200
    for wrong in ({"limit": 0}, {"limit": 1001}, {"limit": "x"}, {"after": "-1"}, {"after": "01"}, {"after": 2**63}):
        answer = get(home, f"{prefix}checkpoints", **wrong)
        assert answer.status_code == 400, wrong


@pytest.mark.parametrize("size", SIZES)
def test_inclusion_by_index_leaf_and_entry_at_every_published_size(
    home: World, vkey: str, prefix: str, size: int
) -> None:
    path = f"{prefix}proof/inclusion"
    for index in {0, 1, 2, 255, 256, size - 1} & set(range(size)):
        entry = ENTRIES[index]
        receipt = get(home, path, index=index, size=size)
        assert receipt.headers["content-type"] == "text/plain; charset=utf-8"
        found, head = check_receipt(receipt.content, entry, vkey)
        assert (found, head.size, head.root) == (index, size, root_of([leaf(each) for each in ENTRIES[:size]]))
        assert get(home, path, leaf=leaf(entry).hex(), size=size).content == receipt.content
        assert home.http.post(home.url + path, params={"size": size}, content=entry).content == receipt.content


def test_consistency_between_any_two(home: World, prefix: str) -> None:
    hashes = [leaf(each) for each in ENTRIES]
    for old in (0, 1, 3, 4, 255, 256, 257, 300, 301):
        for new in (size for size in SIZES if size >= old):
            answer = get(home, f"{prefix}proof/consistency", from_=old, to=new)
            first, *lines = answer.content.partition(b"\n\n")[0].split(b"\n")
            assert first == b"old %d" % old
            path = [base64.b64decode(line, validate=True) for line in lines]
            assert is_consistent(old, new, root_of(hashes[:old]), root_of(hashes[:new]), path), (old, new)
            note = get(home, f"{prefix}checkpoints/{new}").content
            assert answer.content.partition(b"\n\n")[2] == note
    latest = get(home, f"{prefix}proof/consistency", from_=4)
    assert latest.content == get(home, f"{prefix}proof/consistency", from_=4, to=301).content


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("inclusion", 400, "form.parameter"),
        ("inclusion?index=0&leaf=" + "00" * 32, 400, "form.parameter"),
        ("inclusion?index=-1", 400, "form.decimal"),
        ("inclusion?index=01", 400, "form.decimal"),
        ("inclusion?index=%D9%A1", 400, "form.decimal"),
        ("inclusion?index=1&size=4_", 400, "form.decimal"),
        ("inclusion?leaf=" + "0" * 63, 400, "form.parameter"),
        ("inclusion?leaf=" + "AA" * 32, 400, "form.parameter"),
        ("inclusion?leaf=" + "00" * 32 + "%0A", 400, "form.parameter"),
        ("inclusion?leaf=" + "00" * 32, 404, "log.no-entry"),
        ("inclusion?index=301", 404, "log.no-entry"),
        (f"inclusion?index={2**63}", 400, "form.decimal"),
        ("inclusion?index=4&size=4", 404, "log.no-entry"),
        ("inclusion?index=0&size=5", 404, "log.no-checkpoint"),
        ("inclusion?index=0&size=302", 404, "log.no-checkpoint"),
        ("inclusion?index=0&size=0", 404, "log.no-checkpoint"),
        ("consistency", 400, "form.parameter"),
        ("consistency?from=302", 400, "form.range"),
        ("consistency?from=5&to=4", 400, "form.range"),
        ("consistency?from=1&to=5", 404, "log.no-checkpoint"),
        ("consistency?from=x", 400, "form.decimal"),
        ("nothing", 404, "http.not-found"),
    ],
)
def test_what_can_not_be_proved(home: World, prefix: str, path: str, status: int, code: str) -> None:
    answer = home.http.get(f"{home.url}{prefix}proof/{path}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_an_entry_of_one_log_is_not_in_another(home: World, prefix: str) -> None:
    answer = home.http.post(f"{home.url}/log/proof/inclusion", content=ENTRIES[1])
    assert (answer.status_code, answer.json()["code"]) == (404, "log.no-entry")
    too_long = home.http.post(f"{home.url}{prefix}proof/inclusion", content=b"x" * 65536)
    assert too_long.status_code == 413
    assert get(home, f"{prefix}cosigned").json()["code"] == "log.no-cosigned"


def test_commands_prove_the_same(home: World, vkey: str, prefix: str, tmp_path: Path) -> None:
    (tmp_path / "entry").write_bytes(ENTRIES[7])
    out = tmp_path / "receipt.tlog-proof"
    proved = log(home, "prove", ORIGIN, "--entry", tmp_path / "entry", "--size", "257", "--out", out)
    assert (proved.code, proved.json["index"], proved.json["size"]) == (0, 7, 257)
    assert out.read_bytes().decode() == proved.json["receipt"]
    assert check_receipt(out.read_bytes(), ENTRIES[7], vkey)[0] == 7
    by_leaf = log(home, "prove", ORIGIN, "--leaf", leaf(ENTRIES[7]).hex(), "--size", "257")
    assert by_leaf.json["receipt"] == proved.json["receipt"]
    plain = ematerials("log", "prove", ORIGIN, "--index", "7", "--size", "257", "-w", home.workspace.path)
    assert plain.out == proved.json["receipt"]
    grown = log(home, "consistency", ORIGIN, "--from", "4", "--to", "257")
    served = get(home, f"{prefix}proof/consistency", from_=4, to=257).text
    assert [grown.json["proof"], grown.json["checkpoint"]] == [
        served.partition("\n\n")[0].split("\n")[1:],
        served.partition("\n\n")[2],
    ]
    assert log(home, "prove", ORIGIN, "--index", "301").error_code == "log.no-entry"
    assert log(home, "prove", ORIGIN, "--index", "1", "--size", "2").error_code == "log.no-checkpoint"
    assert log(home, "prove", ORIGIN).code == 64
    assert log(home, "prove", ORIGIN, "--index", "1", "--leaf", "00" * 32).code == 64
    assert log(home, "prove", ORIGIN, "--leaf", "zz").code == 64


def test_appending_again_gives_the_first_places(home: World, tmp_path: Path) -> None:
    again = append(home, tmp_path, [ENTRIES[9], ENTRIES[3], ENTRIES[9]])
    assert [(each["index"], each["new"]) for each in again.json["entries"]] == [(9, False), (3, False), (9, False)]
    assert [each["leaf_hash"] for each in again.json["entries"][:2]] == [leaf(ENTRIES[9]).hex(), leaf(ENTRIES[3]).hex()]
    assert again.json["size"] == 301
    assert append(home, tmp_path, [b"x" * 1001]).error_code == "form.entry-size"
    assert append(home, tmp_path, [b"x" * 70000]).error_code == "form.entry-size"
    assert append(home, tmp_path, [b"x"], HOME_ORIGIN).error_code == "log.own"
    assert append(home, tmp_path, [b"x"], "example.gov/none").error_code == "log.no-log"


def test_creating_again_changes_nothing_and_otherwise_is_refused(home: World, tmp_path: Path, vkey: str) -> None:
    policy = tmp_path / "policy"
    policy.write_bytes(POLICY)
    again = log(home, "create", ORIGIN, "--entry-limit", "1000", "--policy-file", policy)
    assert (again.code, again.json["size"], again.json["vkey"]) == (0, 301, vkey)
    assert log(home, "create", ORIGIN).error_code == "log.exists"
    assert log(home, "create", HOME_ORIGIN).error_code == "log.own"
    assert log(home, "create", "a log").error_code == "note.name"
    assert log(home, "create", "example.gov/none", "--entry-limit", "10").error_code == "form.entry-size"
    assert log(home, "create", "example.gov/none", "--entry-limit", "0").code == 64
    assert names.further_log_key("example.gov/none") not in home.workspace.keyring


def test_a_key_of_ones_own_signs_one_log_only(home: World, tmp_path: Path) -> None:
    key, private = tmp_path / "key.pem", Ed25519PrivateKey.generate()
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    made = log(home, "create", "example.gov/own-key", "--key", key)
    assert base64.b64decode(made.json["vkey"].split("+", 2)[2])[1:] == private.public_key().public_bytes_raw()
    assert log(home, "create", "example.gov/own-key", "--key", key).code == 0
    assert log(home, "create", "example.gov/other", "--key", key).error_code == "log.key-used"


def fsck(world: World, *options: str | Path) -> dict[str, Any]:
    found: dict[str, Any] = ematerials("fsck", "-w", world.workspace.path, "--processes", "1", "--json", *options).json
    return found


def test_fsck_looks_at_every_log(home: World, tmp_path: Path) -> None:
    register(home)
    assert fsck(home, "--state", tmp_path / "state") == {"clean": True, "findings": []}
    with home.workspace.database.write() as connection:
        number = connection.scalar(text("SELECT log FROM log_heads WHERE origin = :o"), {"o": ORIGIN})
        query = text("SELECT entries FROM log_entries WHERE log = :n AND entry_index = 4")
        good = connection.scalar(query, {"n": number})
        put = text("UPDATE log_entries SET entries = :e WHERE log = :n AND entry_index = 4")
        connection.execute(put, {"e": good[:-1] + bytes([good[-1] ^ 1]), "n": number})
    found = fsck(home)["findings"]
    with home.workspace.database.write() as connection:
        connection.execute(put, {"e": good, "n": number})
    assert [each["code"] for each in found] == ["fsck.entry", "fsck.index"]
    assert all(ORIGIN in each["where"] for each in found)
    assert fsck(home)["clean"]


def test_a_log_without_its_key_and_a_key_without_its_log(home: World) -> None:
    keys = home.workspace.path / home.workspace.settings.keys
    held = next(keys.glob(f"{names.further_log_key(ORIGIN)}.key"))
    hidden = held.rename(held.with_name(held.name.replace(held.stem[-3:], "000")))
    found = {each["code"] for each in fsck(home)["findings"]}
    hidden.rename(held)
    assert found == {"fsck.head", "fsck.stray"}
    assert fsck(home)["clean"]


def test_two_at_once_create_the_same_log(home: World) -> None:
    results: list[HeldLog] = []

    def create() -> None:
        results.append(create_log(home.workspace, NewLog("example.gov/at-once")))

    threads = [threading.Thread(target=create) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each.key for each in results}) == 1
    assert [each.size for each in results] == [1, 1]


def test_a_frozen_log_takes_nothing_and_proves_on(
    home: World, vkey: str, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert log(home, "freeze", ORIGIN).code == 130, "nobody said yes"
    assert not log(home, "show", ORIGIN).json["frozen"]
    for _ in range(2):
        frozen = log(home, "freeze", ORIGIN, "--yes")
        assert (frozen.code, frozen.json["size"], frozen.json["frozen"]) == (0, 301, True)
    refused = append(home, tmp_path, [b"one more"])
    assert (refused.code, refused.error_code) == (1, "log.frozen")
    assert log(home, "show", ORIGIN).json["frozen"]
    assert check_receipt(get(home, f"{prefix}proof/inclusion", index=5).content, ENTRIES[5], vkey)[0] == 5
    assert fsck(home)["clean"]
    assert log(home, "freeze", "example.gov/none", "--yes").error_code == "log.no-log"


def test_the_homes_own_log_can_be_frozen(home: World) -> None:
    """The last test: nothing can be registered after it."""
    register(home)
    assert log(home, "freeze", HOME_ORIGIN, "--yes").code == 0
    with pytest.raises(ProblemError) as caught:
        register(home)
    assert caught.value.code == "log.frozen"
    assert get(home, "/log/checkpoint").status_code == 200
    assert fsck(home)["clean"]
