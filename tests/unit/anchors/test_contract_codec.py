"""Calldata, answers, reverts, events and slots against the built ABI, with eth_abi as the second opinion."""

import json

import pytest
from eth_abi import encode
from eth_hash.auto import keccak

from anchors import contract
from anchors.contract import RevertName, decode_event, decode_revert
from anchors.contract.calls import MAX_PROOF_NODES
from signing import MalformedError

ORIGIN, ROOT, NOTE = (bytes([n]) * 32 for n in (0xA0, 0xB0, 0xC0))
ACCOUNT = bytes(range(20))
ARTIFACT = contract.load_artifact()


def _signature(entry: dict[str, object]) -> str:
    return f"{entry['name']}({','.join(one['type'] for one in entry['inputs'])})"


ABI = {(entry["type"], _signature(entry)): entry for entry in ARTIFACT.abi if "name" in entry}


def _selector(signature: str) -> bytes:
    assert ("function", signature) in ABI or ("error", signature) in ABI
    return bytes(keccak(signature.encode())[:4])


CALLS = {
    "registerOrigin(string,address)": (
        contract.encode_register_origin("日志.example", ACCOUNT),
        ["日志.example", ACCOUNT],
    ),
    "setOriginStatus(bytes32,uint8)": (contract.encode_set_origin_status(ORIGIN, 2), [ORIGIN, 2]),
    "setSuccessor(address)": (contract.encode_set_successor(ACCOUNT), [ACCOUNT]),
    "setAnchorer(bytes32,address,bool)": (
        contract.encode_set_anchorer(ORIGIN, ACCOUNT, allowed=True),
        [ORIGIN, ACCOUNT, True],
    ),
    "anchor(bytes32,uint64,uint64,bytes32,bytes32,bytes32[])": (
        contract.encode_anchor(
            origin=ORIGIN, old_size=3, new_size=2**64 - 1, new_root=ROOT, note_hash=NOTE, proof=[ROOT, NOTE]
        ),
        [ORIGIN, 3, 2**64 - 1, ROOT, NOTE, [ROOT, NOTE]],
    ),
    "head(bytes32)": (contract.encode_head(ORIGIN), [ORIGIN]),
    "anchored(bytes32,uint64)": (contract.encode_anchored(ORIGIN, 7), [ORIGIN, 7]),
    "originInfo(bytes32)": (contract.encode_origin_info(ORIGIN), [ORIGIN]),
    "isAnchorer(bytes32,address)": (contract.encode_is_anchorer(ORIGIN, ACCOUNT), [ORIGIN, ACCOUNT]),
    "governor()": (contract.encode_governor(), []),
    "successor()": (contract.encode_successor(), []),
}


@pytest.mark.parametrize("signature", CALLS)
def test_calldata_is_what_eth_abi_encodes(signature: str) -> None:
    calldata, arguments = CALLS[signature]
    types = [one["type"] for one in ABI["function", signature]["inputs"]]
    arguments = ["0x" + one.hex() if kind == "address" else one for kind, one in zip(types, arguments, strict=True)]
    assert calldata == _selector(signature) + encode(types, arguments)


def test_every_function_of_the_contract_has_an_encoder() -> None:
    assert {signature for kind, signature in ABI if kind == "function"} == set(CALLS)
    assert contract.encode_constructor(ACCOUNT) == encode(["address"], ["0x" + ACCOUNT.hex()])


@pytest.mark.parametrize(
    "call",
    [
        lambda: contract.encode_head(ORIGIN[1:]),
        lambda: contract.encode_is_anchorer(ORIGIN, ACCOUNT + b"\0"),
        lambda: contract.encode_anchored(ORIGIN, 2**64),
        lambda: contract.encode_anchored(ORIGIN, -1),
        lambda: contract.encode_set_origin_status(ORIGIN, 256),
        lambda: contract.encode_set_anchorer(ORIGIN, bytes(20), allowed=True),
        lambda: contract.encode_set_successor(bytes(20)),
        lambda: contract.encode_constructor(bytes(20)),
        lambda: contract.encode_register_origin("", ACCOUNT),
        lambda: contract.encode_register_origin("\ud800", ACCOUNT),
        lambda: contract.encode_register_origin("x" * 1025, ACCOUNT),
        lambda: contract.encode_anchor(
            origin=ORIGIN, old_size=1, new_size=2, new_root=ROOT, note_hash=NOTE, proof=[ROOT] * (MAX_PROOF_NODES + 1)
        ),
        lambda: contract.encode_anchor(
            origin=ORIGIN, old_size=1, new_size=2, new_root=ROOT, note_hash=NOTE, proof=[ROOT[1:]]
        ),
        lambda: contract.head_slot(b""),
        lambda: contract.decode_head_word(b""),
    ],
)
def test_values_that_do_not_fit_are_refused(call: object) -> None:
    with pytest.raises(MalformedError, match=r".") as caught:
        call()
    assert caught.value.code.startswith("form.contract.")


def test_answers_are_decoded_and_other_lengths_refused() -> None:
    account = "0x" + ACCOUNT.hex()
    head = encode(["uint64", "bytes32", "uint64", "uint64", "uint64"], [9, ROOT, 2, 30, 40])
    assert contract.decode_head(head) == contract.Head(9, ROOT, 2, 30, 40)
    anchored = encode(["bytes32", "uint64", "uint64", "address"], [ROOT, 30, 40, account])
    assert contract.decode_anchored(anchored) == contract.StoredAnchor(ROOT, 30, 40, ACCOUNT)
    assert contract.decode_anchored(bytes(128)) is None
    info = encode(["address", "uint64", "uint8"], [account, 5, 1])
    assert contract.decode_origin_info(info) == contract.OriginInfo(ACCOUNT, 5, 1)
    assert contract.decode_bool(bytes(31) + b"\1") is True
    assert contract.decode_address(bytes(12) + ACCOUNT) == ACCOUNT
    for decode in (
        contract.decode_head,
        contract.decode_anchored,
        contract.decode_origin_info,
        contract.decode_bool,
        contract.decode_address,
    ):
        for data in (b"", head[:-1], head + b"\0", b"\xff" * 32, b"\xff" * 96):
            with pytest.raises(MalformedError):
                decode(data)


def test_every_error_of_the_contract_is_named() -> None:
    plain = {RevertName.STALE_HEAD: ["uint64"], RevertName.CONFLICT: ["uint64", "bytes32"]}
    names = set()
    for kind, signature in ABI:
        if kind != "error":
            continue
        name = RevertName(signature.partition("(")[0])
        names.add(name)
        arguments = encode(plain.get(name, []), [5, ROOT][: len(plain.get(name, []))])
        revert = decode_revert(_selector(signature) + arguments)
        assert revert.name is name
        assert revert.size == (5 if name in plain else None)
        assert revert.stored_root == (ROOT if name is RevertName.CONFLICT else None)
        assert decode_revert(_selector(signature) + arguments + b"\0").name is RevertName.UNKNOWN
    assert names == set(RevertName) - {RevertName.EMPTY, RevertName.UNKNOWN}
    assert decode_revert(b"").name is RevertName.EMPTY
    assert decode_revert(b"\x08\xc3\x79\xa0" + bytes(64)).name is RevertName.UNKNOWN
    assert decode_revert(_selector("StaleHead(uint64)") + b"\xff" * 32).name is RevertName.UNKNOWN


def _event(signature: str, indexed: list[bytes], types: list[str], values: list[object]) -> tuple[list[bytes], bytes]:
    assert ("event", signature) in ABI
    return [keccak(signature.encode()), *indexed], encode(types, values)


def test_every_event_of_the_contract_is_decoded() -> None:
    account = "0x" + ACCOUNT.hex()
    word = bytes(12) + ACCOUNT
    cases = [
        (
            _event(
                "Anchored(bytes32,uint64,bytes32,uint64,bytes32,address)",
                [ORIGIN, bytes(31) + b"\x09"],
                ["bytes32", "uint64", "bytes32", "address"],
                [ROOT, 4, NOTE, account],
            ),
            contract.Anchored(ORIGIN, 9, ROOT, 4, NOTE, ACCOUNT),
        ),
        (
            _event(
                "OriginRegistered(bytes32,string,address)",
                [ORIGIN],
                ["string", "address"],
                ["日志.example" * 9, account],
            ),
            contract.OriginRegistered(ORIGIN, "日志.example" * 9, ACCOUNT),
        ),
        (_event("OriginStatus(bytes32,uint8)", [ORIGIN], ["uint8"], [2]), contract.OriginStatusChanged(ORIGIN, 2)),
        (
            _event("AnchorerSet(bytes32,address,bool)", [ORIGIN, word], ["bool"], [True]),
            contract.AnchorerSet(ORIGIN, ACCOUNT, allowed=True),
        ),
        (_event("SuccessorSet(address)", [], ["address"], [account]), contract.SuccessorSet(ACCOUNT)),
    ]
    assert {topics[0] for (topics, _), _ in cases} == {keccak(s.encode()) for kind, s in ABI if kind == "event"}
    for (topics, data), expected in cases:
        assert decode_event(topics, data) == expected
        for bad_topics, bad_data in (
            (topics[:-1], data),
            ([*topics, ORIGIN], data),
            ([topics[0][:-1], *topics[1:]], data),
            (topics, data[:-1]),
            (topics, data + b"\0"),
            (topics, b"\xff" * len(data)),
        ):
            with pytest.raises(MalformedError):
                decode_event(bad_topics, bad_data)


def test_artifact_is_refused_when_changed() -> None:
    raw = json.dumps({"name": "x"}).encode()
    with pytest.raises(MalformedError):
        contract.parse_artifact(raw)
    whole = {
        "name": "CheckpointAnchor",
        "layout": contract.LAYOUT,
        "compiler": ARTIFACT.compiler,
        "settings": ARTIFACT.settings,
        "codeHash": "0x" + ARTIFACT.code_hash.hex(),
        "bytecode": "0x" + ARTIFACT.bytecode.hex(),
        "runtime": "0x" + ARTIFACT.runtime.hex(),
        "abi": ARTIFACT.abi,
    }
    assert contract.parse_artifact(json.dumps(whole).encode()) == ARTIFACT
    for change in (
        {"runtime": "0x" + ARTIFACT.runtime[:-1].hex()},
        {"codeHash": "0x" + bytes(32).hex()},
        {"codeHash": "0X" + ARTIFACT.code_hash.hex()},
        {"bytecode": "0xzz"},
        {"layout": "checkpoint-anchor/v2"},
        {"abi": None},
        {"extra": 1},
    ):
        with pytest.raises(MalformedError):
            contract.parse_artifact(json.dumps(whole | change).encode())


def test_creation_code_returns_the_runtime_code() -> None:
    assert ARTIFACT.bytecode.endswith(ARTIFACT.runtime)
    assert b"\x5f\x5f" not in ARTIFACT.runtime[:4], "no PUSH0 prologue"
    assert ARTIFACT.settings["metadata"] == {"appendCBOR": False, "bytecodeHash": "none"}
