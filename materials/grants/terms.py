"""What a grant link allows, as values: purpose, details (what, which claims, where), uses.

Nothing here can say "all": every list has at least one item, and every member is present.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from materials.grants.paths import check_case_number, check_department, check_item_code, check_path, check_vct
from materials.ids import EntityId, MaterialId, check_code, check_material_id, check_organisation_id
from materials.regions import parse_region
from signing.errors import MalformedError
from signing.strict_json import JsonValue, json_int, json_list, json_object, json_str

UsesScope = Literal["subtree", "grant"]

ACTIONS: Final = ("retrieve", "retrieve/fields", "retrieve/files")
"""The registered actions. ``retrieve`` covers both below it; ``retrieve/files`` hands over file bytes as well."""

FILES_CLAIM: Final = "files"
"""The claim path of the digests of all files; every other path is the name of a face field."""

MAX_USES: Final = 1_000_000
MAX_CLAIMS: Final = 64

T = TypeVar("T")


def some(value: JsonValue, read: Callable[[JsonValue], T], *, what: str, max_items: int) -> tuple[T, ...]:
    """Read an array that must hold at least one item and none twice: an empty list never means "all"."""
    items = tuple(read(item) for item in json_list(value, what=what, max_items=max_items))
    if not items:
        raise MalformedError("form.empty", f"{what}: an empty list allows nothing, and is refused")
    if len(set(items)) != len(items):
        raise MalformedError("form.repeated", f"{what}: an item occurs twice")
    return items


def _code(value: JsonValue, *, what: str) -> str:
    return check_code(json_str(value, what=what, max_length=64), what=what)


@dataclass(frozen=True, slots=True)
class GrantPurpose:
    """Why: a purpose code of the trust list, a service item (事项), a case (办件); empty: a case not named yet."""

    code: str
    item_code: str
    biz_num: str

    def to_json(self) -> dict[str, JsonValue]:
        """The ``purpose`` member of §3.2."""
        return {"code": self.code, "item_code": self.item_code, "biz_num": self.biz_num}

    @classmethod
    def from_json(cls, value: JsonValue, *, what: str) -> "GrantPurpose":
        """Read ``to_json``'s form; MalformedError."""
        members = json_object(value, what=what, required=("code", "item_code", "biz_num"))
        return cls(
            _code(members["code"], what=f"{what} code"),
            check_item_code(members["item_code"], what=f"{what} item_code"),
            check_case_number(members["biz_num"], what=f"{what} biz_num"),
        )


@dataclass(frozen=True, slots=True)
class Location:
    """Where: a region code (six digits), a level, a department path that starts with its organisation id."""

    region: str
    level: str
    department: str

    @property
    def organisation(self) -> EntityId:
        """The organisation that the department belongs to."""
        return EntityId(self.department.partition("/")[0])

    def to_json(self) -> dict[str, JsonValue]:
        """One item of ``locations``."""
        return {"region": self.region, "level": self.level, "department": self.department}

    @classmethod
    def from_json(cls, value: JsonValue, *, what: str) -> "Location":
        """Read ``to_json``'s form; MalformedError."""
        members = json_object(value, what=what, required=("region", "level", "department"))
        region = json_str(members["region"], what=f"{what} region", max_length=6)
        parse_region(region)
        level = _code(members["level"], what=f"{what} level")
        return cls(region, level, check_department(members["department"], what=f"{what} department"))


@dataclass(frozen=True, slots=True)
class GrantDetail:
    """One permission: a material (or, where ``material`` is None, those of a type), actions, claim paths, places.

    In JSON it is an item of ``authorization_details`` (RFC 9396): ``type`` is ``material`` with ``identifier``, or
    ``material-type`` without; claim paths are ``datatypes``. Any other type or member refuses the link.
    """

    vct: str
    material: MaterialId | None
    actions: tuple[str, ...]
    claims: tuple[str, ...]
    locations: tuple[Location, ...]

    def to_json(self) -> dict[str, JsonValue]:
        """One item of ``authorization_details``."""
        members: dict[str, JsonValue] = {
            "type": "material-type" if self.material is None else "material",
            "vct": self.vct,
            "actions": list(self.actions),
            "datatypes": list(self.claims),
            "locations": [location.to_json() for location in self.locations],
        }
        if self.material is not None:
            members["identifier"] = self.material
        return members

    @classmethod
    def from_json(cls, value: JsonValue, *, what: str) -> "GrantDetail":
        """Read ``to_json``'s form; MalformedError (``form.detail`` for an unknown type)."""
        kind = value.get("type") if isinstance(value, dict) else None
        if kind not in ("material", "material-type"):
            raise MalformedError("form.detail", f"{what}: unknown type of detail")
        named = ("identifier",) if kind == "material" else ()
        members = json_object(value, what=what, required=("type", "vct", "actions", "datatypes", "locations", *named))
        return cls(
            check_vct(members["vct"], what=f"{what} vct"),
            check_material_id(json_str(members["identifier"], what=what, max_length=64)) if named else None,
            some(members["actions"], lambda item: check_action(item, what=what), what=f"{what} actions", max_items=10),
            read_claims(members["datatypes"], what=f"{what} datatypes"),
            some(
                members["locations"],
                lambda item: Location.from_json(item, what=f"{what} location"),
                what=f"{what} locations",
                max_items=50,
            ),
        )


def check_action(value: JsonValue, *, what: str) -> str:
    """Return one of ``ACTIONS``; MalformedError ``form.action``."""
    if value not in ACTIONS or not isinstance(value, str):
        raise MalformedError("form.action", f"{what}: unknown action")
    return value


def read_claims(value: JsonValue, *, what: str) -> tuple[str, ...]:
    """Read a non-empty array of claim paths; MalformedError."""
    return some(value, lambda item: check_path(item, what=what), what=what, max_items=MAX_CLAIMS)


def read_details(value: JsonValue, *, what: str) -> tuple[GrantDetail, ...]:
    """Read ``authorization_details``; MalformedError."""
    return some(value, lambda item: GrantDetail.from_json(item, what=what), what=what, max_items=20)


def details_to_json(details: Sequence[GrantDetail]) -> list[JsonValue]:
    """The ``authorization_details`` member."""
    return [detail.to_json() for detail in details]


@dataclass(frozen=True, slots=True)
class Uses:
    """How often, counted at ``home``. A use debits the leaf, and every ancestor whose scope is ``subtree``."""

    maximum: int
    scope: UsesScope
    home: EntityId

    def to_json(self) -> dict[str, JsonValue]:
        """The ``uses`` member of §3.2."""
        return {"max": self.maximum, "scope": self.scope, "home": self.home}

    @classmethod
    def from_json(cls, value: JsonValue, *, what: str) -> "Uses":
        """Read ``to_json``'s form (``scope`` may be left out: ``subtree``); MalformedError."""
        members = json_object(value, what=what, required=("max", "home"), optional=("scope",))
        scope = members.get("scope", "subtree")
        if scope not in ("subtree", "grant"):
            raise MalformedError("form.scope", f"{what}: unknown scope")
        home = json_str(members["home"], what=f"{what} home", max_length=64)
        return cls(
            json_int(members["max"], what=f"{what} max", minimum=1, maximum=MAX_USES),
            "grant" if scope == "grant" else "subtree",
            check_organisation_id(home, what=f"{what} home"),
        )
