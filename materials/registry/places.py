"""Give a subject a place in a status list, in one step; a registration draws first, and takes when it is committed."""

from typing import Final

from materials.claims import StatusRef
from materials.ids import RandomBytes
from materials.registry.ports import StatusStore
from signing import UnavailableError

_TRIES: Final = 8


def allocate_place(statuses: StatusStore, uri: str, subject: str, random_bytes: RandomBytes) -> StatusRef:
    """Give ``subject`` (a jti) a random free place of list ``uri``, with status VALID.

    Raises RefusedError ``status.allocated`` if the subject has a place in the list already, UnavailableError
    ``status.full`` if no free one was found.
    """
    for _ in range(_TRIES):
        ref = statuses.draw(uri, random_bytes)
        if statuses.take(ref, subject):
            return ref
    raise UnavailableError("status.full", "every place that was drawn was taken just then")
