"""Orders that wait for a second person; the latest starts of a device, by which a second one with its key is noticed."""

import sqlalchemy as sa
from alembic import op

from srup_host.server.migrations import INT

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "orders",
        sa.Column("id", INT, nullable=False),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("action", INT, nullable=False),
        sa.Column("own", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=True),
        sa.Column("made", INT, nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("ended", INT, nullable=True),
        sa.Column("ended_by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["device"], ["devices.uuid"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.add_column("heard", sa.Column("starts", sa.String(), nullable=False, server_default=""))
