"""What waits for an answer, of all devices in order, without a look at all that was ever sent."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    waits = sa.text("unanswered = 1") if op.get_context().dialect.name == "sqlite" else sa.text("unanswered")
    op.create_index("sent_open", "sent", ["id"], sqlite_where=waits, postgresql_where=waits)
