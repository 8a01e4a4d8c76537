"""The catalogue of material types: which fields, files and codes each type has. Types are data (``types/*.json``).

A type is known by its ``vct``, which also names its major version. Its schema digest is part of the registration
policy, so two parties can tell whether they mean the same type.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

from materials.fieldkinds import FieldKind, FieldValue, check_holder_code, check_value, field_kind
from materials.identifiers import check_licence_type_code
from materials.ids import check_code
from signing.digests import sha256
from signing.errors import MalformedError
from signing.strict_json import (
    JsonValue,
    dump_json,
    json_bool,
    json_int,
    json_list,
    json_object,
    json_str,
    json_strs,
    parse_json,
)

TYPE_VERSION: Final = "ematerials/material-type/v1"
VCT_PREFIX: Final = "urn:ematerials:material:"
MAX_TYPE_BYTES: Final = 64 * 1024
COMMON_FIELDS: Final[Mapping[str, FieldKind]] = {
    "holder_name": "text",
    "holder_code_type": "holder_code_type",
    "holder_code": "holder_code",
    "area_code": "region",
}
"""Fields that every type has and requires: whose material it is, and where it belongs."""

_FIELD_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_DEFAULT_LENGTH: Final = 256


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of a type. ``codes`` lists the allowed words of kind ``code``; lengths count characters."""

    name: str
    name_zh: str
    name_en: str
    kind: FieldKind
    required: bool
    max_length: int = _DEFAULT_LENGTH
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MaterialType:
    """One type of material.

    ``licence_type_code`` is None for materials without a licence identifier; ``synthetic_type_code`` says that the
    code is invented because the national one is not public. ``digest_count`` and ``file_slots`` are how many digests
    every statement of this type shows, decoys included, so that their number tells nothing.
    """

    code: str
    vct: str
    name_zh: str
    name_en: str
    licence_type_code: str | None
    synthetic_type_code: bool
    media_types: tuple[str, ...]
    digest_count: int
    file_slots: int
    fields: tuple[FieldSpec, ...]

    def field(self, name: str) -> FieldSpec:
        """The field called ``name``; raises MalformedError (``form.unknown-field``)."""
        for spec in self.fields:
            if spec.name == name:
                return spec
        raise MalformedError("form.unknown-field", f"{self.code}: a field that this type does not have")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All types that a party knows. What is not in it is refused, never half understood."""

    types: tuple[MaterialType, ...]

    def by_code(self, code: str) -> MaterialType:
        """The type called ``code``; raises MalformedError (``form.unknown-type``)."""
        return self._one(known for known in self.types if known.code == code)

    def by_vct(self, vct: str) -> MaterialType:
        """The type with this ``vct``; raises MalformedError (``form.unknown-type``)."""
        return self._one(known for known in self.types if known.vct == vct)

    def _one(self, found: Iterable[MaterialType]) -> MaterialType:
        for material_type in found:
            return material_type
        known = ", ".join(material_type.code for material_type in self.types)
        raise MalformedError("form.unknown-type", f"no such material type in the catalogue, which has: {known}")


def load_catalogue() -> Catalogue:
    """Read the types shipped with this package, in order of their file names."""
    folder = files("materials") / "types"
    entries = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".json")), key=lambda e: e.name)
    return Catalogue(
        tuple(
            parse_material_type(parse_json(entry.read_bytes(), what=entry.name, max_bytes=MAX_TYPE_BYTES))
            for entry in entries
        )
    )


def parse_material_type(value: JsonValue) -> MaterialType:
    """Read a type from its JSON form; raises MalformedError (``form.type-schema`` and the reader's codes)."""
    required = ("version", "code", "major", "name_zh", "name_en", "media_types", "digest_count", "file_slots", "fields")
    schema = json_object(
        value, what="material type", required=required, optional=("licence_type_code", "synthetic_type_code")
    )
    if schema["version"] != TYPE_VERSION:
        raise MalformedError("form.version", f"material type: not {TYPE_VERSION}")
    code = check_code(json_str(schema["code"], what="code"), what="code")
    licence = schema.get("licence_type_code")
    material_type = MaterialType(
        code=code,
        vct=f"{VCT_PREFIX}{code}:{json_int(schema['major'], what='major', minimum=1)}",
        name_zh=json_str(schema["name_zh"], what="name_zh"),
        name_en=json_str(schema["name_en"], what="name_en"),
        licence_type_code=None
        if licence is None
        else check_licence_type_code(json_str(licence, what="licence_type_code")),
        synthetic_type_code=json_bool(schema.get("synthetic_type_code", False), what="synthetic_type_code"),
        media_types=json_strs(schema["media_types"], what="media_types"),
        digest_count=json_int(schema["digest_count"], what="digest_count", maximum=128),
        file_slots=json_int(schema["file_slots"], what="file_slots", minimum=1, maximum=32),
        fields=tuple(_parse_field(item) for item in json_list(schema["fields"], what="fields", max_items=128)),
    )
    _check_schema(material_type)
    return material_type


def _parse_field(value: JsonValue) -> FieldSpec:
    field = json_object(
        value,
        what="field",
        required=("name", "name_zh", "name_en", "kind"),
        optional=("required", "max_length", "codes"),
    )
    name = json_str(field["name"], what="field name")
    if not _FIELD_NAME.fullmatch(name):
        raise MalformedError("form.type-schema", "a field name is not lower-case words joined by _")
    return FieldSpec(
        name=name,
        name_zh=json_str(field["name_zh"], what=f"{name}.name_zh"),
        name_en=json_str(field["name_en"], what=f"{name}.name_en"),
        kind=field_kind(json_str(field["kind"], what=f"{name}.kind"), what=name),
        required=json_bool(field.get("required", False), what=f"{name}.required"),
        max_length=json_int(field.get("max_length", _DEFAULT_LENGTH), what=f"{name}.max_length", maximum=4096),
        codes=json_strs(field.get("codes", []), what=f"{name}.codes"),
    )


def _check_schema(material_type: MaterialType) -> None:
    """The rules between the members of one type."""
    kinds = {spec.name: spec.kind for spec in material_type.fields if spec.required}
    rules = (
        (len({spec.name for spec in material_type.fields}) == len(material_type.fields), "a field occurs twice"),
        (material_type.digest_count >= len(material_type.fields), "digest_count is below the number of fields"),
        (COMMON_FIELDS.items() <= kinds.items(), "a common field is missing, optional or of another kind"),
        (
            (kinds.get("licence_id") == "licence_id") == (material_type.licence_type_code is not None),
            "licence_id and licence_type_code go together",
        ),
        (all((spec.kind == "code") == bool(spec.codes) for spec in material_type.fields), "codes go with kind code"),
        (
            sum(spec.kind in {"holder_code", "holder_code_type"} for spec in material_type.fields) == 2,
            "one holder_code and one holder_code_type",
        ),
    )
    for holds, rule in rules:
        if not holds:
            raise MalformedError("form.type-schema", f"{material_type.code}: {rule}")


def material_type_to_json(material_type: MaterialType) -> dict[str, JsonValue]:
    """The whole JSON form, defaults written out: what ``schema_digest`` covers."""
    fields: list[JsonValue] = [
        {
            "name": spec.name,
            "name_zh": spec.name_zh,
            "name_en": spec.name_en,
            "kind": spec.kind,
            "required": spec.required,
            "max_length": spec.max_length,
            "codes": list(spec.codes),
        }
        for spec in material_type.fields
    ]
    value: dict[str, JsonValue] = {
        "version": TYPE_VERSION,
        "code": material_type.code,
        "major": int(material_type.vct.rpartition(":")[2]),
        "name_zh": material_type.name_zh,
        "name_en": material_type.name_en,
        "synthetic_type_code": material_type.synthetic_type_code,
        "media_types": list(material_type.media_types),
        "digest_count": material_type.digest_count,
        "file_slots": material_type.file_slots,
        "fields": fields,
    }
    if material_type.licence_type_code is not None:
        value["licence_type_code"] = material_type.licence_type_code
    return value


@lru_cache(maxsize=64)
def schema_digest(material_type: MaterialType) -> bytes:
    """SHA-256 of the canonical JSON form, 32 bytes."""
    return sha256(dump_json(material_type_to_json(material_type)))


def check_disclosed_fields(material_type: MaterialType, fields: Mapping[str, JsonValue]) -> dict[str, FieldValue]:
    """Return the fields that are there, each in its normal form; required ones may be missing (not disclosed).

    Raises MalformedError: ``form.unknown-field``, or the code of the rule that a value breaks.
    """
    checked: dict[str, FieldValue] = {}
    for name, value in fields.items():
        spec = material_type.field(name)
        checked[name] = check_value(spec.kind, value, what=name, max_length=spec.max_length, codes=spec.codes)
    code_type, code = checked.get("holder_code_type"), checked.get("holder_code")
    if code_type is not None and code is not None:
        checked["holder_code"] = check_holder_code(str(code_type), str(code), what="holder_code")
    return checked


def check_fields(material_type: MaterialType, fields: Mapping[str, JsonValue]) -> dict[str, FieldValue]:
    """Return a complete set of fields in normal form. Raises MalformedError, also ``form.missing-field``."""
    for spec in material_type.fields:
        if spec.required and spec.name not in fields:
            raise MalformedError("form.missing-field", f"{material_type.code}: required field {spec.name} is missing")
    return check_disclosed_fields(material_type, fields)
