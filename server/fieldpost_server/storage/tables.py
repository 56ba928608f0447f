"""Fieldpost's own tables on the server, beside the author's and apart from their metadata."""

from datetime import UTC, datetime

import sqlalchemy as sa

from fieldpost.schema.column_types import AwareDateTime

metadata = sa.MetaData()
"""The tables of this module; their names begin with ``fieldpost_``."""

HISTORY = "history"
"""Name in `meta`: the random id of this database's order of changes."""

PRUNED = "pruned"
"""Name in `meta`: changes below this position were forgotten."""


def utc_now() -> datetime:
    """Return the current moment in UTC."""
    return datetime.now(UTC)


meta = sa.Table(
    "fieldpost_meta",
    metadata,
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    comment="Facts about this database: its history id, what was installed, how far was pruned.",
)

user = sa.Table(
    "fieldpost_user",
    metadata,
    sa.Column("name", sa.String(100), primary_key=True),
    # phones capitalise the first letter: names are found by their folded form
    sa.Column("folded_name", sa.String(300), nullable=False, unique=True),
    sa.Column("display_name", sa.String(200), nullable=False, default=""),
    sa.Column("password_hash", sa.String(300), nullable=False),
    sa.Column("active", sa.Boolean, nullable=False, default=True),
    sa.Column("created_at", AwareDateTime, nullable=False, default=utc_now),
)

user_role = sa.Table(
    "fieldpost_user_role",
    metadata,
    sa.Column("user", sa.ForeignKey(user.c.name, ondelete="CASCADE"), primary_key=True),
    sa.Column("role", sa.String(100), primary_key=True),
)

session = sa.Table(
    "fieldpost_session",
    metadata,
    # the token itself is in the cookie only: a stolen backup opens no session
    sa.Column("token_sha256", sa.String(64), primary_key=True),
    sa.Column("user", sa.ForeignKey(user.c.name, ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("created_at", AwareDateTime, nullable=False),
    sa.Column("last_seen_at", AwareDateTime, nullable=False),
)

session_origin = sa.Table(
    "fieldpost_session_origin",
    metadata,
    sa.Column(
        "token_sha256",
        sa.ForeignKey(session.c.token_sha256, ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("browser", sa.String(200), nullable=False, default=""),
    sa.Column("address", sa.String(200), nullable=False, default=""),
    comment="Where a session was begun, in words for its user; older ones have none.",
)

session_device = sa.Table(
    "fieldpost_session_device",
    metadata,
    # no foreign key: whoever still holds the cookie of a revoked device is told so
    sa.Column("token_sha256", sa.String(64), primary_key=True),
    sa.Column("device", sa.String(100), primary_key=True, index=True),
    comment="Which devices have used a session; of revoked devices kept for good.",
)

password_due = sa.Table(
    "fieldpost_password_due",
    metadata,
    sa.Column("user", sa.ForeignKey(user.c.name, ondelete="CASCADE"), primary_key=True),
    comment="Who has a password that somebody else has chosen, and needs one of her own.",
)

invitation = sa.Table(
    "fieldpost_invitation",
    metadata,
    # the code itself is in the link only, as a session's token in its cookie
    sa.Column("code_sha256", sa.String(64), primary_key=True),
    sa.Column("user", sa.ForeignKey(user.c.name, ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("expires_at", AwareDateTime, nullable=False),
    comment="Links by which somebody sets a password of her own, once.",
)

half_sign_in = sa.Table(
    "fieldpost_half_sign_in",
    metadata,
    sa.Column("token_sha256", sa.String(64), primary_key=True),
    sa.Column("user", sa.ForeignKey(user.c.name, ondelete="CASCADE"), nullable=False, index=True),
    # whoever had the password before it was changed has not signed in by half
    sa.Column("password_sha256", sa.String(64), nullable=False),
    sa.Column("browser", sa.String(200), nullable=False, default=""),
    sa.Column("failures", sa.Integer, nullable=False, default=0),
    sa.Column("expires_at", AwareDateTime, nullable=False),
    comment="Who has shown her password, and is asked for her second factor.",
)

authenticator = sa.Table(
    "fieldpost_authenticator",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("user", sa.ForeignKey(user.c.name, ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("name", sa.String(100), nullable=False, default=""),
    sa.Column("secret", sa.Text, nullable=False),
    sa.Column("last_step", sa.BigInteger, nullable=False, default=-1),
    sa.Column("confirmed", sa.Boolean, nullable=False, default=False),
    sa.Column("created_at", AwareDateTime, nullable=False, default=utc_now),
    sa.Column("last_used_at", AwareDateTime),
    comment="Apps that make codes of the time (TOTP); last_step: of the newest code that was used.",
)

passkey = sa.Table(
    "fieldpost_passkey",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("user", sa.ForeignKey(user.c.name, ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("name", sa.String(100), nullable=False, default=""),
    sa.Column("site", sa.String(255), nullable=False),
    sa.Column("handle", sa.String(100), nullable=False),
    sa.Column("credential", sa.String(1400), nullable=False, unique=True),
    sa.Column("public_key", sa.Text, nullable=False),
    sa.Column("sign_count", sa.BigInteger, nullable=False, default=0),
    sa.Column("created_at", AwareDateTime, nullable=False, default=utc_now),
    sa.Column("last_used_at", AwareDateTime),
    comment="Passkeys; site: the host that they are for, handle: what they call the user.",
)

recovery_code = sa.Table(
    "fieldpost_recovery_code",
    metadata,
    # shown once, to their user
    sa.Column("code_sha256", sa.String(64), primary_key=True),
    sa.Column("user", sa.ForeignKey(user.c.name, ondelete="CASCADE"), nullable=False, index=True),
    comment="What stands for a second factor that was lost, once each.",
)

challenge = sa.Table(
    "fieldpost_challenge",
    metadata,
    # the digest of a session's token, or of a half sign-in's
    sa.Column("bound_to", sa.String(64), primary_key=True),
    sa.Column("purpose", sa.String(20), primary_key=True),
    sa.Column("challenge", sa.String(100), nullable=False),
    sa.Column("expires_at", AwareDateTime, nullable=False),
    comment="What a passkey has to sign, once and soon.",
)

confirmation = sa.Table(
    "fieldpost_confirmation",
    metadata,
    sa.Column(
        "token_sha256",
        sa.ForeignKey(session.c.token_sha256, ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("at", AwareDateTime, nullable=False),
    comment="When the user of a session has last shown that it is still she.",
)

security_event = sa.Table(
    "fieldpost_security_event",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("at", AwareDateTime, nullable=False, default=utc_now, index=True),
    sa.Column("who", sa.String(200), nullable=False),
    sa.Column("what", sa.String(50), nullable=False),
    sa.Column("whom", sa.String(200), nullable=False),
    sa.Column("address", sa.String(200), nullable=False),
    sa.Column("detail", sa.String(500), nullable=False),
    sa.Column("searched", sa.Text, nullable=False),
    # a number is never given twice: a gap shows that something was taken out
    sqlite_autoincrement=True,
    comment="Who did what to whom, from where; searched: all of it, folded.",
)

sign_in_failure = sa.Table(
    "fieldpost_sign_in_failure",
    metadata,
    sa.Column("subject", sa.String(500), primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("last_at", AwareDateTime, nullable=False),
    sa.Column("blocked_until", AwareDateTime, nullable=False),
)

page_setting = sa.Table(
    "fieldpost_page_setting",
    metadata,
    sa.Column("page", sa.String(200), primary_key=True),
    sa.Column("offline", sa.Boolean, nullable=False),
)

device = sa.Table(
    "fieldpost_device",
    metadata,
    sa.Column("id", sa.String(100), primary_key=True),
    sa.Column("user", sa.String(100), nullable=False, index=True),
    # "device" for a field worker's, "web" for the server's own that online users save through
    sa.Column("kind", sa.String(10), nullable=False, default="device"),
    sa.Column("number", sa.BigInteger, nullable=False, default=0),
    sa.Column("last_digest", sa.String(100)),
    sa.Column("next_temporary", sa.BigInteger, nullable=False, default=-1),
    sa.Column("created_at", AwareDateTime, nullable=False, default=utc_now),
    sa.Column("last_seen_at", AwareDateTime, nullable=False, default=utc_now),
    sa.Column("app_version", sa.String(100), nullable=False, default=""),
    sa.Column("revoked", sa.Boolean, nullable=False, default=False),
    comment="number and last_digest: of the newest envelope received from the device.",
)

device_name = sa.Table(
    "fieldpost_device_name",
    metadata,
    sa.Column("device", sa.String(100), primary_key=True),
    sa.Column("name", sa.String(100), nullable=False),
    comment="What people call a device.",
)

device_revocation = sa.Table(
    "fieldpost_device_revocation",
    metadata,
    sa.Column("device", sa.String(100), primary_key=True),
    sa.Column("hand_over", sa.Boolean, nullable=False),
    sa.Column("revoked_at", AwareDateTime, nullable=False, default=utc_now),
    sa.Column("told_at", AwareDateTime),
    sa.Column("handed_at", AwareDateTime),
    sa.Column("left", sa.BigInteger, nullable=False, default=0),
    comment="What a revoked device is ordered, and how far it has come. left: of its work, what it "
    "says that it could not hand over.",
)

device_standing = sa.Table(
    "fieldpost_device_standing",
    metadata,
    sa.Column("device", sa.String(100), primary_key=True),
    sa.Column("told_at", AwareDateTime, nullable=False, default=utc_now),
    sa.Column("browser", sa.String(200), nullable=False, default=""),
    sa.Column("app_version", sa.String(100), nullable=False, default=""),
    sa.Column("waiting", sa.BigInteger, nullable=False, default=0),
    sa.Column("attention", sa.BigInteger, nullable=False, default=0),
    sa.Column("drafts", sa.BigInteger, nullable=False, default=0),
    sa.Column("persisted", sa.Boolean),
    sa.Column("used", sa.BigInteger),
    sa.Column("quota", sa.BigInteger),
    sa.Column("emptied_at", AwareDateTime),
    comment="How a device stands, as it has told last. used, quota: bytes of the browser's "
    "storage; emptied_at: when it told that nothing is left on it.",
)

envelope = sa.Table(
    "fieldpost_envelope",
    metadata,
    sa.Column("id", sa.String(100), primary_key=True),
    sa.Column("device", sa.String(100), nullable=False),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("previous", sa.String(100)),
    sa.Column("digest", sa.String(100), nullable=False),
    sa.Column("user", sa.String(100), nullable=False, index=True),
    sa.Column("page", sa.String(200), nullable=False),
    sa.Column("saved_at", sa.String(50), nullable=False),
    sa.Column("received_at", AwareDateTime, nullable=False, default=utc_now, index=True),
    sa.Column("outcome", sa.String(20), nullable=False, index=True),
    sa.Column("void", sa.Boolean, nullable=False, default=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("receipt", sa.Text, nullable=False),
    comment="The inbox: every envelope received, its canonical JSON, and its receipt.",
)
# a void takes the number of the envelope that it discards; not a partial index, since what looks
# for a number looks for both
sa.Index(
    "fieldpost_envelope_number",
    envelope.c.device,
    envelope.c.number,
    envelope.c.void,
    unique=True,
)

settlement = sa.Table(
    "fieldpost_settlement",
    metadata,
    # no foreign key: an envelope may be discarded or repaired before it arrives
    sa.Column("envelope", sa.String(100), primary_key=True),
    sa.Column("digest", sa.String(100), nullable=False, default=""),
    sa.Column("how", sa.String(20), nullable=False),
    sa.Column("by", sa.String(100), nullable=False, index=True),
    sa.Column("user", sa.String(100), nullable=False),
    sa.Column("at", AwareDateTime, nullable=False, default=utc_now),
    comment="How envelopes that were not applied ended: superseded or discarded, by which one.",
)

key = sa.Table(
    "fieldpost_key",
    metadata,
    sa.Column("device", sa.String(100), primary_key=True),
    sa.Column("model", sa.String(200), primary_key=True),
    sa.Column("temporary", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("real", sa.Text, nullable=False),
    comment="Temporary keys and the real key (JSON list) that each became; kept for good.",
)

history = sa.Table(
    "fieldpost_history",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("id", sa.String(32), nullable=False, unique=True),
    sa.Column("began_at", AwareDateTime, nullable=False, default=utc_now),
    comment="Histories of the change feed in their order; the last one is the present one.",
)

border = sa.Table(
    "fieldpost_border",
    metadata,
    sa.Column("history", sa.String(32), primary_key=True),
    sa.Column("table_name", sa.String(200), primary_key=True),
    sa.Column("key", sa.BigInteger, nullable=False),
    comment="By history, up to which counted key the rows of a table are those of the one before.",
)

lost_key = sa.Table(
    "fieldpost_lost_key",
    metadata,
    sa.Column("device", sa.String(100), primary_key=True),
    sa.Column("history", sa.String(32), primary_key=True),
    sa.Column("model", sa.String(200), primary_key=True),
    sa.Column("real", sa.BigInteger, primary_key=True, autoincrement=False),
    # a table may give the key of its deleted last row again
    sa.Column("temporary", sa.BigInteger, primary_key=True, autoincrement=False),
    comment="Keys that were given out and forgotten, as devices have reported them: what they "
    "mean in envelopes that were made in that history.",
)

signing_key = sa.Table(
    "fieldpost_signing_key",
    metadata,
    # two processes that make a key at the same time make the same number, and one of them waits
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("id", sa.String(16), nullable=False, unique=True),
    sa.Column("public", sa.String(100), nullable=False),
    sa.Column("private", sa.Text, nullable=False),
    sa.Column("created_at", AwareDateTime, nullable=False, default=utc_now),
    sa.Column("retired_at", AwareDateTime),
    sa.Column("endorsement", sa.String(100)),
    comment="Keys that receipts are signed with. private: empty once retired; "
    "endorsement: the signature of the key before, null where that did not vouch for this one.",
)

change = sa.Table(
    "fieldpost_change",
    metadata,
    sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("transaction", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    sa.Column("table_name", sa.Text, nullable=False),
    sa.Column("key", sa.Text),
    sa.Column("at", sa.BigInteger, nullable=False),
    # without AUTOINCREMENT SQLite would use the numbers of pruned rows again
    sqlite_autoincrement=True,
    comment="Written by triggers only. key: JSON list, null for the whole table; at: Unix seconds.",
)
sa.Index("fieldpost_change_transaction", change.c.transaction).ddl_if(dialect="postgresql")

attachment = sa.Table(
    "fieldpost_attachment",
    metadata,
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("type", sa.String(255), nullable=False),
    sa.Column("name", sa.String(255), nullable=False, default=""),
    sa.Column("complete", sa.Boolean, nullable=False, default=False),
    sa.Column("created_by", sa.String(100), nullable=False),
    sa.Column("created_at", AwareDateTime, nullable=False, default=utc_now),
    comment="What is known of each attachment; the bytes are in the attachments store.",
)

attachment_bringer = sa.Table(
    "fieldpost_attachment_bringer",
    metadata,
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("user", sa.String(100), primary_key=True),
    sa.Column("type", sa.String(255), nullable=False),
    comment="Who has brought the content of an attachment: to know its digest is not enough.",
)
