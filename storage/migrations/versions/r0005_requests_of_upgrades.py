"""Adds the number of ids in the request of an upgrade, and an index that finds its retries and undos."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0005"
down_revision = "0004"


def upgrade(op: Operations) -> None:
    op.add_column("upgrade", sa.Column("named_ids", sa.Integer, nullable=False, server_default="0"))
    # 1 is a selection by ids, and 2 one of all active. A request by ids expects as many outcomes as it has
    # ids, also when these were pruned. Of the excluded ids only those that have an instance are known.
    op.execute(
        "UPDATE upgrade SET named_ids = CASE selection WHEN 1 THEN expected "
        "ELSE (SELECT count(*) FROM selected WHERE selected.upgrade_id = upgrade.id) END "
        "WHERE selection IN (1, 2)"
    )
    is_following = sa.text("of_upgrade_id IS NOT NULL")
    op.create_index(
        "upgrade_following",
        "upgrade",
        ["of_upgrade_id", "id"],
        sqlite_where=is_following,
        postgresql_where=is_following,
    )
