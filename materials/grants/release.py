"""Which parts of a stored material a request gets, read from the vault and checked before any use is counted."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from materials.files import FileRecord
from materials.grants.errors import GrantRefusedError
from materials.grants.home import GrantHome
from materials.grants.links import GrantChain
from materials.grants.requests import RetrievalRequest
from materials.grants.terms import FILES_CLAIM
from materials.ids import MaterialId
from materials.registry.ports import HomePorts, Vault
from materials.registry.records import MaterialRecord, MaterialState
from materials.registry.revoke import current_status
from materials.statement import (
    check_validity,
    join_statement,
    parse_entry_claims,
    parse_statement,
    select_statement,
    verify_statement,
)
from materials.status import StatusValue
from signing.errors import VerificationError


@dataclass(frozen=True, slots=True)
class ReleasedFile:
    """File ``number`` of the material, whose bytes may be handed over."""

    number: int
    record: FileRecord


@dataclass(frozen=True, slots=True)
class Selection:
    """The statement with the allowed disclosures only, the claim paths that these are, the files to hand over."""

    material: MaterialId
    presentation: str = field(repr=False)
    disclosed: tuple[str, ...]
    files: tuple[ReleasedFile, ...]


def select_material(
    ports: HomePorts, home: GrantHome, request: RetrievalRequest, chain: GrantChain, *, now: int
) -> Selection:
    """Read the material that an already allowed ``request`` names, and keep what it asks for and the statement has.

    Raises GrantRefusedError: ``material`` in one and the same way whether it does not exist, is another's or of another
    type; ``material-status`` if it is not in force; ``basis`` if it is not the granting authority's to open.
    VerificationError if what is stored does not verify: nothing is released then.
    """
    number = len(chain.links) - 1
    record = ports.materials.find(request.material)
    if (
        record is None
        or record.state is not MaterialState.HELD
        or (record.owner, record.vct) != (chain.root.subject, request.vct)
    ):
        raise GrantRefusedError("material", number, "no such material can be released under this grant")
    if chain.root.basis == "function" and record.issuer != chain.root.id.iss:
        raise GrantRefusedError("basis", number, "the material belongs to another authority")
    _check_in_force(ports, record, number, now)
    text = join_statement(record.jwt, ports.vault.read_disclosures(record.jti))
    unverified = parse_statement(text)
    key = home.trust.list.find_key(record.issuer, unverified.key_id, "issue")
    statement = verify_statement(unverified, key.public_key)
    fields = sorted(set(request.claims) & set(statement.fields))
    files = statement.files if FILES_CLAIM in request.claims else ()
    handed_over = files if request.action == "retrieve/files" else ()
    return Selection(
        material=record.jti,
        presentation=select_statement(text, fields=fields, files=[file.sha256 for file in files]),
        disclosed=(*fields, FILES_CLAIM) if files else tuple(fields),
        files=tuple(ReleasedFile(n, file) for n, file in enumerate(handed_over)),
    )


def read_released_file(vault: Vault, selection: Selection, number: int) -> Iterator[bytes]:
    """The plain bytes of a released file; for after the commit of the transaction that released it.

    Raises VerificationError ``grant.file`` for a file that was not released, and what ``Vault.read_file`` raises.
    """
    if number not in {file.number for file in selection.files}:
        raise VerificationError("grant.file", "this file was not released")
    return vault.read_file(selection.material, number)


def _check_in_force(ports: HomePorts, record: MaterialRecord, number: int, now: int) -> None:
    try:
        check_validity(parse_entry_claims(record.jwt.encode("ascii")), now=now)
    except VerificationError:
        raise GrantRefusedError("material-status", number, "the material is outside its time of validity") from None
    if current_status(ports, record) is not StatusValue.VALID:
        raise GrantRefusedError("material-status", number, "the material is not in force")
