"""What the ledger keeps: frames out and in, what they have brought about."""

import sqlalchemy as sa
from alembic import op

from srup_host.server.migrations import INT

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "alarms",
        sa.Column("id", INT, nullable=False),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.Column("count", INT, nullable=False),
        sa.Column("frame", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_alarms_device"), "alarms", ["device"], unique=False)
    op.create_table(
        "evidence",
        sa.Column("id", INT, nullable=False),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.Column("frame", sa.LargeBinary(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_evidence_device"), "evidence", ["device"], unique=False)
    op.create_index(op.f("ix_evidence_token"), "evidence", ["token"], unique=False)
    op.create_table(
        "heard",
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("inventory", sa.String(), nullable=True),
        sa.Column("inventory_at", INT, nullable=True),
        sa.PrimaryKeyConstraint("device"),
    )
    op.create_table(
        "minted",
        sa.Column("key_id", sa.LargeBinary(), nullable=False),
        sa.Column("target", sa.LargeBinary(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", "target"),
    )
    op.create_table(
        "sent",
        sa.Column("id", INT, nullable=False),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("type", INT, nullable=False),
        sa.Column("frame", sa.LargeBinary(), nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.Column("unanswered", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_sent_token"), "sent", ["token"], unique=False)
    op.create_index(
        "one_unanswered",
        "sent",
        ["device"],
        unique=True,
        sqlite_where=sa.text("unanswered = 1 AND type != 6"),
        postgresql_where=sa.text("unanswered AND type != 6"),
    )
    op.create_table(
        "transactions",
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("kind", INT, nullable=False),
        sa.Column("key_id", sa.LargeBinary(), nullable=False),
        sa.Column("opened", INT, nullable=False),
        sa.Column("seen", sa.LargeBinary(), nullable=False),
        sa.Column("changed", INT, nullable=True),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("version", sa.String(), nullable=True),
        sa.Column("tree", sa.String(), nullable=True),
        sa.Column("agreed", INT, nullable=True),
        sa.PrimaryKeyConstraint("device", "token"),
    )
