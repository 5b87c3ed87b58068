"""Runs mixed traffic against a real server for a while, then checks that every rule still holds.

Engines register and report, operators upgrade, pause, undo and hang up, dashboards read and follow, and one
client sends the requests that cost a server most, with pauses of two seconds. Every client keeps to the seed
and records the replies. At the end the database must agree with all of them, and kept counts with instances.
Run:
python -m bench.soak --seconds 60 [--database sqlite|postgres] [--seed 1] [--instances 20000]
"""
