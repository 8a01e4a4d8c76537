"""Retrieval under a grant on both databases: what is released, counted, recorded and refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from materials.commitment import commit_to, format_commitment
from materials.events import EventCode
from materials.grants.errors import GrantRefusedError
from materials.grants.home import keep_grant, withdraw_grant
from materials.grants.issue import issue_root, new_grant_id
from materials.grants.links import GrantChain, parse_chain
from materials.grants.release import read_released_file
from materials.grants.retrieve import Refused, retrieve_under_grant
from materials.registry.revoke import StatusChange, change_status
from materials.statement import parse_statement, verify_statement
from materials.status import StatusValue
from signing import Es256Signer, MalformedError, RefusedError, VerificationError
from tests.support import grants_world as w
from tests.support.materials_home import PDF, fields
from tests.support.retrieval_desk import Desk


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    return Desk(engine, tmp_path / "vault")


def test_the_department_sees_the_fields_allowed_and_the_owner_sees_the_use(desk: Desk) -> None:
    chain = desk.chain()
    released = desk.release(chain)
    statement = verify_statement(parse_statement(released.selection.presentation), desk.kit.issue.public_key)
    assert statement.fields == {name: fields()[name] for name in ("address", "holder_name")}
    assert statement.files == ()
    assert released.decision.uses == "checked"
    (record,) = desk.records()
    assert (record.result.outcome, record.disclosed) == ("released", ("address", "holder_name"))
    assert record.links == chain.ids
    assert (record.user.requester, record.user.organisation) == (w.DEPARTMENT, w.DEPARTMENT)
    assert record.user.intermediaries == (w.OWNER, w.AGENT)
    assert [(use.link, use.n, use.maximum) for use in record.uses] == [(0, 1, 3), (1, 1, 3), (2, 1, 3)]


def test_files_leave_only_under_the_action_for_files(desk: Desk) -> None:
    chain = desk.chain(details=(replace(desk.detail, actions=("retrieve/fields",)),))
    request = replace(desk.request, claims=("files",))
    released = desk.release(chain, request)
    statement = verify_statement(parse_statement(released.selection.presentation), desk.kit.issue.public_key)
    assert len(statement.files) == 1
    assert released.selection.files == ()
    with desk.unit() as ports, pytest.raises(VerificationError):
        read_released_file(ports.home.vault, released.selection, 0)
    assert desk.refuse(chain, replace(request, action="retrieve/files")) == ("action", 2)
    released = desk.release(desk.chain(), replace(request, action="retrieve/files"))
    with desk.unit() as ports:
        assert b"".join(read_released_file(ports.home.vault, released.selection, 0)) == PDF


def test_the_log_holds_commitments_and_no_value(desk: Desk) -> None:
    chain = desk.chain()
    released = desk.release(chain)
    logged = desk.logged()
    for kind, text in [*(("grant", text) for text in chain.texts), ("usage-record", released.usage)]:
        assert format_commitment(commit_to(kind, text)) in logged
    everything = b"".join(logged) + released.usage.encode() + repr(released).encode()
    everything += json.dumps(parse_chain(chain.texts).leaf.jws.claims()).encode()
    for value in fields().values():
        if isinstance(value, str) and len(value) > 6 and value != "310110":
            assert value.encode() not in everything


def test_every_ancestor_pays_for_a_use(desk: Desk) -> None:
    chain = desk.chain(uses=(3, 2, 2))
    other = desk.sibling(chain, max_uses=2)
    desk.release(chain)
    desk.release(other)
    assert [desk.used(link) for link in (*chain.ids, other.leaf.id)] == [2, 2, 1, 1]
    assert desk.refuse(chain) == ("uses", 1)
    assert desk.refuse(other) == ("uses", 1)
    assert [desk.used(link) for link in chain.ids] == [2, 2, 1]


def test_scope_grant_counts_only_uses_of_that_link(desk: Desk) -> None:
    chain = desk.chain(uses=(3, 3, 1), uses_scope="grant")
    desk.release(chain)
    assert desk.refuse(chain) == ("uses", 2)
    with pytest.raises(MalformedError):
        desk.root(uses_scope="grant")


def test_a_retry_gets_the_same_answer_and_is_not_counted(desk: Desk) -> None:
    chain = desk.chain(uses=(1, 1, 1))
    first = desk.release(chain, key="the-very-same-key")
    again = desk.release(chain, key="the-very-same-key")
    assert (again.selection, again.usage) == (first.selection, first.usage)
    assert (first.replayed, again.replayed) == (False, True)
    assert len(desk.records()) == 1
    assert desk.used(chain.leaf.id) == 1
    assert desk.refuse(chain) == ("uses", 0)


def test_one_idempotency_key_is_one_request(desk: Desk) -> None:
    chain = desk.chain()
    desk.release(chain, key="the-very-same-key")
    other = replace(desk.request, claims=("address",))
    assert desk.refuse(chain, other, key="the-very-same-key") == ("idempotency", 2)
    desk.release(chain, replace(desk.request, claims=("holder_name", "address")), key="the-very-same-key")
    assert desk.used(chain.leaf.id) == 1


def test_a_refused_request_may_be_asked_again_under_its_key(desk: Desk) -> None:
    chain = desk.chain()
    assert desk.refuse(chain, key="the-very-same-key", now=w.NOW + 3700) == ("time-expired", 0)
    desk.release(chain, key="the-very-same-key")


def test_refusals_are_recorded_with_their_rule_and_nothing_disclosed(desk: Desk) -> None:
    chain = desk.chain()
    assert desk.refuse(chain, replace(desk.request, claims=("holder_code",))) == ("claims", 0)
    assert desk.refuse(chain, replace(desk.request, purpose=replace(w.PURPOSE, biz_num="CASE-2"))) == ("purpose", 0)
    desk.release(chain)
    refused, other, released = desk.records()
    assert (refused.result.code, refused.result.link) == ("grant.claims", 0)
    assert (refused.requested, refused.disclosed, refused.uses) == (("holder_code",), (), ())
    assert other.result.code == "grant.purpose"
    assert released.result.outcome == "released"


def test_a_caller_without_the_key_leaves_no_trace(desk: Desk) -> None:
    chain, logged = desk.chain(), desk.logged()
    stranger = replace(desk.retrieval(chain), caller_key=w.AGENT_KEY.public_key.key_id)
    with pytest.raises(GrantRefusedError) as caught, desk.unit() as ports:
        retrieve_under_grant(ports, desk.home, stranger, now=w.NOW, random_bytes=w.RANDOM)
    assert caught.value.rule == "key-binding"
    assert desk.records() == ()
    assert desk.logged() == logged


def test_a_chain_that_is_not_genuine_leaves_no_trace(desk: Desk) -> None:
    chain = desk.chain()
    forged = w.forge(chain.leaf, w.AGENT_KEY, uses={"max": 9, "home": w.HOME}, sub=w.CLERK)
    with pytest.raises(GrantRefusedError):
        desk.retrieve(parse_chain((*chain.texts[:2], forged)))
    assert desk.records() == ()


def test_another_home_does_not_count(desk: Desk) -> None:
    desk.home = replace(desk.home, id=w.DEPARTMENT)
    with pytest.raises(GrantRefusedError) as caught:
        desk.retrieve(desk.chain())
    assert caught.value.rule == "home"


def test_unknown_foreign_and_mistyped_materials_look_alike(desk: Desk) -> None:
    wide = replace(desk.detail, material=None)
    outcomes = []
    for material, subject in ((w.other_material(), desk.owner), (desk.record.jti, w.OWNER)):
        link = w.root(w.DEPARTMENT_PARTY, subject=subject, details=(wide,), redelegate=False)
        outcome = desk.retrieve(GrantChain((link,)), replace(desk.request, material=material))
        assert isinstance(outcome, Refused)
        outcomes.append((outcome.error.code, str(outcome.error)))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0] == "grant.material"


def test_a_material_that_is_not_in_force_is_not_released(desk: Desk) -> None:
    chain = desk.chain()
    for code, released in ((EventCode.SUSPENDED, False), (EventCode.REINSTATED, True), (EventCode.REVOKED, False)):
        with desk.unit() as ports:
            change = StatusChange(desk.record.jti, code, "test", w.NOW)
            change_status(ports.home, desk.kit.home(), change, desk.kit.status, now=w.NOW, random_bytes=w.RANDOM)
        if released:
            desk.release(chain)
        else:
            assert desk.refuse(chain) == ("material-status", 2)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_withdrawn_link_ends_all_below_it(desk: Desk, number: int) -> None:
    chain = desk.long_lived()
    desk.release(chain)
    with desk.unit() as ports:
        stored = withdraw_grant(ports, chain.ids[number], actor=desk.owner, now=w.NOW)
        assert (stored.withdrawn_by, stored.withdrawn_at) == (desk.owner, w.NOW)
        status = chain.links[number].status
        assert status is not None
        entry = ports.home.statuses.find(status.uri, chain.ids[number].jti)
        assert entry is not None
        assert entry.status is StatusValue.INVALID
    assert desk.refuse(chain) == ("revoked", number)
    assert desk.refuse(chain, key="another-key-at-once") == ("revoked", number)


def test_a_replay_is_refused_once_the_grant_is_withdrawn(desk: Desk) -> None:
    chain = desk.chain()
    desk.release(chain, key="the-very-same-key")
    with desk.unit() as ports:
        withdraw_grant(ports, chain.root.id, actor=desk.owner, now=w.NOW)
    assert desk.refuse(chain, key="the-very-same-key") == ("revoked", 0)


def test_who_may_withdraw(desk: Desk) -> None:
    chain = desk.chain()
    with desk.unit() as ports:
        keep_grant(ports, desk.home, chain, now=w.NOW)
    answers = set()
    for link, actor in (
        (chain.ids[1], w.AGENT),
        (chain.ids[2], w.DEPARTMENT),
        (replace(chain.ids[2], jti="gr-x"), w.AGENT),
    ):
        with pytest.raises(RefusedError) as caught, desk.unit() as ports:
            withdraw_grant(ports, link, actor=actor, now=w.NOW)
        answers.add((caught.value.code, str(caught.value)))
    assert len(answers) == 1
    with desk.unit() as ports:
        withdraw_grant(ports, chain.ids[2], actor=w.AGENT, now=w.NOW)
        again = withdraw_grant(ports, chain.ids[2], actor=w.HOME, now=w.NOW + 5)
    assert (again.withdrawn_by, again.withdrawn_at) == (w.AGENT, w.NOW)
    assert desk.refuse(chain) == ("revoked", 2)
    desk.release(desk.sibling(chain))


def test_an_ancestor_suspended_and_resumed(desk: Desk) -> None:
    chain = desk.long_lived()
    status = chain.links[1].status
    assert status is not None
    with desk.unit() as ports:
        ports.home.statuses.set_status(status, StatusValue.SUSPENDED)
    assert desk.refuse(chain) == ("suspended", 1)
    with desk.unit() as ports:
        ports.home.statuses.set_status(status, StatusValue.VALID)
    desk.release(chain)


def test_a_link_cannot_borrow_the_status_place_of_another(desk: Desk) -> None:
    chain = desk.long_lived()
    borrowed = w.forge(chain.leaf, w.AGENT_KEY, status=chain.links[0].jws.claims()["status"])
    stolen = parse_chain((*chain.texts[:2], borrowed))
    with pytest.raises(GrantRefusedError) as caught, desk.unit() as ports:
        keep_grant(ports, desk.home, stolen, now=w.NOW)
    assert (caught.value.rule, caught.value.link) == ("status-list", 2)
    assert desk.refuse(stolen) == ("status-list", 2)


def test_a_malleated_signature_escapes_neither_counter_nor_withdrawal(desk: Desk) -> None:
    first = desk.root(max_uses=2)
    es256_department = Es256Signer.generate(w.RANDOM)
    middle = desk.below(first, w.OWNER_KEY, w.Party(w.AGENT, es256_department), max_uses=2)
    leaf = desk.below(middle, es256_department, w.DEPARTMENT_PARTY, max_uses=2, redelegate=False)
    chain = GrantChain((first, middle, leaf))
    malleated = parse_chain((first.text, middle.text, w.malleate(leaf.text)))
    desk.release(chain)
    desk.release(malleated)
    assert desk.used(leaf.id) == 2
    assert desk.refuse(malleated) == ("uses", 0)
    with desk.unit() as ports:
        withdraw_grant(ports, leaf.id, actor=w.AGENT, now=w.NOW)
    assert desk.refuse(malleated) == ("revoked", 2)


def test_the_same_identity_with_other_content_is_refused(desk: Desk) -> None:
    chain = desk.chain()
    desk.release(chain)
    twin = w.forge(chain.leaf, w.AGENT_KEY, uses={"max": 2, "home": w.HOME})
    with pytest.raises(GrantRefusedError) as caught:
        desk.retrieve(parse_chain((*chain.texts[:2], twin)))
    assert (caught.value.rule, caught.value.link) == ("repeated", 2)


def test_a_function_grant_opens_only_the_authoritys_own_materials(desk: Desk) -> None:
    link = issue_root(
        w.HOME_GRANT, home=w.HOME, subject=desk.owner, basis="function", delegate=w.DEPARTMENT_PARTY.delegate,
        terms=w.terms(details=(desk.detail,), redelegate=False), jti=new_grant_id(w.RANDOM), now=w.NOW,
    )  # fmt: skip
    assert desk.refuse(GrantChain((link,))) == ("basis", 0)
