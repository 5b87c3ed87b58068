"""python -m uplift.gateway.cli: the same as the command `uplift`."""

from uplift.gateway.cli import app

app(prog_name="uplift")
