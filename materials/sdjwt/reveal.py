"""Putting disclosed values into the payload of an SD-JWT: RFC 9901 §7.1, steps 3 to 5, with every refusal."""

from collections.abc import Iterable, Mapping
from typing import Final

from materials.sdjwt.disclosure import RESERVED_NAMES, Disclosure
from signing.errors import MalformedError, VerificationError
from signing.strict_json import JsonValue

SD_ALG: Final = "sha-256"
NEVER_DISCLOSABLE: Final = frozenset({"iss", "aud", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status"})
"""What decides authenticity or validity (RFC 9901 §9.7, SD-JWT VC): open at the top level, sub-claims included."""

_MAX_DEPTH: Final = 32


def reveal(payload: Mapping[str, JsonValue], disclosures: Iterable[Disclosure]) -> dict[str, JsonValue]:
    """The processed payload: each digest replaced by its disclosure if there is one, ``_sd`` and ``_sd_alg`` gone.

    Raises MalformedError (``sd.form``, ``sd.algorithm``, ``sd.reserved-name``, ``sd.element-count``, ``sd.depth``) and
    VerificationError (``sd.unreferenced``, ``sd.duplicate-digest``, ``sd.collision``, ``sd.not-disclosable``).
    """
    if payload.get("_sd_alg", SD_ALG) != SD_ALG:
        raise MalformedError("sd.algorithm", f"_sd_alg is not {SD_ALG}")
    walk = _Walk(disclosures)
    claims = walk.object({name: value for name, value in payload.items() if name != "_sd_alg"}, 0)
    walk.check_all_used()
    if any(name not in payload for name in NEVER_DISCLOSABLE & claims.keys()):
        raise VerificationError("sd.not-disclosable", "a claim that decides validity is in a disclosure")
    if any(_holds_digests(payload[name]) for name in NEVER_DISCLOSABLE & payload.keys()):
        raise VerificationError("sd.not-disclosable", "part of a claim that decides validity is in a disclosure")
    return claims


class _Walk:
    """One pass over a payload; remembers which digests were met."""

    def __init__(self, disclosures: Iterable[Disclosure]) -> None:
        self._by_digest: dict[str, Disclosure] = {}
        self._met: set[str] = set()
        for disclosure in disclosures:
            if disclosure.digest in self._by_digest:
                raise VerificationError("sd.duplicate-digest", "a disclosure occurs twice")
            self._by_digest[disclosure.digest] = disclosure

    def check_all_used(self) -> None:
        if self._by_digest.keys() - self._met:
            raise VerificationError("sd.unreferenced", "a disclosure that no digest stands for")

    def object(self, value: Mapping[str, JsonValue], depth: int) -> dict[str, JsonValue]:
        if RESERVED_NAMES & value.keys() - {"_sd"}:
            raise MalformedError("sd.reserved-name", "'...' or '_sd_alg' where SD-JWT has no place for it")
        result = {name: self._value(member, depth + 1) for name, member in value.items() if name != "_sd"}
        digests = value.get("_sd", [])
        if not isinstance(digests, list):
            raise MalformedError("sd.form", "_sd is not an array")
        for digest in digests:
            disclosure = self._take(digest)
            if disclosure is None:
                continue
            if disclosure.name is None:
                raise MalformedError("sd.element-count", "a disclosure of an array element stands in an object")
            if disclosure.name in result:
                raise VerificationError("sd.collision", "a disclosed name is already there")
            result[disclosure.name] = self._value(disclosure.value, depth + 1)
        return result

    def _array(self, value: list[JsonValue], depth: int) -> list[JsonValue]:
        result: list[JsonValue] = []
        for element in value:
            if not (isinstance(element, dict) and "..." in element):
                result.append(self._value(element, depth + 1))
                continue
            if len(element) != 1:
                raise MalformedError("sd.form", "a placeholder in an array has a second member")
            disclosure = self._take(element["..."])
            if disclosure is None:
                continue
            if disclosure.name is not None:
                raise MalformedError("sd.element-count", "a disclosure of an object member stands in an array")
            result.append(self._value(disclosure.value, depth + 1))
        return result

    def _value(self, value: JsonValue, depth: int) -> JsonValue:
        if depth > _MAX_DEPTH:
            raise MalformedError("sd.depth", f"disclosures nested deeper than {_MAX_DEPTH}")
        if isinstance(value, dict):
            return self.object(value, depth)
        return self._array(value, depth) if isinstance(value, list) else value

    def _take(self, digest: JsonValue) -> Disclosure | None:
        """The disclosure for ``digest``; None for a decoy or a value not disclosed."""
        if not isinstance(digest, str):
            raise MalformedError("sd.form", "a digest is not a string")
        if digest in self._met:
            raise VerificationError("sd.duplicate-digest", "a digest occurs twice")
        self._met.add(digest)
        return self._by_digest.get(digest)


def _holds_digests(value: JsonValue) -> bool:
    if isinstance(value, dict):
        return not RESERVED_NAMES.isdisjoint(value) or any(_holds_digests(member) for member in value.values())
    return isinstance(value, list) and any(_holds_digests(element) for element in value)
