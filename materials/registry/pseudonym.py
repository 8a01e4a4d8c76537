"""The pseudonym under which a home knows a holder."""

from materials.fieldkinds import check_holder_code
from materials.ids import EntityId, holder_id
from materials.registry.keyed import keyed_hash

_CONTEXT = "ematerials/owner/v1"


def owner_pseudonym(home_secret: bytes, holder_code_type: str, holder_code: str) -> EntityId:
    """The holder's entity id at this home: the same code gives the same id here, and an unrelated one elsewhere.

    ``holder_code_type`` is a code of GB/T 36903 Annex A (``111`` citizen, ``001`` organisation), ``holder_code`` the
    number. Without ``home_secret`` the number can't be tried out, although there are few of them. Raises
    MalformedError if the number does not have the form of its type.
    """
    code = check_holder_code(holder_code_type, holder_code, what="holder_code")
    return holder_id(keyed_hash(home_secret, _CONTEXT, [holder_code_type, code])[:16])
