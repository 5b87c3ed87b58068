"""python -m gateway.cli: the same as the command `uplift`."""

from gateway.cli import app

app(prog_name="uplift")
