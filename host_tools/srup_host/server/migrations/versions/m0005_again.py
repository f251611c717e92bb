"""When a frame without an answer is published again, by whichever worker comes to it."""

import sqlalchemy as sa
from alembic import op

from srup_host.server.migrations import INT

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("sent", sa.Column("again", INT, nullable=False, server_default="0"))
