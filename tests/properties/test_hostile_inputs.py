"""No input makes a reader crash or hang: whatever comes in, a report or a MalformedError comes out, and soon."""

import base64
import faulthandler
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.grant_files import parse_grant_file
from materials.report import Facet, Verdict, VerificationReport
from materials.trust.lists import parse_trust_file
from materials.verification import verify_bundle
from signing import JsonValue, MalformedError, VerificationError, b64url_encode, dump_json
from tests.support.workspace_world import Story, run_cli

MIB = 1 << 20
HANGS_AFTER_SECONDS = 30
READERS: tuple[Callable[[bytes], object], ...] = (parse_trust_file, parse_grant_file)

NOT_EVEN_JSON: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n",
    "binary": bytes(range(256)) * 999,
    "100 MB of zeros": bytes(100 * MIB),
    "100 MB of brackets": b"[" * (100 * MIB),
    "brackets up to the limit": b"[" * (8 * MIB),
    "objects up to the limit": b'{"a":' * (8 * MIB // 5),
    "quotes": b'"' * (8 * MIB),
    "backslashes": b'"' + b"\\" * (8 * MIB - 1),
    "lone surrogates": b'"' + b"\\ud800" * MIB + b'"',
    "digits": b"9" * (8 * MIB),
    "a million members": b"{" + b",".join(b'"%d":1' % n for n in range(600_000)) + b"}",
    "one member, often": b"{" + b",".join([b'"version":1'] * 500_000) + b"}",
    "UTF-16": '{"version":1}'.encode("utf-16"),
}
SPELLINGS: dict[str, bytes] = {
    "NaN": b"NaN",
    "infinity": b"-Infinity",
    "1e999": b"1e999",
    "a fraction": b"1.0",
    "minus zero": b"-0",
    "a huge integer": b"1" + b"0" * 5000,
    "an escaped surrogate": b'"\\ud800"',
    "a raw surrogate": b'"\xed\xa0\x80"',
    "an overlong form": b'"\xc0\xaf"',
    "a control character": b'"\x01"',
    "a needless escape": b'"\\u0065materials/bundle/v1"',
    "deep": b"[" * 5000 + b"]" * 5000,
}


@pytest.fixture(autouse=True)
def hang_guard() -> Iterator[None]:
    """A reader that hangs ends the run, and shows where."""
    faulthandler.dump_traceback_later(20 * HANGS_AFTER_SECONDS, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


def judge(story: Story, data: bytes) -> VerificationReport:
    return verify_bundle(data, story.trust, now=story.now, catalogue=story.catalogue)


@pytest.mark.parametrize("name", NOT_EVEN_JSON)
def test_what_is_not_even_json(story: Story, name: str) -> None:
    data = NOT_EVEN_JSON[name]
    report = judge(story, data)
    assert report[Facet.INTEGRITY].verdict is Verdict.INVALID
    assert report[Facet.INTEGRITY].code in ("form.json", "form.size", "form.version")
    assert {finding.verdict for finding in report.findings} == {Verdict.INVALID, Verdict.NOT_CHECKED}
    for read in READERS:
        with pytest.raises(MalformedError):
            read(data)


@pytest.mark.parametrize("name", SPELLINGS)
def test_what_strict_json_refuses(story: Story, name: str) -> None:
    text = SPELLINGS[name]
    for data, member in ((story.bundles["used"], b"bundle"), (story.trust, b"trust"), (story.grant, b"grant")):
        version = b'"ematerials/%s/v1"' % member
        assert data.count(version) == 1
        changed = data.replace(version, text)
        assert judge(story, changed)[Facet.INTEGRITY].verdict is Verdict.INVALID
        for read in READERS:
            with pytest.raises(MalformedError):
                read(changed)


def test_a_byte_order_mark_blanks_and_tails_are_no_bundle(story: Story) -> None:
    data = story.bundles["used"]
    for changed in (b"\xef\xbb\xbf" + data, data + b"\n", b" " + data, data + data, data + b"\0"):
        assert judge(story, changed)[Facet.INTEGRITY].verdict is Verdict.INVALID


HOSTILE_STATEMENTS: dict[str, Callable[[str], str]] = {
    "ten thousand tildes": lambda text: text + "~" * 10_000,
    "two million tildes": lambda text: "~" * (2 * MIB - 1),
    "two million dots": lambda text: "." * (2 * MIB - 1),
    "not ASCII": lambda text: "中.文.字~",
    "a bare JWT": lambda text: text.partition("~")[0],
    "a key binding": lambda text: text + text.partition("~")[0],
    "padded base64": lambda text: text[:-1] + "=~",
    "a bit too many in base64": lambda text: _last_bit(text.partition("~")[0]) + "~",
    "a deep disclosure": lambda text: text + b64url_encode(b"[" * 9000 + b"]" * 9000) + "~",
    "a disclosure twice": lambda text: text + text.split("~")[1] + "~",
}


def _last_bit(token: str) -> str:
    """The same bytes in base64url, spelt with an unused bit set."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


@pytest.mark.parametrize("name", HOSTILE_STATEMENTS)
def test_a_hostile_statement(story: Story, name: str) -> None:
    members = json.loads(story.bundles["used"])
    members["statement"] = HOSTILE_STATEMENTS[name](members["statement"])
    report = judge(story, dump_json(members))
    assert Verdict.INVALID in (report[Facet.INTEGRITY].verdict, report[Facet.SIGNATURE].verdict)
    assert report[Facet.ANCHOR].verdict is Verdict.VALID  # one does not hide the other


HOSTILE_RECEIPTS: dict[str, Callable[[str], str]] = {
    "a million lines": lambda text: text + "\n" * 1_000_000,
    "as many lines as fit": lambda text: "c2sp.org/tlog-proof@v1\nindex 1\n" + "A\n" * 32_000,
    "a hundred signatures": lambda text: text + text.rpartition("\n\n")[2] * 100,
    "carriage returns": lambda text: text.replace("\n", "\r\n"),
    "U+2028 for a line end": lambda text: text.replace("\n", "\u2028", 1),
    "an index in other digits": lambda text: text.replace("index 1", "index １"),
    "an index beyond all": lambda text: text.replace("index 1", "index 1" + "0" * 30),
    "a padded index": lambda text: text.replace("index 1", "index 01"),
    "no end": lambda text: text[:-1],
    "nothing": lambda text: "",
}


@pytest.mark.parametrize("name", HOSTILE_RECEIPTS)
def test_a_hostile_receipt(story: Story, name: str) -> None:
    members = json.loads(story.bundles["licence"])
    assert "index 1\n" in members["receipt"]
    members["receipt"] = HOSTILE_RECEIPTS[name](members["receipt"])
    report = judge(story, dump_json(members))
    blamed = {finding.facet for finding in report.findings if finding.verdict is Verdict.INVALID}
    assert blamed & {Facet.INTEGRITY, Facet.INCLUSION, Facet.CHECKPOINT}
    assert blamed <= {Facet.INTEGRITY, Facet.INCLUSION, Facet.CHECKPOINT}


def test_a_status_list_that_inflates_to_a_gigabyte(story: Story) -> None:
    members = json.loads(story.bundles["licence"])
    header, payload, signature = members["status_list"].split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "==="))
    packer = zlib.compressobj(9)
    bomb = b"".join([*(packer.compress(bytes(MIB)) for _ in range(1024)), packer.flush()])
    claims["status_list"]["lst"] = b64url_encode(bomb)
    members["status_list"] = f"{header}.{b64url_encode(dump_json(claims))}.{signature}"
    report = judge(story, dump_json(members))
    assert (report[Facet.STATUS].verdict, report[Facet.STATUS].code) == (Verdict.INVALID, "status.packing")


def test_proofs_of_many_nodes(story: Story) -> None:
    members = json.loads(story.bundles["licence"])
    anchor = members["anchor"]
    for changed in (
        {"accountProof": ["0x" + "f8" * 500] * 60},
        {"accountProof": ["0x" + "c1" * 500] * 3},
        {"accountProof": ["0x" + "00" * MIB] * 3},
        {"accountProof": []},
        {"headers": anchor["headers"] * 60},
        {"handoff": anchor["headers"] * 60},
    ):
        report = judge(story, dump_json(members | {"anchor": anchor | changed}))
        assert report[Facet.ANCHOR].verdict is Verdict.INVALID


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=40) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=400) | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_and_any_json(story: Story, data: bytes) -> None:
    assert judge(story, data).verdict is Verdict.INVALID
    for read in READERS:
        with pytest.raises(MalformedError):
            read(data)
    with pytest.raises((MalformedError, VerificationError)):
        verify_bundle(story.bundles["licence"], data, now=story.now, catalogue=story.catalogue)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_value_in_place_of_any_other(story: Story, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["used", "suspended-and-back", "trust", "grant"]))
    genuine = {"trust": story.trust, "grant": story.grant}.get(name) or story.bundles[name]
    changed = _planted(data, json.loads(genuine), data.draw(JSON_VALUES))
    text = json.dumps(changed, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode(
        "utf-8", "surrogatepass"
    )
    judge(story, text).to_json()
    for read in READERS:
        try:
            read(text)
        except MalformedError:
            continue


def _planted(data: st.DataObject, value: JsonValue, new: JsonValue) -> JsonValue:
    """``value`` with ``new`` somewhere in it."""
    if isinstance(value, dict) and value and data.draw(st.integers(0, 5)):
        key = data.draw(st.sampled_from(sorted(value)))
        return value | {key: _planted(data, value[key], new)}
    if isinstance(value, list) and value and data.draw(st.integers(0, 5)):
        at = data.draw(st.integers(0, len(value) - 1))
        return [*value[:at], _planted(data, value[at], new), *value[at + 1 :]]
    return new


def test_the_command_line_and_a_bundle_of_100_mb(story: Story, tmp_path: Path) -> None:
    huge, trust = tmp_path / "huge.json", tmp_path / "trust.json"
    with huge.open("wb") as stream:
        stream.truncate(100 * MIB)
    trust.write_bytes(story.trust)
    ran = run_cli("verify", huge, "--trust", trust, "--json", timeout=HANGS_AFTER_SECONDS)
    assert ran.returncode == 1
    assert json.loads(ran.stdout)["facets"]["integrity"]["code"] == "form.size"
    assert ran.stderr == ""
    ran = run_cli("verify", trust, "--trust", huge, "--json", timeout=HANGS_AFTER_SECONDS)
    assert ran.returncode == 1
    assert json.loads(ran.stdout)["error"]["code"] == "form.size"
    ran = run_cli("grant", "show", huge, "--json", timeout=HANGS_AFTER_SECONDS)
    assert (ran.returncode, json.loads(ran.stdout)["error"]["code"]) == (1, "form.size")
