"""Which of the ids that a request named were reached by its upgrade so far?"""

from sqlalchemy import select

from uplift.storage.sql.tables import selected, share

WAS_REACHED = ~(
    select(share.c.upgrade_id)
    .where(
        share.c.upgrade_id == selected.c.upgrade_id,
        share.c.cursor < selected.c.place,
        share.c.last_key >= selected.c.place,
    )
    .exists()
)
"""No share covers them any more: each of them is an outcome, with an instance or without."""
