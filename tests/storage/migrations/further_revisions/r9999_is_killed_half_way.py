"""Changes tables and rows, and is then killed."""

import os
import signal

import sqlalchemy as sa
from alembic.operations import Operations

revision = "9999"
down_revision = "0001"


def upgrade(op: Operations) -> None:
    op.add_column("process", sa.Column("owner", sa.String))
    op.create_table("owner", sa.Column("name", sa.String, primary_key=True))
    op.drop_table("outcome")
    op.execute(sa.text("UPDATE process SET title = 'lost', owner = 'nobody'"))
    os.write(1, b"half way")
    os.kill(os.getpid(), signal.SIGKILL)
