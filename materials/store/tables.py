"""Tables of materials, their status and their secrets. Times are Unix seconds; hashes are raw bytes.

No column holds a personal value in the clear: owners are pseudonyms, identities and licence identifiers are
keyed hashes, disclosures and file keys are encrypted. Grants and usage records have modules of their own.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, LargeBinary, Table, Text, UniqueConstraint

from materials.store.metadata import metadata

material_registration = Table(
    "material_registration",
    metadata,
    Column("jti", Text, primary_key=True),
    Column("identity_hash", LargeBinary, nullable=True, unique=True),  # NULL once erased
    Column("version", Integer, nullable=False),
    Column("supersedes", Text, nullable=True, unique=True),  # a material has at most one successor
    Column("owner", Text, nullable=False),
    Column("vct", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("registered_at", BigInteger, nullable=False),
    # The three below are NULL only between claim and completion, inside one transaction.
    Column("status_uri", Text, nullable=True),
    Column("status_idx", Integer, nullable=True),
    Column("log_index", BigInteger, nullable=True),
    Column("jwt", Text, nullable=True),
    CheckConstraint("state IN ('claimed', 'held', 'erased')", name="state"),
    CheckConstraint("state = 'claimed' OR (log_index IS NOT NULL AND jwt IS NOT NULL)", name="complete"),
    Index(None, "owner", "vct"),
)

# Which material holds a licence identifier now; a new version of the licence takes the row over.
material_licence = Table(
    "material_licence",
    metadata,
    Column("licence_hash", LargeBinary, primary_key=True),
    Column("jti", Text, nullable=False, unique=True),
)

material_status_entry = Table(
    "material_status_entry",
    metadata,
    Column("uri", Text, primary_key=True),
    Column("idx", Integer, primary_key=True, autoincrement=False),
    Column("subject", Text, nullable=False),  # jti of the material or grant link that the entry belongs to
    Column("status", Integer, nullable=False),
    UniqueConstraint("uri", "subject"),
    CheckConstraint("status IN (0, 1, 2)", name="status"),
)

material_status_list = Table(
    "material_status_list",
    metadata,
    Column("uri", Text, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),  # 0, 1, 2 ... for each uri
    Column("iat", BigInteger, nullable=False),
    Column("exp", BigInteger, nullable=False),
    Column("token", Text, nullable=False),
    Index(None, "uri", "iat"),
)

material_event = Table(
    "material_event",
    metadata,
    Column("event_jti", Text, primary_key=True),
    Column("jti", Text, nullable=False),
    Column("seq", Integer, nullable=False),  # 0, 1, 2 ... for each material
    Column("kind", Text, nullable=False),
    Column("log_index", BigInteger, nullable=False),
    Column("jws", Text, nullable=False),
    UniqueConstraint("jti", "seq"),
)

material_vault_object = Table(
    "material_vault_object",
    metadata,
    Column("object_id", Text, primary_key=True),  # random; names the ciphertext file
    Column("jti", Text, nullable=False),
    Column("part", Text, nullable=False),  # "disclosures" or "file/<n>"
    Column("wrapped_key", LargeBinary, nullable=True),  # data key under the key-encryption key; NULL once erased
    Column("sealed", LargeBinary, nullable=True),  # ciphertext of disclosures; files live in the vault folder
    UniqueConstraint("jti", "part"),
)

# Further signatures over the statements of ``material_registration``, by other keys of the same issuer.
statement_signature = Table(
    "statement_signature",
    metadata,
    Column("jti", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),  # 0, 1, 2 ... for each statement
    Column("text", Text, nullable=False),  # JWS with detached payload (RFC 7515 appendix F)
)

timestamp = Table(
    "timestamp",
    metadata,
    Column("digest", LargeBinary, primary_key=True),  # SHA-256 of the message that was stamped
    Column("service", Text, primary_key=True),  # the URL that answered: a message gets one token from each
    Column("over", Text, nullable=False),
    Column("gen_time", BigInteger, nullable=False),
    Column("token", LargeBinary, nullable=False),  # DER TimeStampToken (RFC 3161 §2.4.2), verified before it was kept
    CheckConstraint("over IN ('statement', 'checkpoint')", name="over"),
)
