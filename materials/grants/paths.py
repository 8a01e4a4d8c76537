"""Paths in grants (actions, claims, departments): compared by whole segments, in one accepted spelling.

``files`` covers ``files/0`` but never ``files_old``. Text that is not already normal is refused, never repaired:
lower case ASCII, ``/`` between segments, none at either end.
"""

import re
from collections.abc import Iterable
from typing import Final

from materials.ids import check_organisation_id
from signing.errors import MalformedError
from signing.strict_json import JsonValue, json_str

MAX_PATH_LENGTH: Final = 128
_PATH: Final = re.compile(r"[a-z0-9][a-z0-9_-]*(?:/[a-z0-9][a-z0-9_-]*)*", re.ASCII)
_ITEM_CODE: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]*", re.ASCII)
_CASE: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]*", re.ASCII)
_VCT: Final = re.compile(r"urn(?::[a-z0-9][a-z0-9._-]*)+", re.ASCII)


def covers(outer: str, inner: str) -> bool:
    """Whether path ``inner`` is ``outer`` or lies below it."""
    return inner == outer or inner.startswith(outer + "/")


def covers_any(outers: Iterable[str], inner: str) -> bool:
    """Whether one of ``outers`` covers ``inner``; no outer covers nothing."""
    return any(covers(outer, inner) for outer in outers)


def check_path(value: JsonValue, *, what: str) -> str:
    """Return ``value`` if it is a normal path; MalformedError ``form.path``."""
    return _matching(_PATH, value, what=what, maximum=MAX_PATH_LENGTH)


def check_department(value: JsonValue, *, what: str) -> str:
    """Return ``value`` if it is an organisation id, optionally with sub-units below it: ``uscc:<18>/window-3``."""
    text = json_str(value, what=what, max_length=MAX_PATH_LENGTH)
    organisation, slash, units = text.partition("/")
    check_organisation_id(organisation, what=what)
    if slash:
        check_path(units, what=what)
    return text


def check_item_code(value: JsonValue, *, what: str) -> str:
    """Return the code of a service item (事项编码) if it is ASCII letters, digits and hyphens."""
    return _matching(_ITEM_CODE, value, what=what, maximum=64)


def check_case_number(value: JsonValue, *, what: str) -> str:
    """Return a business (case) number, or the empty text of a case that is not named yet."""
    return "" if value == "" else _matching(_CASE, value, what=what, maximum=64)


def check_vct(value: JsonValue, *, what: str) -> str:
    """Return a material type (``vct``) if it is a lower-case URN."""
    return _matching(_VCT, value, what=what, maximum=MAX_PATH_LENGTH)


def _matching(pattern: re.Pattern[str], value: JsonValue, *, what: str, maximum: int) -> str:
    text = json_str(value, what=what, max_length=maximum)
    if not pattern.fullmatch(text):
        raise MalformedError("form.path", f"{what}: not in the one accepted spelling")
    return text
