"""Reads and writes of each kind of row, the same for SQLite and PostgreSQL."""
