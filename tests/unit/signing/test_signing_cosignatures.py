"""Cosignatures of checkpoints: worked figures, times, what each type covers, and every changed byte."""

import base64
import hashlib
import json
from pathlib import Path

import pytest

from signing import (
    Ed25519Signer,
    Es256Signer,
    LedgerError,
    MalformedError,
    MlDsa44Signer,
    NoteKey,
    Secret,
    Sm2Signer,
    UnavailableError,
    VerificationError,
    VerifiedNote,
    add_signature,
    b64_encode,
    cosign,
    open_note,
    sign_line,
    sign_note,
)
from signing.notes.cosignature import cosignature_message, read_tree_head, subtree_message
from signing.notes.note_key import COSIGNATURE, ML_DSA_44

_VECTORS = json.loads((Path(__file__).parents[2] / "vectors/signed_notes.json").read_text(encoding="utf-8"))
_CASE = _VECTORS["checkpoint"]
_TEXT, _WITNESS, _TIME = _CASE["text"].encode(), _CASE["witness"], _CASE["time"]
_LOG_NOTE = _TEXT + b"\n" + _CASE["log_line"].encode()
_LOG_KEY = NoteKey.parse(_CASE["log_vkey"])
_ED, _PQ = Ed25519Signer(Secret(bytes(32))), MlDsa44Signer(Secret(bytes(32)))
_ED_KEY, _PQ_KEY = NoteKey.parse(_CASE["cosignature"]["vkey"]), NoteKey.parse(_CASE["ml_dsa_44"]["vkey"])
_ED_LINE, _PQ_LINE = _CASE["cosignature"]["line"].encode(), _CASE["ml_dsa_44"]["line"].encode()
_ROOT = _CASE["text"].split("\n")[2]

_BOTH = pytest.mark.parametrize(("signer", "key"), [(_ED, _ED_KEY), (_PQ, _PQ_KEY)], ids=["0x04", "0x06"])


def _opened(text: bytes = _TEXT) -> VerifiedNote:
    log = Ed25519Signer(Secret(b"\x01" * 32))
    return open_note(sign_note(text, name=_LOG_KEY.name, signer=log), [_LOG_KEY])


def _line(key: NoteKey, time: int, signature: bytes) -> bytes:
    return f"— {key.name} {b64_encode(key.key_id + time.to_bytes(8) + signature)}\n".encode()


def _code(data: bytes, *keys: NoteKey) -> str:
    with pytest.raises(LedgerError) as caught:
        open_note(data, keys)
    return caught.value.code


def _message(key: NoteKey, time: int, text: bytes = _TEXT) -> bytes:
    if key.type == COSIGNATURE:
        return cosignature_message(text, time)
    return subtree_message(key.name, read_tree_head(text), time)


def test_worked_figures() -> None:
    assert _opened().raw == _LOG_NOTE
    line = cosign(_opened(), name=_WITNESS, signer=_ED, time=_TIME)
    note = add_signature(_LOG_NOTE, line)
    assert line == _ED_LINE
    assert (len(note), hashlib.sha256(note).hexdigest()[:16]) == (315, "2c7177fcd5f64ef6")
    assert open_note(note, [_LOG_KEY, _ED_KEY]).verified[1].time == 1_700_000_000
    assert [line.key for line in open_note(note, [_ED_KEY]).verified] == [_ED_KEY]


def test_worked_messages() -> None:
    for key, case in ((_ED_KEY, _CASE["cosignature"]), (_PQ_KEY, _CASE["ml_dsa_44"])):
        message = _message(key, _TIME)
        assert (len(message), hashlib.sha256(message).hexdigest()) == (case["message_bytes"], case["message_sha256"])


def test_worked_keys() -> None:
    plain = NoteKey.ed25519(_WITNESS, _ED.public_key.raw)
    assert plain.cosigner() == _ED_KEY == _ED_KEY.cosigner()
    assert (_ED_KEY.key_id.hex(), plain.key_id == _ED_KEY.key_id) == ("e42b2f2c", False)
    assert NoteKey(_WITNESS, ML_DSA_44, _PQ.raw) == _PQ_KEY
    assert (_PQ_KEY.key_id.hex(), hashlib.sha256(_PQ.raw).hexdigest()[:8]) == ("481cf053", "eb4e7302")
    assert len(_CASE["ml_dsa_44"]["vkey"].split("+", 2)[2]) == 1752


def test_kept_post_quantum_lines_verify_and_new_ones_differ() -> None:
    for line, time in ((_PQ_LINE, _TIME), (_CASE["ml_dsa_44"]["line_at_time_0"].encode(), 0)):
        assert [found.time for found in open_note(_LOG_NOTE + line, [_PQ_KEY]).verified] == [time]
    first, second = (cosign(_opened(), name=_WITNESS, signer=_PQ, time=5) for _ in range(2))
    assert first != second
    assert len(first.split(b" ")[2]) == 3244 + 1
    note = add_signature(add_signature(_LOG_NOTE, first), second)
    assert [found.time for found in open_note(note, [_PQ_KEY, _LOG_KEY]).verified] == [None, 5]


@_BOTH
def test_times_have_63_bits(signer: Ed25519Signer | MlDsa44Signer, key: NoteKey) -> None:
    for time in (1, 2**63 - 1):
        line = cosign(_opened(), name=_WITNESS, signer=signer, time=time)
        assert open_note(_LOG_NOTE + line, [key]).verified[0].time == time
    for time in (-1, 2**63, 2**64):
        with pytest.raises(MalformedError) as caught:
            cosign(_opened(), name=_WITNESS, signer=signer, time=time)
        assert caught.value.code == "note.time"
    for time in (2**63, 2**64 - 1):
        message = _message(key, 5).replace(b"time 5", b"time %d" % time).replace((5).to_bytes(8), time.to_bytes(8))
        assert _code(_LOG_NOTE + _line(key, time, signer.sign(message)), key) == "note.signature"


def test_time_0_is_for_the_post_quantum_type_only() -> None:
    assert open_note(_LOG_NOTE + cosign(_opened(), name=_WITNESS, signer=_PQ, time=0), [_PQ_KEY]).verified[0].time == 0
    with pytest.raises(MalformedError):
        cosign(_opened(), name=_WITNESS, signer=_ED, time=0)
    signature = _ED.sign(b"cosignature/v1\ntime 0\n" + _TEXT)
    assert _code(_LOG_NOTE + _line(_ED_KEY, 0, signature), _ED_KEY) == "note.signature"


@_BOTH
def test_signatures_of_anything_else_refuse_the_note(signer: Ed25519Signer | MlDsa44Signer, key: NoteKey) -> None:
    good = _message(key, 5)
    for message in (_TEXT, good[:-1], good + b"\n", b"", good[15:], _message(key, 6)):
        assert _code(_LOG_NOTE + _line(key, 5, signer.sign(message)), key, _LOG_KEY) == "note.signature"
    for signature in (b"", b"x", bytes(64), bytes(2420), signer.sign(good)[:-1], signer.sign(good) + b"x"):
        assert _code(_LOG_NOTE + _line(key, 5, signature), key, _LOG_KEY) == "note.signature"
    short = f"— {key.name} {b64_encode(key.key_id + b'1234567')}\n".encode()
    assert _code(_LOG_NOTE + short, key, _LOG_KEY) == "note.signature"


def test_one_type_of_line_never_passes_for_another() -> None:
    """The same Ed25519 key as 0x01 and 0x04, and the same name as 0x06: each key ID finds its own rule only."""
    plain = NoteKey.ed25519(_WITNESS, _ED.public_key.raw)
    line = sign_line(_TEXT, name=_WITNESS, signer=_ED)
    bare = _ED.sign(cosignature_message(_TEXT, 5))
    everyone = (plain, _ED_KEY, _PQ_KEY)
    for key in everyone:
        for signature in (_ED.sign(_TEXT), (5).to_bytes(8) + bare, bare, (5).to_bytes(8) + _PQ.sign(_TEXT)):
            raw = _LOG_NOTE + f"— {key.name} {b64_encode(key.key_id + signature)}\n".encode()
            if (key, signature) in ((plain, _ED.sign(_TEXT)), (_ED_KEY, (5).to_bytes(8) + bare)):
                assert [found.key for found in open_note(raw, everyone).verified] == [key]
            else:
                assert _code(raw, *everyone) == "note.signature"
    assert _code(_LOG_NOTE + line, _ED_KEY, _PQ_KEY) == "note.unknown-key"
    assert _code(_LOG_NOTE + _ED_LINE, plain, _PQ_KEY) == "note.unknown-key"


def test_the_post_quantum_type_names_the_cosigner_and_the_other_does_not() -> None:
    """Why an Ed25519 cosigner needs a key for each name."""
    for key, line, bound in ((_ED_KEY, _ED_LINE, False), (_PQ_KEY, _PQ_LINE, True)):
        other = NoteKey("witness.example/w2", key.type, key.public_key)
        signature = base64.b64decode(line.split(b" ")[2])[4:]
        moved = f"— {other.name} {b64_encode(other.key_id + signature)}\n".encode()
        if bound:
            assert _code(_LOG_NOTE + moved, other) == "note.signature"
        else:
            assert open_note(_LOG_NOTE + moved, [other]).verified[0].key == other


def test_extension_lines_are_covered_by_one_type_only() -> None:
    extended = _TEXT + b"extension\n"
    lines = [cosign(_opened(extended), name=_WITNESS, signer=signer, time=5) for signer in (_ED, _PQ)]
    for text in (extended, _TEXT + b"other\n", _TEXT):
        assert open_note(text + b"\n" + lines[1], [_PQ_KEY]).text == text
        if text == extended:
            assert open_note(text + b"\n" + lines[0], [_ED_KEY]).text == text
        else:
            assert _code(text + b"\n" + lines[0], _ED_KEY, _PQ_KEY) == "note.signature"


_EMPTY = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


@pytest.mark.parametrize(
    "text",
    [
        "\n", "a\n", "a\n8\n", "a\n8\n\n", f"\n8\n{_ROOT}\n", f"a\n08\n{_ROOT}\n", f"a\n+8\n{_ROOT}\n",
        f"a\n8 \n{_ROOT}\n", f"a\n８\n{_ROOT}\n", f"a\n{2**63}\n{_ROOT}\n", f"a\n-1\n{_ROOT}\n",
        f"a\n8\n{_ROOT[:-1]}\n", f"a\n8\n{_ROOT} \n", f"a\n8\n{_ROOT}=\n", "a\n8\nAAAA\n", "a\n8\n电\n",
        f"a\n8\n{_ROOT[:-2]}h=\n",
        f"a\n0\n{_ROOT}\n", f"a\n8\n{_ROOT}\n\n", f"a\n8\n{_ROOT}\n\nb\n", f"{'a' * 256}\n8\n{_ROOT}\n",
        f"a\n\n8\n{_ROOT}\n",
    ],
    ids=ascii,
)  # fmt: skip
def test_only_checkpoints_are_cosigned(text: str) -> None:
    raw = text.encode()
    for signer, key in ((_ED, _ED_KEY), (_PQ, _PQ_KEY)):
        with pytest.raises(MalformedError) as caught:
            cosign(_opened(raw), name=_WITNESS, signer=signer, time=5)
        assert caught.value.code in ("form.checkpoint", "form.decimal", "form.base64")
        forged = signer.sign(cosignature_message(raw, 5))
        assert _code(raw + b"\n" + _line(key, 5, forged), key) == "note.signature"


@pytest.mark.parametrize(
    "text", [f"a\n0\n{_EMPTY}\n", f"a\n{2**63 - 1}\n{_ROOT}\n", f"{'a' * 255}\n1\n{_ROOT}\nx\ny\n"]
)
def test_checkpoints_at_the_limits(text: str) -> None:
    for signer, key in ((_ED, _ED_KEY), (_PQ, _PQ_KEY)):
        line = cosign(_opened(text.encode()), name=_WITNESS, signer=signer, time=5)
        assert open_note(text.encode() + b"\n" + line, [key]).verified[0].time == 5


def test_who_may_cosign() -> None:
    for signer in (Es256Signer(Secret(b"\x01" * 32)), Sm2Signer.generate(bytes)):
        with pytest.raises(MalformedError) as caught:
            cosign(_opened(), name=_WITNESS, signer=signer, time=5)
        assert caught.value.code == "note.key"
    with pytest.raises(MalformedError) as caught:
        cosign(_opened(), name="a b", signer=_PQ, time=5)
    assert caught.value.code == "note.name"
    for length in (0, 31, 33):
        with pytest.raises(MalformedError):
            MlDsa44Signer(Secret(bytes(length)))


def test_sixteen_post_quantum_cosigners_fit() -> None:
    signers = [MlDsa44Signer(Secret(bytes([number]) * 32)) for number in range(16)]
    keys = [NoteKey(f"witness.example/{number}", ML_DSA_44, signer.raw) for number, signer in enumerate(signers)]
    note = _LOG_NOTE
    for key, signer in zip(keys, signers, strict=True):
        note = add_signature(note, cosign(_opened(), name=key.name, signer=signer, time=5))
    assert [line.key for line in open_note(note, [*keys, _LOG_KEY]).verified] == [_LOG_KEY, *keys]


@pytest.mark.parametrize("keys", [(_LOG_KEY, _ED_KEY), (_ED_KEY,)], ids=["log and witness", "witness"])
def test_every_changed_byte_of_a_cosigned_note(keys: tuple[NoteKey, ...]) -> None:
    """A changed note is refused, or a line no longer counts; it never says anything else."""
    raw = _LOG_NOTE + _ED_LINE
    good = open_note(raw, keys)
    for at in range(len(raw)):
        for byte in {raw[at] ^ 1, raw[at] ^ 0x20, raw[at] ^ 0x80, 0x0A, 0x20} - {raw[at]}:
            _check_no_new_meaning(raw[:at] + bytes([byte]) + raw[at + 1 :], keys, good)
        for changed in (raw[:at], raw[at + 1 :], raw[:at] + raw[at + 1 :], raw[:at] + b"\n" + raw[at:]):
            _check_no_new_meaning(changed, keys, good)


def test_changed_bytes_of_a_post_quantum_line() -> None:
    raw = _LOG_NOTE + _PQ_LINE
    good = open_note(raw, [_PQ_KEY])
    blob = len(_LOG_NOTE) + len("— witness.example/w1 ".encode())
    places = [*range(blob + 30), *range(blob + 30, len(raw), 37), len(raw) - 2, len(raw) - 1]
    for at in places:
        for changed in (raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :], raw[:at], raw[:at] + raw[at + 1 :]):
            _check_no_new_meaning(changed, (_PQ_KEY,), good)


def _check_no_new_meaning(changed: bytes, keys: tuple[NoteKey, ...], good: VerifiedNote) -> None:
    try:
        found = open_note(changed, keys)
    except LedgerError:
        return
    assert found.text == good.text
    assert set(found.verified) <= set(good.verified)


def test_without_the_algorithm_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """An older OpenSSL under cryptography has no ML-DSA."""
    from cryptography.hazmat.backends.openssl.backend import backend

    monkeypatch.setattr(type(backend), "mldsa_supported", lambda _: False)
    assert _code(_LOG_NOTE + _PQ_LINE, _PQ_KEY, _LOG_KEY) == "algorithm.unavailable"
    with pytest.raises(UnavailableError):
        MlDsa44Signer(Secret(bytes(32)))
    bad = _line(_ED_KEY, 5, bytes(64))
    with pytest.raises(VerificationError):
        open_note(_LOG_NOTE + _PQ_LINE + bad, [_PQ_KEY, _ED_KEY])
    assert open_note(_LOG_NOTE + _PQ_LINE, [_LOG_KEY]).text == _TEXT
