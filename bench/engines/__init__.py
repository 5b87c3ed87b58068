"""Benchmarks of linked engines."""
