"""Stores processes, versions, instances and upgrades in SQLite, PostgreSQL or memory."""
