"""Tables of grants and usage records. Times are Unix seconds; hashes are raw bytes; parties are entity ids.

``grant_link`` holds the counter beside the withdrawal, so that holding one row settles both for a release. Its parent
has no foreign key: on PostgreSQL that would lock the parent's row, out of the order that keeps uses free of deadlock.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, LargeBinary, Table, Text

from materials.store.metadata import metadata

grant_link = Table(
    "grant_link",
    metadata,
    Column("iss", Text, primary_key=True),
    Column("jti", Text, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("audience", Text, nullable=False),
    Column("depth", Integer, nullable=False),
    Column("parent_iss", Text, nullable=True),  # both NULL in a root
    Column("parent_jti", Text, nullable=True),
    Column("text", Text, nullable=False),
    Column("added_at", BigInteger, nullable=False),
    Column("used", Integer, nullable=False),
    Column("withdrawn_by", Text, nullable=True),  # both NULL while the link stands
    Column("withdrawn_at", BigInteger, nullable=True),
    CheckConstraint("used >= 0", name="used"),
    Index(None, "subject"),
    Index(None, "audience"),
)

usage_record = Table(
    "usage_record",
    metadata,
    Column("home", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),  # 0, 1, 2 ... for each home and subject
    Column("text", Text, nullable=False),
)

usage_head = Table(
    "usage_head",
    metadata,
    Column("home", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("next_seq", Integer, nullable=False),
    Column("last_hash", LargeBinary, nullable=True),  # NULL before the first record
)

usage_answer = Table(
    "usage_answer",
    metadata,
    Column("leaf_iss", Text, primary_key=True),
    Column("leaf_jti", Text, primary_key=True),
    Column("client", Text, primary_key=True),  # thumbprint of the client's key
    Column("key", Text, primary_key=True),
    Column("request_digest", LargeBinary, nullable=False),
    Column("usage_seq", Integer, nullable=False),
)
