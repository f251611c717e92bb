"""Each device's time zone, and what a device of a roll-out was sent: a delta, or a copy sealed for it alone."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("devices", sa.Column("zone", sa.String(), nullable=False, server_default=""))
    op.create_index("ix_devices_zone", "devices", ["zone"])
    op.add_column("rollout_devices", sa.Column("bundle", sa.String(), nullable=False, server_default=""))
    op.add_column("rollout_devices", sa.Column("sealed", sa.String(), nullable=False, server_default=""))
