"""The figures of a large fleet are counted from an index alone."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.drop_index("device_runs", "devices")
    op.create_index("device_figures", "devices", ["app", "version", "left", "online", "failures", "quarantined"])
