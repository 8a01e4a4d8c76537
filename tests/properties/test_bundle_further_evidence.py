"""A bundle with every kind of evidence: valid as a whole, and each byte and part of what came later counts."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from materials.bundle import Bundle, BundledTimestamp, format_bundle, parse_bundle
from materials.report import Facet, Verdict, VerificationReport
from materials.verification import verify_bundle
from signing import CryptoProfile, JsonValue, MalformedError, dump_json
from signing.x509.revocation import parse_crl
from tests.support.bundle_map import owners, value_spans
from tests.support.evidence_world import hide_gm
from tests.support.evidenced_story import Evidenced
from tests.support.tsa import needs_openssl

pytestmark = needs_openssl

MEMBERS = ("signatures", "timestamps", "crls")
STRIDE = 53  # a report with SM2 chains and tokens takes some milliseconds
UNDETERMINED_BY_NATURE = {
    "certificate.crl-issuer",  # a revocation list of somebody else
    "timestamp.authority",  # a token of somebody else
    "timestamp.algorithm",  # another algorithm, which nobody here can check
}
BOTH = (CryptoProfile.INTL, CryptoProfile.GM)


def judge(evidenced: Evidenced, bundle: Bundle | bytes, **options: Any) -> VerificationReport:
    story = evidenced.story
    data = bundle if isinstance(bundle, bytes) else format_bundle(bundle)
    return verify_bundle(data, story.trust, now=story.now, catalogue=story.catalogue, **options)


def codes(report: VerificationReport) -> dict[str, str]:
    """Every answer that is not plainly good."""
    plain = ("ok", "not-checked")
    return {str(f.facet): f"{f.verdict}: {f.code}" for f in report.findings if f.code not in plain}


def test_everything_at_once_is_valid(evidenced: Evidenced) -> None:
    report = judge(evidenced, evidenced.bundle, profiles=BOTH, required=[Facet.TIMESTAMP])
    assert codes(report) == {}
    assert report.verdict is Verdict.VALID
    assert report.anchored_at is not None
    assert report.timestamped_at is not None
    assert report.anchored_at <= report.timestamped_at <= evidenced.story.now + 2


@pytest.mark.parametrize("member", MEMBERS)
def test_a_member_left_out(evidenced: Evidenced, member: str) -> None:
    changes: dict[str, Any] = {member: ()}
    report = judge(evidenced, replace(evidenced.bundle, **changes), profiles=BOTH, required=[Facet.TIMESTAMP])
    assert (
        codes(report)
        == {
            "signatures": {"signature": "undetermined: signature.profile"},
            "timestamps": {
                "timestamp": "undetermined: timestamp.missing",
                "issuer": "undetermined: certificate.crl-issuer",
            },
            "crls": {
                "timestamp": "undetermined: certificate.revocation",
                "issuer": "undetermined: certificate.revocation",
            },
        }[member]
    )


def test_each_revocation_list_is_needed(evidenced: Evidenced) -> None:
    crls = evidenced.bundle.crls
    for number, crl in enumerate(crls):
        fewer = replace(evidenced.bundle, crls=crls[:number] + crls[number + 1 :])
        assert judge(evidenced, fewer, profiles=BOTH).verdict is Verdict.UNDETERMINED
        assert judge(evidenced, fewer, profiles=BOTH, crls=[parse_crl(crl)]).verdict is Verdict.VALID


def test_what_old_readers_see_does_not_change(evidenced: Evidenced) -> None:
    """Without the new members it is byte for byte the bundle that it was."""
    bare = replace(evidenced.bundle, signatures=(), timestamps=(), crls=())
    assert not set(json.loads(format_bundle(bare))) & set(MEMBERS)
    assert judge(evidenced, bare).verdict is Verdict.VALID


def _new_bytes(data: bytes) -> list[int]:
    """The places of all bytes of the new members."""
    spans = [span for span in value_spans(data) if len(span[2]) == 1 and span[2][0] in MEMBERS]
    return [at for start, end, _ in spans for at in range(start, end)]


def _assert_noticed(evidenced: Evidenced, changed: bytes, owner: Facet, where: str) -> None:
    try:
        parse_bundle(changed)
    except MalformedError:
        owner = Facet.INTEGRITY
    report = judge(evidenced, changed)
    assert report.verdict is not Verdict.VALID, where
    finding = report[owner]
    assert finding.verdict is Verdict.INVALID or finding.code in UNDETERMINED_BY_NATURE, f"{where}: {finding}"


@pytest.mark.parametrize(("offset", "flip"), [(0, 0x01), (13, 0x20), (26, 0x02), (39, 0x10)])
def test_a_changed_byte_is_blamed_on_its_member(evidenced: Evidenced, offset: int, flip: int) -> None:
    data = evidenced.story.bundles["full"]
    owning = owners(data)
    for at in _new_bytes(data)[offset::STRIDE]:
        changed = data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :]
        _assert_noticed(evidenced, changed, owning[at], f"byte {at}, xor {flip:#x}")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_changed_byte_inside_what_is_encoded(evidenced: Evidenced, data: st.DataObject) -> None:
    """Base64 that decodes, so that the change reaches the DER."""
    bundle = evidenced.bundle
    kind = data.draw(st.sampled_from(["token", "crl"]))
    if kind == "token":
        number = data.draw(st.integers(0, 1))
        stamps = list(bundle.timestamps)
        stamps[number] = BundledTimestamp(stamps[number].over, _bent(data, stamps[number].token))
        changed, owner = replace(bundle, timestamps=tuple(stamps)), Facet.TIMESTAMP
    else:
        crls = list(bundle.crls)
        number = data.draw(st.integers(0, len(crls) - 1))
        crls[number] = _bent(data, crls[number])
        changed, owner = replace(bundle, crls=tuple(crls)), Facet.ISSUER
    _assert_noticed(evidenced, format_bundle(changed), owner, kind)


def _bent(data: st.DataObject, der: bytes) -> bytes:
    at = data.draw(st.integers(0, len(der) - 1))
    new = data.draw(st.integers(0, 255).filter(lambda byte: byte != der[at]))
    return der[:at] + bytes([new]) + der[at + 1 :]


def test_parts_swapped_or_from_elsewhere(evidenced: Evidenced) -> None:
    bundle, (statement, checkpoint) = evidenced.bundle, evidenced.bundle.timestamps
    swapped = (BundledTimestamp("statement", checkpoint.token), BundledTimestamp("checkpoint", statement.token))
    assert codes(judge(evidenced, replace(bundle, timestamps=swapped))) == {"timestamp": "invalid: timestamp.imprint"}
    parts = bundle.signatures[0].split("..")
    other = f"{bundle.statement.split('.')[0]}..{parts[1]}"  # the first signature's header, the second's bytes
    for text in (other, f"{parts[0]}..{bundle.statement.partition('~')[0].split('.')[2]}"):
        report = judge(evidenced, replace(bundle, signatures=(text,)))
        assert report[Facet.SIGNATURE].verdict is Verdict.INVALID


HOSTILE: dict[str, dict[str, JsonValue]] = {
    "dots": {"signatures": ["." * 2048]},
    "a megabyte": {"signatures": ["a" * (1 << 20)]},
    "deep DER": {"crls": ["MIA" + "MIAw" * 1000]},
    "zeros": {"timestamps": [{"over": "statement", "token": "AAAA" * 20_000}]},
    "sequences": {"timestamps": [{"over": "statement", "token": "MDAw" * 10_000}]},
    "a huge length": {"crls": ["MIT/////"]},
    "not base64": {"crls": ["中文"]},
    "a surrogate": {"signatures": ["\\ud800..x"]},
    "nulls": {"timestamps": [None]},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_members(evidenced: Evidenced, name: str) -> None:
    members = json.loads(evidenced.story.bundles["full"]) | HOSTILE[name]
    report = judge(evidenced, dump_json(members))
    assert report.verdict is Verdict.INVALID
    report.to_json()


@settings(max_examples=60, deadline=None)
@given(token=st.binary(max_size=300))
def test_any_bytes_as_token_or_list(evidenced: Evidenced, token: bytes) -> None:
    bundle = evidenced.bundle
    for changed, facet in (
        (replace(bundle, timestamps=(BundledTimestamp("statement", token),)), Facet.TIMESTAMP),
        (replace(bundle, crls=(token,)), Facet.ISSUER),
    ):
        assert judge(evidenced, changed)[facet].verdict is Verdict.INVALID


def test_without_the_extra_gm(evidenced: Evidenced, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything international verifies; whoever needs the GM side is told what to install."""
    hide_gm(monkeypatch)
    partly = "valid: signature.partly-checked"
    for profiles in ((), (CryptoProfile.INTL,)):
        report = judge(evidenced, evidenced.bundle, profiles=profiles)
        assert report.verdict is Verdict.VALID
        assert codes(report) == {"signature": partly, "issuer": partly}
    report = judge(evidenced, evidenced.bundle, profiles=BOTH)
    assert codes(report) == {"signature": "undetermined: extra.gm", "issuer": "undetermined: extra.gm"}
    assert "pip install 'ematerials[gm]'" in report[Facet.SIGNATURE].detail
