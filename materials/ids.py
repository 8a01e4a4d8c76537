"""Names of things and parties that may appear in the open: random ids, entity ids, codes.

None of them tells anything about a person: ids are random, a person is a pseudonym scoped to one home, and a code
is a word from a published list, never free text.
"""

import base64
import re
from collections.abc import Callable
from typing import Final, NewType

from materials.identifiers import Uscc, check_uscc
from signing.errors import MalformedError

EntityId = NewType("EntityId", str)
"""``uscc:<18 characters>`` for an organisation, ``holder:<26 characters>`` for the pseudonym of a holder."""

MaterialId = NewType("MaterialId", str)
"""``em-<26 characters>``: the public handle of one statement, its ``jti``."""

EventId = NewType("EventId", str)
"""``ev-<26 characters>``: one life-cycle event."""

RandomBytes = Callable[[int], bytes]
"""Gives that many bytes from a cryptographically strong source, new at each call."""

ID_BYTES: Final = 16
_BASE32: Final = re.compile(r"[a-z2-7]{26}")
_CODE: Final = re.compile(r"(?!.*[0-9]{9})[a-z][a-z0-9]*(?:[-.][a-z0-9]+)*")


def _base32(data: bytes) -> str:
    return base64.b32encode(data).decode("ascii").rstrip("=").lower()


def _is_base32_of_128_bits(text: str) -> bool:
    return bool(_BASE32.fullmatch(text)) and _base32(base64.b32decode(f"{text.upper()}======")) == text


def new_id(prefix: str, random_bytes: RandomBytes) -> str:
    """``<prefix>-`` and 128 random bits as 26 lower-case base32 characters (RFC 4648 §6)."""
    return f"{prefix}-{_base32(random_bytes(ID_BYTES))}"


def new_material_id(random_bytes: RandomBytes) -> MaterialId:
    """A new public handle for a statement."""
    return MaterialId(new_id("em", random_bytes))


def new_event_id(random_bytes: RandomBytes) -> EventId:
    """A new id for a life-cycle event."""
    return EventId(new_id("ev", random_bytes))


def check_id(text: str, *, prefix: str, what: str) -> str:
    """Return ``text`` if ``new_id(prefix, …)`` could have made it; raises MalformedError (``form.id``)."""
    head, _, tail = text.partition("-")
    if head != prefix or not _is_base32_of_128_bits(tail):
        raise MalformedError("form.id", f"{what}: not {prefix}- and 26 base32 characters")
    return text


def check_material_id(text: str, *, what: str = "jti") -> MaterialId:
    """Return ``text`` as a material id; raises MalformedError (``form.id``)."""
    return MaterialId(check_id(text, prefix="em", what=what))


def organisation_id(uscc: str) -> EntityId:
    """The entity id of an organisation; raises MalformedError if the USCC is wrong."""
    return EntityId(f"uscc:{check_uscc(uscc)}")


def holder_id(pseudonym: bytes) -> EntityId:
    """The entity id of a holder, from 16 bytes of a keyed hash of the holder's code; never from the code itself."""
    if len(pseudonym) != ID_BYTES:
        raise MalformedError("form.id", "holder: a pseudonym has 16 bytes")
    return EntityId(f"holder:{_base32(pseudonym)}")


def check_entity_id(text: str, *, what: str = "entity id") -> EntityId:
    """Return ``text`` as an entity id of either kind; raises MalformedError (``form.id`` or the USCC's codes)."""
    kind, _, rest = text.partition(":")
    if kind == "holder" and _is_base32_of_128_bits(rest):
        return EntityId(text)
    return check_organisation_id(text, what=what)


def check_organisation_id(text: str, *, what: str = "entity id") -> EntityId:
    """Return ``text`` as the entity id of an organisation; raises MalformedError."""
    kind, _, rest = text.partition(":")
    if kind != "uscc":
        raise MalformedError("form.id", f"{what}: not an entity id")
    check_uscc(rest, what=what)
    return EntityId(text)


def entity_uscc(entity: EntityId) -> Uscc | None:
    """The USCC inside an organisation's id; None for a holder."""
    return Uscc(entity[5:]) if entity.startswith("uscc:") else None


def check_code(text: str, *, what: str) -> str:
    """Return ``text`` if it is a code: lower-case words joined by ``-`` or ``.``, at most 64 characters.

    A code may lie in the open log, so free text is refused, and so are nine digits in a row: a person's number would
    have them. Raises MalformedError (``form.code``).
    """
    if len(text) > 64 or not _CODE.fullmatch(text):
        example = "such as issued-in-error: lower-case words, no free text, which may hold personal data"
        raise MalformedError("form.code", f"{what}: not a code, {example}")
    return text
