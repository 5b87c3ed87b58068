"""Divides the large tables into buckets, so that a cluster of databases may hold them (experimental)."""
