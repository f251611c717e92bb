"""Found by an index however large the fleet is; devices are claimed by row, and not by a mark on them."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_index("minted_newest", "minted", ["key_id", "token"])
    op.create_index("target_page", "rollout_devices", ["rollout", "wave", "device"])
    op.drop_column("rollout_devices", "claimed")
