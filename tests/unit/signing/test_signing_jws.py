"""Compact JWS: the round trip, and every token that another reader might take."""

import dataclasses
import hmac
import time
from collections.abc import Callable
from functools import reduce
from types import MappingProxyType

import pytest

from signing import (
    Ed25519Signer,
    Es256Signer,
    Es384Signer,
    JsonValue,
    LedgerError,
    MalformedError,
    Secret,
    Signer,
    Sm2Signer,
    VerificationError,
    b64url_encode,
    dump_json,
    parse_jws,
    sign_jws,
    verify_jws,
)

_TYP = "grant+jwt"
_MAX = 8192
_ED, _EC = Ed25519Signer(Secret(b"\x01" * 32)), Es256Signer(Secret(b"\x01" * 32))
_ALL: tuple[Signer, ...] = (_ED, _EC, Es384Signer(Secret(b"\x01" * 48)), Sm2Signer.generate(bytes))
_KID = _ED.public_key.key_id
_GOOD: dict[str, JsonValue] = {"alg": "Ed25519", "kid": _KID, "typ": _TYP}

_SIGNERS = pytest.mark.parametrize("signer", _ALL, ids=lambda signer: signer.public_key.algorithm)


def _token(header: bytes | dict, payload: bytes = b'{"iss":"a"}', signer: Signer = _ED) -> str:
    """A token whose signature is good, whatever its header and payload say."""
    raw = header if isinstance(header, bytes) else dump_json(header)
    signing_input = f"{b64url_encode(raw)}.{b64url_encode(payload)}"
    return f"{signing_input}.{b64url_encode(signer.sign(signing_input.encode()))}"


def _refused(text: str, *, typ: str = _TYP) -> str:
    with pytest.raises(LedgerError) as caught:
        verify_jws(parse_jws(text, typ=typ, max_bytes=_MAX), _ED.public_key)
    return caught.value.code


@_SIGNERS
def test_round_trip(signer: Signer) -> None:
    claims: dict[str, JsonValue] = {"iss": "uscc:1", "名": "电子证照", "n": [1, True, None, {"x": "\u2028"}]}
    text = sign_jws(signer, typ=_TYP, claims=claims)
    jws = parse_jws(text, typ=_TYP, max_bytes=len(text))
    verified = verify_jws(jws, signer.public_key)
    assert (verified.claims, verified.typ, verified.key_id) == (claims, _TYP, signer.public_key.key_id)
    assert verified.text == text
    assert jws.claims() == claims


def test_helper_makes_tokens_that_verify() -> None:
    assert verify_jws(parse_jws(_token(_GOOD), typ=_TYP, max_bytes=_MAX), _ED.public_key).claims == {"iss": "a"}


@pytest.mark.parametrize(
    "extra",
    [
        {"crit": ["exp"]},
        {"crit": []},
        {"b64": False, "crit": ["b64"]},
        {"jwk": _ED.public_key.to_jwk()},
        {"jku": "https://example.org/keys"},
        {"x5u": "https://example.org/cert"},
        {"x5c": ["MIIB"]},
        {"x5t": "AAAA"},
        {"cty": "JWT"},
        {"zip": "DEF"},
        {"": None},
        {"Alg": "Ed25519"},
    ],
    ids=lambda extra: next(iter(extra)),
)
def test_other_header_members(extra: dict) -> None:
    assert _refused(_token(_GOOD | extra)) == "form.member"


@pytest.mark.parametrize("missing", ["alg", "kid", "typ"])
def test_missing_header_members(missing: str) -> None:
    assert _refused(_token({name: value for name, value in _GOOD.items() if name != missing})) == "form.member"


@pytest.mark.parametrize(
    "alg", ["none", "None", "NONE", "", "HS256", "RS256", "ES256", "EdDSA", "ed25519", "Ed25519 ", "Ed448", "SM2-SM3"]
)
def test_only_the_algorithm_of_the_key(alg: str) -> None:
    header = _GOOD | {"alg": alg}
    assert _refused(_token(header)) == "signature.key"
    assert _refused(_token(header).rpartition(".")[0] + ".") == "signature.key"


@pytest.mark.parametrize("value", [None, True, 0, ["Ed25519"], {"alg": "Ed25519"}, "x" * 65], ids=repr)
@pytest.mark.parametrize("name", ["alg", "kid", "typ"])
def test_header_values_of_other_types(name: str, value: JsonValue) -> None:
    assert _refused(_token(_GOOD | {name: value})).startswith("form.")


def test_algorithm_confusion() -> None:
    """The public key's bytes as a MAC key, and one key's token under the other's algorithm."""
    signing_input = f"{b64url_encode(dump_json(_GOOD | {'alg': 'HS256'}))}.{b64url_encode(b'{}')}"
    for secret in (_ED.public_key.raw, dump_json(_ED.public_key.to_jwk())):
        mac = hmac.digest(secret, signing_input.encode(), "sha256")
        assert _refused(f"{signing_input}.{b64url_encode(mac)}") == "signature.key"
        assert _refused(f"{signing_input}.{b64url_encode(mac * 2)}") == "signature.key"
    assert _refused(_token({"alg": "ES256", "kid": _EC.public_key.key_id, "typ": _TYP}, signer=_EC)) == "signature.key"
    assert _refused(_token(_GOOD, signer=_EC)) == "signature.invalid"


@_SIGNERS
def test_the_kid_of_a_key_with_the_alg_of_another(signer: Signer) -> None:
    """``alg`` is compared with the key's own; it never chooses how to verify."""
    kid = signer.public_key.key_id
    for other in _ALL:
        text = _token({"alg": other.public_key.algorithm, "kid": kid, "typ": _TYP}, signer=signer)
        jws = parse_jws(text, typ=_TYP, max_bytes=_MAX)
        if other is signer:
            assert verify_jws(jws, signer.public_key).claims == {"iss": "a"}
        else:
            with pytest.raises(VerificationError) as caught:
                verify_jws(jws, signer.public_key)
            assert caught.value.code == "signature.key"


@_SIGNERS
@pytest.mark.parametrize("length", [0, 1, 63, 65, 95, 97, 128, 2420])
def test_signatures_of_other_lengths(signer: Signer, length: int) -> None:
    text = sign_jws(signer, typ=_TYP, claims={})
    cut = f"{text.rpartition('.')[0]}.{b64url_encode((signer.sign(b'') * 26)[:length])}"
    with pytest.raises(VerificationError) as caught:
        verify_jws(parse_jws(cut, typ=_TYP, max_bytes=_MAX), signer.public_key)
    assert caught.value.code == "signature.invalid"


def test_kid_of_another_key() -> None:
    other = Ed25519Signer(Secret(b"\x02" * 32))
    for kid in (other.public_key.key_id, _KID + "=", _KID.lower(), "", "../../dev/null"):
        assert _refused(_token(_GOOD | {"kid": kid})) == "signature.key"
    text = sign_jws(other, typ=_TYP, claims={})
    assert _refused(text) == "signature.key"
    with pytest.raises(VerificationError):
        verify_jws(parse_jws(_token(_GOOD, signer=other), typ=_TYP, max_bytes=_MAX), other.public_key)


@pytest.mark.parametrize(
    "typ", ["trust-list+jwt", "Grant+JWT", "grant+jwt ", "application/grant+jwt", "grant", "", "JWT", "grant+jwt\x00"]
)
def test_typ_is_compared_exactly(typ: str) -> None:
    assert _refused(_token(_GOOD | {"typ": typ})) == "form.typ"
    assert _refused(_token(_GOOD), typ=typ) == "form.typ"


@pytest.mark.parametrize(
    "header",
    [
        b'{"alg":"none","alg":"Ed25519","kid":"%s","typ":"grant+jwt"}',
        b'{"alg":"Ed25519","\\u0061lg":"none","kid":"%s","typ":"grant+jwt"}',
        b'{"alg":"Ed25519","kid":"%s","typ":"x","typ":"grant+jwt"}',
        b'{"alg":"Ed25519","kid":"%s","typ":"grant+jwt"}{}',
        b'\xef\xbb\xbf{"alg":"Ed25519","kid":"%s","typ":"grant+jwt"}',
        b'["Ed25519","%s","grant+jwt"]',
        b'"%s"',
        b"null",
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 500,
    ],
)
def test_header_json_is_strict(header: bytes) -> None:
    assert _refused(_token(header.replace(b"%s", _KID.encode()))).startswith("form.")


@pytest.mark.parametrize(
    "payload",
    [b"", b"null", b"[]", b'"a"', b"7", b'{"iss":"a","iss":"b"}', b'{"exp":1e9}', b'{"exp":NaN}', b'{"a":"\\ud800"}',
     b"{} {}", b"\xff", b'{"a":' + b"[" * 20 + b"]" * 20 + b"}"],
)  # fmt: skip
def test_payload_is_strict_json_object_although_signed(payload: bytes) -> None:
    with pytest.raises(MalformedError):
        verify_jws(parse_jws(_token(_GOOD, payload), typ=_TYP, max_bytes=_MAX), _ED.public_key)


_WAYS: dict[str, Callable[[str, str, str], str]] = {
    "padded header": lambda h, p, s: f"{h}=.{p}.{s}",
    "padded payload": lambda h, p, s: f"{h}.{p}=.{s}",
    "padded signature": lambda h, p, s: f"{h}.{p}.{s}==",
    "trailing bits": lambda h, p, s: f"{h}.{p}.{s[:-1]}{chr(ord(s[-1]) + 1)}",
    "trailing blank": lambda h, p, s: f"{h}.{p}.{s} ",
    "trailing newline": lambda h, p, s: f"{h}.{p}.{s}\n",
    "leading blank": lambda h, p, s: f" {h}.{p}.{s}",
    "blank inside": lambda h, p, s: f"{h}.{p[:4]} {p[4:]}.{s}",
    "newline inside": lambda h, p, s: f"{h}.{p[:4]}\r\n{p[4:]}.{s}",
    "other alphabet": lambda h, p, s: f"{h}.{p}.{s.replace('-', '+').replace('_', '/')}",
    "null": lambda h, p, s: f"{h}.{p}.{s}\x00",
    "surrogate": lambda h, p, s: f"{h}.{p}.{s}\ud800",
    "full width": lambda h, p, s: f"{h}.{p}.{s}Ａ",
    "four parts": lambda h, p, s: f"{h}.{p}.{s}.{s}",
    "four parts, last empty": lambda h, p, s: f"{h}.{p}.{s}.",
    "four parts, first empty": lambda h, p, s: f".{h}.{p}.{s}",
    "two parts": lambda h, p, s: f"{h}.{p}",
    "one part": lambda h, p, s: h,
    "five parts, as JWE": lambda h, p, s: f"{h}.{p}.{s}.{p}.{s}",
    "nothing": lambda h, p, s: "",
    "dots": lambda h, p, s: "..",
    "no signature": lambda h, p, s: f"{h}.{p}.",
    "no payload": lambda h, p, s: f"{h}..{s}",
    "no header": lambda h, p, s: f".{p}.{s}",
    "signature and payload swapped": lambda h, p, s: f"{h}.{s}.{p}",
    "signature twice": lambda h, p, s: f"{h}.{p}.{s}{s}",
    "JSON serialisation": lambda h, p, s: f'{{"protected":"{h}","payload":"{p}","signature":"{s}"}}',
}


@_SIGNERS
@pytest.mark.parametrize("way", _WAYS)
def test_other_spellings(way: str, signer: Signer) -> None:
    parts = _with_special_characters(signer).split(".")
    with pytest.raises(LedgerError):
        verify_jws(parse_jws(_WAYS[way](*parts), typ=_TYP, max_bytes=_MAX), signer.public_key)


def _with_special_characters(signer: Signer) -> str:
    """A good token whose signature has both ``-`` and ``_``, so that another alphabet shows."""
    for number in range(1000):
        text = sign_jws(signer, typ=_TYP, claims={"n": number})
        if {"-", "_"} <= set(text.rpartition(".")[2]):
            return text
    raise AssertionError("no such token")


@pytest.mark.parametrize("text", ["!" * 100_000_000, "." * 100_000_000, "A" * 100_000_000], ids=["!", ".", "A"])
def test_huge_input_is_refused_before_anything_is_decoded(text: str) -> None:
    started = time.process_time()
    assert _refused(text) == "form.size"
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    "text",
    ["." * 10_000, ".." * 5000 + "a", "a." * 5000, " . . ", "\n.\n.\n",
     "\u00e9.\u00e9.\u00e9", "Ａ.Ａ.Ａ", "\ud800..", "\x00.\x00.\x00", "A.A.A", "=.=.=",
     "e30.e30.", "e30..e30", ".e30.e30", "e30.e30.e30.e30.e30"],
    ids=range(15),
)  # fmt: skip
def test_texts_that_are_no_tokens(text: str) -> None:
    started = time.process_time()
    with pytest.raises(MalformedError):
        parse_jws(text, typ=_TYP, max_bytes=20_000)
    assert time.process_time() - started < 0.5


_RFC7515_PAYLOAD = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
_RFC7515 = {
    "A.1 HS256": "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
    f"{_RFC7515_PAYLOAD}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    "A.2 RS256": f"eyJhbGciOiJSUzI1NiJ9.{_RFC7515_PAYLOAD}.{'A' * 342}",
    "A.3 ES256": f"eyJhbGciOiJFUzI1NiJ9.{_RFC7515_PAYLOAD}."
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    "A.4 ES512": f"eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.{'A' * 176}",
    "A.5 none": f"eyJhbGciOiJub25lIn0.{_RFC7515_PAYLOAD}.",
}


@pytest.mark.parametrize("name", _RFC7515)
def test_examples_of_rfc_7515_name_neither_key_nor_kind(name: str) -> None:
    """Their signatures are checked in ``test_signing_keys``; as tokens of ours they have no ``kid`` and no ``typ``."""
    for typ in (_TYP, "JWT", ""):
        with pytest.raises(MalformedError) as caught:
            parse_jws(_RFC7515[name], typ=typ, max_bytes=_MAX)
        assert caught.value.code == "form.member"


def test_size_limits_are_exact() -> None:
    text = _token(_GOOD)
    assert parse_jws(text, typ=_TYP, max_bytes=len(text)).text == text
    with pytest.raises(MalformedError) as caught:
        parse_jws(text, typ=_TYP, max_bytes=len(text) - 1)
    assert caught.value.code == "form.size"
    assert _refused(_token(dump_json(_GOOD) + b" " * 1000)) == "form.size"
    assert _refused("." * _MAX) == "form.jws"


def test_verified_bytes_are_the_received_ones() -> None:
    """Blanks and member order in a foreign issuer's token are kept, never written anew."""
    header = b'{ "typ":"grant+jwt",\n"kid":"%s", "alg":"Ed25519" }' % _KID.encode()
    text = _token(header, b'{ "b": 1, "a": 2 }')
    assert verify_jws(parse_jws(text, typ=_TYP, max_bytes=_MAX), _ED.public_key).text == text


def test_personal_values_show_in_no_repr_and_no_error() -> None:
    text = sign_jws(_ED, typ=_TYP, claims={"name": "ZHANG-SAN"})
    jws = parse_jws(text, typ=_TYP, max_bytes=_MAX)
    shown = repr(jws) + repr(verify_jws(jws, _ED.public_key))
    assert "ZHANG" not in shown
    assert text.split(".")[1] not in shown
    broken = _token(_GOOD, b'{"name":"ZHANG-SAN" oops}')
    with pytest.raises(MalformedError) as caught:
        parse_jws(broken, typ=_TYP, max_bytes=_MAX).claims()
    assert "ZHANG" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "value",
    ["\ud800", {"\udfff": 1}, 2**53, -(2**53), 10**5000, float("nan"), 1.5, 1.0, b"x", {1: 2}, {1}, object(), [[1.5]],
     reduce(lambda inner, _: [inner], range(15), [])],
    ids=range(14),
)  # fmt: skip
def test_what_we_could_not_read_is_not_signed(value: JsonValue) -> None:
    with pytest.raises(MalformedError):
        sign_jws(_ED, typ=_TYP, claims={"a": value})


def test_claims_as_deep_as_the_reader_allows() -> None:
    claims: dict[str, JsonValue] = {"a": reduce(lambda inner, _: [inner], range(14), [])}
    text = sign_jws(_ED, typ=_TYP, claims=MappingProxyType(claims))
    assert verify_jws(parse_jws(text, typ=_TYP, max_bytes=_MAX), _ED.public_key).claims == claims


def test_verified_tokens_are_frozen() -> None:
    verified = verify_jws(parse_jws(_token(_GOOD), typ=_TYP, max_bytes=_MAX), _ED.public_key)
    with pytest.raises(dataclasses.FrozenInstanceError):
        verified.typ = "other"
