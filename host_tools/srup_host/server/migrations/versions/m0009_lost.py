"""Of which transactions a restored server may have missed answers."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("transactions", sa.Column("lost", sa.Boolean(), nullable=False, server_default=sa.false()))
