"""Alembic's entry: runs on the connection that `database` hands over, in its transaction."""

from alembic import context

from srup_host.server import models
from srup_host.tables import Base

assert models  # its tables are in Base.metadata
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
