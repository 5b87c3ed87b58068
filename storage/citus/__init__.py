"""Distributes a database with buckets by the extension Citus of PostgreSQL (experimental)."""
