"""The example files: real in form, synthetic in content, and saying so."""

import json
import re
import zipfile
import zlib
from xml.etree import ElementTree

import pytest

from materials.identifiers import check_uscc, parse_licence_id
from tests.support.materials_world import CATALOGUE, EXAMPLES, example_fields


def _utf16_hex(text: str) -> bytes:
    return text.encode("utf-16-be").hex().upper().encode()


def test_pdf_is_whole_and_says_what_it_is() -> None:
    data = (EXAMPLES / "business-licence.pdf").read_bytes()
    assert data.startswith(b"%PDF-1.5")
    assert data.endswith(b"%%EOF\n")
    start = int(re.search(rb"startxref\n(\d+)\n", data)[1])
    assert data[start:].startswith(b"xref\n0 10\n")
    offsets = [int(line) for line in re.findall(rb"(\d{10}) 00000 n", data[start:])]
    for number, offset in enumerate(offsets, 1):
        assert data[offset:].startswith(b"%d 0 obj" % number)
    page = zlib.decompress(data.split(b"stream\n", 1)[1].split(b"\nendstream", 1)[0])
    fields = example_fields()
    for text in ("样例", "营业执照", fields["holder_name"], fields["holder_code"], fields["licence_id"]):
        assert _utf16_hex(text) in page
    assert b"(SYNTHETIC)" in page


def test_ofd_is_whole_and_says_what_it_is() -> None:
    fields = example_fields("property-registration-certificate")
    with zipfile.ZipFile(EXAMPLES / "property-registration-certificate.ofd") as ofd:
        assert ofd.testzip() is None
        assert ofd.namelist()[0] == "OFD.xml"
        for name in ofd.namelist():
            ElementTree.fromstring(ofd.read(name))
        page = ElementTree.fromstring(ofd.read("Doc_0/Pages/Page_0/Content.xml"))
    text = "\n".join(page.itertext())
    assert "样例 SYNTHETIC" in text
    for name in ("licence_id", "licence_number", "holder_name", "holder_code", "location"):
        assert fields[name] in text


def test_report_is_json_and_says_what_it_is() -> None:
    report = json.loads((EXAMPLES / "enterprise-annual-report.json").read_text(encoding="utf-8"))
    fields = example_fields("enterprise-annual-report")
    assert any("样例 SYNTHETIC" in str(value) for value in report.values())
    assert report["统一社会信用代码"] == fields["holder_code"]
    assert report["报告年度"] == fields["report_year"]


@pytest.mark.parametrize("code", [known.code for known in CATALOGUE.types])
def test_identifiers_are_synthetic(code: str) -> None:
    fields = example_fields(code)
    if fields["holder_code_type"] == "111":
        assert fields["holder_code"].startswith("999999")
    else:
        assert check_uscc(fields["holder_code"]) == "91310110MA9F000318"
    if "licence_id" in fields:
        licence = parse_licence_id(fields["licence_id"])
        assert licence.type_code == CATALOGUE.by_code(code).licence_type_code
        assert licence.issuer_code == "11310110MB9F000199"
