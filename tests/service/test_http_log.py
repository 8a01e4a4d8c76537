"""The log's read path over HTTP: one spelling for each resource, and tiles that an independent client can verify."""

import base64
import gzip
import hashlib
import socket

import pytest
from nacl.signing import VerifyKey

from tests.support.http_world import World, register

WIDTH = 256


def raw_get(
    world: World, target: str, method: str = "GET", fields: tuple[str, ...] = ()
) -> tuple[int, dict[str, str], bytes]:
    """One request written by hand: nothing normalises the target on the way."""
    head = "\r\n".join([f"{method} {target} HTTP/1.1", "Host: x", "Connection: close", *fields, "", ""])
    with socket.create_connection(world.host, timeout=30) as connection:
        connection.sendall(head.encode("latin-1"))
        answer = b""
        while piece := connection.recv(1 << 16):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), fields, body


class MiniClient:
    """A reader of C2SP tlog-tiles and RFC 6962 that shares no code with the service."""

    def __init__(self, world: World, prefix: str = "/log/", public: bytes | None = None) -> None:
        self.world = world
        self.prefix = prefix
        note = self.get("checkpoint")
        text, _, signatures = note.partition(b"\n\n")
        origin, size, root = text.decode().split("\n")
        self.size, self.root = int(size), base64.b64decode(root)
        name, signature = signatures.decode().removeprefix("— ").strip().split(" ")
        assert name == origin
        public = public or world.workspace.log_key.public_key
        assert (
            base64.b64decode(signature)[:4] == hashlib.sha256(f"{origin}\n\x01".encode("latin-1") + public).digest()[:4]
        )
        VerifyKey(public).verify(text + b"\n", base64.b64decode(signature)[4:])

    def get(self, path: str) -> bytes:
        target = self.prefix + path
        status, _, body = raw_get(self.world, target)
        assert status == 200, target
        return body

    def tile(self, level: int | str, index: int, width: int) -> bytes:
        assert index < 1000
        partial = "" if width == WIDTH else f".p/{width}"
        return self.get(f"tile/{level}/{index:03}{partial}")

    def widths(self, level: int) -> list[int]:
        """Widths of the tiles of a level in the tree of ``size``."""
        full, rest = divmod(self.size >> (8 * level), WIDTH)
        return [WIDTH] * full + ([rest] if rest else [])

    def hashes(self, level: int) -> list[bytes]:
        data = b"".join(self.tile(level, index, width) for index, width in enumerate(self.widths(level)))
        return [data[at : at + 32] for at in range(0, len(data), 32)]

    def entries(self) -> list[bytes]:
        found = []
        for index, width in enumerate(self.widths(0)):
            data, at = self.tile("entries", index, width), 0
            for _ in range(width):
                end = at + 2 + int.from_bytes(data[at : at + 2])
                found.append(data[at + 2 : end])
                at = end
            assert at == len(data)
        return found


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_head(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 §2.1 over leaf hashes, by its definition."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node(tree_head(leaves[:split]), tree_head(leaves[split:]))


@pytest.fixture(scope="module")
def grown(world: World) -> World:
    """A log with a full tile: entries that no other test cares for are appended directly."""
    register(world)
    signer = world.workspace.keyring.signer("home.log")
    with world.workspace.database.write() as connection:
        entries = [f"entry {number} of nobody".encode() for number in range(300)]
        world.workspace.log(connection).append(entries, signer=signer, known_head=None)
    return world


def test_an_independent_client_verifies_all_tiles_against_the_checkpoint(grown: World) -> None:
    client = MiniClient(grown)
    leaves = client.hashes(0)
    assert client.size > WIDTH
    assert tree_head(leaves) == client.root
    assert [hashlib.sha256(b"\x00" + entry).digest() for entry in client.entries()] == leaves
    assert client.hashes(1) == [tree_head(leaves[:WIDTH])]


def test_partial_tiles_of_earlier_sizes_stay(grown: World) -> None:
    client = MiniClient(grown)
    leaves = client.hashes(0)
    for width in (1, 2, 3, 255):
        assert client.tile(0, 0, width) == b"".join(leaves[:width])


def test_types_and_caching_are_those_of_the_specification(grown: World) -> None:
    _, checkpoint, _ = raw_get(grown, "/log/checkpoint")
    assert checkpoint["content-type"] == "text/plain; charset=utf-8"
    assert checkpoint["cache-control"] == "no-cache"
    for target in ("/log/tile/0/000", "/log/tile/entries/000"):
        _, fields, _ = raw_get(grown, target)
        assert fields["content-type"] == "application/octet-stream"
        assert fields["cache-control"] == "public, max-age=31536000, immutable"
    status, fields, body = raw_get(grown, "/log/tile/0/000", "HEAD")
    assert (status, fields["content-length"], body) == (200, "8192", b"")


@pytest.mark.parametrize(
    ("accepted", "zipped"),
    [
        (["Accept-Encoding: gzip, deflate, br"], True),
        (["Accept-Encoding: br", "Accept-Encoding: GZIP;q=0.001"], True),
        (["Accept-Encoding: *"], True),
        (["Accept-Encoding: *;q=1, gzip;q=0"], False),
        (["Accept-Encoding: gzip;q=0.000"], False),
        (["Accept-Encoding: gzip ; q=0."], False),
        (["Accept-Encoding: identity"], False),
        (["Accept-Encoding: br, xgzip"], False),
        (["Accept-Encoding: "], False),
        ([], False),
    ],
)
def test_bundles_are_zipped_for_those_who_accept_it(grown: World, accepted: list[str], zipped: bool) -> None:
    target = "/log/tile/entries/000"
    _, plain, content = raw_get(grown, target)
    status, fields, body = raw_get(grown, target, fields=tuple(accepted))
    assert (status, fields["vary"], fields["content-length"]) == (200, "accept-encoding", str(len(body)))
    assert (fields.get("content-encoding") == "gzip") is zipped
    assert (gzip.decompress(body) if zipped else body) == content
    assert (fields["etag"] != plain["etag"]) is zipped
    again, seen, empty = raw_get(grown, target, fields=(*accepted, f"If-None-Match: {fields['etag']}"))
    assert (again, empty, seen["etag"], seen["vary"]) == (304, b"", fields["etag"], "accept-encoding")
    head = raw_get(grown, target, "HEAD", tuple(accepted))
    assert head[0] == 200
    assert {name: head[1][name] for name in ("content-length", "etag")} == {
        name: fields[name] for name in ("content-length", "etag")
    }
    assert head[2] == b""


def test_hash_tiles_and_checkpoints_are_never_zipped(grown: World) -> None:
    for target in ("/log/tile/0/000", "/log/tile/1/000.p/1", "/log/checkpoint"):
        _, fields, _ = raw_get(grown, target, fields=("Accept-Encoding: gzip",))
        assert "content-encoding" not in fields
        assert "vary" not in fields


@pytest.mark.parametrize("target", ["/log/checkpoint", "/log/checkpoints/1", "/log/tile/0/000"])
def test_who_has_it_already_is_not_sent_it_again(grown: World, target: str) -> None:
    _, fields, body = raw_get(grown, target)
    for known in (fields["etag"], f'"x", W/{fields["etag"]}', "*"):
        status, seen, empty = raw_get(grown, target, fields=(f"If-None-Match: {known}",))
        assert (status, empty) == (304, b"")
        assert {name: seen[name] for name in ("etag", "cache-control")} == {
            name: fields[name] for name in ("etag", "cache-control")
        }
    for other in ('"x"', "x", fields["etag"].strip('"')):
        assert raw_get(grown, target, fields=(f"If-None-Match: {other}",))[2] == body


def test_a_new_checkpoint_has_a_new_tag(grown: World) -> None:
    tags = {raw_get(grown, f"/log/checkpoints/{size}")[1]["etag"] for size in (1, MiniClient(grown).size)}
    assert len(tags) == 2


def test_every_checkpoint_that_was_signed_is_there(grown: World) -> None:
    with grown.workspace.database.read() as connection:
        log = grown.workspace.log(connection)
        sizes = list(log.published_sizes(0, log.size()))
        notes = {size: log.checkpoint_at(size) for size in sizes}
    assert len(sizes) > 2
    for size, note in notes.items():
        status, fields, body = raw_get(grown, f"/log/checkpoints/{size}")
        assert (status, body, fields["cache-control"]) == (200, note, "no-cache")
        assert fields["content-type"] == "text/plain; charset=utf-8"
    assert 200 not in sizes
    for wrong in ("200", "0", "01", "+1", "1/", "x", "", "9" * 30, "%31", "-1"):
        assert raw_get(grown, f"/log/checkpoints/{wrong}")[0] == 404


@pytest.mark.parametrize(
    "target",
    [
        "/log/tile/00/000",
        "/log/tile/0/000.p/0",
        "/log/tile/0/000.p/256",
        "/log/tile/0/000.p/08",
        "/log/tile/0/000.p/+8",
        "/log/tile/0/000.p/8/",
        "/log/tile/0/000.p",
        "/log/tile/0/000/",
        "/log/tile/0/0",
        "/log/tile/0/00",
        "/log/tile/0/0000",
        "/log/tile/0/x000/000",
        "/log/tile/0/x1/000",
        "/log/tile/0/x001/000",
        "/log/tile/0/001.p/255",
        "/log/tile/0/002",
        "/log/tile/1/000",
        "/log/tile/1/000.p/2",
        "/log/tile/2/000.p/1",
        "/log/tile/64/000",
        "/log/tile/-1/000",
        "/log/tile/entries/001",
        "/log/tile/entries/00",
        "/log/tile/ENTRIES/000",
        "/log/tile/%30/000",
        "/log/tile/0/%30%30%30",
        "/log/tile/0%2F000",
        "/log/%74ile/0/000",
        "/%6cog/tile/0/000",
        "/log//tile/0/000",
        "//log/tile/0/000",
        "/log/tile//0/000",
        "/log/./tile/0/000",
        "/log/x/../tile/0/000",
        "/log/tile/0/000%00",
        "/log/tile/0/%C2%B2",
        "/log/checkpoint/",
        "/log/%63heckpoint",
        "/log/CHECKPOINT",
        "/log//checkpoint",
        "/log/",
        "/log",
        "/log/tile/" + "x001/" * 400 + "000",
    ],
)
def test_any_other_spelling_is_not_found_and_never_redirected(grown: World, target: str) -> None:
    assert raw_get(grown, target)[0] == 404


def test_the_log_holds_no_name_and_no_number_of_the_holder(grown: World) -> None:
    entries = MiniClient(grown).entries()
    opened = [
        base64.urlsafe_b64decode(part + b"==") for entry in entries for part in entry.split(b".")[:2] if b"." in entry
    ]
    everything = b"".join([*entries, *opened])
    assert b"legal_basis" in everything
    for value in ("样例（上海）", "91310110MA9F000318", "样例甲"):
        assert value.encode() not in everything
        assert hashlib.sha256(value.encode()).digest() not in everything
