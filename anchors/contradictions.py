"""Two sealed blocks at one height, kept in SQL as evidence. Bound to one connection: the caller commits."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from anchors.equivocation import EquivocationError, ShownBlock
from anchors.header import HEADER_MAX_BYTES
from anchors.strict_rlp import rlp_bytes, rlp_decode, rlp_encode, rlp_list
from anchors.tables import equivocations
from signing import MalformedError, UnavailableError

_MAX_BYTES: Final = 32 * HEADER_MAX_BYTES
_WHAT: Final = "kept header"


@dataclass(frozen=True, slots=True)
class Equivocation:
    """What is kept of one: each block as an RLP list of the raw header and its hand-over headers, and who showed it.

    ``found_at`` and ``reviewed_at`` (None: nobody let anchoring go on yet) are unix seconds.
    """

    number: int
    first: bytes
    second: bytes
    first_node: str
    second_node: str
    found_at: int
    reviewed_at: int | None

    def blocks(self) -> tuple[ShownBlock, ShownBlock]:
        """Both, taken apart; raises MalformedError (``form.*``)."""
        return _decode(self.first, self.first_node), _decode(self.second, self.second_node)


class SqlEquivocations:
    """Those of one chain. Nothing is ever deleted."""

    def __init__(self, connection: Connection, chain_id: int) -> None:
        self._connection = connection
        self._chain_id = chain_id

    def keep(self, error: EquivocationError, *, now: int) -> None:
        """Keep both blocks, unless two of that height are kept already: they prove as much.

        Raises UnavailableError (``outbox.busy``) if another process keeps them at this moment.
        """
        if any(each.number == error.number for each in self.all()):
            return
        values = {
            "chain_id": self._chain_id,
            "number": error.number,
            "first": _encode(error.first),
            "second": _encode(error.second),
            "first_node": error.first.node,
            "second_node": error.second.node,
            "found_at": now,
        }
        try:
            self._connection.execute(insert(equivocations).values(**values))
        except IntegrityError:
            raise UnavailableError("outbox.busy", "another process keeps this evidence now; run again") from None

    def all(self) -> list[Equivocation]:
        """What is kept, lowest block first."""
        query = select(equivocations).where(equivocations.c.chain_id == self._chain_id)
        return [
            Equivocation(**{name: row._mapping[name] for name in Equivocation.__slots__})
            for row in self._connection.execute(query.order_by(equivocations.c.number))
        ]

    def unreviewed(self) -> int | None:
        """The lowest height for which anchoring stands still."""
        return next((each.number for each in self.all() if each.reviewed_at is None), None)

    def review(self, *, now: int) -> None:
        """Let anchoring go on: a person has looked at all of them."""
        unreviewed = (equivocations.c.chain_id == self._chain_id) & equivocations.c.reviewed_at.is_(None)
        self._connection.execute(update(equivocations).where(unreviewed).values(reviewed_at=now))


def _encode(block: ShownBlock) -> bytes:
    return rlp_encode([block.header, *block.handoff])


def _decode(data: bytes, node: str) -> ShownBlock:
    items = rlp_list(rlp_decode(data, what=_WHAT, max_bytes=_MAX_BYTES), what=_WHAT)
    headers = [rlp_bytes(item, what=_WHAT) for item in items]
    if not headers:
        raise MalformedError("form.rlp", f"{_WHAT}: there is none")
    return ShownBlock(headers[0], tuple(headers[1:]), node)
