"""Who plays in the story, and with which files. All people and companies are invented."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.cli.options import read_fields
from api.organisations import Organisation
from materials.catalogue import Catalogue
from materials.identifiers import build_licence_id
from materials.ids import MaterialId
from materials.trust.model import Purpose
from signing import JsonValue, UnavailableError

ORIGIN: Final = "ematerials.example/yangpu"
DISTRICT: Final = "11310110MB9F000199"
OTHER_PROVINCE: Final = "11330106MB9F000439"
PURPOSE: Final = "supplier-registration"
ITEM: Final = "SAMPLE-ITEM-001"
CASE: Final = "ZJ-2026-000123"
GRANTED: Final = ("holder_name", "licence_number", "established_on")
EXAMPLES: Final = Path(__file__).resolve().parents[2] / "examples"


@dataclass(frozen=True, slots=True)
class Example:
    """One material of ``examples/``: its type, its file, what to call it."""

    type_code: str
    file_name: str
    chinese: str
    english: str

    @property
    def path(self) -> Path:
        """The file."""
        return EXAMPLES / self.file_name


LICENCE: Final = Example("business-licence", "business-licence.pdf", "营业执照（PDF）", "business licence (PDF)")
CERTIFICATE: Final = Example(
    "property-registration-certificate",
    "property-registration-certificate.ofd",
    "不动产登记证明（OFD）",
    "property registration certificate (OFD)",
)
REPORT: Final = Example(
    "enterprise-annual-report", "enterprise-annual-report.json", "企业年报（结构化 JSON）", "annual report (JSON)"
)
MATERIALS: Final = (LICENCE, CERTIFICATE, REPORT)


@dataclass(frozen=True, slots=True)
class Issued:
    """An example that has been registered."""

    example: Example
    jti: MaterialId


def district_bureau(catalogue: Catalogue) -> Organisation:
    """The issuing department, which also runs the home."""
    return Organisation(
        uscc=DISTRICT,
        name_zh="样例区数据局（虚构）",
        name_en="Sample District Data Bureau (synthetic)",
        level="district",
        region="310110",
        types=tuple(material_type.code for material_type in catalogue.types),
        bases=("holder", "function", "entrust"),
    )


def other_department(catalogue: Catalogue) -> Organisation:
    """A department of another province, with the one purpose it has registered."""
    vct = catalogue.by_code(LICENCE.type_code).vct
    purpose = Purpose(PURPOSE, "sample-regulation-7", (vct,), (*GRANTED, "address", "files"))
    return Organisation(
        uscc=OTHER_PROVINCE,
        name_zh="浙江样例市采购中心（虚构）",
        name_en="Sample Procurement Centre, Zhejiang (synthetic)",
        level="city",
        region="330106",
        purposes=(purpose,),
        roles=("grant", "api"),
    )


def check_examples() -> None:
    """Raise UnavailableError (``demo.examples``) where the program was installed without its source checkout."""
    if not all(example.path.exists() for example in MATERIALS):
        raise UnavailableError("demo.examples", "the demonstration needs the folder 'examples' of the source checkout")


def example_fields(example: Example, catalogue: Catalogue, serial: int) -> dict[str, JsonValue]:
    """The example's fields; the certificate gets a serial number of its own, since the story revokes it."""
    fields = read_fields([], example.path.with_name(f"{example.path.stem}.fields.json"))
    type_code = catalogue.by_code(example.type_code).licence_type_code
    if example is CERTIFICATE and type_code is not None:
        fields["licence_id"] = build_licence_id(type_code, DISTRICT, f"3101102026{serial:07d}", 1).text
    return fields
