"""The registration policy of a log: its entry 0, so that everyone can see which rules decided on all that follows.

Canonical JSON, not signed by itself: the log's checkpoints cover it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

from materials.catalogue import Catalogue, schema_digest
from materials.regions import parse_region
from signing.errors import MalformedError
from signing.keys import KeyId
from signing.notes.note_key import check_key_name
from signing.strict_json import JsonValue, dump_json, json_int, json_object, json_str, json_strs, parse_json

POLICY_VERSION: Final = "ematerials/registration-policy/v1"
MAX_POLICY_BYTES: Final = 65_535

Rule = Literal[
    "issuer-listed",
    "key-role-issue",
    "key-current",
    "type-allowed",
    "schema-known",
    "region-contained",
    "status-published",
    "fields-complete",
    "files-present",
    "licence-id-of-issuer",
]
RULES: Final = get_args(Rule)
"""The rules of this version, in the order in which ``decide_registration`` applies them."""

_HEX_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_THUMBPRINT: Final = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class RegistrationPolicy:
    """What a log takes in: statements under the trust list of ``list_key``, of ``types``, from within ``region``.

    ``types`` maps each ``vct`` to the digest of its schema. ``rules`` names the rules applied; this version has one
    set. ``iat`` is when the log began (Unix seconds).
    """

    origin: str
    list_key: KeyId
    region: str
    types: Mapping[str, bytes]
    rules: tuple[Rule, ...]
    iat: int


def make_policy(*, origin: str, list_key: KeyId, region: str, catalogue: Catalogue, now: int) -> RegistrationPolicy:
    """The policy of a new log, for all types of ``catalogue``."""
    types = {material_type.vct: schema_digest(material_type) for material_type in catalogue.types}
    return RegistrationPolicy(origin, list_key, region, types, RULES, now)


def format_policy(policy: RegistrationPolicy) -> bytes:
    """The log entry; raises MalformedError if a member has not its form."""
    types: dict[str, JsonValue] = {vct: digest.hex() for vct, digest in policy.types.items()}
    entry = dump_json(
        {
            "version": POLICY_VERSION,
            "origin": policy.origin,
            "list_key": policy.list_key,
            "region": policy.region,
            "types": types,
            "rules": list(policy.rules),
            "iat": policy.iat,
        }
    )
    parse_policy(entry)
    return entry


def parse_policy(entry: bytes) -> RegistrationPolicy:
    """Read a policy; only its canonical spelling is taken.

    Raises MalformedError: ``form.*``, ``policy.rules`` for rules that this version does not know.
    """
    value = parse_json(entry, what="registration policy", max_bytes=MAX_POLICY_BYTES, max_depth=3)
    required = ("version", "origin", "list_key", "region", "types", "rules", "iat")
    members = json_object(value, what="registration policy", required=required)
    if members["version"] != POLICY_VERSION:
        raise MalformedError("form.version", f"registration policy: not {POLICY_VERSION}")
    if dump_json(members) != entry:
        raise MalformedError("form.canonical", "registration policy: not in its canonical spelling")
    rules = json_strs(members["rules"], what="rules", max_items=len(RULES))
    if rules != RULES:
        raise MalformedError("policy.rules", "registration policy: not the rules of this version")
    list_key = json_str(members["list_key"], what="list_key")
    if not _THUMBPRINT.fullmatch(list_key):
        raise MalformedError("form.policy", "registration policy: list_key is no thumbprint")
    region = json_str(members["region"], what="region")
    parse_region(region)
    return RegistrationPolicy(
        origin=check_key_name(json_str(members["origin"], what="origin")),
        list_key=KeyId(list_key),
        region=region,
        types=_read_types(members["types"]),
        rules=cast(tuple[Rule, ...], rules),
        iat=json_int(members["iat"], what="iat"),
    )


def _read_types(value: JsonValue) -> dict[str, bytes]:
    if not isinstance(value, dict) or not value:
        raise MalformedError("form.policy", "registration policy: types is not an object with members")
    digests = {vct: json_str(digest, what="schema digest", max_length=64) for vct, digest in value.items()}
    if not all(_HEX_DIGEST.fullmatch(digest) for digest in digests.values()):
        raise MalformedError("form.policy", "registration policy: a schema digest is not 64 hexadecimal digits")
    return {vct: bytes.fromhex(digest) for vct, digest in digests.items()}
