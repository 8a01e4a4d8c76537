"""The shipped code itself: its interface to the last selector, the operations it uses, and calls of no function."""

from collections.abc import Iterator

import pytest
from eth_abi import encode
from eth_hash.auto import keccak

from anchors import contract
from anchors.contract import RevertName, decode_revert
from tests.support.anvil import anvils
from tests.support.bare_contract import CALLER, ORIGIN, Anvil, Machine, PyEvm, open_bare_origin

__all__ = ["anvils"]

ARTIFACT = contract.load_artifact()
FUNCTIONS = {  # the published interface: function and selector, error and selector, event and topic
    "registerOrigin(string,address)": "95f3bdcf",
    "setOriginStatus(bytes32,uint8)": "333aad1e",
    "setSuccessor(address)": "10e5bff8",
    "setAnchorer(bytes32,address,bool)": "b9725f3d",
    "anchor(bytes32,uint64,uint64,bytes32,bytes32,bytes32[])": "12e4dca2",
    "head(bytes32)": "f339e3b2",
    "anchored(bytes32,uint64)": "69a32e24",
    "originInfo(bytes32)": "43381ade",
    "isAnchorer(bytes32,address)": "e10cde54",
    "governor()": "0c340a24",
    "successor()": "6ff968c3",
}
ERRORS = {
    "NotGovernor()": "ee3675d4",
    "NotAdmin()": "7bfa4b9f",
    "NotAnchorer()": "d46c4215",
    "BadOrigin()": "1c2f59db",
    "StaleHead(uint64)": "097612db",
    "Conflict(uint64,bytes32)": "bd2bd143",
    "BadConsistency()": "c117269f",
    "BadSize()": "6cd3dc25",
}
EVENTS = {
    "OriginRegistered(bytes32,string,address)": "9f3ea09bedb6667b9607895daab53ead34c259dc1dabbcfac110c6c5c7164dbd",
    "OriginStatus(bytes32,uint8)": "95c4965ec27ae897685f0f7b5e5aa0279333fad4d2f85e72c6249ea68540843f",
    "AnchorerSet(bytes32,address,bool)": "1aa2f96262ea2b3a2585aae066ee0c75c82956341eb6d52cd3727480c4382841",
    "SuccessorSet(address)": "bfc8d2cbd8e6c146b50c38aeb1d49839cabbcf0c4891377afa00ab64e2b22c29",
    "Anchored(bytes32,uint64,bytes32,uint64,bytes32,address)": (
        "abd496f8f0d5081297de13bf01040b5c29fbf3c059ef603f2f8b4d2fa55586c5"
    ),
}
NOT_BEFORE_LONDON = {0x48, 0x49, 0x4A, 0x5C, 0x5D, 0x5E, 0x5F}  # BASEFEE, blobs, transient storage, MCOPY, PUSH0
DIFFERS_BY_CHAIN = {0x31, 0x32, 0x3A, 0x40, 0x41, 0x44, 0x45, 0x46, 0x47}  # balances, origin, prices, block lottery
CHANGES_CODE_OR_CALLS_OUT = {0xF0, 0xF1, 0xF2, 0xF4, 0xF5, 0xFF}  # all calls but STATICCALL, creation, SELFDESTRUCT
STATICCALL = 0xFA
PUSH1, PUSH32 = 0x60, 0x7F


def _of(kind: str) -> dict[str, str]:
    found = {}
    for entry in ARTIFACT.abi:
        if entry["type"] == kind:
            signature = f"{entry['name']}({','.join(one['type'] for one in entry['inputs'])})"
            found[signature] = keccak(signature.encode()).hex()
    return found


def test_the_interface_is_the_published_one() -> None:
    assert {signature: full[:8] for signature, full in _of("function").items()} == FUNCTIONS
    assert {signature: full[:8] for signature, full in _of("error").items()} == ERRORS
    assert _of("event") == EVENTS
    indexed = {
        entry["name"]: [one["indexed"] for one in entry["inputs"]] for entry in ARTIFACT.abi if "anon" in str(entry)
    }
    assert indexed["Anchored"] == [True, True, False, False, False, False]
    assert {entry["type"] for entry in ARTIFACT.abi} == {"constructor", "function", "error", "event"}, "no fallback"
    assert {entry.get("stateMutability", "view") for entry in ARTIFACT.abi} == {"view", "nonpayable"}


def _operations(code: bytes) -> Iterator[int]:
    at = 0
    while at < len(code):
        yield code[at]
        at += 1 + (code[at] - PUSH1 + 1 if PUSH1 <= code[at] <= PUSH32 else 0)


@pytest.mark.parametrize("code", [ARTIFACT.runtime, ARTIFACT.bytecode], ids=["runtime", "creation"])
def test_the_code_runs_on_every_chain_and_can_not_be_changed(code: bytes) -> None:
    used = set(_operations(code))
    assert not used & NOT_BEFORE_LONDON
    assert not used & DIFFERS_BY_CHAIN
    assert not used & CHANGES_CODE_OR_CALLS_OUT
    assert STATICCALL in used or code is ARTIFACT.bytecode


def test_nothing_is_appended_to_the_code() -> None:
    assert ARTIFACT.settings["metadata"] == {"appendCBOR": False, "bytecodeHash": "none"}
    assert ARTIFACT.settings["evmVersion"] == "london"
    for mark in (b"ipfs", b"bzzr", b"solc"):
        assert mark not in ARTIFACT.bytecode
    assert ARTIFACT.bytecode.endswith(ARTIFACT.runtime), "what is deployed does not depend on the constructor's word"


@pytest.fixture(scope="module", params=["py-evm", "berlin", "paris"])
def machine(request: pytest.FixtureRequest) -> Machine:
    made: Machine
    if request.param == "py-evm":
        made = PyEvm(ARTIFACT.runtime)
    else:
        made = Anvil(ARTIFACT.runtime, request.getfixturevalue("anvils")(request.param))
    open_bare_origin(made)
    return made


SOME = {
    "string": "log.example/other",
    "address": "0x" + CALLER.hex(),
    "bytes32": ORIGIN,
    "uint8": 1,
    "uint64": 7,
    "bool": True,
    "bytes32[]": [],
}


def _call(signature: str) -> bytes:
    types = signature.partition("(")[2][:-1].split(",")
    return bytes.fromhex(FUNCTIONS[signature]) + encode(
        types, [SOME[kind] for kind in types if kind] if types[0] else []
    )


@pytest.mark.parametrize("signature", FUNCTIONS)
def test_no_function_takes_value(machine: Machine, signature: str) -> None:
    calldata = b"" if signature.endswith("()") else _call(signature)
    calldata = calldata or bytes.fromhex(FUNCTIONS[signature])
    succeeded, output = machine.call(calldata)
    assert succeeded or decode_revert(output).name not in (RevertName.EMPTY, RevertName.UNKNOWN)
    assert machine.call(calldata, value=1) == (False, b"")


@pytest.mark.parametrize(
    "calldata",
    [
        b"",
        b"\x12",
        b"\x12\xe4\xdc",
        b"\xde\xad\xbe\xef",
        bytes.fromhex(FUNCTIONS["head(bytes32)"]) + ORIGIN[:-1],
        bytes.fromhex(FUNCTIONS["anchored(bytes32,uint64)"]) + ORIGIN + (1 << 64).to_bytes(32),
        bytes.fromhex(FUNCTIONS["isAnchorer(bytes32,address)"]) + ORIGIN + b"\1" + bytes(11) + CALLER,
        bytes.fromhex(FUNCTIONS["setAnchorer(bytes32,address,bool)"]) + ORIGIN + bytes(12) + CALLER + (2).to_bytes(32),
        bytes.fromhex(FUNCTIONS["setOriginStatus(bytes32,uint8)"]) + ORIGIN + (257).to_bytes(32),
    ],
    ids=["nothing", "a byte", "half a selector", "no function", "short", "wide size", "wide address", "bool 2", "wide"],
)
def test_calls_that_are_no_call_of_the_contract(machine: Machine, calldata: bytes) -> None:
    assert machine.call(calldata) == (False, b"")


@pytest.mark.parametrize("length", [1, 2**64 - 1, 2**255])
def test_a_proof_longer_than_the_call_is_refused(machine: Machine, length: int) -> None:
    whole = contract.encode_anchor(origin=ORIGIN, old_size=0, new_size=7, new_root=ORIGIN, note_hash=ORIGIN, proof=())
    assert machine.call(whole)[0]
    assert machine.call(whole[:-32] + length.to_bytes(32)) == (False, b"")
    assert machine.call(whole[:-64] + length.to_bytes(32) + whole[-32:]) == (False, b"")
