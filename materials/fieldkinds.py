"""What a field's value may be, by kind. Messages name the field and the rule, never the value."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date
from typing import Final, Literal, cast, get_args

from materials.identifiers import check_citizen_id, check_uscc, parse_licence_id
from materials.regions import parse_region
from signing.errors import MalformedError
from signing.strict_json import INT_MAX, JsonValue, json_int, json_str

FieldKind = Literal[
    "text", "uscc", "citizen_id", "date", "integer", "code", "region", "licence_id", "holder_code", "holder_code_type"
]
FieldValue = str | int

FIELD_KINDS: Final = get_args(FieldKind)

HOLDER_CODE_TYPES: Final[Mapping[str, str]] = {
    "001": "统一社会信用代码",
    "099": "其他法人或其他组织有效证件",
    "111": "公民身份号码",
    "114": "军官证",
    "115": "武警警官证",
    "118": "士兵证",
    "119": "武警士兵证",
    "120": "军队文职人员证",
    "122": "武警文职人员证",
    "411": "外交护照",
    "412": "公务护照",
    "413": "公务普通护照",
    "414": "普通护照",
    "511": "台湾居民来往大陆通行证",
    "516": "港澳居民来往内地通行证",
    "999": "其他自然人有效证件",
}
"""Kinds of holder code (GB/T 36903-2018, annex A)."""

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Control characters, line and paragraph separators, and the marks that make text read in another order than it is.
_UNFIT: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def _text(value: str, what: str) -> str:
    if not value or value != value.strip():
        raise MalformedError("form.text", f"{what}: empty, or blanks at an end")
    if _UNFIT.search(value):
        raise MalformedError("form.text", f"{what}: a control character")
    if not unicodedata.is_normalized("NFC", value):
        raise MalformedError("form.text", f"{what}: not in Unicode normal form C")
    return value


def _date(value: str, what: str) -> str:
    try:
        if not _DATE.fullmatch(value):
            raise ValueError
        date.fromisoformat(value)
    except ValueError:
        raise MalformedError("form.date", f"{what}: not a calendar date YYYY-MM-DD") from None
    return value


def _region(value: str, what: str) -> str:
    parse_region(value, what=what)
    return value


def _licence_id(value: str, what: str) -> str:
    try:
        return parse_licence_id(value).text
    except MalformedError as error:
        raise MalformedError(error.code, f"{what}: {error}") from None


def _holder_code_type(value: str, what: str) -> str:
    if value not in HOLDER_CODE_TYPES:
        raise MalformedError("form.code", f"{what}: not a holder code type of GB/T 36903")
    return value


_CHECKS: Final[Mapping[str, Callable[[str, str], str]]] = {
    "text": _text,
    "uscc": lambda value, what: check_uscc(value, what=what),
    "citizen_id": lambda value, what: check_citizen_id(value, what=what),
    "date": _date,
    "region": _region,
    "licence_id": _licence_id,
    "holder_code_type": _holder_code_type,
    "holder_code": _text,  # more with the holder's code type: check_holder_code
}


def check_value(kind: FieldKind, value: JsonValue, *, what: str, max_length: int, codes: tuple[str, ...]) -> FieldValue:
    """Return ``value`` in the one normal form of its ``kind``; raises MalformedError (``form.*``).

    Dates are ``YYYY-MM-DD``; integers lie within ±(2^53−1), amounts of money in fen; ``codes`` closes kind ``code``.
    """
    if kind == "integer":
        return json_int(value, what=what, minimum=-INT_MAX)
    text = json_str(value, what=what, max_length=max_length)
    if kind == "code":
        if text not in codes:
            raise MalformedError("form.code", f"{what}: not one of the codes of this field")
        return text
    return _CHECKS[kind](text, what)


def check_holder_code(code_type: str, value: str, *, what: str) -> str:
    """Return a holder code in the form that its type prescribes: ``001`` a USCC, ``111`` a citizen ID."""
    match code_type:
        case "001":
            return check_uscc(value, what=what)
        case "111":
            return check_citizen_id(value, what=what)
        case _:
            return value


def field_kind(text: str, *, what: str) -> FieldKind:
    """Return ``text`` as a kind; raises MalformedError (``form.type-schema``)."""
    if text not in FIELD_KINDS:
        raise MalformedError("form.type-schema", f"{what}: unknown kind of field")
    return cast(FieldKind, text)
