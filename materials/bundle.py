"""The evidence bundle ``ematerials/bundle/v1``: everything an offline verifier needs, in one canonical JSON file.

A bundle is only a container: each part is signed or hashed by itself, and ``materials.verification`` judges them. The
file must be its own canonical spelling (``dump_json``), so that not even a blank can change unnoticed.
"""

from dataclasses import dataclass, field
from typing import Final, cast, get_args

from materials.registry.records import StampedKind
from signing import (
    JsonValue,
    MalformedError,
    b64_decode,
    b64_encode,
    dump_json,
    json_list,
    json_object,
    json_str,
    json_strs,
    parse_json,
)
from signing.rfc3161.timestamps import TIMESTAMP_MAX_BYTES
from signing.x509.revocation import CRL_MAX_BYTES

BUNDLE_VERSION: Final = "ematerials/bundle/v1"
MAX_BUNDLE_BYTES: Final = 8 << 20
MAX_SIGNATURES: Final = 4
MAX_TIMESTAMPS: Final = 8
MAX_CRLS: Final = 8
MAX_FURTHER_ANCHORS: Final = 7
MAX_PARENTS: Final = 4
_MAX_RECEIPT: Final = 1 << 16
_MAX_SIGNATURE_TEXT: Final = 2048
_MAX_TOKEN: Final = 2 << 20
_MAX_EVENTS: Final = 64
_MAX_LINKS: Final = 10
_MAX_GROWTH: Final = 63
_LISTS: Final = ("signatures", "timestamps", "crls", "anchors", "parents")


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
class BundledTimestamp:
    """An RFC 3161 token (DER) ``over`` the issuer-signed JWT (ASCII), or the text of the receipt's checkpoint note."""

    over: StampedKind
    token: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class BundledParent:
    """That the log above holds a checkpoint of the log below, or of a larger tree of it, as an ``entry``.

    ``growth`` is the consistency proof up to that tree from the checkpoint of the receipt below, ``receipt`` the
    tlog-proof of the entry.
    """

    entry: bytes = field(repr=False)
    growth: tuple[bytes, ...] = field(repr=False)
    receipt: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle's parts, none of them verified.

    ``statement`` is the SD-JWT with the disclosures handed over, ``receipt`` a tlog-proof, ``anchor`` the
    ``anchor-proof/v1`` object (None: not anchored yet), ``status_list`` the issuer's token (None: not had),
    ``signatures`` further ones over the statement (``materials.second_signature``), ``crls`` revocation lists (DER),
    ``anchors`` further proofs like ``anchor``, of the same tree or of one that extends it, on other chains; ``parents``
    lead from the receipt's log to the logs above it, whose anchors count as well.
    """

    statement: str = field(repr=False)
    receipt: bytes
    anchor: JsonValue = None
    status_list: str | None = None
    events: tuple[LoggedToken, ...] = ()
    use: UseEvidence | None = None
    signatures: tuple[str, ...] = field(default=(), repr=False)
    timestamps: tuple[BundledTimestamp, ...] = ()
    crls: tuple[bytes, ...] = field(default=(), repr=False)
    anchors: tuple[JsonValue, ...] = field(default=(), repr=False)
    parents: tuple[BundledParent, ...] = ()


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
    if bundle.signatures:
        members["signatures"] = list(bundle.signatures)
    if bundle.timestamps:
        members["timestamps"] = [{"over": item.over, "token": b64_encode(item.token)} for item in bundle.timestamps]
    if bundle.crls:
        members["crls"] = [b64_encode(crl) for crl in bundle.crls]
    if bundle.anchors:
        members["anchors"] = list(bundle.anchors)
    if bundle.parents:
        members["parents"] = [parent_to_json(parent) for parent in bundle.parents]
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
        optional=("anchor", "status_list", "use", *_LISTS),
    )
    if dump_json(members) != data:
        raise MalformedError("form.canonical", "bundle: not in its canonical spelling")
    events = json_list(members["events"], what="events", max_items=_MAX_EVENTS)
    anchor = members.get("anchor")
    if "anchor" in members and not isinstance(anchor, dict):
        raise MalformedError("form.type", "anchor: an object is needed")
    anchors = _items(members, "anchors", MAX_FURTHER_ANCHORS)
    _check_further_anchors(anchor, anchors)
    return Bundle(
        statement=json_str(members["statement"], what="statement", max_length=_MAX_TOKEN),
        receipt=_receipt(members["receipt"], "receipt"),
        anchor=anchor,
        status_list=_optional_token(members, "status_list"),
        events=tuple(_parse_logged(event, f"events[{n}]") for n, event in enumerate(events)),
        use=_parse_use(members["use"]) if "use" in members else None,
        signatures=_parse_signatures(members),
        timestamps=tuple(_parse_timestamp(item) for item in _items(members, "timestamps", MAX_TIMESTAMPS)),
        crls=tuple(_base64(item, "crls", CRL_MAX_BYTES) for item in _items(members, "crls", MAX_CRLS)),
        anchors=tuple(anchors),
        parents=tuple(parse_parent(item) for item in _items(members, "parents", MAX_PARENTS)),
    )


def _check_further_anchors(first: JsonValue, further: list[JsonValue]) -> None:
    if not all(isinstance(each, dict) for each in further):
        raise MalformedError("form.type", "anchors: objects are needed")
    if further and first is None:
        raise MalformedError("form.member", "anchors: further ones without the first, which is the member anchor")
    if first in further:
        raise MalformedError("form.repeated", "anchors: one is the member anchor again")


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


def _items(members: dict[str, JsonValue], name: str, max_items: int) -> list[JsonValue]:
    """An array that is left out where it would be empty, and in which nothing occurs twice."""
    if name not in members:
        return []
    items = json_list(members[name], what=name, max_items=max_items)
    if not items:
        raise MalformedError("form.size", f"{name}: left out if there is none")
    if len({dump_json(item) for item in items}) < len(items):
        raise MalformedError("form.repeated", f"{name}: one occurs twice")
    return items


def _parse_signatures(members: dict[str, JsonValue]) -> tuple[str, ...]:
    items = _items(members, "signatures", MAX_SIGNATURES)
    return tuple(json_str(item, what="signatures", max_length=_MAX_SIGNATURE_TEXT) for item in items)


def _parse_timestamp(value: JsonValue) -> BundledTimestamp:
    members = json_object(value, what="timestamps", required=("over", "token"))
    if members["over"] not in get_args(StampedKind):
        raise MalformedError("form.code", f"timestamps: over is one of {', '.join(get_args(StampedKind))}")
    token = _base64(members["token"], "timestamps", TIMESTAMP_MAX_BYTES)
    return BundledTimestamp(cast(StampedKind, members["over"]), token)


def parent_to_json(parent: BundledParent) -> dict[str, JsonValue]:
    """One level of ``parents``."""
    return {
        "entry": parent.entry.decode("utf-8"),
        "growth": [b64_encode(value) for value in parent.growth],
        "receipt": parent.receipt.decode("utf-8"),
    }


def parse_parent(value: JsonValue) -> BundledParent:
    """Read one level of ``parents``; raises MalformedError."""
    members = json_object(value, what="parents", required=("entry", "growth", "receipt"))
    growth = json_list(members["growth"], what="parents.growth", max_items=_MAX_GROWTH)
    return BundledParent(
        entry=_receipt(members["entry"], "parents.entry"),
        growth=tuple(_base64(item, "parents.growth", 32) for item in growth),
        receipt=_receipt(members["receipt"], "parents.receipt"),
    )


def _base64(value: JsonValue, what: str, max_bytes: int) -> bytes:
    data = b64_decode(json_str(value, what=what, max_length=(max_bytes + 2) // 3 * 4), what=what)
    if len(data) > max_bytes:
        raise MalformedError("form.size", f"{what}: larger than {max_bytes} bytes")
    return data


def _receipt(value: JsonValue, what: str) -> bytes:
    return json_str(value, what=what, max_length=_MAX_RECEIPT).encode("utf-8")


def _optional_token(members: dict[str, JsonValue], name: str) -> str | None:
    return json_str(members[name], what=name, max_length=_MAX_TOKEN) if name in members else None
