"""Parts of a bundle left out, of another type, or taken from another bundle, time or home: each is named."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from api import clock, names
from api.workspace import Workspace
from ledger import format_receipt, leaf_hash
from materials.bundle import Bundle, LoggedToken, UseEvidence, format_bundle, parse_bundle
from materials.commitment import commit_to, format_commitment
from materials.grants.usage import COMMITMENT_KIND
from materials.report import Facet, Verdict, VerificationReport
from materials.statement import issue_statement, parse_statement, verify_statement
from materials.trust.lists import TrustFile, format_trust_file, issue_trust_list, parse_trust_file, parse_trust_list
from materials.trust.model import KeyRevocation
from materials.verification import verify_bundle
from signing import JsonValue, MalformedError, Signer, dump_json
from tests.support.workspace_world import Story, tell_story

REQUIRED = ("version", "statement", "receipt", "events")
WRONG: list[JsonValue] = [None, True, 7, -1, "", "x", [], [[]], {}, {"": ""}, "\n\n", "~", "a.b.c", "a.b.c~", "\u2028"]


@pytest.fixture(scope="session")
def other_home(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A home that says it is the same one, down to operator and origin, with keys and a chain of its own."""
    return tell_story(tmp_path_factory.mktemp("other") / "workspace")


def judge(story: Story, bundle: Bundle | bytes, trust: bytes | None = None) -> VerificationReport:
    data = bundle if isinstance(bundle, bytes) else format_bundle(bundle)
    return verify_bundle(data, trust or story.trust, now=story.now, catalogue=story.catalogue)


def codes(report: VerificationReport) -> dict[str, str]:
    """Every answer that is not good."""
    fine = (Verdict.VALID, Verdict.NOT_CHECKED)
    return {str(f.facet): f"{f.verdict}: {f.code}" for f in report.findings if f.verdict not in fine}


def opened(story: Story, name: str) -> Bundle:
    return parse_bundle(story.bundles[name])


def used(bundle: Bundle) -> UseEvidence:
    assert bundle.use is not None
    return bundle.use


@pytest.mark.parametrize("member", [*REQUIRED, "anchor", "status_list", "use"])
def test_a_section_left_out(story: Story, member: str) -> None:
    members = json.loads(story.bundles["used"])
    del members[member]
    expected = {
        "anchor": {"anchor": "undetermined: anchor.pending"},
        "status_list": {"status": "undetermined: status.missing"},
        "use": {},  # a bundle that shows no use claims none
        "version": {"integrity": "invalid: form.version"},
    }
    default = {"integrity": "invalid: form.member"}
    assert codes(judge(story, dump_json(members))) == expected.get(member, default)


@pytest.mark.parametrize("member", [*REQUIRED, "anchor", "status_list", "use"])
def test_a_section_of_another_type(story: Story, member: str) -> None:
    genuine = json.loads(story.bundles["used"])
    for wrong in WRONG:
        if member != "events" or wrong != []:  # without events is how it is
            assert judge(story, dump_json(genuine | {member: wrong})).verdict is not Verdict.VALID


def test_every_value_inside_of_another_type(story: Story) -> None:
    for name in ("used", "suspended-and-back"):
        genuine = json.loads(story.bundles[name])
        for changed in _replaced(genuine):
            if judge(story, dump_json(changed)).verdict is Verdict.VALID:
                assert _essentials(changed) == _essentials(genuine)


def _essentials(members: JsonValue) -> JsonValue:
    """Without what may be left out or repeated: events that the status list outlives, the anchor's newest head."""
    assert isinstance(members, dict)
    anchor = members["anchor"]
    assert isinstance(anchor, dict)
    storage = anchor["storage"]
    assert isinstance(storage, list)
    return {**members, "anchor": {**anchor, "storage": storage[:2]}, "events": []}


def _replaced(value: JsonValue) -> Iterator[JsonValue]:
    """``value`` with each value inside it replaced by null, by another type, or gone, one at a time."""
    if isinstance(value, dict):
        for key, item in value.items():
            rest = {name: other for name, other in value.items() if name != key}
            yield from ({**rest, key: changed} for changed in (None, 0, [], *_replaced(item)) if changed != item)
            yield {**rest, key + "x": item}
    elif isinstance(value, list):
        for number, item in enumerate(value):
            before, after = value[:number], value[number + 1 :]
            yield from ([*before, changed, *after] for changed in (None, {}, *_replaced(item)))
            yield [*before, item, item, *after]
            yield [*before, *after]


def test_a_member_that_occurs_twice(story: Story) -> None:
    data = story.bundles["used"]
    for member, value in json.loads(data).items():
        twice = b"{" + json.dumps({member: value}).encode()[1:-1] + b"," + data[1:]
        assert codes(judge(story, twice)) == {"integrity": "invalid: form.json"}
    inner = data.replace(b'"anchor":{', b'"anchor":{"anchored":{},', 1)
    assert codes(judge(story, inner)) == {"integrity": "invalid: form.json"}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("statement", {"inclusion": "invalid: proof.inclusion", "grant": "invalid: grant.record-material"}),
        ("receipt", {"inclusion": "invalid: proof.inclusion"}),
        ("use", {"grant": "invalid: grant.record-material"}),
        ("events", {"status": "invalid: event.subject"}),
    ],
)
def test_a_part_of_another_material(story: Story, part: str, expected: dict[str, str]) -> None:
    """The second licence is anchored in another tree, so with its receipt the anchor is of another tree too."""
    mine, other = opened(story, "used"), opened(story, "suspended-and-back" if part == "events" else "used-second")
    found = codes(judge(story, replace(mine, **{part: getattr(other, part)})))
    assert expected.items() <= found.items()
    assert set(found) - set(expected) <= {"anchor"}
    assert judge(story, replace(mine, **{part: getattr(other, part)})).verdict is Verdict.INVALID


def test_a_chain_or_a_record_of_another_use(story: Story) -> None:
    mine, second = opened(story, "used"), opened(story, "used-second")
    theirs = used(second)
    crossed = replace(used(mine).record, receipt=theirs.record.receipt)
    for use in (
        replace(used(mine), record=theirs.record),
        replace(used(mine), chain=theirs.chain),
        replace(used(mine), record=crossed),
    ):
        bundle = replace(mine, use=use)
        assert set(codes(judge(story, bundle))) == {"grant"}
        assert judge(story, bundle)[Facet.GRANT].verdict is Verdict.INVALID


@pytest.mark.parametrize("change", ["cut", "first only", "without the first", "turned", "doubled"])
def test_a_chain_of_fewer_or_other_links(story: Story, change: str) -> None:
    mine = opened(story, "used")
    chain = used(mine).chain
    changed = {
        "cut": chain[:-1],
        "first only": chain[:1],
        "without the first": chain[1:],
        "turned": chain[::-1],
        "doubled": (*chain, chain[-1]),
    }[change]
    report = judge(story, replace(mine, use=replace(used(mine), chain=changed)))
    assert report[Facet.GRANT].verdict is Verdict.INVALID


def test_more_is_shown_than_the_record_says(story: Story) -> None:
    more, less = opened(story, "used"), opened(story, "used-for-less")
    report = judge(story, replace(more, use=less.use))
    assert codes(report) == {"grant": "invalid: grant.record-disclosed"}
    whole = opened(story, "licence")
    report = judge(story, replace(less, statement=whole.statement))
    assert codes(report) == {"grant": "invalid: grant.record-disclosed"}
    showing_less = replace(more, statement=less.statement)
    assert judge(story, showing_less).verdict is Verdict.VALID


def test_the_record_of_a_refused_attempt_carries_nothing(story: Story) -> None:
    mine = opened(story, "used")
    entry = format_commitment(commit_to(COMMITMENT_KIND, story.refused_usage))
    with Workspace.open(story.folder) as workspace, workspace.database.read() as connection:
        log = workspace.log(connection)
        index = log.index_of(leaf_hash(entry))
        assert index is not None, "a refusal is committed to in the log as well"
        receipt = format_receipt(log.receipt(index))
    refused = LoggedToken(story.refused_usage, receipt)
    assert codes(judge(story, replace(mine, use=replace(used(mine), record=refused)))) == {
        "grant": "invalid: grant.record-result"
    }


def test_a_receipt_in_another_tree_than_the_anchored_one(story: Story) -> None:
    mine = opened(story, "licence")
    with Workspace.open(story.folder) as workspace, workspace.database.read() as connection:
        newest = format_receipt(workspace.log(connection).receipt(1))
        older = format_receipt(workspace.log(connection).receipt(1, 2))
    for receipt in (newest, older):
        assert codes(judge(story, replace(mine, receipt=receipt))) == {"anchor": "invalid: anchor.not-covered"}


def test_an_older_and_a_newer_status_list(story: Story) -> None:
    """Who shows a list from before the end can do so until the list expires: the report says of when it is."""
    before, revoked = opened(story, "before"), opened(story, "revoked")
    ended = {"status": "invalid: status.revoked"}
    assert codes(judge(story, replace(before, status_list=revoked.status_list))) == ended
    assert codes(judge(story, replace(revoked, status_list=before.status_list))) == ended
    hidden = replace(revoked, status_list=before.status_list, events=())
    assert judge(story, hidden).status_as_of == judge(story, before).status_as_of
    later = verify_bundle(
        format_bundle(hidden), story.trust, now=story.now + 7 * 86400 + 3600, catalogue=story.catalogue
    )
    assert later[Facet.STATUS].verdict is Verdict.UNDETERMINED


def test_events_left_out_or_turned_round(story: Story) -> None:
    revoked, back = opened(story, "revoked"), opened(story, "suspended-and-back")
    assert codes(judge(story, replace(revoked, events=()))) == {"status": "invalid: status.revoked"}
    assert codes(judge(story, replace(back, events=back.events[:1]))) == {"status": "invalid: status.suspended"}
    bare = replace(back, events=(back.events[0], replace(back.events[1], receipt=None)))
    assert codes(judge(story, bare)) == {"status": "undetermined: status.event-receipt"}
    crossed = (replace(back.events[0], receipt=back.events[1].receipt), back.events[1])
    assert codes(judge(story, replace(back, events=crossed))) == {"status": "invalid: proof.inclusion"}


def test_a_bundle_of_an_impostor_home(story: Story, other_home: Story) -> None:
    """Same operator, same origin, same files and fields: nothing of it holds by the real home's trust file."""
    report = judge(story, other_home.bundles["used"])
    assert report.verdict is Verdict.INVALID
    for facet in (Facet.SIGNATURE, Facet.ISSUER, Facet.CHECKPOINT, Facet.ANCHOR, Facet.STATUS):
        assert report[facet].verdict is Verdict.INVALID, facet
    assert report.material_id is None
    assert judge(other_home, other_home.bundles["used"]).verdict is Verdict.VALID


@pytest.mark.parametrize("part", ["statement", "receipt", "anchor", "status_list", "use"])
def test_one_part_of_an_impostor_home(story: Story, other_home: Story, part: str) -> None:
    theirs = opened(other_home, "used")
    report = judge(story, replace(opened(story, "used"), **{part: getattr(theirs, part)}))
    assert report.verdict is Verdict.INVALID


@pytest.fixture(scope="session")
def neighbour(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A home with a log of another name."""
    return tell_story(tmp_path_factory.mktemp("neighbour") / "workspace", origin="ematerials.example/neighbour")


def test_an_anchor_of_another_trusted_log(story: Story, neighbour: Story) -> None:
    """Both logs and both chains are trusted; still each anchor proves its own log only."""
    lists = [parse_trust_list(parse_trust_file(home.trust).trust_list) for home in (story, neighbour)]
    both = replace(lists[0], logs=lists[0].logs + lists[1].logs, chains=lists[0].chains + lists[1].chains)
    with Workspace.open(story.folder) as workspace:
        signer = workspace.keyring.signer(names.LIST_KEY)
    trust = format_trust_file(TrustFile(signer.public_key, issue_trust_list(signer, both)))
    mine, theirs = opened(story, "licence"), opened(neighbour, "licence")
    assert judge(story, mine, trust).verdict is Verdict.VALID
    for bundle in (replace(mine, anchor=theirs.anchor), replace(mine, receipt=theirs.receipt)):
        found = codes(judge(story, bundle, trust))
        assert found["anchor"] == "invalid: anchor.not-covered"


def test_a_trust_file_is_as_strict(story: Story, other_home: Story) -> None:
    members = json.loads(story.trust)
    crossed = dump_json(members | {"list_key": json.loads(other_home.trust)["list_key"]})
    for wrong in (b"", b"{}", b"[]", story.trust[:-1], dump_json(members | {"extra": 1}), story.bundles["licence"]):
        with pytest.raises(MalformedError):
            judge(story, story.bundles["licence"], wrong or b"\0")
    with pytest.raises(Exception, match="key") as caught:
        judge(story, story.bundles["licence"], crossed)
    assert type(caught.value).__name__ == "VerificationError"


def test_an_anchor_of_other_statements_dates_none(story: Story) -> None:
    """Who stole the issuing key can't borrow an old receipt and anchor to seem older than the theft."""
    listed = parse_trust_list(parse_trust_file(story.trust).trust_list)
    genuine = opened(story, "licence")
    anchored_at = judge(story, genuine).anchored_at
    assert anchored_at is not None
    stolen = KeyRevocation(anchored_at + 1, "compromised")
    issuer = listed.entities[0]
    keys = tuple(replace(key, revoked=stolen) if key.role == "issue" else key for key in issuer.keys)
    with Workspace.open(story.folder) as workspace:
        list_signer = workspace.keyring.signer(names.LIST_KEY)
        thief = workspace.keyring.signer(names.entity_key(issuer.id, "issue"))
    warned = replace(listed, entities=(replace(issuer, keys=keys), *listed.entities[1:]))
    trust = format_trust_file(TrustFile(list_signer.public_key, issue_trust_list(list_signer, warned)))
    after = replace(story, trust=trust, now=max(story.now, anchored_at + 10))
    assert judge(after, genuine)[Facet.ISSUER].verdict is Verdict.VALID
    forged = judge(after, replace(genuine, statement=_signed_anew(after, genuine.statement, thief)))
    assert forged[Facet.SIGNATURE].verdict is Verdict.VALID
    assert forged[Facet.ANCHOR].verdict is Verdict.VALID
    assert forged[Facet.INCLUSION].verdict is Verdict.INVALID
    assert forged[Facet.ISSUER].code == "key.compromised"
    assert forged.anchored_at is None


def _signed_anew(story: Story, text: str, signer: Signer) -> str:
    """The statement signed once more: same claims and fields, new salts, a new signature."""
    statement = verify_statement(parse_statement(text), signer.public_key)
    return issue_statement(
        signer,
        story.catalogue.by_vct(statement.vct),
        claims=statement.claims,
        fields=statement.fields,
        files=statement.files,
        random_bytes=clock.random_bytes,
    ).text
