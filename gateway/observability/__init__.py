"""Logs, metrics and the log line of each request."""
