"""``docs/codes.md`` lists exactly the codes that the source can give: no more, no less, in families, in order."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from anchors.contract import RevertName
from materials.grants import decision

_ROOT = Path(__file__).resolve().parents[2]
_PAGE = (_ROOT / "docs" / "codes.md").read_text(encoding="utf-8")
_CODE = re.compile(r"([a-z]+(?:-[a-z]+)*)(?:\.[a-z0-9]+(?:-[a-z0-9]+)*)+")
_ROW = re.compile(r"^\| `([^`]+)` \| [MVRUFPSW ]+ \| [^|]+ \| [^|]+ \|$", re.MULTILINE)
_FAMILIES = re.findall(r"^## (.+)$", _PAGE, re.MULTILINE)

_NO_CODES = {"anchor.meta", "http.response.start", "witness.policy"}  # a label in proofs, an ASGI message, a file
_FILE = re.compile(r"(?!form\.).*\.(?:css|db|html|js|json|toml)")
_RAISING = ("MalformedError", "VerificationError", "RefusedError", "UnavailableError", "NotAuthenticatedError")
_FINDING = ("Finding", "StoreFinding", "AnchorFinding")
_OF_KEYS = {f"key-{word}" for word in ("unknown", "role", "window", "compromised")}
_OF_TIMES = {"time-not-yet", "time-expired"}


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _sources() -> Iterator[Path]:
    for package in ("signing", "ledger", "anchors", "materials", "api"):
        yield from sorted((_ROOT / package).rglob("*.py"))


def _texts() -> set[str]:
    """Every string in the source that is not a docstring."""
    found: set[str] = set()
    for path in _sources():
        nodes = list(ast.walk(_tree(path)))
        docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        found.update(
            node.value
            for node in nodes
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
        )
    return found


def _first_arguments(path: Path, *functions: str) -> set[str]:
    """The strings that calls of ``functions`` have as first argument."""
    return {
        node.args[0].value
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in functions
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }


def _keys(module: str, name: str) -> set[str]:
    """The keys of the dictionary assigned to ``name`` in a module of materials."""
    for node in ast.walk(_tree(_ROOT / "materials" / module)):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict) and ast.unparse(node.targets[0]) == name:
            return {str(key.value) for key in node.value.keys if isinstance(key, ast.Constant)}
    raise AssertionError(f"{module}: no dictionary {name}")


def _composed() -> set[str]:
    """Codes that the source puts together from a family and a word."""
    rules = _keys("grants/verify.py", "rules") | _keys("grants/narrowing.py", "rules") | set(decision._RULES)
    rules |= _OF_KEYS | _OF_TIMES
    for path in _sources():
        rules |= _first_arguments(path, "GrantRefusedError")
    registration = _first_arguments(_ROOT / "materials" / "registry" / "rules.py", "_refuse")
    return (
        {f"grant.{rule}" for rule in rules}
        | {f"grant.record-{what}" for what in _keys("evidence/use.py", "agree")}
        | {f"registration.{rule}" for rule in registration}
        | {f"contract.{name.name.lower().replace('_', '-')}" for name in RevertName}
    )


def _given() -> set[str]:
    codes = {text for text in _texts() if (match := _CODE.fullmatch(text)) and match[1] in _FAMILIES}
    return {code for code in codes - _NO_CODES if not _FILE.fullmatch(code)} | _composed()


def _documented() -> list[str]:
    return _ROW.findall(_PAGE)


def test_every_code_is_documented_and_every_documented_code_exists() -> None:
    given, documented = _given(), set(_documented())
    assert (sorted(given - documented), sorted(documented - given)) == ([], [])


def test_no_error_has_a_family_of_its_own() -> None:
    codes = {code for path in _sources() for code in _first_arguments(path, *_RAISING, *_FINDING)}
    assert codes
    assert [code for code in sorted(codes) if code.partition(".")[0] not in _FAMILIES] == []


def test_families_and_codes_are_in_order_and_in_their_place() -> None:
    assert sorted(_FAMILIES) == _FAMILIES
    sections = re.split(r"^## .+$", _PAGE, flags=re.MULTILINE)[1:]
    for family, section in zip(_FAMILIES, sections, strict=True):
        codes = _ROW.findall(section)
        assert codes == sorted(set(codes))
        assert {code.partition(".")[0] for code in codes} == {family}
        assert len(codes) == section.count("\n| `"), f"a row of {family} is not of the form"
