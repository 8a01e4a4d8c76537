"""One strict JSON reader for everything that is signed or received, and one canonical writer.

Refused: bytes over the limit, text that is not UTF-8, duplicate members, NaN and Infinity, fractions and exponents,
integers beyond ±(2^53−1), nesting deeper than the limit, lone surrogates, anything after the value.
"""

import json
import re
from collections.abc import Collection, Mapping
from typing import Final, NoReturn, cast

from signing.errors import MalformedError

_TYPE_NAMES: Final = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", type(None): "null"}

JsonValue = None | bool | int | str | list["JsonValue"] | dict[str, "JsonValue"]

INT_MAX: Final = 2**53 - 1
DEPTH_MAX: Final = 16
_WRITE_DEPTH_MAX: Final = 100
# Possessive and closed by "?" so that a hostile text is read once, whatever it holds.
_BRACKET_OR_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)


def _refuse(what: str, why: str) -> NoReturn:
    raise MalformedError("form.json", f"{what}: {why}") from None


def _wrong_type(what: str, needed: str, value: object) -> MalformedError:
    return MalformedError(
        "form.type", f"{what}: {needed} is needed, not {_TYPE_NAMES.get(type(value), 'another type')}"
    )


def _decode(data: bytes | str, what: str, max_bytes: int) -> str:
    if len(data) <= max_bytes:
        try:
            raw = data.encode("utf-8") if isinstance(data, str) else data
            if len(raw) <= max_bytes:
                return raw.decode("utf-8")
        except UnicodeError:
            _refuse(what, "not UTF-8")
    raise MalformedError("form.size", f"{what}: larger than {max_bytes} bytes")


class _UnreadableError(Exception):
    """What the decoder's hooks raise; ``parse_json`` adds what was being read."""


def _members(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _UnreadableError("a member occurs twice")
    return value


def _integer(digits: str) -> int:
    if len(digits) > 17 or abs(int(digits)) > INT_MAX or digits == "-0":
        raise _UnreadableError("an integer beyond ±(2^53−1), or -0")
    return int(digits)


def _no_float(_: str) -> NoReturn:
    raise _UnreadableError("a number that is not an integer")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_integer, parse_float=_no_float, parse_constant=_no_float
)
_ENCODER: Final = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)


def _check_depth(text: str, what: str, max_depth: int) -> None:
    """Bound the nesting before the parser recurses into it."""
    if text.count("[") + text.count("{") <= max_depth:
        return
    depth = 0
    for token in _BRACKET_OR_STRING.finditer(text):
        char = text[token.start()]
        if char in "[{":
            depth += 1
            if depth > max_depth:
                _refuse(what, f"nested deeper than {max_depth}")
        elif char in "]}":
            depth -= 1


def parse_json(data: bytes | str, *, what: str, max_bytes: int, max_depth: int = DEPTH_MAX) -> JsonValue:
    """Parse strictly; ``what`` names the input in the error. Raises MalformedError (``form.size``, ``form.json``)."""
    text = _decode(data, what, max_bytes)
    _check_depth(text, what, max_depth)
    try:
        value = _DECODER.decode(text)
    except _UnreadableError as error:
        _refuse(what, str(error))
    except json.JSONDecodeError as error:
        _refuse(what, f"not JSON (at character {error.pos})")
    if "\\u" in text:
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            _refuse(what, "a lone surrogate")
    return cast(JsonValue, value)


def _check_readable(value: object, depth_left: int) -> None:
    """Refuse what ``parse_json`` would, but for lone surrogates: in one walk, cheaper than reading it again.

    The depth is not left to RecursionError: a library may have raised that limit beyond what the C stack can hold.
    """
    if isinstance(value, str) or value is None:
        return
    if isinstance(value, int):
        if not -INT_MAX <= value <= INT_MAX:
            _refuse("output", "an integer beyond ±(2^53−1)")
    elif depth_left == 0:
        _refuse("output", "nested too deep")
    elif isinstance(value, dict):
        for name, member in value.items():
            if not isinstance(name, str):
                _refuse("output", "a member name that is not a string")
            _check_readable(member, depth_left - 1)
    elif isinstance(value, list | tuple):
        for item in value:
            if not isinstance(item, str):
                _check_readable(item, depth_left - 1)
    else:
        _refuse("output", "a value that JSON can't hold, or a fraction")


def dump_json(value: JsonValue | Mapping[str, JsonValue], *, max_depth: int = _WRITE_DEPTH_MAX) -> bytes:
    """Write the one canonical spelling: UTF-8, members sorted by code point, no blanks, only needed escapes.

    Raises MalformedError (``form.json``) for all that ``parse_json`` with the same ``max_depth`` would refuse.
    """
    _check_readable(value, max_depth)
    try:
        return _ENCODER.encode(value).encode()
    except UnicodeEncodeError:
        _refuse("output", "a lone surrogate")


def json_object(
    value: JsonValue, *, what: str, required: Collection[str], optional: Collection[str] = ()
) -> dict[str, JsonValue]:
    """Return ``value`` if it is an object with all ``required`` members and none beyond ``optional``."""
    if not isinstance(value, dict):
        raise _wrong_type(what, "an object", value)
    missing = sorted(set(required) - value.keys())
    if missing:
        raise MalformedError("form.member", f"{what}: member {missing[0]!r} is missing")
    unknown = value.keys() - set(required) - set(optional)
    if unknown:
        raise MalformedError("form.member", f"{what}: {len(unknown)} unknown member(s)")
    return value


def json_str(value: JsonValue, *, what: str, max_length: int = 1024) -> str:
    """Return ``value`` if it is a string of at most ``max_length`` characters."""
    if not isinstance(value, str):
        raise _wrong_type(what, "a string", value)
    if len(value) > max_length:
        raise MalformedError("form.size", f"{what}: longer than {max_length} characters")
    return value


def json_int(value: JsonValue, *, what: str, minimum: int = 0, maximum: int = INT_MAX) -> int:
    """Return ``value`` if it is an integer (a boolean is none) from ``minimum`` to ``maximum``."""
    if type(value) is not int:
        raise _wrong_type(what, "an integer", value)
    if not minimum <= value <= maximum:
        raise MalformedError("form.range", f"{what}: not between {minimum} and {maximum}")
    return value


def json_bool(value: JsonValue, *, what: str) -> bool:
    """Return ``value`` if it is true or false."""
    if not isinstance(value, bool):
        raise _wrong_type(what, "a boolean", value)
    return value


def json_list(value: JsonValue, *, what: str, max_items: int = 1000) -> list[JsonValue]:
    """Return ``value`` if it is an array of at most ``max_items`` items."""
    if not isinstance(value, list):
        raise _wrong_type(what, "an array", value)
    if len(value) > max_items:
        raise MalformedError("form.size", f"{what}: more than {max_items} items")
    return value


def json_strs(value: JsonValue, *, what: str, max_items: int = 1000, max_length: int = 1024) -> tuple[str, ...]:
    """Return an array of strings as a tuple."""
    items = json_list(value, what=what, max_items=max_items)
    return tuple(json_str(item, what=f"{what}[{n}]", max_length=max_length) for n, item in enumerate(items))
