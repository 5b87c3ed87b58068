"""Rebuilds the table of processes, as SQLite requires for most changes of a column."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "9998"
down_revision = "0001"


def upgrade(op: Operations) -> None:
    op.create_table(
        "new_process",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("namespace", sa.String(100), nullable=False),
        sa.Column("code", sa.String(100), nullable=False),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("folded_title", sa.String, nullable=False),
        sa.Column("folded_name", sa.String, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    columns = "id, namespace, code, title, folded_title, folded_name, created_at"
    op.execute(sa.text(f"INSERT INTO new_process SELECT {columns} FROM process"))
    op.drop_table("process")
    op.rename_table("new_process", "process")
    op.create_index("process_key", "process", ["namespace", "code"], unique=True)
