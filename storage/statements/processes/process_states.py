"""Reads what shows whether processes have changed, in one statement.

The database sums a number for each cohort, so that no cohort leaves it. The number is a product of factors of
version, status and position: a sum of them would not show that instances have changed places. All values stay
below 2**63 with up to four billion instances.
"""

from sqlalchemy import ColumnElement, Integer, and_, bindparam, func, select, type_coerce

from uplift.storage.sql.tables import cohort_part, process, version
from uplift.storage.sql.types import LONG
from uplift.storage.statements.processes.process_lists import PROCESSES

MODULUS = 2**31 - 1
FACTORS = {
    cohort_part.c.version: (1_000_003, 7_919),
    cohort_part.c.status: (99_999_989, 104_729),
    cohort_part.c.position_id: (15_485_863, 1_299_709),
}
"""A multiplier and a summand for each column. Primes spread small numbers over all remainders."""


def checksum() -> ColumnElement[int]:
    """A sum over the rows of `cohort_part`."""
    product: ColumnElement[int] | None = None
    for column, (multiplier, summand) in FACTORS.items():
        number = type_coerce(column, Integer).cast(LONG)
        factor = (number * multiplier + summand) % MODULUS
        product = factor if product is None else product * factor % MODULUS
    assert product is not None
    # Empty cohorts add nothing, and the parts of a count add up to the count.
    return func.coalesce(func.sum(cohort_part.c.instances * product), 0)


NEWEST_VERSIONS = (
    PROCESSES.add_columns(
        version.c.number,
        version.c.state,
        version.c.created_at.label("version_created_at"),
        version.c.published_at,
        version.c.model_process_id,
    )
    .outerjoin(
        version,
        and_(
            version.c.process_id == process.c.id,
            version.c.number
            == select(func.max(version.c.number))
            .where(version.c.process_id == process.c.id)
            .correlate(process)
            .scalar_subquery(),
        ),
    )
    .where(process.c.id.in_(bindparam("ids", expanding=True)))
)
PROCESS_STATES = NEWEST_VERSIONS.add_columns(
    select(checksum())
    .where(cohort_part.c.process_id == process.c.id)
    .correlate(process)
    .scalar_subquery()
    .label("checksum")
)
