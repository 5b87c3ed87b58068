"""python -m tests.faults.small_partitions: the command `uplift`, with workers that take small partitions.

So several workers share even an upgrade that is soon over; in PostgreSQL, for on SQLite a worker takes all.
"""

from uplift.gateway import settings
from uplift.gateway.cli import app

settings.PARTITION_SIZE = 5_000
app(prog_name="uplift")
