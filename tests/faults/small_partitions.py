"""The command `uplift` with small partitions: python -m tests.faults.small_partitions.

On PostgreSQL several workers then share even a short upgrade. On SQLite an upgrade is one partition.
"""

from uplift.gateway import settings
from uplift.gateway.cli import app

settings.PARTITION_SIZE = 5_000
app(prog_name="uplift")
