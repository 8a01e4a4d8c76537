"""The evidence bundle ``ematerials/bundle/v1``: everything an offline verifier needs, in one canonical JSON file.

A bundle is only a container: each part is signed or hashed by itself, and ``materials.verification`` judges them. The
file must be its own canonical spelling (``dump_json``), so that not even a blank can change unnoticed.
"""

from dataclasses import dataclass, field
from typing import Final

from signing import JsonValue, MalformedError, dump_json, json_list, json_object, json_str, json_strs, parse_json

BUNDLE_VERSION: Final = "ematerials/bundle/v1"
MAX_BUNDLE_BYTES: Final = 8 << 20
_MAX_RECEIPT: Final = 1 << 16
_MAX_TOKEN: Final = 2 << 20
_MAX_EVENTS: Final = 64
_MAX_LINKS: Final = 10


@dataclass(frozen=True, slots=True)
class LoggedToken:
    """A signed token and the tlog-proof receipt of it, or of its commitment; None while there is none."""

    token: str = field(repr=False)
    receipt: bytes | None


@dataclass(frozen=True, slots=True)
class UseEvidence:
    """Why a relying organisation may hold this copy: the grant chain, root first, and the home's usage record."""

    chain: tuple[str, ...] = field(repr=False)
    record: LoggedToken


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle's parts, none of them verified.

    ``statement`` is the SD-JWT with the disclosures handed over, ``receipt`` a tlog-proof, ``anchor`` the
    ``anchor-proof/v1`` object (None: not anchored yet), ``status_list`` the issuer's token (None: not had).
    """

    statement: str = field(repr=False)
    receipt: bytes
    anchor: JsonValue = None
    status_list: str | None = None
    events: tuple[LoggedToken, ...] = ()
    use: UseEvidence | None = None


def format_bundle(bundle: Bundle) -> bytes:
    """The canonical bytes of a bundle."""
    members: dict[str, JsonValue] = {
        "version": BUNDLE_VERSION,
        "statement": bundle.statement,
        "receipt": bundle.receipt.decode("utf-8"),
        "events": [_logged_to_json(event) for event in bundle.events],
    }
    if bundle.anchor is not None:
        members["anchor"] = bundle.anchor
    if bundle.status_list is not None:
        members["status_list"] = bundle.status_list
    if bundle.use is not None:
        members["use"] = {"chain": list(bundle.use.chain), "record": _logged_to_json(bundle.use.record)}
    return dump_json(members)


def parse_bundle(data: bytes) -> Bundle:
    """Read a bundle strictly.

    Raises MalformedError: ``form.size`` before anything is parsed, ``form.json``, ``form.member``, ``form.type``,
    ``form.version``, or ``form.canonical`` if the file is not spelt as ``format_bundle`` spells it.
    """
    value = parse_json(data, what="bundle", max_bytes=MAX_BUNDLE_BYTES)
    if isinstance(value, dict) and value.get("version") != BUNDLE_VERSION:
        raise MalformedError("form.version", f"bundle: the version is not {BUNDLE_VERSION}")
    members = json_object(
        value,
        what="bundle",
        required=("version", "statement", "receipt", "events"),
        optional=("anchor", "status_list", "use"),
    )
    if dump_json(members) != data:
        raise MalformedError("form.canonical", "bundle: not in its canonical spelling")
    events = json_list(members["events"], what="events", max_items=_MAX_EVENTS)
    anchor = members.get("anchor")
    if "anchor" in members and not isinstance(anchor, dict):
        raise MalformedError("form.type", "anchor: an object is needed")
    return Bundle(
        statement=json_str(members["statement"], what="statement", max_length=_MAX_TOKEN),
        receipt=_receipt(members["receipt"], "receipt"),
        anchor=anchor,
        status_list=_optional_token(members, "status_list"),
        events=tuple(_parse_logged(event, f"events[{n}]") for n, event in enumerate(events)),
        use=_parse_use(members["use"]) if "use" in members else None,
    )


def _logged_to_json(logged: LoggedToken) -> dict[str, JsonValue]:
    members: dict[str, JsonValue] = {"token": logged.token}
    if logged.receipt is not None:
        members["receipt"] = logged.receipt.decode("utf-8")
    return members


def _parse_logged(value: JsonValue, what: str) -> LoggedToken:
    members = json_object(value, what=what, required=("token",), optional=("receipt",))
    receipt = _receipt(members["receipt"], f"{what}.receipt") if "receipt" in members else None
    return LoggedToken(json_str(members["token"], what=f"{what}.token", max_length=_MAX_TOKEN), receipt)


def _parse_use(value: JsonValue) -> UseEvidence:
    members = json_object(value, what="use", required=("chain", "record"))
    chain = json_strs(members["chain"], what="use.chain", max_items=_MAX_LINKS, max_length=_MAX_RECEIPT)
    return UseEvidence(chain, _parse_logged(members["record"], "use.record"))


def _receipt(value: JsonValue, what: str) -> bytes:
    return json_str(value, what=what, max_length=_MAX_RECEIPT).encode("utf-8")


def _optional_token(members: dict[str, JsonValue], name: str) -> str | None:
    return json_str(members[name], what=name, max_length=_MAX_TOKEN) if name in members else None
