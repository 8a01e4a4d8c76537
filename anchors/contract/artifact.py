"""The compiled contract that the package ships (``CheckpointAnchor.json``, written by ``build.mjs``)."""

from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from eth_hash.auto import keccak

from anchors.contract.slots import LAYOUT
from signing.errors import MalformedError
from signing.strict_json import JsonValue, json_list, json_object, json_str, parse_json

_MAX_BYTES: Final = 1 << 20
_MEMBERS: Final = ("name", "layout", "compiler", "settings", "codeHash", "bytecode", "runtime", "abi")


@dataclass(frozen=True, slots=True)
class ContractArtifact:
    """Creation and runtime code of the anchor contract. ``code_hash`` is what a trust profile pins."""

    layout: str
    compiler: str
    settings: JsonValue
    code_hash: bytes
    bytecode: bytes
    runtime: bytes
    abi: list[JsonValue]


def parse_artifact(data: bytes) -> ContractArtifact:
    """Read an artifact. Raises MalformedError, also if the stated code hash is not that of the runtime code."""
    value = json_object(
        parse_json(data, what="contract artifact", max_bytes=_MAX_BYTES), what="contract artifact", required=_MEMBERS
    )
    runtime = _hex(value["runtime"], what="runtime code")
    code_hash = _hex(value["codeHash"], what="code hash")
    if keccak(runtime) != code_hash:
        raise MalformedError("form.contract.artifact", "contract artifact: the code hash is not that of the code")
    layout = json_str(value["layout"], what="layout")
    if layout != LAYOUT:
        raise MalformedError("form.contract.artifact", f"contract artifact: the layout is not {LAYOUT}")
    return ContractArtifact(
        layout=layout,
        compiler=json_str(value["compiler"], what="compiler"),
        settings=value["settings"],
        code_hash=code_hash,
        bytecode=_hex(value["bytecode"], what="creation code"),
        runtime=runtime,
        abi=json_list(value["abi"], what="abi"),
    )


def load_artifact() -> ContractArtifact:
    """Read the artifact inside this package."""
    return parse_artifact(files("anchors.contract").joinpath("CheckpointAnchor.json").read_bytes())


def _hex(value: JsonValue, *, what: str) -> bytes:
    text = json_str(value, what=what, max_length=_MAX_BYTES)
    try:
        data = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise MalformedError("form.contract.artifact", f"{what}: not hexadecimal") from None
    if text != "0x" + data.hex():
        raise MalformedError("form.contract.artifact", f"{what}: not lower-case 0x hexadecimal")
    return data
