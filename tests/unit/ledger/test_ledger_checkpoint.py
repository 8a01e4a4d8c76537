"""Checkpoints: strict parsing, signing, opening, extension."""

import pytest

from ledger import (
    EMPTY_ROOT,
    Checkpoint,
    RootHash,
    format_checkpoint,
    open_checkpoint,
    parse_checkpoint,
    read_checkpoint,
    sign_checkpoint,
    verify_extension,
)
from signing import Ed25519Signer, Es256Signer, MalformedError, NoteKey, VerificationError, sign_note
from tests.support.ledger_reference import mth, proof

ORIGIN = "example.gov/licences"
SIGNER = Ed25519Signer(b"\x01" * 32)
KEY = NoteKey.ed25519(ORIGIN, SIGNER.public_key.raw)
ROOT = RootHash(bytes(range(32)))
CHECKPOINT = Checkpoint(ORIGIN, 8, ROOT)
BODY = format_checkpoint(CHECKPOINT)
NOTE = sign_checkpoint(CHECKPOINT, SIGNER)
ROOT_LINE = BODY.split(b"\n")[2]


@pytest.mark.parametrize(
    "size", [b"08", b"+8", b"-8", b"8 ", b" 8", b"8_0", b"", b"0x8", b"\xef\xbc\x98", b"9223372036854775808", b"1e3"]
)
def test_sizes_of_another_spelling(size: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_checkpoint(b"\n".join([ORIGIN.encode(), size, ROOT_LINE, b""]))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        b"\n\n\n",
        BODY[:-1],
        BODY + b"\n",
        BODY.replace(b"\n", b"\r\n"),
        b"\n8\n" + ROOT_LINE + b"\n",
        b"o\n8\n\n",
        b"o\n8\n" + ROOT_LINE[:-4] + b"\n",
        b"o\n8\n" + ROOT_LINE + b"AAAA\n",
        b"o\n8\n" + ROOT_LINE.replace(b"=", b"") + b"\n",
        b"o\n8\n" + ROOT_LINE[:-2] + b"9=\n",
        b"o\n8\n" + ROOT_LINE.replace(b"/", b"_").replace(b"A", b" ", 1) + b"\n",
        b"o\n0\n" + ROOT_LINE + b"\n",
        b"x" * 256 + b"\n8\n" + ROOT_LINE + b"\n",
        b"\xff\n8\n" + ROOT_LINE + b"\n",
        b"a\tb\n8\n" + ROOT_LINE + b"\n",
        BODY + b"extension\n\n",
        BODY + b"e" * 70_000 + b"\n",
    ],
)
def test_bodies_of_another_form(body: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_checkpoint(body)


def test_extension_lines_are_kept() -> None:
    parsed = parse_checkpoint(BODY + b"one\ntwo two\n")
    assert parsed.extensions == ("one", "two two")
    assert format_checkpoint(parsed) == BODY + b"one\ntwo two\n"
    assert open_checkpoint(sign_checkpoint(parsed, SIGNER), KEY) == parsed


def test_empty_tree() -> None:
    empty = Checkpoint(ORIGIN, 0, EMPTY_ROOT)
    assert open_checkpoint(sign_checkpoint(empty, SIGNER), KEY) == empty


def test_every_changed_byte_is_noticed() -> None:
    for at in range(len(NOTE)):
        for change in (1, 0x20, 0x80):
            bad = NOTE[:at] + bytes([NOTE[at] ^ change]) + NOTE[at + 1 :]
            with pytest.raises((MalformedError, VerificationError)):
                open_checkpoint(bad, KEY)
    for cut in range(len(NOTE)):
        with pytest.raises((MalformedError, VerificationError)):
            open_checkpoint(NOTE[:cut], KEY)


def test_a_key_of_another_log() -> None:
    other = NoteKey.ed25519("example.gov/other", SIGNER.public_key.raw)
    with pytest.raises(VerificationError):
        open_checkpoint(NOTE, other)
    lying = sign_checkpoint(Checkpoint("example.gov/other", 8, ROOT), SIGNER)
    _, _, line = NOTE.partition(b"\n\n")
    with pytest.raises(VerificationError):
        open_checkpoint(lying.partition(b"\n\n")[0] + b"\n\n" + line, KEY)


def test_a_name_and_an_origin_that_differ() -> None:
    note = sign_note(BODY, name="example.gov/other", signer=SIGNER)
    with pytest.raises(VerificationError) as caught:
        open_checkpoint(note, NoteKey.ed25519("example.gov/other", SIGNER.public_key.raw))
    assert caught.value.code == "checkpoint.origin"


def test_reading_is_not_opening() -> None:
    bad = NOTE.replace(b"\n8\n", b"\n9\n")
    assert read_checkpoint(bad).size == 9
    with pytest.raises(VerificationError):
        open_checkpoint(bad, KEY)


def test_only_ed25519_signs() -> None:
    with pytest.raises(MalformedError):
        sign_checkpoint(CHECKPOINT, Es256Signer(b"\x01" * 32))


@pytest.mark.parametrize(
    ("origin", "size", "root"),
    [
        ("", 1, ROOT),
        ("a\nb", 1, ROOT),
        (ORIGIN, -1, ROOT),
        (ORIGIN, 1 << 63, ROOT),
        (ORIGIN, 1, b""),
        ("\ud800", 1, ROOT),
    ],
)
def test_values_that_no_checkpoint_has(origin: str, size: int, root: bytes) -> None:
    with pytest.raises(MalformedError):
        Checkpoint(origin, size, RootHash(root))


def test_extension() -> None:
    entries = [b"a", b"b", b"c", b"d", b"e"]

    def head(size: int, origin: str = ORIGIN) -> Checkpoint:
        return Checkpoint(origin, size, RootHash(mth(entries[:size])))

    verify_extension(head(0), head(0), ())
    verify_extension(head(0), head(5), ())
    verify_extension(head(5), head(5), ())
    verify_extension(head(3), head(5), proof(3, entries))
    forged = Checkpoint(ORIGIN, 5, ROOT)
    for old, new, hashes in (
        (head(5), head(3), ()),
        (head(5), head(3), proof(3, entries)),
        (head(5), forged, ()),
        (head(0), head(5), (b"h" * 32,)),
        (head(5), head(5), (b"h" * 32,)),
        (head(3), head(5), ()),
        (head(3), forged, proof(3, entries)),
    ):
        with pytest.raises(VerificationError) as caught:
            verify_extension(old, new, hashes)
        assert caught.value.code == "proof.consistency"
    with pytest.raises(VerificationError) as caught:
        verify_extension(head(5), head(5, "example.gov/other"), ())
    assert caught.value.code == "checkpoint.origin"
