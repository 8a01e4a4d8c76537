"""Use case: erase what the home holds of a material, in the caller's transaction."""

from materials.ids import MaterialId
from materials.registry.ports import HomePorts
from materials.registry.records import MaterialRecord
from signing import RefusedError


def erase(ports: HomePorts, jti: MaterialId) -> MaterialRecord:
    """Destroy keys, salts and keyed hashes of a material for good; returns its record, now erased. Repeatable.

    What stays is random or pseudonymous: ids, type, issuer, the logged part with its salted digests. Proofs handed out
    before go on verifying. Whether the material is still in force is another question: see ``change_status``. The
    encrypted files go with the next sweep of the vault. Raises RefusedError ``material.unknown``.
    """
    ports.vault.erase(jti)
    ports.materials.erase(jti)
    record = ports.materials.find(jti)
    if record is None:
        raise RefusedError("material.unknown", "no material with this id is registered here")
    return record
