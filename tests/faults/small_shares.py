"""python -m tests.faults.small_shares: the command `uplift`, of a gateway whose workers take small shares.

So several workers share even an upgrade that is soon over; in PostgreSQL, for on SQLite a worker takes all.
"""

from gateway import settings
from gateway.cli import app

settings.SHARE_SIZE = 5_000
app(prog_name="uplift")
