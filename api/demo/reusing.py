"""Chapter 2: owner → agent → department of another province, each hop narrower; a use, and a refusal."""

from dataclasses import replace
from pathlib import Path

from api import clock
from api.cli.usage import usage_line
from api.demo.cast import CASE, GRANTED, ITEM, OTHER_PROVINCE, PURPOSE, Issued, other_department
from api.demo.narrator import Narrator
from api.grant_files import format_grant_file
from api.granting import Retrieved, find_material, open_grant, pass_on, retrieve, usage_records
from api.names import organisation
from api.organisations import add_organisation
from api.parties import listed, location_of, organisation_delegate, party_delegate, party_key
from api.workspace import Workspace
from materials.grants.errors import GrantRefusedError
from materials.grants.issue import GrantTerms
from materials.grants.links import GrantChain
from materials.grants.requests import RetrievalRequest
from materials.grants.retrieve import Retrieval
from materials.grants.terms import GrantDetail, GrantPurpose
from materials.grants.usage import parse_usage

_DAY = 86400


def prepare_parties(workspace: Workspace, narrator: Narrator) -> None:
    """Keys of the owner and the agent; the other province's department in the trust list."""
    narrator.chapter("二、持有人授权，跨省复用", "2. The owner grants, another province reuses")
    for name in ("owner", "agent"):
        if party_key(name) not in workspace.keyring:
            workspace.keyring.create(party_key(name), "Ed25519")
    add_organisation(workspace, other_department(workspace.catalogue), clock.now())


def grant_down(workspace: Workspace, narrator: Narrator, licence: Issued, folder: Path) -> GrantChain:
    """Home → owner → agent → department."""
    now = clock.now()
    department = organisation(OTHER_PROVINCE)
    detail = GrantDetail(
        vct=find_material(workspace, licence.jti).vct,
        material=licence.jti,
        actions=("retrieve/fields",),
        claims=(*GRANTED, "address"),
        locations=(location_of(listed(workspace, department, now)),),
    )
    purpose = GrantPurpose(PURPOSE, ITEM, "")
    terms = GrantTerms(purpose, (detail,), max_uses=10, nbf=now, exp=now + 30 * _DAY, max_depth=3, redelegate=True)
    owner_key = workspace.keyring.signer(party_key("owner"))
    agent_key = workspace.keyring.signer(party_key("agent"))
    chain = open_grant(workspace, licence.jti, holder_key=owner_key.public_key, terms=terms)
    narrator.say("持有人确认后，由归集地开立授权。", "The home opens the grant the owner has confirmed.")
    narrower = replace(terms, details=(replace(detail, claims=GRANTED),), max_uses=5, exp=now + 7 * _DAY)
    agent = party_delegate(workspace, "agent")
    chain = pass_on(workspace, chain, owner_key, delegate=agent, terms=narrower)
    narrator.say("持有人授权代办人：三个字段、五次、七天。", "Owner → agent: three fields, five uses, seven days.")
    last = replace(
        narrower, purpose=replace(purpose, biz_num=CASE), max_uses=2, exp=now + _DAY, max_depth=None, redelegate=False
    )
    receiver = organisation_delegate(workspace, department, now, redelegates=False)
    chain = pass_on(workspace, chain, agent_key, delegate=receiver, terms=last)
    narrator.say("代办人转授外省部门：一个办件、两次、一天。", "Agent → department: one case, two uses, one day.")
    path = folder / "grant.json"
    path.write_bytes(format_grant_file(chain))
    narrator.show("授权文件 grant file", str(path))
    return chain


def use_and_refuse(workspace: Workspace, narrator: Narrator, licence: Issued, chain: GrantChain, folder: Path) -> bytes:
    """One use within the grant, two requests outside it, and what the owner sees; returns the bundle received."""
    request = RetrievalRequest(
        purpose=chain.leaf.purpose,
        action="retrieve/fields",
        vct=find_material(workspace, licence.jti).vct,
        material=licence.jti,
        claims=tuple(sorted(GRANTED)),
        location=location_of(listed(workspace, organisation(OTHER_PROVINCE), clock.now())),
    )
    retrieved = _retrieve(workspace, request, chain)
    path = folder / "received.json"
    path.write_bytes(retrieved.bundle)
    record = parse_usage(retrieved.usage).record
    narrator.say(
        "外省部门凭授权取得材料，只见获准字段：", "The department retrieves it and sees the granted fields only:"
    )
    narrator.show("字段 fields", ", ".join(record.disclosed))
    narrator.show("证据包 bundle", str(path))
    narrator.say(
        "超出授权的请求被拒绝，并说明是哪一级、哪条规则：",
        "Requests outside the grant are refused, link and rule named:",
    )
    _refused(workspace, narrator, replace(request, claims=("address",)), chain, "要地址 asks for the address")
    other = replace(request, purpose=replace(request.purpose, biz_num="ZJ-2026-999999"))
    _refused(workspace, narrator, other, chain, "换办件 another case")
    narrator.say("持有人看到每一次使用，被拒绝的也在内：", "The owner sees every use, refused ones included:")
    owner = find_material(workspace, licence.jti).owner
    for text in usage_records(workspace, owner, limit=1000)[-3:]:
        for line in usage_line(parse_usage(text).record).splitlines():
            narrator.show("", line)
    return retrieved.bundle


def _retrieve(workspace: Workspace, request: RetrievalRequest, chain: GrantChain) -> Retrieved:
    key = clock.random_bytes(16).hex()
    return retrieve(workspace, Retrieval(request, chain, chain.leaf.audience.key.key_id, key))


def _refused(
    workspace: Workspace, narrator: Narrator, request: RetrievalRequest, chain: GrantChain, label: str
) -> None:
    try:
        _retrieve(workspace, request, chain)
    except GrantRefusedError as refusal:
        narrator.show(
            label, f"✘ 第 {refusal.link} 级 link {refusal.link}，规则 rule: {refusal.rule}   [{refusal.code}]"
        )
        return
    narrator.surprise()
