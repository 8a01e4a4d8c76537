"""The strict JSON reader: what it refuses, how fast, and that nothing but MalformedError comes out."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from signing import (
    JsonValue,
    MalformedError,
    dump_json,
    json_bool,
    json_int,
    json_list,
    json_object,
    json_str,
    json_strs,
    parse_json,
)

_MAX = 1 << 22
_ROOT = Path(__file__).parents[3]


def _parse(data: bytes | str) -> JsonValue:
    return parse_json(data, what="input", max_bytes=_MAX)


def _code(data: bytes | str, max_bytes: int = _MAX) -> str:
    with pytest.raises(MalformedError) as caught:
        parse_json(data, what="input", max_bytes=max_bytes)
    assert str(caught.value).startswith("input: ")
    return caught.value.code


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"null", None),
        (b" \t\r\n true \n", True),
        (b"0", 0),
        (b"-1", -1),
        (b"9007199254740991", 2**53 - 1),
        (b"-9007199254740991", -(2**53) + 1),
        (b'""', ""),
        ('"电子证照"'.encode(), "电子证照"),
        (b'"\\u7535\\ud83d\\ude00\\n\\/"', "电😀\n/"),
        (b'"\\\\u0041 \\\\ud800"', "\\u0041 \\ud800"),
        (b'"\xc2\x85\xe2\x80\xa8\x7f"', "\x85\u2028\x7f"),
        (b'{"a":[],"b":{},"":[1,[2]]}', {"a": [], "b": {}, "": [1, [2]]}),
        (b"[" * 16 + b"]" * 16, json.loads("[" * 16 + "]" * 16)),
        (b'["]]]]", "[[[[[[[[[[[[[[[[[[[[", "\\"[[[[[[[[[[[[[[[[["]', ["]]]]", "[" * 20, '"' + "[" * 17]),
    ],
)
def test_good_json(data: bytes, value: JsonValue) -> None:
    assert _parse(data) == value
    assert _parse(data.decode()) == value


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"b":2,"a":3}',
        b'[{"x":{"a":1,"a":2}}]',
        b'{"a":1,"\\u0061":2}',
        b'{"":1,"":2}',
        '{"电":1,"\\u7535":2}'.encode(),
    ],
)
def test_duplicate_members(data: bytes) -> None:
    assert _code(data) == "form.json"


@pytest.mark.parametrize(
    "number",
    ["NaN", "Infinity", "-Infinity", "nan", "1.0", "0.0", "-0.0", "1e3", "1E3", "1e-3", "1e400", "-0", "01", "+1", "1.",
     ".5", "0x10", "1_000", "9007199254740992", "-9007199254740992", "9" * 18, "9" * 4301,
     "-" + "9" * 4301, "9" * 1_000_000, "1" + "0" * 16, "1." + "0" * 5000, "１", "٣", "--1", "-", "1e", "Infinit"],
)  # fmt: skip
@pytest.mark.parametrize("frame", ["%s", "[%s]", '{"a":%s}', "[1,%s,2]"])
def test_numbers(number: str, frame: str) -> None:
    assert _code(frame % number) == "form.json"


@pytest.mark.parametrize(
    "data",
    ["", " ", "nul", "True", "None", "undefined", "'a'", "{", "}", "[", "]", "[1", "[1,]", "[,1]", "[1 2]", "{,}",
     '{"a"}', '{"a":}', '{"a":1,}', "{a:1}", "{1:1}", '{"a":1]', "[1}", '"', '"a', '"\\"', '"\\x41"', '"\\u12"',
     '"\\u 123"', '"\\u+123"', '"\n"', '"\t"', '"\x00"', "/**/1", "1//", "1 1", "{}{}", "[]]", "[] x", "null\x00",
     "\x0bnull", "\u00a0null", "null\u2028", "\ufeffnull", "\ufeff", "null\ufeff"],
)  # fmt: skip
def test_other_syntax(data: str) -> None:
    assert _code(data) == "form.json"
    assert _code(data.encode()) == "form.json"


@pytest.mark.parametrize(
    "data",
    [b'"\xff"', b'"\xc0\x80"', b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\xe7\x94"', b"\xef\xbb\xbfnull",
     b"\xff\xfen\x00", b"n\x00u\x00l\x00l\x00", b"\x00n\x00u\x00l\x00l", b'"\x80"'],
)  # fmt: skip
def test_other_text_encodings(data: bytes) -> None:
    assert _code(data) == "form.json"


@pytest.mark.parametrize(
    "data",
    ['"\\ud800"', '"\\udfff"', '"\\uDC00\\uD800"', '"\\ud800\\ud800\\udc00"', '"\\ud800x\\udc00"', '{"\\ud800":1}',
     '[[["\\ud800"]]]', '{"a":{"b":"\\uD8FF"}}', '"\ud800"', '{"\udc00":1}'],
)  # fmt: skip
def test_lone_surrogates(data: str) -> None:
    assert _code(data) == "form.json"


_DEEP = 1_000_000
_BOMBS = {
    "arrays": "[" * _DEEP,
    "closed arrays": "[" * _DEEP + "]" * _DEEP,
    "objects": '{"a":' * (_DEEP // 2),
    "mixed": '[{"a":' * (_DEEP // 2),
    "blanks": "[ " * _DEEP,
    "after a string": '["a",' + "[" * _DEEP,
    "after brackets in a string": '["]]]]]]]]]]]]]]]]]]]]]]",' + "[" * _DEEP,
    "after an escaped quote": '["\\"]]]]]]]]",' + "[" * _DEEP,
    "after an escaped backslash": '["\\\\",' + "[" * _DEEP,
    "after closed pairs": "[" + "[]," * 1000 + "[" * _DEEP,
    "after unopened ones": "]" * 1000 + "[" * _DEEP,
    "after a whole value": "[1]" + "]" * 1000 + "[" * _DEEP,
    "wrongly paired": "[}" * 1000 + "[" * _DEEP,
    "in an unterminated string": '"' + "[" * _DEEP,
    "in a string with an unfinished escape": '"' + "[" * _DEEP + "\\",
    "one too deep": "[" * 17 + "]" * 17,
    "one too deep, objects": '{"a":' * 17 + "1" + "}" * 17,
}


@pytest.mark.parametrize("name", _BOMBS)
def test_depth_bombs(name: str) -> None:
    started = time.process_time()
    assert _code(_BOMBS[name]) == "form.json"
    assert time.process_time() - started < 2


def test_brackets_in_strings_are_no_depth() -> None:
    assert _parse('["' + "[{" * 500_000 + '"]') == ["[{" * 500_000]


@pytest.mark.parametrize(
    "data",
    ['"' + "\\" * 2_000_001, '"' + '\\"' * 1_000_000, "[" + '"",' * 1_000_000, '"a' * 1_000_000, "\\" * 1_000_000,
     '{"a":1,' * 15 + '"' + "x" * 1_000_000, "1" * 4_000_000, "[" + "1," * 1_000_000, "-" * 1_000_000],
    ids=range(9),
)  # fmt: skip
def test_hostile_megabytes_are_read_once(data: str) -> None:
    started = time.process_time()
    assert _code(data) == "form.json"
    assert time.process_time() - started < 2


@pytest.mark.parametrize("data", [b"[" * 100_000_000, b"\xff" * 100_000_000, "1" * 100_000_000], ids=["[", "ff", "1"])
def test_hundred_megabytes_are_refused_fast(data: bytes | str) -> None:
    started = time.process_time()
    assert _code(data) == "form.size"
    assert time.process_time() - started < 0.5


def test_size_is_counted_in_bytes() -> None:
    text = '"电子"'
    assert parse_json(text, what="x", max_bytes=8) == parse_json(text.encode(), what="x", max_bytes=8) == "电子"
    assert _code(text, max_bytes=7) == _code(text.encode(), max_bytes=7) == "form.size"


def test_depth_limit_is_a_parameter() -> None:
    assert parse_json("[]", what="x", max_bytes=9, max_depth=1) == []
    assert parse_json("1", what="x", max_bytes=9, max_depth=0) == 1
    with pytest.raises(MalformedError):
        parse_json("[[]]", what="x", max_bytes=9, max_depth=1)


@pytest.mark.parametrize("data", ['{"name":"ZHANG-SAN",}', '{"id":1,"ZHANG-SAN":1,"ZHANG-SAN":2}', b'"ZHANG-SAN\xff"'])
def test_values_show_in_no_error(data: bytes | str) -> None:
    with pytest.raises(MalformedError) as caught:
        _parse(data)
    assert "ZHANG" not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_writer_is_canonical() -> None:
    value: JsonValue = {"b": [1, None, True], "a": '电/\n"\\\x7f\u2028', "😀": 0, "\uffff": 0, "": {}}
    written = dump_json(value)
    assert written == '{"":{},"a":"电/\\n\\"\\\\\x7f\u2028","b":[1,null,true],"\uffff":0,"😀":0}'.encode()
    assert dump_json(_parse(written)) == written


def test_writer_refuses_what_has_no_json_text() -> None:
    loop: list[JsonValue] = []
    loop.append(loop)
    for value in ("\ud800", {"\udfff": 1}, float("nan"), float("inf"), loop, {"a": loop}, 10**5000):
        with pytest.raises(MalformedError):
            dump_json(value)


def test_writer_bounds_the_depth() -> None:
    deep: JsonValue = "leaf"
    for level in range(100):
        deep = [deep] if level % 2 else {"a": deep}
    assert parse_json(dump_json(deep), what="x", max_bytes=1000, max_depth=100) == deep
    with pytest.raises(MalformedError):
        dump_json([deep])


@pytest.mark.parametrize("call", ['parse_json("[" * 99_000, what="x", max_bytes=10**6)', "dump_json(deep)"])
def test_depth_is_refused_also_where_a_library_lifted_the_recursion_limit(call: str) -> None:
    """py_ecc sets it to 100 000 on import; the C stack ends before that. In a process of its own, for it may crash."""
    script = (
        "import sys\nfrom signing import MalformedError, dump_json, parse_json\n"
        "sys.setrecursionlimit(100_000)\ndeep = []\nfor _ in range(99_000):\n    deep = [deep]\n"
        f"try:\n    {call}\nexcept MalformedError as error:\n    print(error.code)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=_ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "form.json")


def test_json_object_wants_exact_members() -> None:
    value: JsonValue = {"a": 1, "b": 2}
    assert json_object(value, what="x", required=("a",), optional=("b", "c")) == value
    for required, optional in ((("a",), ()), (("a", "b", "c"), ()), ((), ("a",)), ((), ())):
        with pytest.raises(MalformedError) as caught:
            json_object(value, what="x", required=required, optional=optional)
        assert caught.value.code == "form.member"


def test_unknown_member_names_show_in_no_error() -> None:
    with pytest.raises(MalformedError) as caught:
        json_object({"ZHANG-SAN": 1}, what="x", required=())
    assert "ZHANG" not in str(caught.value)


_READERS = {
    "object": lambda value: json_object(value, what="x", required=()),
    "string": lambda value: json_str(value, what="x"),
    "integer": lambda value: json_int(value, what="x"),
    "boolean": lambda value: json_bool(value, what="x"),
    "array": lambda value: json_list(value, what="x"),
    "strings": lambda value: json_strs(value, what="x"),
}
_VALUES = {
    "object": ({},),
    "string": ("", "a", "0"),
    "integer": (0, 7, 2**53 - 1),
    "boolean": (True, False),
    "array": ([1], [None]),
    "strings": (["a"], ["a", ""]),
    "none of them": (None, 1.0, b"a", (), object()),
}


@pytest.mark.parametrize("kind", _VALUES)
@pytest.mark.parametrize("reader", _READERS)
def test_typed_readers_take_their_own_kind_only(reader: str, kind: str) -> None:
    for value in _VALUES[kind]:
        if kind == reader or (reader, kind) == ("array", "strings"):
            assert _READERS[reader](value) == (tuple(value) if reader == "strings" else value)
        else:
            with pytest.raises(MalformedError) as caught:
                _READERS[reader](value)
            assert caught.value.code == "form.type"


@pytest.mark.parametrize(
    ("code", "call"),
    [
        ("form.size", lambda: json_str("abc", what="x", max_length=2)),
        ("form.size", lambda: json_list([1, 2, 3], what="x", max_items=2)),
        ("form.size", lambda: json_strs(["a", "b"], what="x", max_items=1)),
        ("form.size", lambda: json_strs(["abc"], what="x", max_length=2)),
        ("form.range", lambda: json_int(-1, what="x")),
        ("form.range", lambda: json_int(2**53, what="x")),
        ("form.range", lambda: json_int(4, what="x", minimum=5)),
        ("form.range", lambda: json_int(6, what="x", maximum=5)),
    ],
)
def test_limits_of_typed_readers(code: str, call: Callable[[], object]) -> None:
    with pytest.raises(MalformedError) as caught:
        call()
    assert caught.value.code == code
