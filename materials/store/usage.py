"""Usage records, and the answers already given, in SQL."""

from sqlalchemy import Connection, and_, insert, select, update

from materials.grants.ports import AnswerKey, KeptAnswer, UsageHead
from materials.grants.usage import VerifiedUsage
from materials.ids import EntityId
from materials.store.grant_tables import usage_answer, usage_head, usage_record
from materials.store.insert import insert_unless_taken


class SqlUsageStore:
    """``UsageStore`` on one connection. The head row serialises the attempts on one owner's materials."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def lock_head(self, home: EntityId, subject: EntityId) -> UsageHead:
        """See ``UsageStore.lock_head``. The first record's head is inserted, so that there is a row to hold."""
        first = {"home": home, "subject": subject, "next_seq": 0, "last_hash": None}
        insert_unless_taken(self._conn, usage_head, first)
        query = select(usage_head.c.next_seq, usage_head.c.last_hash).where(
            usage_head.c.home == home, usage_head.c.subject == subject
        )
        row = self._conn.execute(query.with_for_update()).one()
        return UsageHead(row.next_seq, row.last_hash)

    def append(self, usage: VerifiedUsage) -> None:
        """See ``UsageStore.append``. The primary key refuses a number that is taken."""
        record = usage.record
        where = and_(usage_head.c.home == record.home, usage_head.c.subject == record.subject)
        self._conn.execute(
            insert(usage_record).values(home=record.home, subject=record.subject, seq=record.seq, text=usage.text)
        )
        self._conn.execute(update(usage_head).where(where).values(next_seq=record.seq + 1, last_hash=usage.text_hash))

    def page(self, home: EntityId, subject: EntityId, *, first: int = 0, limit: int = 100) -> tuple[str, ...]:
        """See ``UsageStore.page``."""
        rows = usage_record.c
        query = select(rows.text).where(rows.home == home, rows.subject == subject, rows.seq >= first)
        return tuple(self._conn.execute(query.order_by(rows.seq).limit(limit)).scalars())

    def latest(self, home: EntityId, subject: EntityId) -> str | None:
        """The newest record, read without a lock; None before the first."""
        rows = usage_record.c
        query = select(rows.text).where(rows.home == home, rows.subject == subject).order_by(rows.seq.desc()).limit(1)
        return self._conn.scalar(query)


class SqlAnswerStore:
    """``AnswerStore`` on one connection."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def find(self, key: AnswerKey) -> KeptAnswer | None:
        """See ``AnswerStore.find``."""
        rows = usage_answer.c
        query = select(rows.request_digest, rows.usage_seq).where(
            rows.leaf_iss == key.leaf.iss,
            rows.leaf_jti == key.leaf.jti,
            rows.client == key.client,
            rows.key == key.key,
        )
        row = self._conn.execute(query).one_or_none()
        return None if row is None else KeptAnswer(row.request_digest, row.usage_seq)

    def keep(self, key: AnswerKey, answer: KeptAnswer) -> None:
        """See ``AnswerStore.keep``."""
        self._conn.execute(
            insert(usage_answer).values(
                leaf_iss=key.leaf.iss,
                leaf_jti=key.leaf.jti,
                client=key.client,
                key=key.key,
                request_digest=answer.request_digest,
                usage_seq=answer.usage_seq,
            )
        )
