"""The server: accounts, audit log, registry, bundles, roll-outs."""

import sqlalchemy as sa
from alembic import op

from srup_host.server.migrations import INT

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", INT, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", INT, nullable=False),
        sa.Column("password", sa.String(), nullable=False),
        sa.Column("made", INT, nullable=False),
        sa.Column("closed", INT, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "api_tokens",
        sa.Column("id", INT, nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", INT, nullable=False),
        sa.Column("made", INT, nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("expires", INT, nullable=True),
        sa.Column("revoked", INT, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("secret"),
    )
    op.create_table(
        "audit",
        sa.Column("number", INT, nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index(op.f("ix_audit_subject"), "audit", ["subject"], unique=False)
    op.create_table(
        "audit_heads",
        sa.Column("number", INT, nullable=False),
        sa.Column("head", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "bundles",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("size", INT, nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.Column("added", INT, nullable=False),
        sa.Column("added_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "devices",
        sa.Column("uuid", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("board", sa.String(), nullable=False),
        sa.Column("public_key", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("provisioned", INT, nullable=False),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("seen", INT, nullable=True),
        sa.Column("app", sa.String(), nullable=True),
        sa.Column("version", sa.String(), nullable=True),
        sa.Column("counter", INT, nullable=True),
        sa.Column("failures", INT, nullable=False),
        sa.Column("quarantined", INT, nullable=True),
        sa.Column("quarantined_why", sa.String(), nullable=True),
        sa.Column("left", INT, nullable=True),
        sa.PrimaryKeyConstraint("uuid"),
    )
    op.create_index("device_runs", "devices", ["app", "version"], unique=False)
    op.create_index(op.f("ix_devices_board"), "devices", ["board"], unique=False)
    op.create_index(op.f("ix_devices_fingerprint"), "devices", ["fingerprint"], unique=False)
    op.create_index(op.f("ix_devices_name"), "devices", ["name"], unique=False)
    op.create_index(op.f("ix_devices_online"), "devices", ["online"], unique=False)
    op.create_index(op.f("ix_devices_quarantined"), "devices", ["quarantined"], unique=False)
    op.create_index(op.f("ix_devices_seen"), "devices", ["seen"], unique=False)
    op.create_table(
        "invitations",
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("role", INT, nullable=False),
        sa.Column("expires", INT, nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("secret"),
    )
    op.create_table(
        "labels",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("device", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device"],
            ["devices.uuid"],
        ),
        sa.PrimaryKeyConstraint("kind", "name", "device"),
    )
    op.create_index(op.f("ix_labels_device"), "labels", ["device"], unique=False)
    op.create_table(
        "rollouts",
        sa.Column("id", INT, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("bundle", sa.String(), nullable=False),
        sa.Column("selector", sa.JSON(), nullable=False),
        sa.Column("policy", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("wave", INT, nullable=False),
        sa.Column("waves", INT, nullable=False),
        sa.Column("made", INT, nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("approved_by", sa.String(), nullable=True),
        sa.Column("activation_by", sa.String(), nullable=True),
        sa.Column("changed", INT, nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["bundle"],
            ["bundles.digest"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_rollouts_state"), "rollouts", ["state"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("account", INT, nullable=False),
        sa.Column("csrf", sa.String(), nullable=False),
        sa.Column("began", INT, nullable=False),
        sa.Column("used", INT, nullable=False),
        sa.ForeignKeyConstraint(
            ["account"],
            ["accounts.id"],
        ),
        sa.PrimaryKeyConstraint("secret"),
    )
    op.create_index(op.f("ix_sessions_account"), "sessions", ["account"], unique=False)
    op.create_table(
        "rollout_devices",
        sa.Column("rollout", INT, nullable=False),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("wave", INT, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=True),
        sa.Column("status", INT, nullable=True),
        sa.Column("attempts", INT, nullable=False),
        sa.Column("due", INT, nullable=False),
        sa.Column("since", INT, nullable=False),
        sa.Column("claimed", INT, nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device"],
            ["devices.uuid"],
        ),
        sa.ForeignKeyConstraint(
            ["rollout"],
            ["rollouts.id"],
        ),
        sa.PrimaryKeyConstraint("rollout", "device"),
    )
    op.create_index(op.f("ix_rollout_devices_device"), "rollout_devices", ["device"], unique=False)
    op.create_index("target_due", "rollout_devices", ["rollout", "state", "wave", "due"], unique=False)
    op.create_table(
        "rollout_events",
        sa.Column("id", INT, nullable=False),
        sa.Column("rollout", INT, nullable=False),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("at", INT, nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("before", sa.String(), nullable=False),
        sa.Column("after", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["rollout"],
            ["rollouts.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("rollout_story", "rollout_events", ["rollout", "at"], unique=False)
    op.create_index(
        "sent_waiting",
        "sent",
        ["device"],
        sqlite_where=sa.text("unanswered = 1"),
        postgresql_where=sa.text("unanswered"),
    )
    op.create_index("sent_to", "sent", ["device", "id"])
    op.create_index("sent_type", "sent", ["type", "at"])
