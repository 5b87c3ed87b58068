"""Does everything still hold when all of it happens at once, for a while, on a real server?

Engines register and report, operators upgrade, pause, undo and hang up, dashboards read and follow: every
client keeps to the seed and knows what it was told. At the end the database must agree with all of them. Run:
python -m bench.soak --seconds 60 [--database sqlite|postgres] [--seed 1] [--instances 20000]
"""
