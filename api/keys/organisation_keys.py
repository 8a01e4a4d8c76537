"""Which keys an organisation gets in the trust list: made and kept here, or its own, bare or with a certificate."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

from api import names
from api.keys.keyring import Keyring
from materials.ids import EntityId
from materials.trust.model import Entity, Role
from signing import Algorithm, CryptoProfile, MalformedError, PublicKey, RefusedError
from signing.algorithms import ALGORITHMS
from signing.hsm import KEY_KINDS

KeyProfile = Literal["INTL", "GM", "dual"]
"""``dual``: two issuing keys, so that each statement carries a signature of either family; other keys as in INTL."""

KEPT_ROLES: Final[tuple[Role, ...]] = ("issue", "status", "grant", "api")
_ISSUING: Final[dict[KeyProfile, tuple[Algorithm, ...]]] = {
    "INTL": ("ES256",),
    "GM": ("SM2-SM3",),
    "dual": ("ES256", "SM2-SM3"),
}
_OTHER: Final[dict[KeyProfile, Algorithm]] = {"INTL": "Ed25519", "GM": "SM2-SM3", "dual": "Ed25519"}


@dataclass(frozen=True, slots=True)
class KeyTerms:
    """Which keys are made for an organisation; those that it has stay.

    ``profile`` None leaves an organisation as it is, and means INTL for a new one. ``algorithms`` names another
    algorithm for a role; for ``issue`` one of each family may be given.
    """

    profile: KeyProfile | None = None
    algorithms: tuple[tuple[Role, Algorithm], ...] = ()
    in_hsm: bool = False

    def asked(self, role: Role) -> tuple[Algorithm, ...]:
        """The algorithms asked for by name; raises MalformedError (``key.algorithms``)."""
        given = tuple(algorithm for own, algorithm in self.algorithms if own == role)
        if len(given) > 1 and (role != "issue" or len({_family(algorithm) for algorithm in given}) < len(given)):
            raise MalformedError("key.algorithms", f"{role}: one key, or two issuing keys of different families")
        return given

    def planned(self, role: Role) -> tuple[Algorithm, ...]:
        """The algorithms of the keys in this role; raises MalformedError (``key.algorithms``)."""
        profile = self.profile or "INTL"
        return self.asked(role) or (_ISSUING[profile] if role == "issue" else (_OTHER[profile],))

    def check(self, roles: Collection[Role]) -> None:
        """Return if each key can be made where it is wanted; asked first, so that none is made if one can't be.

        Raises MalformedError (``key.algorithms``, ``hsm.algorithm``).
        """
        wanted = {algorithm for role in roles for algorithm in self.planned(role)}
        for algorithm in sorted(wanted.difference(KEY_KINDS) if self.in_hsm else ()):
            message = (
                f"HSM: {algorithm} keys can't be made in a token; nothing was made. Make them in files, without HSM"
            )
            raise MalformedError("hsm.algorithm", message)


def kept_keys(
    keyring: Keyring, entity_id: EntityId, role: Role, terms: KeyTerms, listed: Entity | None
) -> list[PublicKey]:
    """The public keys of those that this workspace keeps for the organisation in ``role``; missing ones are made.

    Raises RefusedError (``key.other-algorithm``) if it has another one than is asked for by name.
    """
    held = _held(keyring, entity_id, role, listed)
    planned = terms.planned(role)
    if held and terms.profile is None and not terms.asked(role):
        return held
    families = {_family(algorithm) for algorithm in planned}
    if any(key.profile not in families or (terms.asked(role) and key.algorithm not in planned) for key in held):
        message = (
            f"the organisation's key of role {role} is of another algorithm: 'key rotate' and 'key revoke' change it"
        )
        raise RefusedError("key.other-algorithm", message)
    present = {key.profile for key in held}
    made = [_make(keyring, entity_id, role, each, terms) for each in planned if _family(each) not in present]
    return [*held, *made]


def _family(algorithm: Algorithm) -> CryptoProfile:
    return ALGORITHMS[algorithm].profile


def _held(keyring: Keyring, entity_id: EntityId, role: Role, listed: Entity | None) -> list[PublicKey]:
    """The keys in the keyring that are not revoked; one that was made but never listed counts."""
    ended = set() if listed is None else {key.key_id for key in listed.keys if key.revoked is not None}
    name = names.entity_key(entity_id, role)
    facts = [keyring.facts(own) for own in keyring.names() if own == name or own.startswith(f"{name}.")]
    keys = [fact.public_key for fact in facts if fact.public_key is not None]
    return [key for key in keys if key.key_id not in ended]


def _make(keyring: Keyring, entity_id: EntityId, role: Role, algorithm: Algorithm, terms: KeyTerms) -> PublicKey:
    name = names.entity_key(entity_id, role)
    if name in keyring:
        name = keyring.create_next(name, algorithm, in_hsm=terms.in_hsm)
    else:
        keyring.create(name, algorithm, in_hsm=terms.in_hsm)
    return keyring.signer(name).public_key
