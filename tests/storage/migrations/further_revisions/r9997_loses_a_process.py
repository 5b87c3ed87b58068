"""Deletes the process and leaves the rows that refer to it."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "9997"
down_revision = "0001"


def upgrade(op: Operations) -> None:
    op.execute(sa.text("DELETE FROM process"))
