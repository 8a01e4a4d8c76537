"""``docs/operations.md`` and the settings say the same: every key has its row, every row its key, defaults included."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import pytest
from pydantic import BaseModel

from api.settings import Settings

_PAGE = (Path(__file__).resolve().parents[3] / "docs" / "operations.md").read_text(encoding="utf-8")
_TABLE = _PAGE.partition("\n## Settings\n")[2].partition("\n## ")[0]
_ROW = re.compile(r"^\| (`[^|]+`) \| ([^|]+) \|", re.MULTILINE)


def _section(annotation: Any) -> type[BaseModel] | None:
    """The section of the settings that a field holds, or each of a table of them."""
    if get_origin(annotation) in (Union, UnionType, dict):
        return next((found for each in get_args(annotation) if (found := _section(each)) is not None), None)
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _keys(model: type[BaseModel], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        section = _section(field.annotation)
        if section is None:
            yield before + name, field
            continue
        yield from _keys(section, f"{before}{name}.{'NAME.' if get_origin(field.annotation) is dict else ''}")


_FIELDS = dict(_keys(Settings))
_ROWS = {key: default for keys, default in _ROW.findall(_TABLE) for key in re.findall(r"`([a-zA-Z_.]+)`", keys)}


def test_every_setting_has_a_row_and_every_row_a_setting() -> None:
    assert sorted(_ROWS) == sorted(_FIELDS)


@pytest.mark.parametrize("key", sorted(key for key, field in _FIELDS.items() if isinstance(field.default, int | str)))
def test_defaults_are_those_of_the_program(key: str) -> None:
    assert str(_FIELDS[key].default).lower() in _ROWS[key].lower().replace("`", "")
