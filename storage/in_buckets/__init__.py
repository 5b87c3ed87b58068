"""Works on a database whose large tables are divided into buckets (experimental)."""
