"""What a department hands in to have a material registered, and what it gets back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from materials.ids import EntityId, MaterialId
from materials.registry.records import MaterialRecord
from signing import JsonValue, Signer


@dataclass(frozen=True, slots=True)
class SubmittedFile:
    """One file: a stream that can be read twice (``seek(0)``), and its media type."""

    stream: BinaryIO = field(repr=False)
    media_type: str


@dataclass(frozen=True, slots=True)
class Submission:
    """A material for the home to issue with keys that it keeps for the department. Times are Unix seconds."""

    issuer: EntityId
    type_code: str
    fields: Mapping[str, JsonValue] = field(repr=False)
    files: tuple[SubmittedFile, ...]
    legal_basis: str
    nbf: int
    exp: int
    version: int = 1
    supersedes: MaterialId | None = None


@dataclass(frozen=True, slots=True)
class SignedSubmission:
    """A material that the department issued itself: the SD-JWT with all disclosures, and the files it names.

    ``files`` may come in any order. ``supersession`` is the event ``superseded`` of the predecessor, signed by the
    department; needed if the statement supersedes a material that is still in force. ``signatures`` are further ones
    over the statement (``materials.second_signature``), by other issuing keys of the department.
    """

    statement: str = field(repr=False)
    files: tuple[SubmittedFile, ...]
    supersession: str | None = None
    signatures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IssuerKeys:
    """The keys that a home keeps for a department, one for each role.

    ``second`` is the issuing key of a *dual* department for the other family of cryptography.
    """

    issue: Signer
    status: Signer
    second: Signer | None = None


@dataclass(frozen=True, slots=True)
class Registered:
    """The answer to a registration: the record, whether it is new, and findings that did not stand in the way."""

    record: MaterialRecord
    is_new: bool
    warnings: tuple[str, ...]
